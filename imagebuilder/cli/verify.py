"""``verify``: whether a target gives the same image again."""

from __future__ import annotations

import argparse
from pathlib import Path
from secrets import token_hex
from typing import Any

from imagebuilder.cli.build import secrets_of
from imagebuilder.cli.output import print_json, progress_option, tell
from imagebuilder.cli.snapshot_diff import show
from imagebuilder.cli.target import load_one, locked_option, read_lock, target_options
from imagebuilder.diagnostics import CompileError, Diagnostic

_DESCRIPTION = """\
Build a target once more, with every step run again, and compare the digest with that of
its snapshot. Where they differ, say which files do. The exit code is 1 then. What was
built for it is gone afterwards."""


def register(commands: Any) -> None:
    verify = commands.add_parser(
        "verify",
        help="build a target again and compare the digests",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    target_options(verify)
    locked_option(verify)
    verify.add_argument("--name", help="the snapshot to compare with (default: that of the target)")
    verify.add_argument("--secret", action="append", default=[], metavar="SPEC",
                        help="a build secret: NAME, or id=NAME[,env=VARIABLE|,src=FILE]")  # fmt: skip
    verify.add_argument("--ca", type=Path, metavar="FILE", help="a CA bundle (default: SSL_CERT_FILE)")
    progress_option(verify)
    verify.add_argument("--json", action="store_true", help="print JSON")
    verify.set_defaults(command=_verify)


def _verify(arguments: argparse.Namespace) -> int:
    from imagebuilder.cli.progress import reporter
    from imagebuilder.client import Client
    from imagebuilder.compiler import compile

    target = load_one(arguments)
    client = Client()
    name = arguments.name or target.name
    if arguments.name is None and client.store.named(name) is None:
        help = f"`imagebuilder build {arguments.target}` first, or give the --name that it was built under"
        raise CompileError(Diagnostic("IB702", f"no snapshot is called {name!r}, as this target is", help=help))
    before = client.snapshot.get(name)
    lock = read_lock(arguments, target)
    plan = compile(target.image, platform=arguments.platform, build_args=target.build_args, lock=lock)
    if plan.key != before.key:
        help = f"`imagebuilder build {arguments.target}` first"
        raise CompileError(Diagnostic("IB676", f"the snapshot {name!r} is of something else by now", help=help))
    again = f"verify-{token_hex(4)}"
    try:
        with reporter(arguments.progress) as progress:
            made = client.build(
                target.image,
                name=again,
                platform=arguments.platform,
                build_args=target.build_args,
                secrets=secrets_of(arguments.secret),
                ca=arguments.ca,
                no_cache=True,
                cache="",
                lock=lock,
                locked=arguments.locked,
                reproducible=True,
                on_event=progress.on_event,
            )
        same = made.digest == before.digest
        found = None if same else client.snapshot.diff(name, again)
    finally:
        if client.store.named(again) is not None:
            client.snapshot.delete(again)
    if arguments.json:
        differences = None if found is None else found.as_json()
        print_json({"name": name, "same": same, "digest": before.digest, "again": made.digest, "diff": differences})
    elif found is None:
        print(f"{name} is the same again: {made.digest}")
    else:
        print(f"{name} differs: {before.digest}, and {made.digest} again")
        show(found, (name, "again"))
        if not found:
            tell("what differs are times: was it built with --reproducible?")
    return 0 if same else 1
