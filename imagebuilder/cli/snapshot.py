"""``snapshot create | push | list | info | logs | rollback | lock | alias | activate | deactivate | delete``."""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from imagebuilder.amounts import age
from imagebuilder.cli import snapshot_diff
from imagebuilder.cli.output import ago, print_json, print_rows, print_table, progress_option, size
from imagebuilder.cli.resources import given_resources, resource_options
from imagebuilder.cli.target import load_one, locked_option, read_lock, reading_options
from imagebuilder.diagnostics import CompileError, Diagnostic
from imagebuilder.diagnostics.excerpt import visible
from imagebuilder.ir.resources import Resources

if TYPE_CHECKING:
    from imagebuilder.client import Client
    from imagebuilder.engine.protocol import OnEvent
    from imagebuilder.frontends.target import Target
    from imagebuilder.store import Snapshot

# An image with its tag, which no target looks like.
_REFERENCE = re.compile(r"[a-z0-9][a-z0-9._/:-]*:[0-9][\w.-]*")


def register(commands: Any) -> None:
    group = commands.add_parser("snapshot", help="make, list, show and delete snapshots")
    verbs = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    create = verbs.add_parser(
        "create",
        help="make a snapshot of an image, a Dockerfile or another target, and see that it stays up",
        description="Make a snapshot: of an image by its name (--image), of a Dockerfile (--dockerfile), or of another"
        " target. A container of it is started, to see that it stays up; then the snapshot is active.",
    )
    create.add_argument("name", metavar="NAME", nargs="?")
    create.add_argument("--default", action="store_true", help="make the one of a sandbox that names none")
    create.add_argument("target", metavar="TARGET", nargs="?", help="file.snap[:name], file.py[:attribute], file.json")
    create.add_argument("--image", metavar="REF", help="an image with its tag or digest; it is pulled")
    create.add_argument("--dockerfile", metavar="FILE", help="a Dockerfile, which is built")
    create.add_argument("--resolve", action="store_true", help="take what the tag of --image is now, even latest")
    create.add_argument("--entrypoint", metavar="COMMAND",
                        help="what keeps its containers up (default: the image's, or `sleep infinity`)")  # fmt: skip
    reading_options(create)
    locked_option(create)
    resource_options(create)
    create.add_argument("--ttl", metavar="AGE", help="let it go after so long, such as 12h or 7d")
    create.add_argument("--replace", action="store_true", help="take the name from a snapshot of something else")
    progress_option(create)
    create.add_argument("--json", action="store_true", help="end with one JSON object on standard output")
    create.set_defaults(command=_create, platform=None)

    push = verbs.add_parser("push", help="make a snapshot of an image that the engine has")
    push.add_argument("image", metavar="IMAGE")
    push.add_argument("--name", required=True, help="the snapshot's name")
    push.add_argument("--entrypoint", metavar="COMMAND", help="what keeps its containers up")
    resource_options(push)
    push.add_argument("--replace", action="store_true", help="take the name from a snapshot of something else")
    progress_option(push)
    push.add_argument("--json", action="store_true", help="print JSON")
    push.set_defaults(command=_push)
    for name, function, help in (
        ("list", _list, "all snapshots, the newest first"),
        ("info", _info, "one snapshot, with the steps of its build"),
        ("logs", _logs, "what its build printed"),
        ("rollback", _rollback, "go back to what --replace replaced; again goes forward"),
        ("lock", _lock, "let it neither be replaced nor deleted"),
        ("unlock", _unlock, "undo lock"),
        ("activate", _activate, "let it be used again"),
        ("deactivate", _deactivate, "let nobody use it until it is activated"),
        ("delete", _delete, "forget it, and remove its image"),
    ):
        verb = verbs.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
        if name == "delete":
            verb.add_argument("names", metavar="NAME", nargs="+")
        elif name != "list":
            verb.add_argument("name", metavar="NAME")
        if name == "logs":
            verb.add_argument("-f", "--follow", action="store_true", help="go on until it is built")
        verb.add_argument("--json", action="store_true", help="print JSON")
        verb.set_defaults(command=function)
    alias = verbs.add_parser("alias", help="give a snapshot a second name, or move one to another snapshot")
    alias.add_argument("alias", metavar="ALIAS")
    alias.add_argument("name", metavar="NAME")
    alias.add_argument("--json", action="store_true", help="print JSON")
    alias.set_defaults(command=_alias)
    snapshot_diff.register(verbs)


