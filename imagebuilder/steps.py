"""What the builder says of its instructions, as the steps of the one who wrote the image."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from imagebuilder.engine.protocol import BESIDE, LogEvent, OnEvent, StepEvent
from imagebuilder.ir import stage
from imagebuilder.ir.describe import describe
from imagebuilder.store import Step

if TYPE_CHECKING:
    from imagebuilder.backends.dockerfile import Dockerfile, Instruction


@contextmanager
def beside(what: str, on_event: OnEvent) -> Iterator[Callable[[str], None]]:
    """Something that takes long and that no builder tells of, as a step of its own.

    What the block is given says anew what is being done.
    """
    began = time.monotonic()
    step = StepEvent(what, what, "started", position=BESIDE)
    on_event(step)
    try:
        yield lambda now: on_event(replace(step, name=now))
    except BaseException:
        on_event(replace(step, state="failed", seconds=time.monotonic() - began))
        raise
    on_event(replace(step, state="done", seconds=time.monotonic() - began))


class Steps:
    """The steps of one build, as they begin and end."""

    def __init__(self, dockerfile: Dockerfile) -> None:
        self._dockerfile = dockerfile
        self._ended: dict[str, Step] = {}
        # What two builds share is told of under the names of both: one instruction, several ids.
        self._id_of: dict[int, str] = {}
        self._same: dict[str, str] = {}
        self._told: set[tuple[str, str]] = set()
        # Of steps in parts: when each began, and whether each of its parts that has ended was cached.
        self._begun: dict[str, float] = {}
        self._parts: dict[str, dict[int, bool]] = {}

    @property
    def ended(self) -> tuple[Step, ...]:
        """Those that have ended, in the order in which they did."""
        return tuple(self._ended.values())

    def told(self, event: StepEvent) -> Iterator[tuple[StepEvent, stage.Step | None]]:
        """The event under the author's names, and the step that it is of, if one; nothing where it says nothing new."""
        packed = self._dockerfile.packed(event.name)
        for number, instruction in enumerate(packed, 1):
            yield self._packed(replace(event, id=f"{event.id}/{number}"), instruction)
        if not packed and (found := self._told_of(event)):
            yield found

    def _packed(self, event: StepEvent, instruction: Instruction) -> tuple[StepEvent, stage.Step | None]:
        """A step that is done by taking an image, which comes layer by layer, and is told of for each."""
        assert instruction.step is not None
        op = instruction.step.intent or instruction.step.op
        began = self._begun.setdefault(event.id, time.monotonic())
        seconds = 0.0 if event.state == "cached" else time.monotonic() - began
        event = replace(event, name=describe(op), seconds=seconds, position=BESIDE)
        if event.state in ("done", "cached"):
            self._ended[event.id] = Step(op.verb, event.name, seconds, event.state == "cached")
        return event, instruction.step

    def _told_of(self, event: StepEvent) -> tuple[StepEvent, stage.Step | None] | None:
        known = event.position and not event.name.startswith("[internal]")
        instruction = self._dockerfile.at_event(event.name, event.stage, event.position) if known else None
        if instruction is None:
            return event, None
        step = instruction.step
        op = (step.intent or step.op) if step else None
        first = self._dockerfile.whole(instruction).first
        id = self._same[event.id] = self._id_of.setdefault(first, event.id)
        event = replace(event, id=id, name=describe(op) if op is not None else instruction.text)
        if event.state == "cached" and id in self._ended and not self._ended[id].cached:
            return None
        if instruction.parts > 1:
            merged = self._merged(event, instruction)
            if merged is None:
                return None
            event = merged
        if event.state in ("done", "cached"):
            self._ended[id] = Step(getattr(op, "verb", "from"), event.name, event.seconds, event.state == "cached")
        return event, step

    def is_new(self, event: StepEvent) -> bool:
        """Whether the log has nothing of this yet; it has no chores."""
        if event.is_chore or (event.id, event.state) in self._told:
            return False
        self._told.add((event.id, event.state))
        return True

    def of(self, event: LogEvent) -> LogEvent:
        """The line, under the id that its step is told of by."""
        return replace(event, id=self._same.get(event.id, event.id))

    def _merged(self, event: StepEvent, instruction: Instruction) -> StepEvent | None:
        """A step that several instructions carry out is told of once: it starts with the first, ends with the last."""
        if event.state == "failed":
            return event
        if event.state == "started":
            first = event.id not in self._begun
            self._begun.setdefault(event.id, time.monotonic())
            return event if first else None
        parts = self._parts.setdefault(event.id, {})
        parts[instruction.first] = parts.get(instruction.first, True) and event.state == "cached"
        if len(parts) < instruction.parts or event.id in self._ended:
            return None
        cached = all(parts.values())
        seconds = 0.0 if cached else time.monotonic() - self._begun.get(event.id, time.monotonic())
        return replace(event, state="cached" if cached else "done", seconds=seconds)
