"""What COPY, ADD and mounts read from, as names: stages, images and build contexts.

Local files reach the build as named contexts. A context's name carries a piece
of its content's digest: a builder that kept files of an earlier build under the
same name compares only their size and time, so two contents must never share a
name. The files lie one level down, where a ``.dockerignore`` among them is a
file like any other: a folder under a fixed name, since BuildKit's cache covers
the last name of a source and a checkout may be called anything, and a single
file under its own.
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

FOLDER = "files"
"""The name under which a folder lies in its context."""

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
        # Of the path as the author wrote it: where it lies on this machine must not show.
        file = posixpath.basename(posixpath.normpath(source.path))
        digest = self._digests[step.root, source].partition(":")[2]
        prefix = FOLDER if source.kind == "dir" else file
        return self._context(file, prefix, digest, (step.root, source), main)

    def text(self, name: str, content: str) -> Context:
        return self._context(name, name, sha256(content.encode()).hexdigest(), content)

    def name(self, origin: LocalSource | ImageSource | Stage, step: Step) -> str:
        """What stands after ``--from=``."""
        if isinstance(origin, LocalSource):
            return self.local(step, origin).name
        return self._stages.name(origin) if isinstance(origin, Stage) else origin.ref

    def _context(
        self, name: str, prefix: str, digest: str, content: tuple[str, LocalSource] | str, main: bool = False
    ) -> Context:
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "context"
        plain = prefix if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*", prefix) else slug
        context = Context(f"{slug}-{digest[:12]}", plain, content, main)
        return self.contexts.setdefault((context.name, main), context)
