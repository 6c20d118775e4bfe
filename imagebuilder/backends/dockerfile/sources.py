"""What COPY, ADD and mounts read from, as names: stages, images and build contexts.

Local files reach the build as named contexts. A context's name carries a piece
of its content's digest: a builder that kept files of an earlier build under the
same name compares only their size and time, so two contents must never share a
name. The files lie one level down, under a plain name of their own, where a
``.dockerignore`` among them is a file like any other.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from imagebuilder.backends.dockerfile.naming import StageNames
from imagebuilder.ir.ops import ImageSource, LocalSource
from imagebuilder.ir.stage import Stage, Step

Digests = Mapping[tuple[str, LocalSource], str]


@dataclass(frozen=True, slots=True)
class Context:
    """A build context: ``prefix`` is the name under which ``content`` lies in it.

    ``content`` is a step's root and a local source, or the text of a file. ADD
    reads local files from the main context alone: a ``main`` context is a folder
    of its name in that one.
    """

    name: str
    prefix: str
    content: tuple[str, LocalSource] | str
    main: bool = False


class Sources:
    """Names for everything that the instructions read from, and the contexts that are needed."""

    def __init__(self, digests: Digests, stages: StageNames) -> None:
        self._digests = digests
        self._stages = stages
        self.contexts: dict[tuple[str, bool], Context] = {}

    def local(self, step: Step, source: LocalSource, *, main: bool = False) -> Context:
        where = posixpath.normpath(posixpath.join(step.root, source.path))
        digest = self._digests[step.root, source].partition(":")[2]
        return self._context(posixpath.basename(where), digest, (step.root, source), main)

    def text(self, name: str, content: str) -> Context:
        return self._context(name, sha256(content.encode()).hexdigest(), content)

    def name(self, origin: LocalSource | ImageSource | Stage, step: Step) -> str:
        """What stands after ``--from=``."""
        if isinstance(origin, LocalSource):
            return self.local(step, origin).name
        return self._stages.name(origin) if isinstance(origin, Stage) else origin.ref

    def _context(self, file: str, digest: str, content: tuple[str, LocalSource] | str, main: bool = False) -> Context:
        slug = re.sub(r"[^a-z0-9]+", "-", file.lower()).strip("-")[:40] or "files"
        prefix = file if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*", file) else slug
        context = Context(f"{slug}-{digest[:12]}", prefix, content, main)
        return self.contexts.setdefault((context.name, main), context)
