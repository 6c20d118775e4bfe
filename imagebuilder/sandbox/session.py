"""A shell in a sandbox that stays open, and the commands that are run in it one after the other."""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from uuid import uuid4

from imagebuilder.diagnostics import CompileError, Diagnostic, SandboxError
from imagebuilder.engine.containers import Running
from imagebuilder.sandbox.box import Box
from imagebuilder.sandbox.params import SessionCommand, SessionExecuteRequest, is_text

MAX_OUTPUT = 64 << 20
"""Bytes of one command's output that are kept; what comes after them is dropped."""

# Commands of a session whose output is remembered.
_KEPT = 200
# Seconds that what was killed has to end in.
_GRACE = 5.0


@dataclass(slots=True)
class _Command:
    id: str
    line: str
    streams: dict[int, bytearray] = field(default_factory=lambda: {1: bytearray(), 2: bytearray()})
    every: bytearray = field(default_factory=bytearray)
    exit_code: int | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    def shown(self) -> SessionCommand:
        out, err, every = (bytes(part).decode(errors="replace") for part in (*self.streams.values(), self.every))
        return SessionCommand(self.id, self.line, self.exit_code, every, out, err)


class Shell:
    """One session. A thread reads what the shell prints; the end of a command shows by a mark on both streams."""

    def __init__(self, box: Box, running: Running, kill: Callable[[int], object]) -> None:
        """
        Args:
            running: a shell; whoever started it lets go of it once the session has ended.
            kill: ends it and all that it started, except one process.
        """
        self._box = box
        self._running = running
        self._kill = kill
        self._end = f"\0{uuid4().hex}:".encode()
        self._commands: dict[str, _Command] = {}
        self._turn = threading.Lock()
        self._pid = 0
        # Who changes these two holds the state: the shell may end at any moment.
        self._state = threading.Lock()
        self._open = True
        self._now: _Command | None = None
        self._waiting = {1: bytearray(), 2: bytearray()}
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        said = self._wait(self._start("echo $$"), 60.0).stdout.strip()
        # What calls itself `sh` there may say anything.
        self._pid = int(said) if said.isascii() and said.isdigit() and len(said) < 10 else 0
        self._commands.clear()

    def commands(self) -> Iterator[SessionCommand]:
        return (command.shown() for command in list(self._commands.values()))

    def command(self, id: str) -> SessionCommand:
        if id not in self._commands:
            raise SandboxError(Diagnostic("IB756", f"the session has no command {id!r}", help="it forgets old ones"))
        return self._commands[id].shown()

    def run(self, request: SessionExecuteRequest, timeout: float | None) -> SessionCommand:
        line = request.command
        if not is_text(line):
            help = "a shell takes text alone; write bytes as escapes, such as printf '\\377'"
            raise CompileError(Diagnostic("IB755", f"not a command: {line!r}", help=help))
        if request.run_async:
            command = _Command(uuid4().hex[:12], line)
            self._commands[command.id] = command
            threading.Thread(target=self._start, args=(line, command), daemon=True).start()
            return command.shown()
        until = None if timeout is None else time.monotonic() + timeout
        command = self._start(line, timeout=timeout)
        return self._wait(command, None if until is None else max(0.0, until - time.monotonic()), timeout)

    def end(self) -> None:
        with self._state:
            self._open = False
        self._running.close_input()
        self._kill(0)

    def _start(self, line: str, command: _Command | None = None, timeout: float | None = None) -> _Command:
        """Have the shell run a line as soon as the one before has ended; SandboxError where that is not in time."""
        command = command or _Command(uuid4().hex[:12], line)
        if not self._turn.acquire(timeout=-1 if timeout is None else timeout):
            help = "give a longer timeout, or delete_session() and open it again"
            message = f"the session's command before it did not end within {timeout:g} s"
            raise SandboxError(Diagnostic("IB753", message, help=help))
        self._commands[command.id] = command
        for old in list(self._commands)[:-_KEPT]:
            del self._commands[old]
        with self._state:
            if self._open:
                self._now = command
            else:
                # Nobody would be told of its end.
                command.ended.set()
                self._turn.release()
                return command
        # `eval` alone would end some shells at a line that does not parse; what the line reads is not what comes next.
        mark = self._end.decode().replace("\0", "\\000")
        end = f"printf '{mark}%d\\000' $__code"
        try:
            said = f"{{ command eval {shlex.quote(line)}\n}} </dev/null; __code=$?; {end}; {end} >&2; (exit $__code)\n"
            self._running.write(said.encode())
        except OSError:
            self._close()
        return command

    def _wait(self, command: _Command, left: float | None, timeout: float | None = None) -> SessionCommand:
        try:
            done = command.ended.wait(left)
        except BaseException:
            self._kill(self._pid)
            raise
        if not done:
            help = "give a longer timeout"
            self._kill(self._pid)
            if not command.ended.wait(_GRACE):
                # It is the shell itself that is busy, or that no longer says when a command has ended.
                self._kill(0)
                self._close()
                help += "; the session has ended with it: delete_session(), and open it again"
            raise SandboxError(Diagnostic("IB753", f"the command did not end within {timeout or left:g} s", help=help))
        if command.exit_code is None:
            raise SandboxError(
                Diagnostic(
                    "IB757",
                    "the session's shell has ended",
                    help="a command may have called exit; delete_session(), and open it again",
                )
            )
        return command.shown()

    def _read(self) -> None:
        ended: set[int] = set()
        while True:
            try:
                stream, data = self._running.read()
            except (OSError, ValueError):
                data = b""
            if not data:
                self._close()
                return
            waiting = self._waiting[stream]
            waiting += data
            if self._pass_on(stream, waiting):
                ended.add(stream)
            if ended == {1, 2}:
                ended.clear()
                self._done()

    def _pass_on(self, stream: int, waiting: bytearray) -> bool:
        """Hand what came to the command; whether its end is among it. The start of what may be the mark waits."""
        at = waiting.find(self._end)
        now = self._now
        if at < 0:
            # A mark may have come in part.
            keep = next(
                (n for n in range(min(len(self._end), len(waiting)), 0, -1) if waiting.endswith(self._end[:n])), 0
            )
            self._take(now, stream, waiting, len(waiting) - keep)
            return False
        close = waiting.find(b"\0", at + len(self._end))
        if close < 0:
            self._take(now, stream, waiting, at)
            return False
        digits = waiting[at + len(self._end) : close]
        code = int(digits) if digits.isdigit() and len(digits) < 4 else -1
        self._take(now, stream, waiting, at)
        del waiting[: close - at + 1]
        if now is not None:
            now.exit_code = code
        return True

    def _take(self, command: _Command | None, stream: int, waiting: bytearray, count: int) -> None:
        if command is not None:
            room = max(0, MAX_OUTPUT - len(command.every))
            for kept in (command.streams[stream], command.every):
                kept += waiting[: min(count, room)]
        del waiting[:count]

    def _close(self) -> None:
        """Nothing more comes of the shell."""
        with self._state:
            self._open = False
        self._done()

    def _done(self) -> None:
        """The command that runs, if one does, has ended; the next one may start."""
        with self._state:
            command, self._now = self._now, None
        if command is not None:
            self._turn.release()
            command.ended.set()
