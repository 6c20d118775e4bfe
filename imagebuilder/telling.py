"""What a build tells: whoever listens, the snapshot's log, and the record of how far it came."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from imagebuilder.diagnostics import Diagnostic
from imagebuilder.engine.protocol import Event, LogEvent, StepEvent, WarningEvent

if TYPE_CHECKING:
    # Imported late: an image that is there already is answered without them.
    from imagebuilder.cache.recorder import Recorder
    from imagebuilder.ir.stage import Step
    from imagebuilder.steps import Steps


class Telling:
    """That of one build."""

    def __init__(self, on_event: Callable[[Event], None]) -> None:
        self.on_event = on_event
        self._log: IO[str] | None = None
        self._recorded: Recorder | None = None

    @contextmanager
    def logging(self, path: Path) -> Iterator[None]:
        """What is told while the block runs is written into the file as well, which begins empty."""
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "w", encoding="utf-8", errors="replace", buffering=1) as self._log:
            yield
        self._log = None

    @contextmanager
    def recording(self, recorder: Recorder, *, explained: bool) -> Iterator[None]:
        """What is built while the block runs is put on record; and why, if that is wanted, is told once it is known."""
        self._recorded = recorder
        with recorder.recording(explained=explained):
            yield
        # A build may be over sooner than why it ran is found out.
        self._why()

    def write(self, line: str) -> None:
        """Into the log alone."""
        if self._log is not None:
            self._log.write(line + "\n")

    def warn(self, told: Diagnostic) -> None:
        self.write(told.render())
        self.on_event(WarningEvent(told))

    def tell(self, line: str) -> None:
        self.write(f"# {line}")
        self.on_event(LogEvent("", line))

    def event(self, steps: Steps, event: Event) -> None:
        """What the builder says, in the words of the one who wrote the image."""
        self._why()
        if isinstance(event, StepEvent):
            for told, step in steps.told(event):
                self._step(steps, told, step)
                self.on_event(told)
            return
        if isinstance(event, WarningEvent):
            self.write(event.diagnostic.render())
        else:
            event = steps.of(event)
            self.write(event.line)
        self.on_event(event)

    def _step(self, steps: Steps, event: StepEvent, step: Step | None) -> None:
        if step is not None and event.state in ("done", "cached") and self._recorded is not None:
            self._recorded.ended(step)
        if steps.is_new(event):
            end = "" if event.state == "started" else f" after {event.seconds:.1f} s"
            self.write(f"# {event.name}: {event.state}{end}")

    def _why(self) -> None:
        if self._recorded is not None and (lines := self._recorded.why):
            self._recorded.why = []
            for line in lines:
                self.tell(line)