def _create(arguments: argparse.Namespace) -> int:
    from imagebuilder.cli.progress import reporter
    from imagebuilder.client import Client

    client = Client()
    # Looked at first, so that a wrong one builds nothing.
    seconds = None if arguments.ttl is None else age(arguments.ttl)
    with reporter(arguments.progress) as progress:
        made = _created(client, arguments, progress.on_event)
    return _made(made if seconds is None else client.snapshot.expire(made.name, seconds), arguments)


def _created(client: Client, arguments: argparse.Namespace, on_event: OnEvent) -> Snapshot:
    from imagebuilder.snapshots import CreateSnapshotParams

    sources = [arguments.target, arguments.image, arguments.dockerfile]
    if arguments.default:
        if arguments.name is not None or any(source is not None for source in sources):
            help = "it has its name, and is of what the package says"
            raise CompileError(Diagnostic("IB700", "--default with something else", help=help))
        return client.snapshot.create_default(on_event=on_event)
    if arguments.name is None:
        raise CompileError(Diagnostic("IB700", "a snapshot without a name", help="snapshot create NAME …"))
    if sum(source is not None for source in sources) != 1:
        help = "give a TARGET, --image REF or --dockerfile FILE"
        raise CompileError(Diagnostic("IB700", "a snapshot is made of one thing", help=help))
    entrypoint = None if arguments.entrypoint is None else words(arguments.entrypoint)
    if arguments.image is not None:
        params = CreateSnapshotParams(
            arguments.name, arguments.image, given_resources(arguments, Resources()), entrypoint
        )
        made = client.snapshot.create(params, on_event=on_event, resolve=arguments.resolve, replace=arguments.replace)
    else:
        if arguments.resolve:
            raise CompileError(Diagnostic("IB700", "--resolve without --image", help="it is for an image's tag"))
        arguments.target = arguments.target if arguments.dockerfile is None else arguments.dockerfile
        target = _read(arguments)
        params = CreateSnapshotParams(
            arguments.name, target.image, given_resources(arguments, target.resources), entrypoint
        )
        made = client.snapshot.create(
            params,
            on_event=on_event,
            build_args=target.build_args,
            replace=arguments.replace,
            lock=read_lock(arguments, target),
            locked=arguments.locked,
        )
    return made


def _read(arguments: argparse.Namespace) -> Target:
    try:
        return load_one(arguments)
    except CompileError as error:
        (found, *_) = error.diagnostics
        if found.code != "IB401" or not _REFERENCE.fullmatch(arguments.target):
            raise
        help = f"an image is named with --image {arguments.target}"
        raise CompileError(replace(found, help=help)) from None


def _push(arguments: argparse.Namespace) -> int:
    from imagebuilder.cli.progress import reporter
    from imagebuilder.client import Client
    from imagebuilder.snapshots import CreateSnapshotParams

    entrypoint = None if arguments.entrypoint is None else words(arguments.entrypoint)
    params = CreateSnapshotParams(arguments.name, arguments.image, given_resources(arguments, Resources()), entrypoint)
    with reporter(arguments.progress) as progress:
        made = Client().snapshot.create(params, on_event=progress.on_event, local=True, replace=arguments.replace)
    return _made(made, arguments)


def _made(made: Snapshot, arguments: argparse.Namespace) -> int:
    if arguments.json:
        print_json(made.as_json())
    else:
        print(f"✓ Use {made.name!r} to create a new sandbox: imagebuilder sandbox create {made.name}")
    return 0


def _alias(arguments: argparse.Namespace) -> int:
    from imagebuilder.client import Client

    Client().snapshot.alias(arguments.alias, arguments.name)
    if arguments.json:
        print_json({"alias": arguments.alias, "name": arguments.name})
    else:
        print(f"{arguments.alias} is {arguments.name}")
    return 0


