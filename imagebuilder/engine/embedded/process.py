"""Finding the engine's processes, and only those.

A pid alone says nothing: it is used again. A process is ours where its command
line names this HOME's launcher and, for the short way, the time it started is
the one that was noted.
"""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from imagebuilder.engine.embedded.layout import Layout, read_json, write_atomically

PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """A process, told apart from a later one of the same pid by when it started.

    ``started`` is in clock ticks since the machine came up.
    """

    pid: int
    started: int

    def alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        found = _stat(self.pid)
        return found is not None and found.started == self.started and found.state not in "ZX"

    def send(self, number: signal.Signals) -> None:
        if self.alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


@dataclass(frozen=True)
class _Stat:
    state: str
    parent: int
    started: int


def _stat(pid: int) -> _Stat | None:
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return _Stat(fields[0], int(fields[1]), int(fields[19]))


def _identified(pid: int, layout: Layout) -> Process | None:
    """The process, where it is the one that holds this layout's engine."""
    found = _stat(pid)
    if found is None or found.state in "ZX":
        return None
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    ours = words[0] == b"unshare" and os.fsencode(layout.launcher) in words
    return Process(pid, found.started) if ours else None


def noted(layout: Layout) -> Process | None:
    """The engine's outermost process as the last start noted it, if it still runs."""
    pid, started = (read_json(layout.pidfile).get(key) for key in ("pid", "started"))
    if not isinstance(pid, int):
        return None
    found = _identified(pid, layout)
    return found if found is not None and found.started == started else None


def find(layout: Layout) -> Process | None:
    """The engine's outermost process, noted or not: a start may be killed before it takes its note."""
    if found := noted(layout):
        return found
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (found := _identified(int(entry.name), layout)):
            return found
    return None


def note(layout: Layout, process: Process) -> None:
    text = json.dumps({"pid": process.pid, "started": process.started})
    write_atomically(layout.pidfile, text)


def children(process: Process) -> list[Process]:
    """The direct children, oldest first."""
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))) and stat.parent == process.pid:
            found.append(Process(int(entry.name), stat.started))
    return sorted(found, key=lambda child: child.started)


def daemon(process: Process) -> int | None:
    """The pid of dockerd, given the outermost process: unshare, then docker-init, then dockerd."""
    for init in children(process):
        for child in children(init):
            return child.pid
    return None


def wait_gone(processes: list[Process], seconds: float) -> bool:
    """Wait until none of them runs; False where the time is over first."""
    end = time.monotonic() + seconds
    while any(process.alive() for process in processes):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
