"""What COPY, ADD and mounts read from, as names: stages, images and build contexts.

Local files reach the build as named contexts. A context's name carries a piece
of its content's digest: a builder that kept files of an earlier build under the
same name compares only their size and time, so two contents must never share a
name. The files lie one level down, in ``files/``, where a ``.dockerignore``
among them is a file like any other. That name is fixed, since BuildKit's cache
covers the last name of a source and a checkout may be called anything.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from imagebuilder.backends.dockerfile.naming import StageNames
from imagebuilder.ir.ops import LocalSource, Source
from imagebuilder.ir.packages import Layer, Packed
from imagebuilder.ir.stage import Stage, Step
from imagebuilder.ir.words import Word

FOLDER = "files"
"""The name under which a folder lies in its context."""

LAYER = "layer.tar.gz"
"""That of an archive of packages."""

_PLAIN_NAME = re.compile(r"[\w.+@=,~-]+")

Digests = Mapping[tuple[str, LocalSource], str]

Copied = tuple[str, LocalSource, str]
"""A folder that a COPY takes: the step's root, the source, and the folder in it, ``.`` for all."""

Cuts = Mapping[Copied, Sequence[str]]
"""The digests of the parts into which a folder is cut."""


@dataclass(frozen=True, slots=True)
class Text:
    """A file whose text is part of the spec."""

    name: str
    content: str


@dataclass(frozen=True, slots=True)
class Piece:
    """One of the parts that a copied folder was cut into."""

    copied: Copied
    number: int


Content = tuple[str, LocalSource] | Text | Piece | Layer | Packed


@dataclass(frozen=True, slots=True)
class Context:
    """A build context: ``content`` lies in its folder ``files``.

    ``content`` is a step's root and a local source, a part of such a one, a
    text, or packages. ADD reads local files from the main context alone: a ``main`` context
    is a folder of its name in that one. A base with packages is an image, and is all of its context.
    """

    name: str
    content: Content
    main: bool = False


class Sources:
    """Names for everything that the instructions read from, and the contexts that are needed."""

    def __init__(self, digests: Digests, stages: StageNames) -> None:
        self._digests = digests
        self._stages = stages
        self.contexts: dict[tuple[str, bool], Context] = {}
        self._contents: dict[str, str] = {}

    def local(self, step: Step, source: LocalSource, *, main: bool = False) -> Context:
        return self._context(_base(source), self._digests[step.root, source], (step.root, source), main)

    def piece(self, copied: Copied, number: int, digest: str) -> Context:
        """The context of one of the parts that a folder is cut into."""
        return self._context(_base(copied[1]), digest, Piece(copied, number), False)

    def text(self, name: str, content: str) -> Context:
        plain = name if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*", name) else "text"
        return self._context(plain, sha256(f"{plain}\0{content}".encode()).hexdigest(), Text(plain, content))

    def layer(self, op: Layer) -> Context:
        """The context with the archive of a layer of packages."""
        name = op.distributions[0].name if len(op.distributions) == 1 else "packages"
        return self._context(name, op.digest, op, main=True)

    def packed(self, base: Packed) -> Context:
        """The image that a stage with packages starts from."""
        return self._context("packages", base.digest, base, main=False)

    def name(self, origin: Source, step: Step) -> str:
        """What stands after ``--from=`` or ``from=``; empty for the main context."""
        if isinstance(origin, LocalSource):
            return self.local(step, origin).name
        return self._stages.name(origin) if isinstance(origin, Stage) else origin.ref

    def mounted(self, step: Step, origin: Source, source: Word | None) -> Word | None:
        """The ``source=`` of a mount."""
        if isinstance(origin, LocalSource):
            inside = posixpath.basename(origin.path) if origin.kind == "file" else str(source or ".").lstrip("/")
            return posixpath.normpath(posixpath.join(FOLDER, inside))
        return source

    def copied(
        self,
        step: Step,
        origin: Source | None,
        sources: tuple[Word, ...],
        *,
        parents: bool = False,
        main: bool = False,
    ) -> tuple[Word, ...]:
        """The sources of COPY or ADD as paths; those of a local origin lie in the context's folder."""
        if not isinstance(origin, LocalSource):
            return sources
        prefix = f"{self.local(step, origin, main=True).name}/{FOLDER}" if main else FOLDER
        if origin.kind == "file":
            name = posixpath.basename(origin.path)
            # The folder holds nothing else, and not every name survives the patterns by which BuildKit asks for it.
            return (f"{prefix}/{name if _PLAIN_NAME.fullmatch(name) else '*'}",)
        # What stands before '/./' is not copied with --parents.
        pivot = f"{prefix}/." if parents and not any("/./" in str(s) for s in sources) else prefix
        return tuple(
            prefix + "/" if source in (".", "", "./", "/") else f"{pivot}/{str(source).lstrip('/')}"
            for source in sources
        )

    def _context(self, name: str, digest: str, content: Content, main: bool = False) -> Context:
        digest = digest.removeprefix("sha256:")
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "context"
        short = f"{slug}-{digest[:12]}"
        # Two contents whose digests begin alike, which somebody can look for, get whole ones.
        unique = short if self._contents.setdefault(short, digest) == digest else f"{slug}-{digest}"
        return self.contexts.setdefault((unique, main), Context(unique, content, main))


def _base(source: LocalSource) -> str:
    # Of the path as the author wrote it: where it lies on this machine must not show.
    return posixpath.basename(posixpath.normpath(source.path))