def _rollback(arguments: argparse.Namespace) -> int:
    from imagebuilder.client import Client

    found = Client().snapshot.rollback(arguments.name)
    if arguments.json:
        print_json(found.as_json())
    else:
        print(f"{found.name} is {found.digest} again")
    return 0


def _lock(arguments: argparse.Namespace) -> int:
    from imagebuilder.client import Client

    return _locked(Client().snapshot.lock(arguments.name), arguments)


def _unlock(arguments: argparse.Namespace) -> int:
    from imagebuilder.client import Client

    return _locked(Client().snapshot.unlock(arguments.name), arguments)


def _locked(found: Snapshot, arguments: argparse.Namespace) -> int:
    if arguments.json:
        print_json(found.as_json())
    else:
        print(f"{found.name} is {'locked' if found.locked else 'unlocked'}")
    return 0


def _activate(arguments: argparse.Namespace) -> int:
    from imagebuilder.client import Client

    return _turned(Client().snapshot.activate(arguments.name), arguments)


def _deactivate(arguments: argparse.Namespace) -> int:
    from imagebuilder.client import Client

    return _turned(Client().snapshot.deactivate(arguments.name), arguments)


def _turned(found: Snapshot, arguments: argparse.Namespace) -> int:
    if arguments.json:
        print_json(found.as_json())
    else:
        print(f"{found.name} is {found.state}")
    return 0


def words(text: str) -> list[str]:
    """The words of a command, as a shell parts them."""
    import shlex

    try:
        found = shlex.split(text)
    except ValueError as error:
        help = "quote it as for a shell, such as 'python -m http.server'"
        raise CompileError(Diagnostic("IB755", f"not a command: {text!r}: {error}", help=help)) from None
    if not found:
        raise CompileError(Diagnostic("IB755", "an empty command", help="such as 'sleep infinity'"))
    return found


def _list(arguments: argparse.Namespace) -> int:
    from imagebuilder.client import Client

    found = Client().snapshot.list()
    if arguments.json:
        print_json([snapshot.as_json() for snapshot in found])
    elif not found:
        print(
            "no snapshots yet: `imagebuilder snapshot create NAME …` or `imagebuilder build TARGET` makes one",
            file=sys.stderr,
        )
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
    import shlex

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
        "entrypoint": shlex.join(found.entrypoint)
        if found.entrypoint
        else "the image's"
        if found.tried
        else "not tried",
        "created": f"{found.created_at:%Y-%m-%d %H:%M:%S} UTC ({ago(found.created_at)})" if found.created_at else "",
        "last used": ago(found.last_used_at),
        "before it": found.previous.digest if found.previous else "",
        "locked": "neither replaced nor deleted" if found.locked else "",
        "goes": f"{found.expires_at:%Y-%m-%d %H:%M:%S} UTC" if found.expires_at else "",
    }
    optional = ("before it", "locked", "goes")
    print_rows({name: value for name, value in rows.items() if value or name not in optional}, 10)
    for step in found.steps:
        print(visible(f"  {'CACHED' if step.cached else f'{step.seconds:.1f} s':>8}  {step.name}"))
    return 0


def _logs(arguments: argparse.Namespace) -> int:
    from imagebuilder.client import Client

    if arguments.follow:
        for line in Client().snapshot.follow(arguments.name):
            print(_shown(line), flush=True)
        return 0
    text = Client().snapshot.logs(arguments.name)
    if arguments.json:
        print_json({"name": arguments.name, "lines": text.splitlines()})
    elif text:
        sys.stdout.write(_shown(text))
    else:
        print("no log: nothing was built for it here", file=sys.stderr)
    return 0


def _shown(text: str) -> str:
    """What a build printed, as it is for a program; a terminal would obey it."""
    return visible(text) if sys.stdout.isatty() else text


def _delete(arguments: argparse.Namespace) -> int:
    from imagebuilder.client import Client

    client, deleted = Client(), []
    for name in arguments.names:
        found = client.snapshot.delete(name)
        deleted.append({"name": name, "deleted": True})
        if not arguments.json:
            alias = name.removesuffix(":latest") not in (found.name, found.id)
            print(f"deleted the alias {name} of {found.name}" if alias else f"deleted {name}")
    if arguments.json:
        print_json(deleted if len(deleted) > 1 else deleted[0])
    return 0
