"""Walks over a stage graph that several lints need."""

from __future__ import annotations

from imagebuilder.ir.ops import Base
from imagebuilder.ir.stage import Stage


def lineage(stage: Stage) -> tuple[Base, tuple[Stage, ...]]:
    """The base at the very bottom, and the stages on top of it, this one last."""
    found = [stage]
    while isinstance(found[-1].base, Stage):
        found.append(found[-1].base)
    base = found[-1].base
    assert not isinstance(base, Stage)
    return base, tuple(reversed(found))
