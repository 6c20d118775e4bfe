"""Which COPY can be written as several, one for each part of the folder that it copies.

It has to copy one folder, by a plain path: then the parts together put just the
same files into the same place, in whatever order. Whether the layers are linked
is decided as for the whole.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from imagebuilder.backends.dockerfile.sources import Copied
from imagebuilder.ir.ops import Copy, LocalSource
from imagebuilder.ir.stage import Stage, Step, ordered

# Layers that an image may have by all that the spec adds: engines take 127, and the base has some.
_MOST_LAYERS = 96
_MAKE_LAYERS = frozenset({"run", "copy", "add", "layer", "write_files", "workdir"})


def copied(step: Step) -> Copied | None:
    """The folder that a step copies, if it may be copied in parts."""
    op = step.op
    if not isinstance(op, Copy) or not isinstance(op.origin, LocalSource) or op.origin.kind != "dir":
        return None
    if op.parents or op.exclude or len(op.sources) != 1:
        return None
    (source,) = op.sources
    if not isinstance(source, str) or any(c in source for c in "*?[\\"):
        return None
    return step.root, op.origin, posixpath.normpath(source.lstrip("/") or ".")


def all_copied(target: Stage) -> dict[Copied, int]:
    """Every folder that may be copied in parts, and how often it is."""
    found: dict[Copied, int] = {}
    for step in _steps(target):
        if (folder := copied(step)) is not None:
            found[folder] = found.get(folder, 0) + 1
    return found


def layers_left(target: Stage) -> int:
    """How many more layers the image may surely have."""
    return _MOST_LAYERS - sum(step.op.verb in _MAKE_LAYERS for step in _steps(target))


def _steps(target: Stage) -> Iterable[Step]:
    return (step for stage in ordered(target) for step in stage.steps)
