"""``check``: what is wrong with a target, and what is seldom meant."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagebuilder.cli.build import _build_args
from imagebuilder.cli.output import print_json, tell
from imagebuilder.diagnostics import EXIT_FAILED, EXIT_USAGE, CompileError, Diagnostic

if TYPE_CHECKING:
    from imagebuilder.lint import Level

_DESCRIPTION = """\
Compile each target and look for what is seldom meant. Builds nothing.

A comment silences a warning: `# check: ignore IB901 the reason`, on a line of what
it is about or directly above it; without a code, every warning there."""
_EPILOG = "exit codes: 0 no errors; 1 warnings, with --strict; 2 a target that does not compile"


def register(commands: Any) -> None:
    check = commands.add_parser(
        "check",
        help="find mistakes in targets without building them",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.add_argument("targets", metavar="TARGET", nargs="+", help="file.py[:attribute] or a Dockerfile")
    check.add_argument(
        "--build-arg", action="append", default=[], metavar="NAME=VALUE", help="a value for an ARG of each target"
    )
    check.add_argument("--context", type=Path, metavar="DIR", help="a Dockerfile's build context (default: its folder)")
    check.add_argument("--target", dest="stage", metavar="STAGE", help="a Dockerfile's stage (default: the last)")
    check.add_argument("--strict", action="store_true", help="more lints, and a warning is a failure")
    check.add_argument("--json", action="store_true", help="one array on standard output")
    check.set_defaults(command=_check)


def _check(arguments: argparse.Namespace) -> int:
    # Targets of one file share what is found in it.
    found: dict[tuple[object, ...], tuple[str, Diagnostic]] = {}
    for target in arguments.targets:
        with _own_modules(target):
            findings = _findings(target, arguments)
        for each in findings:
            place = each.place.resolve() if each.place is not None else target
            found.setdefault((each.code, each.message, place), (target, each))
    if arguments.json:
        print_json([{"target": target, **each.as_json()} for target, each in found.values()])
    else:
        for _, each in found.values():
            print(each.render(), end="\n\n")
    errors = sum(each.severity == "error" for _, each in found.values())
    warnings = len(found) - errors
    tell(f"{_count(len(arguments.targets), 'target')}: {_count(errors, 'error')}, {_count(warnings, 'warning')}")
    if errors:
        return EXIT_USAGE
    return EXIT_FAILED if warnings and arguments.strict else 0


@contextmanager
def _own_modules(target: str) -> Iterator[None]:
    """What a target imports from beside it is not to be seen by the next, which may have others of these names."""
    before = set(sys.modules)
    folder = Path(target.rpartition(":")[0] or target).absolute().parent
    try:
        yield
    finally:
        for name in set(sys.modules) - before:
            file = Path(getattr(sys.modules[name], "__file__", None) or "/")
            own = name.partition(".")[0] == "imagebuilder" or {"site-packages", "dist-packages"} & set(file.parts)
            if folder in file.parents and not own:
                del sys.modules[name]


def _findings(target: str, arguments: argparse.Namespace) -> list[Diagnostic]:
    """The errors of one target, then its warnings. Without an image there is nothing to warn about."""
    from imagebuilder.compiler import compile
    from imagebuilder.frontends.target import load_target
    from imagebuilder.lint import lint, masked

    level: Level = "strict" if arguments.strict else "default"
    context = arguments.context.absolute() if arguments.context else None
    build_args = _build_args(arguments.build_arg)
    try:
        loaded = load_target(target, context_dir=context, build_args=build_args, stage=arguments.stage)
    except CompileError as error:
        return list(error.diagnostics)
    more = () if arguments.stage else _of_language(target, build_args, level)
    found = lint(loaded.image.stage, level=level, more=more)
    try:
        compile(loaded.image, build_args=loaded.build_args).dockerfile()
    except CompileError as error:
        found = [*error.diagnostics, *found]
    return masked(found)


def _of_language(target: str, build_args: Mapping[str, str], level: Level) -> Iterator[Diagnostic]:
    """What only the text shows: each language finds it by itself."""
    path = Path(target)
    path = path / "Dockerfile" if path.is_dir() else path
    if path.suffix not in (".py", ".snap") and path.is_file():
        from imagebuilder.frontends.dockerfile import warnings

        yield from warnings(path.absolute(), build_args=build_args, strict=level == "strict")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
