"""What one statement wants installed, and where: all that the answer depends on but the index itself."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from hashlib import sha256

from imagebuilder.ir.ops import BaseImage

_PYTHON = re.compile(
    r"(?:docker\.io/)?(?:library/)?python:(?P<version>3\.\d+(?:\.\d+)?)(?P<slim>-slim)?(?:-(?P<debian>[a-z]+))?"
    r"(?:@sha256:[0-9a-f]{64})?"
)
# The C library of each Debian (the packages' own versions); the one before where a name does not say which.
_GLIBC = {"buster": "2_28", "bullseye": "2_31", "bookworm": "2_36", "trixie": "2_40", "": "2_28"}
_MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}


@dataclass(frozen=True, slots=True)
class Target:
    """A Python that uv knows: its version, and a platform by uv's name for it."""

    python: str
    platform: str


def target_of(base: BaseImage, platform: str) -> Target | None:
    """The Python of a base, where its name says which: the official images, on Debian."""
    match = _PYTHON.fullmatch(base.ref)
    machine = _MACHINES.get(base.platform or platform) if isinstance(base.platform, str) else None
    if match is None or machine is None or (match["debian"] or "") not in _GLIBC:
        return None
    return Target(match["version"], f"{machine}-manylinux_{_GLIBC[match['debian'] or '']}")


@dataclass(frozen=True, slots=True)
class Ask:
    """Requirements, for a target.

    ``packages`` are requirements as pip takes them. ``files`` are requirements files with their texts, those
    first that are asked for: ``roots`` of them; the others are named in these. ``best`` takes the best release of
    all indexes, as pip does; else the first index that has the package decides, as with uv. ``there`` are the
    distributions (``name==version``) that are in the image already.
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

    @property
    def digest(self) -> str:
        """``sha256:…`` of all of it."""
        return "sha256:" + sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Left:
    """A request that stays with the image's own installer, and why, as the end of "… since …"."""

    reason: str
