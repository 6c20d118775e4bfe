"""Walks over a stage graph that several lints need."""

from __future__ import annotations

from collections.abc import Iterable

from imagebuilder.ir.ops import Base
from imagebuilder.ir.stage import Stage, ordered


def lineage(stage: Stage) -> tuple[Base, tuple[Stage, ...]]:
    """The base at the very bottom, and the stages on top of it, this one last."""
    found = [stage]
    while isinstance(found[-1].base, Stage):
        found.append(found[-1].base)
    base = found[-1].base
    assert not isinstance(base, Stage)
    return base, tuple(reversed(found))


def outermost(targets: Iterable[Stage]) -> list[Stage]:
    """Those that no other of them goes on from or copies from, each once: what is wrong with the rest shows there,
    and what is missing in it may be there."""
    different = list(dict.fromkeys(targets))
    within = {each: ordered(each) for each in different}
    return [
        each
        for each in different
        if not any(_goes_on(found, each) for other in different if other != each for found in within[other])
    ]


def _goes_on(stage: Stage, start: Stage) -> bool:
    return stage.base == start.base and stage.steps[: len(start.steps)] == start.steps
