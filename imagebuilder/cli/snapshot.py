"""``snapshot list | info | logs | delete``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from imagebuilder.cli.output import ago, print_json, print_table, size


def register(commands: Any) -> None:
    group = commands.add_parser("snapshot", help="list, show and delete snapshots")
    verbs = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, function, help in (
        ("list", _list, "all snapshots, the newest first"),
        ("info", _info, "one snapshot, with the steps of its build"),
        ("logs", _logs, "what its build printed"),
        ("delete", _delete, "forget it, and remove its image"),
    ):
        verb = verbs.add_parser(name, help=help)
        if name != "list":
            verb.add_argument("name", metavar="NAME")
        verb.add_argument("--json", action="store_true", help="print JSON")
        verb.set_defaults(command=function)


def _list(arguments: argparse.Namespace) -> int:
    from imagebuilder.client import Client

    found = Client().snapshot.list()
    if arguments.json:
        print_json([snapshot.as_json() for snapshot in found])
    elif not found:
        print("no snapshots yet: `imagebuilder build TARGET` makes one", file=sys.stderr)
    else:
        rows = [
            (
                s.name,
                s.state,
                size(s.size) if s.size else "",
                ago(s.created_at),
                ago(s.last_used_at),
                s.key[:19],
            )
            for s in found
        ]
        print_table(("NAME", "STATE", "SIZE", "CREATED", "LAST USED", "KEY"), rows)
    return 0


def _info(arguments: argparse.Namespace) -> int:
    from imagebuilder.client import Client

    found = Client().snapshot.get(arguments.name)
    if arguments.json:
        print_json(found.as_json())
        return 0
    res = found.resources
    rows = {
        "name": found.name,
        "state": found.state + (f": {found.reason}" if found.reason else ""),
        "image": found.image,
        "digest": found.digest,
        "key": found.key,
        "platform": found.platform,
        "size": size(found.size) if found.size else "",
        "resources": f"{res.cpu:g} CPU, {res.memory:g} GiB memory, {res.disk:g} GiB disk"
        + (f", {res.gpu:g} GPU" if res.gpu else ""),
        "created": f"{found.created_at:%Y-%m-%d %H:%M:%S} UTC ({ago(found.created_at)})" if found.created_at else "",
        "last used": ago(found.last_used_at),
    }
    for name, value in rows.items():
        print(f"{name:<10} {value}".rstrip())
    for step in found.steps:
        print(f"  {'CACHED' if step.cached else f'{step.seconds:.1f} s':>8}  {step.name}")
    return 0


def _logs(arguments: argparse.Namespace) -> int:
    from imagebuilder.client import Client

    text = Client().snapshot.logs(arguments.name)
    if arguments.json:
        print_json({"name": arguments.name, "lines": text.splitlines()})
    elif text:
        sys.stdout.write(text)
    else:
        print("no log: the image was there already, and nothing was built", file=sys.stderr)
    return 0


def _delete(arguments: argparse.Namespace) -> int:
    from imagebuilder.client import Client

    found = Client().snapshot.delete(arguments.name)
    if arguments.json:
        print_json({"name": found.name, "deleted": True})
    else:
        print(f"deleted {found.name}")
    return 0
