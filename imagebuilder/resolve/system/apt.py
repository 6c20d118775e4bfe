"""Debian packages: what a statement wants of apt, in which state of the image, and what a lock answers.

Apt is asked in the base. What it says holds where nothing stands between that
and the statement but other such statements, which are in the lock, and what
apt does not look at. Files of its own that the spec has the text of are there
when it is asked, and are part of the request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import NamedTuple

from imagebuilder.ir.ops import (
    Add,
    AptInstall,
    Arg,
    Base,
    Env,
    NpmInstall,
    Run,
    UvSync,
    WriteFiles,
)
from imagebuilder.ir.packages import AptRun
from imagebuilder.ir.stage import Stage, Step
from imagebuilder.passes.lower.packages import apt_locked
from imagebuilder.resolve.ask import Answer, Left
from imagebuilder.resolve.ground import disturbs, is_request
from imagebuilder.resolve.system.ground import SystemGround

_DPKG = "/var/lib/dpkg"
# Where apt looks for its sources, their keys and what it is told to prefer.
_SOURCES = ("/etc/apt/", "/usr/share/keyrings/")
_VARIABLES = frozenset(["APT_CONFIG", "LD_LIBRARY_PATH", "LD_PRELOAD", "PATH"])
_PACKAGE = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.\-]*(:[a-z0-9]+)?)=(?P<version>[A-Za-z0-9.+:~\-]+)( \[(?P<architecture>[a-z0-9]+)\])?"
)
_INST = re.compile(r"Inst (?P<name>\S+) (?P<there>\[\S+\] )?\((?P<version>\S+) .*\[(?P<architecture>[a-z0-9]+)\]\)")
_SELECTED = re.compile(r"Note, selecting '(?P<name>[^']+)'")


class DebianPackage(NamedTuple):
    """``name`` says the architecture where that is another than the image's; ``architecture`` is empty of one that
    was there."""

    name: str
    version: str
    architecture: str = ""

    @property
    def pin(self) -> str:
        return f"{self.name}={self.version}"

    def __str__(self) -> str:
        return f"{self.pin} [{self.architecture}]" if self.architecture else self.pin


def package(text: str) -> DebianPackage:
    """
    Raises:
        ValueError: it is none.
    """
    if (match := _PACKAGE.fullmatch(text)) is None:
        raise ValueError(f"not a Debian package: {text!r}")
    return DebianPackage(match["name"], match["version"], match["architecture"] or "")


@dataclass(frozen=True, slots=True)
class AptAsk:
    """``files`` are apt's own that the spec puts there, ``after`` is a digest of what a lock installed before.

    ``there`` are all packages that it installed (``name=version``).
    """

    base: str
    packages: tuple[str, ...]
    recommends: bool
    files: tuple[str, ...] = ()
    after: str = ""
    there: tuple[str, ...] = ()

    @property
    def request(self) -> str:
        said = [self.packages, self.recommends, self.files, self.after]
        return "sha256:" + sha256(json.dumps(said).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class LockedApt(Answer):
    """``packages`` are those that are asked for, and those that it upgrades; ``dependencies`` what is new besides."""

    packages: tuple[DebianPackage, ...] = ()
    dependencies: tuple[DebianPackage, ...] = ()

    @property
    def all(self) -> tuple[DebianPackage, ...]:
        return (*self.packages, *self.dependencies)


class AptGround(SystemGround[AptAsk, LockedApt]):
    manager = "apt"
    intent = AptInstall

    def __init__(self, base: Base | Stage) -> None:
        self._there: dict[str, str] = {}
        self._files: list[str] = []
        self._after = ""
        super().__init__(base)

    def ask(self, step: Step) -> AptAsk | Left | None:
        op = step.intent
        if not isinstance(op, AptInstall) or not isinstance(step.op, Run) or isinstance(step.op, AptRun):
            return None
        if self.why:
            return Left(self.why, self.base)
        there = tuple(f"{name}={version}" for name, version in sorted(self._there.items()))
        return AptAsk(self.base, op.packages, op.recommends, tuple(self._files), self._after, there)

    @staticmethod
    def run(found: LockedApt) -> Run | None:
        if not found.all:
            return None
        return apt_locked([each.pin for each in found.packages], [each.pin for each in found.dependencies])

    def note(self, step: Step) -> None:
        op = step.op
        if isinstance(op, AptRun):
            self._there |= dict(pin.split("=", 1) for pin in op.pins)
            self._after = sha256("\0".join((self._after, *op.pins)).encode()).hexdigest()
        elif isinstance(op, WriteFiles | Add) and (said := _of_apt(op)):
            self._files.append(said)
            self.before.append(step)
        elif not self.why:
            self.why = _changes(step)
            if isinstance(op, Env | Arg):
                self.before.append(step)


def _of_apt(op: WriteFiles | Add) -> str:
    """What such a file says, where it is one of apt's and the spec alone decides what is in it; else empty."""
    known = all(isinstance(text, str) for _, text in op.files) if isinstance(op, WriteFiles) else bool(op.checksum)
    local = isinstance(op, Add) and op.origin is not None
    if not known or local or not isinstance(op.dest, str) or not op.dest.startswith(_SOURCES):
        return ""
    return op.model_dump_json(exclude_defaults=True)


def _changes(step: Step) -> str:
    """How a step may change what apt does; empty where it cannot."""
    op = step.op
    match op:
        case Run():
            if isinstance(step.intent, AptInstall):
                return "packages were installed before it that no lock has"
            return "" if is_request(step) or isinstance(step.intent, NpmInstall | UvSync) else "commands run before it"
        case Env(variables=variables):
            return next((f"{name} is set before it" for name, _ in variables if name in _VARIABLES), "")
        case Arg(name=name) if name in _VARIABLES:
            return f"{name} is set before it"
    return disturbs(op, _DPKG)


def would_remove(lines: Sequence[str]) -> str:
    """A package that would have to go; empty for none."""
    return next((line.split()[1] for line in lines if line.startswith("Remv ")), "")


def answered(lines: Sequence[str], words: Sequence[str]) -> tuple[list[DebianPackage], list[DebianPackage]]:
    """What is asked for and what comes with it, of what ``ask_apt.sh`` prints.

    What is there and comes in another version is of the first: it must not be marked as mere dependency.
    """
    wanted = {re.split("[=/]", word)[0] for word in words}
    wanted |= {match["name"] for line in lines if (match := _SELECTED.match(line))}
    coming = {
        match["name"]: DebianPackage(match["name"], match["version"], match["architecture"])
        for line in lines
        if (match := _INST.match(line))
    }
    there = {
        name: DebianPackage(name, version.strip())
        for name, version in pairwise(lines)
        if version.startswith("  ") and version.strip() != "(none)"
    }
    there |= {match["name"]: coming[match["name"]] for line in lines if (match := _INST.match(line)) and match["there"]}
    found = {**{name: each for name, each in there.items() if name not in coming}, **coming}
    asked = {name for name, each in found.items() if {name, f"{name}:{each.architecture}"} & wanted or name in there}
    return (
        sorted(each for name, each in found.items() if name in asked),
        sorted(each for name, each in found.items() if name not in asked),
    )
