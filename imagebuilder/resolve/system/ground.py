"""What a base's own package manager finds below a statement, and a lock's answers in the place of statements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, Generic, Protocol, TypeVar

from imagebuilder.ir.ops import Base, BaseImage, Op, Run
from imagebuilder.ir.stage import Stage, Step, rewrite
from imagebuilder.resolve.ask import Answer, Left


class SystemAsk(Protocol):
    """What one statement wants of the manager."""

    @property
    def base(self) -> str: ...

    @property
    def packages(self) -> tuple[str, ...]: ...

    @property
    def request(self) -> str:
        """``sha256:…`` of all that is asked for, and of what was before it; not of where."""


AskT = TypeVar("AskT", bound=SystemAsk)
AnswerT = TypeVar("AnswerT", bound=Answer)


class SystemGround(ABC, Generic[AskT, AnswerT]):
    """Follows one stage from its base on. ``why`` is why the manager cannot be asked from here on; empty while it can.

    ``image`` is the base, ``before`` what has to be there when the manager is asked.
    """

    manager: ClassVar[str]
    intent: ClassVar[type[Op]]

    def __init__(self, base: Base | Stage) -> None:
        self.before: list[Step] = []
        chain: list[Stage] = []
        while isinstance(base, Stage):
            chain.append(base)
            base = base.base
        self.image = base if isinstance(base, BaseImage) else None
        self.base = base.ref.partition("@")[0] if isinstance(base, BaseImage) else ""
        self.why = "" if self.image else f"the base has no {self.manager}"
        for stage in reversed(chain):
            for step in stage.steps:
                self.note(step)

    @abstractmethod
    def ask(self, step: Step) -> AskT | Left | None:
        """What a step wants installed; None where it is no such step, or has a lock of its own."""

    @abstractmethod
    def note(self, step: Step) -> None:
        """Something that stands before what comes next."""

    @staticmethod
    @abstractmethod
    def run(found: AnswerT) -> Run | None:
        """What installs what was found; None where that is nothing."""


Answering = Callable[[Step, AskT | Left, SystemGround[AskT, AnswerT]], AnswerT | None]


def pinned(target: Stage, kind: type[SystemGround[AskT, AnswerT]], answer: Answering[AskT, AnswerT]) -> Stage:
    """The graph with the versions that ``answer`` gives for each request in it; None leaves one as it is."""

    def change(stage: Stage) -> Stage:
        if not any(isinstance(step.intent, kind.intent) for step in stage.steps):
            return stage
        ground = kind(stage.base)
        steps = []
        for step in stage.steps:
            ask = ground.ask(step)
            found = None if ask is None else answer(step, ask, ground)
            if found is not None and (run := ground.run(found)) is not None:
                step = replace(step, op=run, part_of=step.planned)
            ground.note(step)
            steps.append(step)
        same = all(new is old for new, old in zip(steps, stage.steps, strict=True))
        return stage if same else replace(stage, steps=tuple(steps))

    return rewrite(target, change)
