"""Global npm packages: what a statement wants of npm, and what a lock answers.

npm is asked in the base. It lays out a lock as ``npm install --global`` lays out
its packages: each that is asked for with what it depends on in a folder of its
own, so that no two of them share anything. An answer is thus that of one
statement, whatever was installed before it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from imagebuilder.ir.ops import (
    AptInstall,
    Arg,
    Env,
    NpmInstall,
    Run,
    UvSync,
)
from imagebuilder.ir.packages import NpmRun
from imagebuilder.ir.stage import Step
from imagebuilder.passes.lower.packages import npm_locked
from imagebuilder.resolve.ask import Answer, Left
from imagebuilder.resolve.ground import disturbs, is_request
from imagebuilder.resolve.system.ground import SystemGround

# Where bases have npm, and where it puts what is global.
_NPM = "/usr/local/lib/node_modules"
_VARIABLES = re.compile(r"(?i:npm_config_.*)|NODE_.*|PATH|HOME|PREFIX|LD_LIBRARY_PATH|LD_PRELOAD")
_WORD = re.compile(r"(?P<name>(@[a-z0-9~-][a-z0-9._~-]*/)?[A-Za-z0-9~-][A-Za-z0-9._~-]*)(@(?P<range>[^/:@]+))?")
_PART = r"(@[A-Za-z0-9._~-]+/)?[A-Za-z0-9~_-][A-Za-z0-9._~-]*"
_PATH = re.compile(rf"{_PART}(/node_modules/{_PART})*")
_INTEGRITY = re.compile(r"sha(512|384|256)-[A-Za-z0-9+/]+={0,2}")
# What npm needs of a package to install it from a lock, besides where it is and what it is.
_SAID = ("dependencies", "optionalDependencies", "peerDependencies", "peerDependenciesMeta", "optional", "peer")
_KEPT = frozenset(
    (*_SAID, "name", "bin", "bundleDependencies", "inBundle", "engines", "os", "cpu", "libc", "hasInstallScript")
)


class NpmPackage(NamedTuple):
    """``path`` is where it lies below node_modules, and ``more`` what npm's own lock says of it besides, as JSON.

    ``url`` is empty where npm finds the package by its name, and ``integrity`` of what another one brings in its
    archive.
    """

    path: str
    version: str
    url: str = ""
    integrity: str = ""
    more: str = "{}"

    @property
    def name(self) -> str:
        return self.path.rpartition("node_modules/")[2]

    @property
    def is_built(self) -> bool:
        """Whether it has scripts to be run where it lies, or commands for the whole system."""
        return "/node_modules/" not in self.path or bool(json.loads(self.more).get("hasInstallScript"))


def package(path: str, version: str, url: str, integrity: str, more: Mapping[str, Any]) -> NpmPackage:
    """
    Raises:
        ValueError: it is none that can be locked.
    """
    if not _PATH.fullmatch(path):
        raise ValueError(f"not a path of an npm package: {path!r}")
    if url and not url.startswith(("https://", "http://")):
        raise ValueError(f"{path} is not of a registry: {url}")
    if not _INTEGRITY.fullmatch(integrity) and not (more.get("inBundle") and not integrity):
        raise ValueError(f"{path} has no hash")
    kept = {name: more[name] for name in sorted(more) if name in _KEPT}
    return NpmPackage(path, version, url, integrity, json.dumps(kept, ensure_ascii=False))


@dataclass(frozen=True, slots=True)
class NpmAsk:
    base: str
    packages: tuple[str, ...]

    @property
    def request(self) -> str:
        return "sha256:" + sha256(json.dumps(self.packages).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class LockedNpm(Answer):
    """``packages`` are all, dependencies too."""

    packages: tuple[NpmPackage, ...] = ()


def manifest(words: Iterable[str]) -> str:
    """A package.json that depends on what is asked for."""
    found = (_WORD.fullmatch(word) for word in words)
    wanted = {match["name"]: match["range"] or "*" for match in found if match}
    return json.dumps({"name": "global", "private": True, "dependencies": wanted}, sort_keys=True)


def npms_lock(words: Iterable[str], packages: Iterable[NpmPackage]) -> str:
    """The package-lock.json that goes with the ``manifest`` of the words; a package to a line."""
    root = {name: value for name, value in json.loads(manifest(words)).items() if name != "private"}
    entries = [f'"": {json.dumps(root)}']
    for each in sorted(packages):
        said = {"version": each.version, "resolved": each.url, "integrity": each.integrity}
        entry = {name: value for name, value in said.items() if value} | json.loads(each.more)
        entries.append(f"{json.dumps('node_modules/' + each.path)}: {json.dumps(entry, ensure_ascii=False)}")
    return '{"name": "global", "lockfileVersion": 3, "requires": true, "packages": {\n' + ",\n".join(entries) + "\n}}\n"


def packages_of(text: str) -> tuple[NpmPackage, ...]:
    """Those of a package-lock.json.

    Raises:
        ValueError: it is none, or has what cannot be locked.
    """
    found = []
    for at, entry in json.loads(text)["packages"].items():
        if at:
            version, url, integrity = (str(entry.get(name, "")) for name in ("version", "resolved", "integrity"))
            found.append(package(at.removeprefix("node_modules/"), version, url, integrity, entry))
    return tuple(sorted(found))


class NpmGround(SystemGround[NpmAsk, LockedNpm]):
    manager = "npm"
    intent = NpmInstall

    def ask(self, step: Step) -> NpmAsk | Left | None:
        op = step.intent
        if not isinstance(op, NpmInstall) or not isinstance(step.op, Run) or isinstance(step.op, NpmRun):
            return None
        if op.path is not None and (Path(step.root) / op.path / "package-lock.json").is_file():
            return None
        why = _special(op) or self.why
        return Left(why, self.base) if why else NpmAsk(self.base, op.packages)

    @staticmethod
    def run(found: LockedNpm) -> Run | None:
        if not found.packages:
            return None
        pins = [f"{each.path}={each.version}" for each in found.packages]
        built = [each.path for each in found.packages if each.is_built]
        return npm_locked(pins, built, manifest(found.asked), npms_lock(found.asked, found.packages))

    def note(self, step: Step) -> None:
        if self.why:
            return
        self.why = _changes(step)
        installs = isinstance(step.op, Run) and not isinstance(step.intent, NpmInstall)
        if (installs and not any(step.op.locals())) or isinstance(step.op, Env | Arg):
            self.before.append(step)


def _special(op: NpmInstall) -> str:
    """What is asked for that no lock of global packages can answer; empty for nothing."""
    if op.path is not None:
        return "there is no package-lock.json beside its package.json"
    if not op.g:
        return "only global packages (g=True) are locked, or those of a package-lock.json"
    if op.secrets:
        return "its secrets may name another registry"
    found = {word: _WORD.fullmatch(word) for word in op.packages}
    if other := next((word for word, match in found.items() if match is None), ""):
        return f"{other} is not of the registry"
    names = [match["name"] for match in found.values() if match]
    return next((f"{name} is asked for twice" for name in names if names.count(name) > 1), "")


def _changes(step: Step) -> str:
    """How a step may change what npm does; empty where it cannot."""
    op = step.op
    match op:
        case Run():
            known = is_request(step) or isinstance(step.intent, AptInstall | NpmInstall | UvSync)
            return "" if known else "commands run before it"
        case Env(variables=variables):
            return next((f"{name} is set before it" for name, _ in variables if _VARIABLES.fullmatch(str(name))), "")
        case Arg(name=name) if _VARIABLES.fullmatch(name):
            return f"{name} is set before it"
    return disturbs(op, _NPM)
