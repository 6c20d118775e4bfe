"""``check``: what is wrong with a target, and what is seldom meant."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagebuilder.cli.output import print_json, tell
from imagebuilder.cli.target import pairs, reading_options
from imagebuilder.diagnostics import EXIT_FAILED, EXIT_USAGE, CompileError, Diagnostic

if TYPE_CHECKING:
    from imagebuilder.compiler import Trees
    from imagebuilder.frontends.image import Image
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
    check.add_argument(
        "targets",
        metavar="TARGET",
        nargs="+",
        help="file.snap[:name], file.py[:attribute], a Dockerfile, or file.json",
    )
    reading_options(check)
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
    from imagebuilder.lint import comments, lint, masked

    level: Level = "strict" if arguments.strict else "default"
    try:
        images, more = _images(target, arguments)
    except CompileError as error:
        return list(error.diagnostics)
    more += _of_dockerfile(target, arguments, level)
    errors: list[Diagnostic] = []
    warnings: list[Diagnostic] = []
    known: Trees = {}
    answers = comments()
    for image, build_args in images:
        errors += _errors(image, build_args, known)
        warnings += lint(image.stage, level=level, more=more, answers=answers)
    return masked([*errors, *warnings], answers.silenced)


def _images(
    target: str, arguments: argparse.Namespace
) -> tuple[list[tuple[Image, Mapping[str, str]]], list[Diagnostic]]:
    """Every image that the target describes, with the build arguments that are left for it; what nothing uses.

    Of a ``.snap`` file these are its images too: a file for others to use has no snapshot.
    """
    from imagebuilder.compiler import host_platform
    from imagebuilder.frontends import snap
    from imagebuilder.frontends.image import Image
    from imagebuilder.frontends.target import load_targets, parted
    from imagebuilder.lint import outermost

    build_args = pairs(arguments.build_arg, "IB705", "build argument", "--build-arg NAME=VALUE")
    params = pairs(arguments.param, "IB711", "parameter", "--param NAME=VALUE")
    given: dict[str, Any] = {"context_dir": None, "stage": None, "params": None, "project": None}
    if target.endswith(".snap") and Path(target).is_file():
        found = snap.load(target, params=params, project=arguments.project)
        images = [*found.images.values(), *(each.image for each in found.snapshots)]
        return [(Image(stage), build_args) for stage in outermost(image.stage for image in images)], [*found.unused]
    file, _ = parted(target)
    if file.endswith(".snap"):
        given |= {"params": params, "project": arguments.project}
    elif not file.endswith(".py"):
        context = arguments.context.absolute() if arguments.context else None
        given |= {"context_dir": context, "stage": arguments.stage, "platform": host_platform()}
    return [(each.image, each.build_args) for each in load_targets(target, build_args=build_args, **given)], []


def _errors(image: Image, build_args: Mapping[str, str], known: Trees) -> list[Diagnostic]:
    from imagebuilder.compiler import compile

    try:
        compile(image, build_args=build_args, known=known).dockerfile()
    except CompileError as error:
        return list(error.diagnostics)
    return []


def _of_dockerfile(target: str, arguments: argparse.Namespace, level: Level) -> Iterator[Diagnostic]:
    """What only its text shows."""
    path = Path(target)
    path = path / "Dockerfile" if path.is_dir() else path
    if path.suffix not in (".py", ".snap", ".json") and path.is_file() and arguments.stage is None:
        from imagebuilder.compiler import host_platform
        from imagebuilder.frontends.dockerfile import warnings

        build_args = pairs(arguments.build_arg, "IB705", "build argument", "--build-arg NAME=VALUE")
        yield from warnings(path.absolute(), build_args=build_args, strict=level == "strict", platform=host_platform())


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
