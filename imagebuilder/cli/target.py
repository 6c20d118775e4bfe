"""What every command has that takes a TARGET: its options, and reading it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid

if TYPE_CHECKING:
    from imagebuilder.frontends.target import Target
    from imagebuilder.resolve.lock import LockFile


def target_options(
    parser: argparse.ArgumentParser,
    metavar: str = "TARGET",
    platform: str = "such as linux/arm64 (default: this machine's)",
    nargs: str | None = None,
) -> None:
    parser.add_argument(
        "target", nargs=nargs, metavar=metavar, help="file.snap[:name], file.py[:attribute], a Dockerfile, or file.json"
    )
    parser.add_argument("--platform", help=platform)
    reading_options(parser)


def locked_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--locked",
        action="store_true",
        help="refuse what the target's NAME.lock does not answer, and that there is none",
    )


def reading_options(parser: argparse.ArgumentParser) -> None:
    """What a target is read with."""
    parser.add_argument(
        "--build-arg",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a value for an ARG; part of the key",
    )
    parser.add_argument(
        "--context", type=Path, metavar="DIR", help="a Dockerfile's build context (default: its folder)"
    )
    parser.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="a value for a parameter of a .snap file"
    )
    parser.add_argument(
        "--project",
        type=Path,
        metavar="DIR",
        help="the folder that `use` in a .snap file may not leave (default: its repository)",
    )
    parser.add_argument("--target", dest="stage", metavar="STAGE", help="a Dockerfile's stage (default: the last)")


def load(arguments: argparse.Namespace, *, any_platform: bool = False) -> list[Target]:
    """All that the target names.

    Args:
        any_platform: it is not for one platform alone unless one is given; a file that chooses by it is refused then.
    """
    from imagebuilder.compiler import host_platform
    from imagebuilder.frontends.target import load_targets

    return load_targets(
        arguments.target,
        context_dir=arguments.context.absolute() if arguments.context else None,
        build_args=pairs(arguments.build_arg, "IB705", "build argument", "--build-arg NAME=VALUE"),
        stage=arguments.stage,
        params=pairs(arguments.param, "IB711", "parameter", "--param NAME=VALUE"),
        project=arguments.project,
        platform=arguments.platform or (None if any_platform else host_platform()),
    )


def load_one(arguments: argparse.Namespace, *, any_platform: bool = False) -> Target:
    """The one image that it names; several are refused. See :func:`load`."""
    found = load(arguments, any_platform=any_platform)
    if len(found) > 1:
        names = ", ".join(each.name for each in found)
        help = f"name one: {arguments.target}:{found[0].name}"
        raise CompileError(Diagnostic("IB403", f"{arguments.target} has several snapshots: {names}", help=help))
    return found[0]


def lock_path(arguments: argparse.Namespace, target: Target) -> Path:
    """Where the lock of a target is, or is to be: beside its spec, named after its snapshot."""
    # Neither character is one of a name's own, so no two names have one file.
    return spec(arguments).parent / f"{target.name.replace(':', '@').replace('/', '+')}.lock"


def check_target(arguments: argparse.Namespace, lock: LockFile) -> None:
    """
    Raises:
        CompileError: the lock is that of another spec, which is still there.
    """
    path = spec(arguments)
    if lock.target and lock.target != path.name and (path.parent / lock.target).exists():
        message = f"{lock.path.name} is the lock of {lock.target}, not of {path.name}"
        help = "give one of the two another snapshot name, or another folder"
        raise CompileError(Diagnostic("IB679", message, help=help))


def spec(arguments: argparse.Namespace) -> Path:
    """The file that is named, or that is meant by its folder."""
    from imagebuilder.frontends.target import parted

    path = Path(parted(arguments.target)[0]).absolute()
    return path / "Dockerfile" if path.is_dir() else path


def read_lock(arguments: argparse.Namespace, target: Target) -> LockFile | None:
    """The lock of a target; None where it has none, which is an error with ``--locked``."""
    path = lock_path(arguments, target)
    if not path.exists():
        if arguments.locked:
            help = f"`imagebuilder lock {arguments.target}` writes it"
            raise CompileError(Diagnostic("IB674", f"--locked, and there is no {path.name}", help=help))
        return None
    from imagebuilder.resolve.lock import read

    lock = read(path)
    check_target(arguments, lock)
    return lock


def pairs(given: list[str], code: str, what: str, usage: str) -> dict[str, str]:
    """The values of an option that is given as NAME=VALUE, once for each name."""
    from imagebuilder.ir.checks import identifier

    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise CompileError(Diagnostic(code, f"not a {what}: {text!r}", help=usage))
        try:
            found[identifier(name)] = value
        except Invalid as error:
            raise CompileError(error.at(None)) from None
    return found
