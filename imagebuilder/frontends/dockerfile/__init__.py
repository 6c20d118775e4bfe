"""A Dockerfile as a stage of core operations; see :func:`load`.

Pure text processing, in the order of the modules: ``lexer`` (lines to
instructions), ``words`` and ``arguments`` (text to words), ``instructions``,
``files`` and ``mounts`` (words to operations), ``scope`` and ``reading`` (the
values of variables), ``stages`` (FROM). Every instruction means what it means
to BuildKit, or is refused with a reason.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid, Note, Place, Span
from imagebuilder.frontends.dockerfile.commands import steps_of
from imagebuilder.frontends.dockerfile.lexer import lex, normalised
from imagebuilder.frontends.dockerfile.stages import Stages
from imagebuilder.ir import checks
from imagebuilder.ir.stage import Stage, Step

CODES = {
    "IB301": "the Dockerfile cannot be read",
    "IB302": "not a text in UTF-8",
    "IB303": "the Dockerfile is too large",
    "IB304": "no instructions",
    "IB305": "an instruction before the first FROM",
    "IB306": "no FROM",
    "IB307": "an unknown instruction",
    "IB308": "an unknown flag",
    "IB309": "a wrong value of a flag",
    "IB310": "a wrong parser directive",
    "IB311": "a here-document that does not end",
    "IB312": "a here-document in a place that takes none",
    "IB313": "a quote or brace that is not closed",
    "IB314": "a wrong substitution",
    "IB315": "an argument is missing",
    "IB316": "not name=value",
    "IB317": "not a JSON array of strings",
    "IB318": "a wrong FROM",
    "IB319": "not a name for a stage",
    "IB320": "two stages of one name",
    "IB321": "no such target",
    "IB322": "a stage that is not before this one",
    "IB323": "a build argument that no ARG takes",
    "IB324": "a variable without a value in FROM",
    "IB325": "a value that depends on the platform of the build",
    "IB326": "a value that is not known while the Dockerfile is read",
    "IB327": "a wrong mount",
    "IB328": "a wrong HEALTHCHECK",
    "IB329": "an instruction that ONBUILD cannot hold",
    "IB330": "FROM among commands",
    "IB331": "not a platform",
    "IB332": "a variable in from=",
    "IB333": "a value or nesting beyond the bound",
    "IB334": "a required variable has no value",
    "IB335": "a wrong pattern",
    "IB336": "a continuation without an instruction",
    "IB337": "a flag without effect",
    "IB338": "COPY of a URL",
    "IB339": "a stage that no line takes from",
    "IB340": "a comment behind an instruction",
}

MAX_SIZE = 1024 * 1024

_Read = TypeVar("_Read")


def load(
    path: Path,
    *,
    context_dir: Path | None = None,
    build_args: Mapping[str, str] | None = None,
    target: str | None = None,
    platform: str | None = None,
) -> Stage:
    """The stage that a Dockerfile describes.

    Reads the Dockerfile alone, and looks which ignore file exists.

    Args:
        path: the Dockerfile.
        context_dir: where local sources start; None is the Dockerfile's folder.
        build_args: values for its ARG instructions. The predefined proxy
            arguments are accepted and left to the engine.
        target: the name of the stage to build, in any case; None is the last.
        platform: what it is built for, such as ``linux/arm64``, where files or bases are chosen by that; None refuses
            a file that chooses so.

    Raises:
        CompileError: one diagnostic for each mistake in the file.
    """
    text = _read(path)
    return for_platform(
        platform,
        build_args or {},
        lambda given: read(text, path, context_dir=context_dir, build_args=given, target=target),
    )


def for_platform(
    platform: str | None, build_args: Mapping[str, str], reading: Callable[[Mapping[str, str]], _Read]
) -> _Read:
    """What ``reading`` makes with the build arguments, and with those of the platform where it cannot do without.

    A file that can is the same for all platforms, and keeps the key that it has.
    """
    try:
        return reading(build_args)
    except CompileError as error:
        if platform is None or all(each.code != "IB325" for each in error.diagnostics):
            raise
    return reading({**_platform_arguments(platform), **build_args})


def _platform_arguments(platform: str) -> Mapping[str, str]:
    """The arguments of a platform that the builder sets; those of its own machine only the builder knows."""
    try:
        system, architecture, *variant = checks.platform(platform).split("/")
    except Invalid as error:
        raise CompileError(error.at(None)) from None
    return {
        "TARGETPLATFORM": platform,
        "TARGETOS": system,
        "TARGETARCH": architecture,
        "TARGETVARIANT": "".join(variant),
    }


def read(
    text: str,
    path: Path,
    *,
    context_dir: Path | None = None,
    build_args: Mapping[str, str] | None = None,
    target: str | None = None,
) -> Stage:
    """The stage that the text of a Dockerfile describes, which lies at ``path`` or will; as :func:`load`."""
    context = _absolute(path.parent if context_dir is None else context_dir)
    _check_text(text, str(path))
    stages = Stages(str(path), str(context), _ignore_file(_absolute(path), context), build_args or {})
    return stages.run(lex(text, str(path)), target)


def warnings(
    path: Path, *, build_args: Mapping[str, str] | None = None, strict: bool = False, platform: str | None = None
) -> Sequence[Diagnostic]:
    """What a Dockerfile declares and nothing uses; see :func:`unused.unused`.

    Raises:
        CompileError: as :func:`load`.
    """
    from imagebuilder.frontends.dockerfile.unused import unused

    lexed = lex(_read(path), str(path))

    def reading(given: Mapping[str, str]) -> Stages:
        stages = Stages(str(path), str(_absolute(path.parent)), "", given)
        stages.run(lexed, None)
        return stages

    return tuple(unused(lexed, for_platform(platform, build_args or {}, reading), strict=strict))


def parse_commands(
    lines: Sequence[str],
    *,
    context_dir: Path,
    file: str = "<commands>",
    place: Place | None = None,
    stages: Mapping[str, Stage] | None = None,
) -> list[Step]:
    """The steps of instructions that stand on top of some image; FROM is not among them.

    Args:
        lines: instructions, several lines in one text or not.
        context_dir: where local sources start.
        file: the name for places in ``lines``.
        place: what asked for them; it takes the place of each line, which a note shows then.
        stages: what names in ``from=`` mean, in any case; others are images.

    Raises:
        CompileError: one diagnostic for each mistake in them.
    """
    context = _absolute(context_dir)
    ignore = ".dockerignore" if os.path.isfile(context / ".dockerignore") else ""  # noqa: PTH113 - never raises
    text = "\n".join(lines)
    try:
        _check_text(text, file)
        found = steps_of(lex(text, file), str(context), ignore, stages or {}, place)
    except CompileError as error:
        if place is None:
            raise
        raise CompileError([_moved(each, place, normalised(text)) for each in error.diagnostics]) from None
    return found if place is None else [replace(step, place=place) for step in found]


def _moved(diagnostic: Diagnostic, place: Place, text: str) -> Diagnostic:
    """The diagnostic at the call, with the line that it is about as a note."""
    notes = diagnostic.notes
    if isinstance(diagnostic.place, Span):
        lines = text.split("\n")
        shown = lines[min(diagnostic.place.line, len(lines)) - 1].strip()
        notes = (Note(f"in line {diagnostic.place.line}: {shown[:100]}"), *notes)
    return replace(diagnostic, place=place, notes=tuple(replace(note, place=None) for note in notes))


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow symbolic links


def _read(path: Path) -> str:
    """The text of the Dockerfile."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SIZE + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "give the path of a Dockerfile; a context folder alone does not say which"
        raise CompileError(Diagnostic("IB301", f"cannot read {str(path)!r}: {reason}", help=hint)) from None
    if len(data) > MAX_SIZE:
        raise CompileError(_too_large(str(path)))
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = len(data[: error.start].rpartition(b"\n")[2].decode(errors="replace")) + 1
        place = Span(str(path), line, column)
        raise CompileError(Diagnostic("IB302", "not a text in UTF-8", place, help="save the file as UTF-8")) from None
    return text


def _check_text(text: str, file: str) -> None:
    if len(text) > MAX_SIZE:
        raise CompileError(_too_large(file))
    for at, char in enumerate(text):
        if char == "\0" or "\ud800" <= char <= "\udfff":
            line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
            what = "a NUL character" if char == "\0" else "a lone surrogate"
            raise CompileError(Diagnostic("IB302", f"{what} in the text", Span(file, line, column), help="remove it"))


def _too_large(file: str) -> Diagnostic:
    return Diagnostic("IB303", f"more than {MAX_SIZE:,} characters in {file!r}", help="is it a Dockerfile?")


def _ignore_file(dockerfile: Path, context: Path) -> str:
    """The ignore file that applies: the Dockerfile's own before that of the context.

    Relative to the context, or absolute where it lies outside.
    """
    own = dockerfile.with_name(dockerfile.name + ".dockerignore")
    if os.path.isfile(own):  # noqa: PTH113 - never raises
        return own.relative_to(context).as_posix() if own.is_relative_to(context) else own.as_posix()
    return ".dockerignore" if os.path.isfile(context / ".dockerignore") else ""  # noqa: PTH113 - never raises
