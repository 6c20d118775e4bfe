"""Requests for packages in a stage graph, and what was found for them put in their place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from imagebuilder.ir.ops import Install
from imagebuilder.ir.stage import Stage, Step, ordered, rewrite
from imagebuilder.resolve.ask import Ask, Left
from imagebuilder.resolve.ground import Ground

Answering = Callable[[Step, Ask | Left], Install | None]


def pinned(target: Stage, platform: str, answer: Answering) -> Stage:
    """The graph with each request in it replaced by what ``answer`` gives for it; None leaves it as it is.

    Args:
        target: a stage of core operations.
        platform: that of the build.
    """

    def change(stage: Stage) -> Stage:
        ground = Ground(stage.base, platform)
        steps = []
        for step in stage.steps:
            ask = ground.ask(step)
            found = None if ask is None else answer(step, ask)
            if found is not None:
                step = Step(found, step.place, "", step.intent, step.planned)
            ground.note(step)
            steps.append(step)
        same = all(new is old for new, old in zip(steps, stage.steps, strict=True))
        return stage if same else replace(stage, steps=tuple(steps))

    return rewrite(target, change)


def asks(target: Stage, platform: str) -> Iterator[tuple[Step, Ask | Left]]:
    """The requests of a stage graph; what earlier ones in a stage would put there is not in the later ones."""
    for stage in ordered(target):
        ground = Ground(stage.base, platform)
        for step in stage.steps:
            if (ask := ground.ask(step)) is not None:
                yield step, ask
            ground.note(step)
