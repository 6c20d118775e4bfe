"""A base's own package manager, asked what it would install: by a build, which has the network that builds have."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import Generic
from uuid import uuid4

from imagebuilder.backends.dockerfile import Dockerfile
from imagebuilder.compiler import Plan
from imagebuilder.engine.protocol import BuildFailed, OnEvent
from imagebuilder.ir.ops import Run
from imagebuilder.ir.stage import Stage, Step
from imagebuilder.locking.throwaway import ThrowAway
from imagebuilder.resolve.ask import Left
from imagebuilder.resolve.resolver import LeftOut
from imagebuilder.resolve.system.ground import AnswerT, AskT, SystemGround, pinned
from imagebuilder.steps import beside

At = tuple[str, str, str]


class Asker(ABC, Generic[AskT, AnswerT]):
    """For one lock. ``locked`` are the answers, ``left`` the requests without one."""

    def __init__(
        self,
        plan: Plan,
        known: Sequence[AnswerT],
        upgrade: Collection[str],
        build: ThrowAway,
        on_event: OnEvent,
    ) -> None:
        """
        Args:
            known: the versions in these stay where they still can be had.
            upgrade: the packages whose versions need not stay.
        """
        self._plan = plan
        self._known = known
        self._upgrade = frozenset(upgrade)
        self._build = build
        self._on_event = on_event
        self.locked: list[AnswerT] = []
        self.left: list[LeftOut] = []

    def ask(self, target: Stage) -> None:
        """
        Args:
            target: what the plan builds, with the digests of its bases.

        Raises:
            CompileError: what is asked for cannot be installed; at its line.
            BuildError: nobody answers who has the packages.
            EngineError: the engine does not answer.
        """
        pinned(target, self._ground(), self._answer)

    @staticmethod
    @abstractmethod
    def _ground() -> type[SystemGround[AskT, AnswerT]]: ...

    @abstractmethod
    def _question(self, ask: AskT, known: Sequence[AnswerT], marker: str) -> Run:
        """What prints the answer between two lines that are the marker; ``known`` is what was locked for this base."""

    @abstractmethod
    def _read(self, at: At, ask: AskT, lines: Sequence[str]) -> AnswerT:
        """
        Raises:
            ValueError: why such an answer cannot be locked.
        """

    @staticmethod
    @abstractmethod
    def _failed(failure: BuildFailed, dockerfile: Dockerfile, step: Step) -> Exception: ...

    def _answer(self, step: Step, ask: AskT | Left, ground: SystemGround[AskT, AnswerT]) -> AnswerT | None:
        if isinstance(ask, Left):
            self._leave(step, ground, ask.reason)
            return None
        at = ask.base, self._plan.platform, ask.request
        # The same statement in two stages is one request.
        found = next((each for each in self.locked if each.at == at), None)
        if found is None:
            with beside(f"asking {ground.manager} for {' '.join(ask.packages)}", self._on_event):
                lines = self._lines(step, ask, ground)
            try:
                found = self._read(at, ask, lines)
            except ValueError as error:
                self._leave(step, ground, str(error))
                return None
            self.locked.append(found)
        return found

    def _leave(self, step: Step, ground: SystemGround[AskT, AnswerT], reason: str) -> None:
        self.left.append(LeftOut(f"{ground.manager}_install", step.place, reason))

    def _lines(self, step: Step, ask: AskT, ground: SystemGround[AskT, AnswerT]) -> list[str]:
        marker = uuid4().hex
        alike = [each for each in self._known if (each.base, each.platform) == (ask.base, self._plan.platform)]
        run = self._question(ask, alike, marker)
        assert ground.image is not None
        stage = Stage(ground.image, (*ground.before, Step(run, step.place, "", step.intent)), step.place)
        plan = Plan(stage, self._plan.platform, {}, {})
        return self._build.answer(plan, marker, lambda failure, dockerfile: self._failed(failure, dockerfile, step))
