"""What one statement wants installed, and where: all that the answer depends on but the index itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from hashlib import sha256

from imagebuilder.ir.packages import Distribution, Python

# Those of the GNU C library that uv has a platform for.
_GLIBC = (40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 28, 17)
MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}


@dataclass(frozen=True, slots=True)
class Target:
    """A Python that uv knows: its version, and a platform by uv's name for it."""

    python: str
    platform: str


def target_of(python: Python, platform: str) -> Target | None:
    """That of a base's Python; None where uv has no name for it."""
    major, _, minor = python.glibc.partition(".")
    glibc = next((each for each in _GLIBC if major == "2" and minor.isdigit() and each <= int(minor)), None)
    machine = MACHINES.get(platform)
    return None if glibc is None or machine is None else Target(python.version, f"{machine}-manylinux_2_{glibc}")


def marker_environment(target: Target) -> dict[str, str]:
    """What conditions in requirements (PEP 508) compare with, but for what only the machine knows that it runs on."""
    return {
        "implementation_name": "cpython",
        "implementation_version": target.python,
        "os_name": "posix",
        "platform_machine": target.platform.partition("-")[0],
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": target.python,
        "python_version": ".".join(target.python.split(".")[:2]),
        "sys_platform": "linux",
        "extra": "",
    }


@dataclass(frozen=True, slots=True)
class Ask:
    """Requirements, for a target.

    ``packages`` are requirements as pip takes them. ``files`` are requirements files with their texts, those
    first that are asked for: ``roots`` of them; the others are named in these. ``best`` takes the best release of
    all indexes, as pip does; else the first index that has the package decides, as with uv. ``there`` are the
    distributions (``name==version``) that are in the image already. ``base`` is the base's reference, and ``after``
    a digest of what was installed before it in the image. ``secrets`` are those by name that say something of indexes.
    """

    target: Target
    packages: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    roots: int = 0
    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    pre: bool = False
    best: bool = True
    there: tuple[str, ...] = ()
    base: str = ""
    after: str = ""
    secrets: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """``sha256:…`` of all that the answer depends on."""
        return _digest(self._fields("base", "after"))

    @property
    def request(self) -> str:
        """``sha256:…`` of what is asked for, and of what was before it; not of where that is installed."""
        return _digest(self._fields("base", "target", "there"))

    def _fields(self, *without: str) -> dict[str, object]:
        # What came later is left out where it says nothing, so that what was locked before stays an answer.
        unsaid = () if self.secrets else ("secrets",)
        return {name: value for name, value in asdict(self).items() if name not in (*without, *unsaid)}

    @property
    def words(self) -> list[str]:
        """The requirements, and those of its files, without what they only say about lines."""
        lines = [line.strip() for _, text in self.files for line in text.splitlines()]
        return [*self.packages, *(line for line in lines if line and not line.startswith("#"))]


def _digest(value: object) -> str:
    return "sha256:" + sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def statements(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a requirements file with their numbers: continued ones as one, without comments and empty ones.

    As pip reads them, which takes no line of a comment alone for continued.
    """
    begun, first = "", 0
    for number, line in enumerate((*text.splitlines(), ""), 1):
        begun, first = begun + line, first or number
        if begun.endswith("\\") and not line.lstrip().startswith("#"):
            begun = begun[:-1] + " "
            continue
        if found := re.sub(r"(^|\s)#.*$", "", begun).strip():
            yield first, found
        begun, first = "", 0


def joined(text: str) -> str:
    """A requirements file with each statement on the line where it begins, and nothing else."""
    found = dict(statements(text))
    return "".join(f"{found.get(number, '')}\n" for number in range(1, max(found, default=0) + 1))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a lock has for one request: ``asked`` are its words, ``request`` is its digest.

    ``left`` is why it stays with the image's own installer, where nothing could be locked.
    """

    base: str
    platform: str
    request: str
    asked: tuple[str, ...]
    left: str = field(default="", kw_only=True)

    @property
    def at(self) -> tuple[str, str, str]:
        """What it is found by."""
        return self.base, self.platform, self.request


@dataclass(frozen=True, slots=True)
class Locked(Answer):
    distributions: tuple[Distribution, ...] = ()


@dataclass(frozen=True, slots=True)
class Left:
    """A request that stays with the image's own installer, and why, as the end of "… since …".

    ``base`` is the base's reference.
    """

    reason: str
    base: str = field(default="", compare=False)
