"""Walks over a stage graph that several lints need."""

from __future__ import annotations

from collections.abc import Iterable

from imagebuilder.ir.ops import Base
from imagebuilder.ir.stage import Stage, children


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
    stages = _all(different)
    needed = {child for stage in stages for child in children(stage)}
    alike: dict[Base | Stage, list[Stage]] = {}
    for stage in stages:
        alike.setdefault(stage.base, []).append(stage)
    return [
        each
        for each in different
        if each not in needed and not any(_goes_on(stage, each) for stage in alike[each.base])
    ]


def _all(targets: Iterable[Stage]) -> set[Stage]:
    """The targets and all that they need."""
    found: set[Stage] = set()
    waiting = list(targets)
    while waiting:
        if (stage := waiting.pop()) not in found:
            found.add(stage)
            waiting += children(stage)
    return found


def _goes_on(stage: Stage, start: Stage) -> bool:
    """Whether one of two stages with one base has all steps of the other, and more."""
    count = len(start.steps)
    if len(stage.steps) <= count:
        return False
    # The last one first: of stages that begin alike it is the one that differs.
    return not count or (stage.steps[count - 1] == start.steps[-1] and stage.steps[:count] == start.steps)
