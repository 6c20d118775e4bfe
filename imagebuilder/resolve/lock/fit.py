"""Whether what a lock has for a request is whole, and for the base's Python; a merge by hand may undo both."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagebuilder.diagnostics import CompileError, Diagnostic, Note
from imagebuilder.ir.packages import Install
from imagebuilder.ir.stage import Stage, Step, ordered
from imagebuilder.resolve import uv
from imagebuilder.resolve.ask import Ask, marker_environment, statements, target_of
from imagebuilder.resolve.ground import Ground, PythonOf
from imagebuilder.resolve.pin import is_open

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

_FILE = re.compile(r"(?:-r|--requirement)[\s=]*(?P<path>\S.*)")
# Of the kernel that it runs on, which nobody knows here.
_OF_THE_MACHINE = re.compile(r"\bplatform[._](release|version)\b")


def check(plan: Stage, target: Stage, platform: str, python_of: PythonOf) -> None:
    """
    Args:
        plan: with the installs of a lock.
        target: the same, with the Pythons that they are for.

    Raises:
        CompileError: one lacks a package that is asked for, or has another version of it, or wheels for another
            Python; at the lines that ask.
    """
    locked = {step.planned for stage in ordered(plan) for step in stage.steps if is_open(step)}
    found: dict[Diagnostic, None] = {}
    for stage in ordered(target):
        if not any(step.planned in locked for step in stage.steps):
            continue
        ground = Ground(stage.base, platform, python_of)
        for step in stage.steps:
            if step.planned in locked and isinstance(step.op, Install):
                found |= dict.fromkeys((*_for_others(step, step.op, platform), *_missing(step, step.op, ground)))
            ground.note(step)
    if found:
        raise CompileError(list(found))


def _for_others(step: Step, install: Install, platform: str) -> Iterator[Diagnostic]:
    python = install.python
    where = None if python is None else target_of(python, platform)
    if where is None or python is None:
        return
    files = [file for each in install.distributions for file in each.files if not file.is_source]
    if other := [file.name for file in files if not uv.fits(file, where)]:
        message = f"{_verb(step)}: the lock's {other[0]} is not for Python {python.version}, which the base has"
        help = "`imagebuilder lock` of the target resolves it for this base"
        yield Diagnostic("IB674", message, step.place, help=help)


def _missing(step: Step, install: Install, ground: Ground) -> Iterator[Diagnostic]:
    # Without the base's Python, nobody knows what is there already.
    try:
        ask = ground.asked(step) if ground.python is not None else None
    except (OSError, UnicodeDecodeError):  # A file that went since the key was made.
        return
    if not isinstance(ask, Ask):
        return
    has = dict(uv.there(ask)) | {each.name: each.version for each in install.distributions}
    gone: dict[str, str] = {}
    for name, versions, note in _wanted(ask):
        if name not in has:
            gone.setdefault(name, note)
        elif not _contains(versions, has[name]):
            message = f"{_verb(step)}: the lock has {name} {has[name]}, and asked for is {name}{versions}"
            help = "`imagebuilder lock` of the target takes one that fits"
            yield Diagnostic("IB674", message, step.place, (Note(note),) if note else (), help)
    if gone:
        message = f"{_verb(step)}: the lock has no {', '.join(gone)}"
        notes = tuple(Note(note) for note in gone.values() if note)
        help = "`imagebuilder lock` of the target adds what is missing"
        yield Diagnostic("IB674", message, step.place, notes, help)


def _contains(versions: SpecifierSet, version: str) -> bool:
    # What Debian builds may have a version that is none, with which nothing can be compared.
    known = uv.version(version)
    # As a text, 1.0 is not 1.0.0, which uv takes for it.
    texts = any(each.operator == "===" for each in versions)
    return known is None or texts or versions.contains(known, prereleases=True)


def _wanted(ask: Ask) -> Iterator[tuple[str, SpecifierSet, str]]:
    """What has to be there: a package by its normalized name, its versions, and the line of a file that asks for it.

    Whatever is not sure to be asked for is left out.
    """
    from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
    from packaging.requirements import InvalidRequirement, Requirement

    environment = marker_environment(ask.target)
    for text, note in _requirements(ask):
        try:
            said = Requirement(text)
            if said.marker is not None and (
                _OF_THE_MACHINE.search(str(said.marker)) or not said.marker.evaluate(environment)
            ):
                continue
        except (InvalidRequirement, UndefinedComparison, UndefinedEnvironmentName, ValueError):
            continue
        yield uv.normalized(said.name), said.specifier, note


def _requirements(ask: Ask) -> Iterator[tuple[str, str]]:
    """Those that are given, and those of files and of what these name with -r; constraints ask for nothing."""
    yield from ((each, "") for each in ask.packages)
    texts = dict(ask.files)
    waiting = [name for name, _ in ask.files[: ask.roots]]
    seen = set(waiting)
    while waiting:
        name = waiting.pop(0)
        for number, line in statements(texts[name]):
            if file := _FILE.fullmatch(line):
                other = posixpath.normpath(posixpath.join(posixpath.dirname(name), file["path"]))
                if other in texts and other not in seen:
                    seen.add(other)
                    waiting.append(other)
            elif not line.startswith("-"):
                text = line.partition(" --")[0]
                yield text, f"{name.partition('/')[2]}:{number}: {text.strip()}"


def _verb(step: Step) -> str:
    return (step.intent or step.op).verb
