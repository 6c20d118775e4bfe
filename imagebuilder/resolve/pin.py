"""Requests for packages in a stage graph, and what was found for them put in their place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from imagebuilder.ir.packages import Install
from imagebuilder.ir.stage import Stage, Step, rewrite
from imagebuilder.resolve.ask import Ask, Left
from imagebuilder.resolve.ground import Ground, PythonOf, is_request
from imagebuilder.resolve.project import Project

Answering = Callable[[Step, Ask | Project | Left, Ground], Install | None]


def is_open(step: Step) -> bool:
    """Whether a step installs what a lock says, and it is not known where that goes."""
    return isinstance(step.op, Install) and step.op.python is None


def pinned(target: Stage, platform: str, python_of: PythonOf, answer: Answering) -> Stage:
    """The graph with each request in it replaced by what ``answer`` gives for it; None leaves it as it is.

    Installs of a lock get the Python that they are for.

    Args:
        target: a stage of core operations.
        platform: that of the build.
        python_of: the Python of a base; a text says why it is not known.
    """

    def change(stage: Stage) -> Stage:
        if not any(is_request(step) or is_open(step) for step in stage.steps):
            return stage
        ground = Ground(stage.base, platform, python_of)
        steps = []
        for step in stage.steps:
            ask = ground.ask(step)
            found = None if ask is None else answer(step, ask, ground)
            if isinstance(step.op, Install) and is_open(step) and not ground.why:
                found = step.op.model_copy(update={"python": ground.python})
            if found is not None:
                step = Step(found, step.place, "", step.intent, step.planned)
            ground.note(step)
            steps.append(step)
        same = all(new is old for new, old in zip(steps, stage.steps, strict=True))
        return stage if same else replace(stage, steps=tuple(steps))

    return rewrite(target, change)
