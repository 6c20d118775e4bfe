"""Whether what a lock has for a request is whole, and for the base's Python; a merge by hand may undo both."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from imagebuilder.diagnostics import CompileError, Diagnostic, Note
from imagebuilder.ir.packages import Distribution, Install
from imagebuilder.ir.stage import Stage, Step, ordered
from imagebuilder.resolve import uv
from imagebuilder.resolve.ask import Ask, marker_environment, statements, target_of
from imagebuilder.resolve.ground import Ground, PythonOf
from imagebuilder.resolve.pin import is_open

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

SaidOf = Callable[["Distribution"], "uv.Metadata | None"]

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
    found: dict[Diagnostic, None] = {}
    for step, install, ask in _locked(plan, target, platform, python_of):
        found |= dict.fromkeys(_for_others(step, install, platform))
        if ask is not None:
            found |= dict.fromkeys(_missing(step, install, ask))
    if found:
        raise CompileError(list(found))


def check_requirements(plan: Stage, target: Stage, platform: str, python_of: PythonOf, said: SaidOf) -> None:
    """The same of what the packages require in their turn.

    Args:
        said: what a wheel says of itself; None where it is not here, of which nothing is checked.

    Raises:
        CompileError: what one requires is missing, or another version of it is there; at the lines that ask.
    """
    found: dict[Diagnostic, None] = {}
    for step, install, ask in _locked(plan, target, platform, python_of):
        if ask is not None and (unmet := list(_unmet(install, ask, said))):
            message = f"{_verb(step)}: the lock does not have what {unmet[0]}"
            help = "`imagebuilder lock` of the target adds what is missing"
            found[Diagnostic("IB674", message, step.place, tuple(map(Note, unmet[1:])), help)] = None
    if found:
        raise CompileError(list(found))


def _locked(
    plan: Stage, target: Stage, platform: str, python_of: PythonOf
) -> Iterator[tuple[Step, Install, Ask | None]]:
    """The installs of a lock, and what each answers, where that can be told."""
    locked = {step.planned for stage in ordered(plan) for step in stage.steps if is_open(step)}
    for stage in ordered(target):
        if not any(step.planned in locked for step in stage.steps):
            continue
        ground = Ground(stage.base, platform, python_of)
        for step in stage.steps:
            if step.planned in locked and isinstance(step.op, Install):
                yield step, step.op, _asked(step, ground)
            ground.note(step)


def _asked(step: Step, ground: Ground) -> Ask | None:
    # Without the base's Python, nobody knows what is there already.
    try:
        ask = ground.asked(step) if ground.python is not None else None
    except (OSError, UnicodeDecodeError):  # A file that went since the key was made.
        return None
    return ask if isinstance(ask, Ask) else None


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


def _has(install: Install, ask: Ask) -> dict[str, str]:
    return dict(uv.there(ask)) | {each.name: each.version for each in install.distributions}


def _missing(step: Step, install: Install, ask: Ask) -> Iterator[Diagnostic]:
    has = _has(install, ask)
    gone: dict[str, str] = {}
    for wanted, note in _wanted(ask):
        name = uv.normalized(wanted.name)
        if name not in has:
            gone.setdefault(name, note)
        elif not _contains(wanted.specifier, has[name]):
            message = f"{_verb(step)}: the lock has {name} {has[name]}, and asked for is {name}{wanted.specifier}"
            help = "`imagebuilder lock` of the target takes one that fits"
            yield Diagnostic("IB674", message, step.place, (Note(note),) if note else (), help)
    if gone:
        message = f"{_verb(step)}: the lock has no {', '.join(gone)}"
        notes = tuple(Note(note) for note in gone.values() if note)
        help = "`imagebuilder lock` of the target adds what is missing"
        yield Diagnostic("IB674", message, step.place, notes, help)


def _unmet(install: Install, ask: Ask, said: SaidOf) -> Iterator[str]:
    """What each package requires that is not there, as ``flask 3.1.0 requires: werkzeug>=3.1``."""
    has, new = _has(install, ask), {each.name: each for each in install.distributions}
    environment = marker_environment(ask.target)
    waiting = [(name, "") for name in new]
    waiting += [(uv.normalized(wanted.name), extra) for wanted, _ in _wanted(ask) for extra in wanted.extras]
    seen = set(waiting)
    while waiting:
        name, extra = waiting.pop(0)
        if name not in new or (metadata := said(new[name])) is None:
            continue
        for text in metadata.requires:
            if (wanted := _applies(text, {**environment, "extra": extra})) is None:
                continue
            other = uv.normalized(wanted.name)
            if other not in has or not _contains(wanted.specifier, has[other]):
                yield f"{name} {has[name]} requires: {other}{wanted.specifier}"
            for more in {(other, each) for each in wanted.extras} - seen:
                seen.add(more)
                waiting.append(more)


def _contains(versions: SpecifierSet, version: str) -> bool:
    # What Debian builds may have a version that is none, with which nothing can be compared.
    known = uv.version(version)
    # As a text, 1.0 is not 1.0.0, which uv takes for it.
    texts = any(each.operator == "===" for each in versions)
    return known is None or texts or versions.contains(known, prereleases=True)


def _wanted(ask: Ask) -> Iterator[tuple[Requirement, str]]:
    """What has to be there, and the line of a file that asks for it."""
    environment = marker_environment(ask.target)
    for text, note in _requirements(ask):
        if (wanted := _applies(text, environment)) is not None:
            yield wanted, note


def _applies(text: str, environment: dict[str, str]) -> Requirement | None:
    """A requirement; None where it is not sure to be one in this environment."""
    from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        said = Requirement(text)
        if said.marker is not None and (
            _OF_THE_MACHINE.search(str(said.marker)) or not said.marker.evaluate(environment)
        ):
            return None
    except (InvalidRequirement, UndefinedComparison, UndefinedEnvironmentName, ValueError):
        return None
    return said


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
