"""``lock`` and ``outdated``: what the network decides for a TARGET, written down."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagebuilder.cli.output import print_json, print_table, progress_option, tell
from imagebuilder.cli.target import check_target, load, lock_path, spec, target_options
from imagebuilder.diagnostics import CompileError, Diagnostic
from imagebuilder.files import write_text

if TYPE_CHECKING:
    from imagebuilder.locking import Change
    from imagebuilder.resolve.lock import LockFile

_LOCK = """\
Resolve what a target asks the network for, and write it into NAME.lock beside the spec:
Python packages and global npm packages with their versions and hashes, Debian packages
with their versions, and the digests of bases and of images that files are copied from. A build of the target
installs just that from then on, on every machine, and its key covers it. Versions that
are locked stay where they still fit the spec."""
_OUTDATED = "What `lock --upgrade` of a target would change; nothing is written."


def register(commands: Any) -> None:
    lock = commands.add_parser(
        "lock",
        help="write down what a target's packages and bases are resolved to",
        description=_LOCK,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    target_options(lock, nargs="?")
    lock.add_argument(
        "--upgrade", nargs="*", metavar="PACKAGE", help="take the newest versions that fit, of all or of these packages"
    )
    _common(lock)
    lock.set_defaults(command=_lock)
    outdated = commands.add_parser("outdated", help="what of a target's lock has newer versions", description=_OUTDATED)
    target_options(outdated)
    _common(outdated)
    outdated.set_defaults(command=_outdated, upgrade=[])


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ca", type=Path, metavar="FILE", help="a CA bundle (default: SSL_CERT_FILE)")
    parser.add_argument("--secret", action="append", default=[], metavar="SPEC",
                        help="a build secret: NAME, or id=NAME[,env=VARIABLE|,src=FILE]")  # fmt: skip
    progress_option(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def _lock(arguments: argparse.Namespace) -> int:
    from imagebuilder.resolve.lock import written
    from imagebuilder.resolve.uv import normalized

    given = _packages(arguments)
    upgrade = () if given is None else (given or None)
    told = []
    for name, lock, changed in _made(arguments, upgrade):
        known = {each.name for each in changed} | lock.names
        if unknown := sorted(each for each in given or () if each not in known and normalized(each) not in known):
            tell(f"not upgraded: {lock.path.name} has no {', '.join(unknown)}")
        try:
            # All of it or nothing, and in the place of what a link leads to.
            write_text(lock.path.resolve(), written(lock), force=True)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(lock.path)) from None
        told.append({"name": name, "lock": str(lock.path), "changes": [_json(change) for change in changed]})
        if not arguments.json:
            _show(changed)
            print(f"wrote {lock.path}: {_counted(lock)}")
    if arguments.json:
        print_json(told if len(told) > 1 else told[0])
    return 0


def _packages(arguments: argparse.Namespace) -> list[str] | None:
    """What is to be upgraded. The option takes all words after it; the target is the first or last of them, then."""
    from imagebuilder.frontends.target import parted

    given: list[str] | None = arguments.upgrade
    if arguments.target is None:
        at = next((at for at in (-1, 0) if given and Path(parted(given[at])[0]).exists()), None)
        if given is None or at is None:
            said = f", and none of these is a file: {' '.join(given)}" if given else ""
            help = "imagebuilder lock TARGET --upgrade [PACKAGE …]"
            raise CompileError(Diagnostic("IB401", f"no target is named{said}", help=help))
        arguments.target = given.pop(at)
    return given


def _counted(lock: LockFile) -> str:
    counts = {
        "Python package": sum(len(each.distributions) for each in lock.installs),
        "Debian package": len({each for answer in lock.apts for each in answer.all}),
        "npm package": len({(each.name, each.version) for answer in lock.npms for each in answer.packages}),
        "image": len(lock.bases),
    }
    return ", ".join(f"{count} {what}{'' if count == 1 else 's'}" for what, count in counts.items() if count) or "empty"


def _outdated(arguments: argparse.Namespace) -> int:
    told = []
    for name, lock, changed in _made(arguments, None):
        told.append({"name": name, "lock": str(lock.path), "changes": [_json(change) for change in changed]})
        if not arguments.json:
            _show(changed)
            if not changed:
                print(f"{name}: all are the newest that fit")
    if arguments.json:
        print_json(told if len(told) > 1 else told[0])
    return 0


def _made(arguments: argparse.Namespace, upgrade: Any) -> list[tuple[str, LockFile, list[Change]]]:
    from imagebuilder.cli.build import plans, secrets_of
    from imagebuilder.cli.progress import reporter
    from imagebuilder.client import Client
    from imagebuilder.locking import changes, locked
    from imagebuilder.options import BuildOptions
    from imagebuilder.resolve.lock import read

    targets = load(arguments)
    client = Client()
    found = []
    with reporter(arguments.progress) as progress:
        for target, plan in zip(targets, plans(targets, arguments, locks=False), strict=True):
            path = lock_path(arguments, target)
            before = read(path) if path.exists() else None
            if before is not None:
                check_target(arguments, before)
            lock, left = locked(
                plan,
                path,
                before,
                client.store,
                lambda: client.engine,
                progress.on_event,
                BuildOptions(target.build_args, secrets_of(arguments.secret), arguments.ca),
                upgrade=upgrade,
                target=spec(arguments).name,
            )
            for each in left:
                tell(f"not locked: {each}")
            found.append((target.name, lock, changes(before, lock)))
    return found


def _show(changed: list[Change]) -> None:
    if changed:
        rows = [(each.name, each.manager, each.before or "-", each.now or "-") for each in changed]
        print_table(("PACKAGE", "OF", "WAS", "IS"), rows)


def _json(change: Change) -> dict[str, str | None]:
    return {
        "name": change.name,
        "manager": change.manager,
        "before": change.before or None,
        "now": change.now or None,
    }
