"""Which base images can be assembled, and what each is made of."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from imagebuilder.diagnostics import CompileError, Diagnostic

PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}
"""The Python of each suite of Debian."""

DEFAULTS = ("python:3.11-slim-bookworm", "python:3.13-slim-trixie")
USUAL_SUITE = "bookworm"
VERSION = 2
"""Of the way images are made; a change makes existing ones out of date."""

_PYTHON = re.compile(r"(?:(?:docker\.io/)?(?:library/)?python:)?(\d+\.\d+)(?:\.\d+)?(?:-slim)?(?:-([a-z]+))?")
_DEBIAN = re.compile(r"(?:docker\.io/)?(?:library/)?debian:([a-z]+)(?:-slim)?")


@dataclass(frozen=True)
class Recipe:
    """One image: its name, Debian's suite, and the Python in it (None for plain Debian)."""

    name: str
    suite: str
    python: str | None = None
    wanted: str | None = None

    @property
    def repo(self) -> str:
        return self.name.partition(":")[0]

    @property
    def tag(self) -> str:
        return self.name.partition(":")[2]

    @property
    def honest(self) -> bool:
        """Whether the Python in it is the one its name promises."""
        return self.python == self.wanted

    @property
    def note(self) -> str:
        """What the image is, in one line for its label."""
        if self.python is None:
            return f"assembled from Debian {self.suite}'s packages"
        made = f"Python {self.python} from Debian {self.suite}'s packages"
        return made if self.honest else f"stand-in: this is Python {self.python}, not {self.wanted} ({made})"

    @property
    def kind(self) -> str:
        """What the file system holds; images of one kind and suite share it."""
        return f"{self.suite}-python{self.python}" if self.python else f"{self.suite}-slim"

    def digest(self, inputs: Sequence[str]) -> str:
        """Sixteen hex digits of all that decides the image; ``inputs`` are mirrors and settings."""
        text = json.dumps([VERSION, asdict(self), list(inputs)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def parse(name: str, *, stand_in: bool = False) -> Recipe:
    """The recipe for ``python:3.11-slim-bookworm``, ``3.11``, ``debian:trixie-slim``, …

    Args:
        stand_in: a Python that Debian does not carry there is replaced by the suite's own.

    Raises:
        CompileError: IB530 for another kind of name, IB531 where the Python is not to be had.
    """
    if found := _DEBIAN.fullmatch(name):
        return Recipe(_short(name), _suite(name, found[1]))
    found = _PYTHON.fullmatch(name)
    if found is None:
        raise _wrong(
            "IB530",
            f"{name!r} is not a base image that can be assembled from Debian's packages",
            "use a name such as python:3.11-slim-bookworm, 3.13 or debian:bookworm-slim",
        )
    wanted = found[1]
    own = next((suite for suite, python in PYTHONS.items() if python == wanted), USUAL_SUITE)
    suite = _suite(name, found[2] or own)
    python = PYTHONS[suite]
    if python != wanted and not stand_in:
        pairs = ", ".join(f"{version} on {known}" for known, version in PYTHONS.items())
        raise _wrong(
            "IB531",
            f"Debian {suite} has Python {python}, so {name!r} cannot be assembled as it says",
            f"Debian carries {pairs}; `--stand-in` makes an image of that name with Python {python} in it",
        )
    full = _short(name) if ":" in name else f"python:{wanted}-slim-{suite}"
    return Recipe(full, suite, python, wanted)


def _short(name: str) -> str:
    return name.removeprefix("docker.io/").removeprefix("library/")


def _wrong(code: str, message: str, help: str) -> CompileError:
    return CompileError(Diagnostic(code, message, help=help))


def _suite(name: str, suite: str) -> str:
    if suite not in PYTHONS:
        raise _wrong(
            "IB530",
            f"{name!r}: {suite!r} is not a suite of Debian that is known here",
            f"known are {', '.join(PYTHONS)}",
        )
    return suite
