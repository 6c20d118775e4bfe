"""What ``buildx --progress=rawjson`` prints, as events.

A vertex is repeated whenever it changes, may end and start again, and comes
with names such as ``[build 2/5] RUN …``; those of one name are one step. Between the JSON lines stand the
builder's own messages: those are kept, since the source excerpt among them
names the Dockerfile's line.
"""

from __future__ import annotations

import base64
import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from imagebuilder.engine.protocol import BuildFailed, Event, LogEvent, State, StepEvent, WrongBase

_POSITION = re.compile(r"\[(?:(?P<stage>[^\]\s]+) )?\s*(?P<position>\d+)/\d+\] ")
_EXCERPT = re.compile(r"^[^\s:]+:(\d+)$")
_EXIT_CODE = re.compile(r"exit code: (\d+)")
_WRONG_BASE = re.compile(
    r'InvalidBaseImagePlatform: Base image (?P<ref>\S+) was pulled with platform "(?P<has>[^"]*)",'
    r' expected "(?P<wanted>[^"]*)"'
)
_CANCELED = "context canceled"
LAST_LINES = 30


@dataclass(slots=True)
class _Vertex:
    """``group`` holds the ids of all vertices of its instruction: a linked copy and its merge are two."""

    name: str
    group: list[str]
    state: State | None = None
    seconds: float = 0.0
    error: str = ""
    from_cache: bool = False
    partial: dict[int, bytes] = field(default_factory=dict)
    log: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))


class Progress:
    """Reads the builder's standard error line by line."""

    def __init__(self, redact: Callable[[str], str] = str) -> None:
        """
        Args:
            redact: takes secrets out of each line that a step or the builder prints.
        """
        self._redact = redact
        self._vertices: dict[str, _Vertex] = {}
        self._groups: dict[tuple[str, int], list[str]] = {}
        self._messages: list[str] = []
        self.wrong_base: WrongBase | None = None

    def feed(self, line: str) -> Iterator[Event]:
        """The events of one line, in order. What is not as expected is passed over."""
        if not line.startswith("{"):
            if line.strip():
                self._messages.append(self._redact(line.rstrip()))
            return
        try:
            status = json.loads(line)
        except (ValueError, RecursionError):
            self._messages.append(self._redact(line.rstrip()))
            return
        readers = ((self._vertex, "vertexes"), (self._log, "logs"), (self._warning, "warnings"))
        for read, name in readers:
            entries = status.get(name)
            for entry in entries if isinstance(entries, list) else ():
                with suppress(KeyError, TypeError, ValueError, AttributeError):
                    yield from read(entry)

    def finish(self) -> Iterator[Event]:
        """The lines that were not ended."""
        for id, vertex in self._vertices.items():
            for rest in vertex.partial.values():
                if rest:
                    yield self._line(id, vertex, rest)
            vertex.partial.clear()

    def failure(self) -> BuildFailed:
        """What went wrong, as far as the builder said."""
        failed = next((v for v in self._vertices.values() if v.state == "failed"), None)
        line = next((int(m[1]) for text in self._messages if (m := _EXCERPT.match(text))), 0)
        said = next((text for text in reversed(self._messages) if text.startswith("ERROR:")), "")
        message = said.removeprefix("ERROR:").strip() or "\n".join(self._messages[-5:]) or "the builder gave no reason"
        message = re.sub(r"^(failed to build: )?(failed to solve: )?", "", message)
        code = _EXIT_CODE.search(failed.error if failed else message)
        return BuildFailed(
            message,
            line=line,
            exit_code=int(code[1]) if code else None,
            log=tuple(failed.log) if failed else (),
            step=failed.name if failed else "",
        )

    def _vertex(self, data: dict[str, Any]) -> Iterator[StepEvent]:
        id, name = data["digest"], str(data.get("name", ""))
        match = _POSITION.match(name)
        stage, position = ((match["stage"] or ""), int(match["position"])) if match else ("", 0)
        vertex = self._known(id, name, stage, position)
        error = data.get("error")
        vertex.error = error if isinstance(error, str) else ""
        state: State | None = None
        if vertex.error.endswith(_CANCELED):
            return  # Another step failed while this one ran; it is that one's failure, with that one's exit code.
        if vertex.error:
            state = "failed"
        elif data.get("completed"):
            # Of a step that was cached in a registry, the layer is fetched later, and that has an end of its own.
            vertex.from_cache = vertex.from_cache or bool(data.get("cached"))
            state = "cached" if vertex.from_cache else "done"
        elif data.get("started"):
            state = "started"
        if state is None or state == vertex.state:
            return
        vertex.state = state
        vertex.seconds = _seconds(data.get("started"), data.get("completed"))
        whole = [self._vertices[each] for each in vertex.group]
        if state == "cached" and any(part.state == "done" for part in whole):
            state = "done"
        yield StepEvent(vertex.group[0], vertex.name, state, sum(part.seconds for part in whole), stage, position)

    def _known(self, id: str, name: str = "", stage: str = "", position: int = 0) -> _Vertex:
        """The vertex; a line may come before the vertex that prints it."""
        vertex = self._vertices.get(id)
        if vertex is None:
            vertex = self._vertices[id] = _Vertex(name, [id])
        if position and vertex.group == [id]:
            vertex.name = name
            vertex.group = self._groups.setdefault((stage, position), vertex.group)
            if id not in vertex.group:
                vertex.group.append(id)
        return vertex

    def _log(self, entry: dict[str, Any]) -> Iterator[LogEvent]:
        id = entry["vertex"]
        vertex = self._known(id)
        # A chunk may end within a line, and within a character; the two streams are cut apart from one another.
        stream = int(entry.get("stream", 1))
        before = vertex.partial.get(stream, b"")
        *lines, vertex.partial[stream] = (before + base64.b64decode(entry["data"])).split(b"\n")
        for line in lines:
            yield self._line(id, vertex, line)

    def _warning(self, entry: dict[str, Any]) -> Iterator[Event]:
        """Of the builder's warnings, the one about wrong bytes: it is given before a step runs."""
        if match := _WRONG_BASE.match(base64.b64decode(entry["short"]).decode(errors="replace")):
            ranges = entry.get("range") or [{}]
            line = ranges[0].get("start", {}).get("line", 0)
            self.wrong_base = WrongBase(match["ref"], match["has"], match["wanted"], int(line))
        yield from ()

    def _line(self, id: str, vertex: _Vertex, line: bytes) -> LogEvent:
        # What a progress bar overwrote is not worth keeping.
        shown = self._redact(line.decode(errors="replace").rstrip("\r").rpartition("\r")[2])
        vertex.log.append(shown)
        return LogEvent(vertex.group[0], shown)


def _seconds(started: str | None, completed: str | None) -> float:
    if not started or not completed:
        return 0.0
    return max(0.0, (_time(completed) - _time(started)).total_seconds())


def _time(text: str) -> datetime:
    # Go writes nanoseconds; datetime takes microseconds.
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
