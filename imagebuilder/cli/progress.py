"""What takes long, while it runs: one live line per step on a terminal, plain lines elsewhere, or one JSON object per
event. Always on standard error."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from imagebuilder.cli.output import tell, tell_event
from imagebuilder.diagnostics.excerpt import visible
from imagebuilder.engine.protocol import BESIDE, Event, LogEvent, StepEvent, WarningEvent

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

_LOG_LINES = 6
_MARKS = {"done": "✓", "cached": "✓", "failed": "✗"}
_SPINNER = "⣾⣽⣻⢿⡿⣟⣯⣷"
_TURNS = 8.0


class Reporter(Protocol):
    def on_event(self, event: Event) -> None: ...


def labelled(name: str, event: Event) -> Event:
    """The event as one of several builds; two of them may have the same step."""
    if isinstance(event, WarningEvent):
        return event
    id = f"{name} {event.id}" if event.id else ""
    if isinstance(event, LogEvent):
        return replace(event, id=id, line=event.line if id else f"{name}: {event.line}")
    if event.is_chore:
        return event
    # A position keeps what is shown without one (the export) from being taken for a chore under its new name.
    return replace(event, id=id, name=f"{name}: {event.name}", position=event.position or BESIDE)


@contextmanager
def reporter(kind: str = "auto") -> Iterator[Reporter]:
    """The one that ``--progress`` asks for, or that fits where standard error goes."""
    if kind == "json":
        yield JsonReporter()
        return
    if kind == "plain" or not sys.stderr.isatty():
        yield PlainReporter()
        return
    from rich.console import Console
    from rich.live import Live

    shown = LiveReporter()
    with Live(shown, console=Console(stderr=True), refresh_per_second=_TURNS, transient=False):
        yield shown


class PlainReporter:
    """A line for each step that starts or ends, and each line that it prints, marked with the step's number."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._said: set[tuple[int, bool]] = set()

    def on_event(self, event: Event) -> None:
        if isinstance(event, WarningEvent):
            self._print(event.diagnostic.render())
        elif isinstance(event, LogEvent):
            number = self._numbers.get(event.id)
            self._print(f"#{number} {event.line}" if number else event.line)
        elif not event.is_chore:
            number = self._numbers.setdefault(event.id, len(self._numbers) + 1)
            # A step may start and end again, with nothing new to say.
            said = (number, event.state == "started")
            if (said in self._said or (number, False) in self._said) and event.state != "failed":
                return
            self._said.add(said)
            end = {
                "started": "",
                "done": f" done in {event.seconds:.1f} s",
                "cached": " CACHED",
                "failed": " FAILED",
            }
            self._print(f"#{number} {event.name}{end[event.state]}")

    def _print(self, line: str) -> None:
        tell(line)


class JsonReporter:
    """An object a line: of ``event`` ``step``, ``log`` or ``warning``."""

    def on_event(self, event: Event) -> None:
        if isinstance(event, WarningEvent):
            tell_event("warning", **event.diagnostic.as_json())
        elif isinstance(event, LogEvent):
            tell_event("log", step=event.id, line=event.line)
        elif not event.is_chore:
            seconds = round(event.seconds, 3)
            tell_event("step", step=event.id, name=event.name, state=event.state, seconds=seconds)


class LiveReporter:
    """Drawn anew several times a second by ``rich.live.Live``."""

    def __init__(self) -> None:
        self._steps: dict[str, StepEvent] = {}
        self._began: dict[str, float] = {}
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        self._log_of = ""
        self._start = time.monotonic()

    def on_event(self, event: Event) -> None:
        if isinstance(event, WarningEvent):
            tell(event.diagnostic.render())  # Live has it above what it draws.
        elif isinstance(event, LogEvent):
            if event.id != self._log_of:
                self._log.clear()
                self._log_of = event.id
            self._log.append(visible(event.line))
        elif not event.is_chore:
            self._steps[event.id] = event
            self._began.setdefault(event.id, time.monotonic())

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        styles = {"started": "yellow", "done": "green", "cached": "cyan", "failed": "bold red"}
        steps = list(self._steps.values())
        # Live needs what it draws to fit the screen: the oldest steps scroll out of it.
        room = max(3, options.max_height - _LOG_LINES - 3)
        if len(steps) > room:
            yield Text(f"  … {len(steps) - room} earlier steps", style="dim")
            steps = steps[-room:]
        for step in steps:
            running = step.state == "started"
            seconds = time.monotonic() - self._began[step.id] if running else step.seconds
            end = "CACHED" if step.state == "cached" else f"{seconds:.1f} s"
            width = max(20, options.max_width - len(end) - 4)
            name = visible(step.name if len(step.name) <= width else step.name[: width - 1] + "…")
            mark = _SPINNER[int(seconds * _TURNS) % len(_SPINNER)] if running else _MARKS[step.state]
            yield Text.assemble((f"{mark} ", styles[step.state]), name.ljust(width), " ", (end, "dim"))
            if running and step.id == self._log_of:
                for line in self._log:
                    yield Text(f"    {line[: options.max_width - 5]}", style="dim")
        if not self._log_of:
            # Of no step: what another process prints, which is waited for.
            for line in self._log:
                yield Text(f"  {line[: options.max_width - 3]}", style="dim")
        yield Text(f"  total {time.monotonic() - self._start:.1f} s", style="bold")
