"""Commands in a sandbox."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import IO

from imagebuilder.diagnostics import CompileError, Diagnostic, SandboxError
from imagebuilder.engine.containers import Command, Running
from imagebuilder.sandbox import not_started
from imagebuilder.sandbox.box import Box
from imagebuilder.sandbox.commands import MARK, kill, marked
from imagebuilder.sandbox.params import (
    CodeRunParams,
    ExecuteResponse,
    Session,
    SessionCommand,
    SessionExecuteRequest,
    check_env,
    is_text,
)
from imagebuilder.sandbox.session import Shell

OnOutput = Callable[[int, bytes], None]

MAX_OUTPUT = 256 << 20
_CHUNK = 1 << 16


class Process:
    """The commands of one sandbox. Each counts as use of it."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._shells: dict[str, tuple[Shell, ExitStack]] = {}

    def exec(
        self,
        command: str | Sequence[str],
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        *,
        user: str | None = None,
        input: bytes | str | IO[bytes] | None = None,
        on_output: OnOutput | None = None,
    ) -> ExecuteResponse:
        """Run a command and wait for its end.

        Args:
            command: a line for the sandbox's shell, or the words of a program.
            cwd: the folder to run in; None is the image's.
            env: variables, besides those of the sandbox.
            timeout: seconds, after which the command and all it started are killed; None and 0 wait for ever.
            user: a name or number; None is the sandbox's.
            input: for its standard input, or a file to read that from; None leaves it closed.
            on_output: called with 1 (output) or 2 (errors) and each piece as it comes.

        Raises:
            CompileError: an argument is none of these.
            SandboxError: it did not end in time, the sandbox does not run, or it printed more than 256 MiB. That there
                is no such command is none: as of a shell, its exit code is 127, and ``stderr`` says so.
        """
        wanted = _command(_words(command), cwd, env, user, input=input is not None)
        data = input.encode() if isinstance(input, str) else input
        return self._run(wanted, seconds(timeout), data, on_output)

    @contextmanager
    def attach(
        self,
        command: Sequence[str],
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> Iterator[Running]:
        """A command on a terminal of its own, for whoever passes keys and output on; it is killed where that fails."""
        with self._marked(_command(command, cwd, env, user, terminal=True, input=True)) as (running, _):
            yield running

    def code_run(
        self,
        code: str,
        params: CodeRunParams | None = None,
        timeout: float | None = None,
        *,
        argv: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> ExecuteResponse:
        """Run Python code with the sandbox's own Python; arguments and errors are those of :meth:`exec`.

        Args:
            params: ``argv`` and ``env`` in one, in their place.
            argv: the program's arguments.
        """
        if params is not None:
            if argv or env or not isinstance(params, CodeRunParams):
                help = "code_run(code, CodeRunParams(argv=…, env=…)), or code_run(code, argv=…, env=…)"
                raise CompileError(Diagnostic("IB755", f"not how code is run: {params!r}", help=help))
            argv, env = params.argv or (), params.env
        # Standard input, since an argument has a bound of 128 KiB; `python` is that of the environment in use.
        find = 'if command -v python >/dev/null; then exec python "$@"; else exec python3 "$@"; fi'
        return self.exec(["sh", "-c", find, "sh", "-u", "-", *argv], env=env, timeout=timeout, input=code)

    # Sessions -----------------------------------------------------------------------------------------

    def create_session(self, session_id: str, *, cwd: str | None = None, env: Mapping[str, str] | None = None) -> None:
        """Open a shell that keeps its state: folder, variables, functions.

        Raises:
            CompileError: there is a session of that name.
        """
        if session_id in self._shells:
            help = "take another name, or delete_session() first"
            raise CompileError(Diagnostic("IB756", f"there is a session {session_id!r} already", help=help))
        with ExitStack() as held:
            running, mark = held.enter_context(self._marked(_command(["sh"], cwd, env, None, input=True)))
            shell = Shell(self._box, running, lambda besides: self._kill(mark, besides=besides))
            self._shells[session_id] = shell, held.pop_all()

    def execute_session_command(
        self, session_id: str, request: SessionExecuteRequest | str, timeout: float | None = None
    ) -> SessionCommand:
        """Run a command in a session's shell; the next one starts when it has ended.

        Raises:
            SandboxError: as :meth:`exec`; the session goes on.
        """
        if isinstance(request, str):
            request = SessionExecuteRequest(request)
        self._box.used()
        return self._shell(session_id).run(request, seconds(timeout or request.timeout))

    def get_session(self, session_id: str) -> Session:
        return Session(session_id, tuple(self._shell(session_id).commands()))

    def list_sessions(self) -> list[Session]:
        return [self.get_session(name) for name in self._shells]

    def get_session_command(self, session_id: str, cmd_id: str) -> SessionCommand:
        """What a command has printed so far, and its exit code once it has ended."""
        return self._shell(session_id).command(cmd_id)

    def get_session_command_logs(self, session_id: str, cmd_id: str) -> SessionCommand:
        """What a command has printed so far: its ``output``, and ``stdout`` and ``stderr`` of it."""
        return self.get_session_command(session_id, cmd_id)

    def delete_session(self, session_id: str) -> None:
        """End the shell and all that runs in it."""
        self._shell(session_id).end()
        self._shells.pop(session_id)[1].close()

    def close(self) -> None:
        """End all sessions."""
        for name in list(self._shells):
            with suppress(Exception):
                self.delete_session(name)

    def _shell(self, session_id: str) -> Shell:
        if session_id not in self._shells:
            help = f"create_session({session_id!r}) opens one; a session ends with the program that opened it"
            raise CompileError(Diagnostic("IB756", f"there is no session {session_id!r}", help=help))
        return self._shells[session_id][0]

    # ---------------------------------------------------------------------------------------------------

    @contextmanager
    def _marked(self, command: Command) -> Iterator[tuple[Running, str]]:
        """A command and its mark; where the block fails, it is killed with all that it started."""
        with ExitStack() as held:
            mark = held.enter_context(marked(self._box.home, self._box.id, command.user))
            running = held.enter_context(self._box.run(replace(command, env={**command.env, MARK: mark})))
            try:
                yield running, mark
            except TimeoutError:
                raise _Unended(killed=self._kill(mark, user=command.user)) from None
            except BaseException:
                self._kill(mark, user=command.user)
                raise

    def _run(
        self, command: Command, timeout: float | None, input: bytes | IO[bytes] | None, on_output: OnOutput | None
    ) -> ExecuteResponse:
        until = None if timeout is None else time.monotonic() + timeout
        every, streams, size = bytearray(), {1: bytearray(), 2: bytearray()}, 0
        try:
            with self._marked(command) as (running, _):
                if input is not None:
                    threading.Thread(target=_feed, args=(running, input), daemon=True).start()
                for stream, data in _pieces(running, until, command):
                    if on_output is not None:
                        on_output(stream, data)
                        continue
                    size += len(data)
                    if size > MAX_OUTPUT:
                        what = f"the command printed more than {MAX_OUTPUT >> 20} MiB"
                        help = "have it write to a file, or take its output piece by piece with on_output="
                        raise SandboxError(Diagnostic("IB754", what, help=help))
                    every += data
                    streams.setdefault(stream, bytearray()).extend(data)
                code = running.exit_code()
        except _Unended as error:
            help = "give a longer timeout"
            if not error.killed:
                help += f"; without `sh` it could not be killed: `imagebuilder sandbox stop {self._box.name}` does"
            raise SandboxError(
                Diagnostic("IB753", f"the command did not end within {timeout:g} s", help=help)
            ) from None
        self._box.used()
        text = [bytes(part).decode(errors="replace") for part in (every, streams[1], streams[2])]
        return ExecuteResponse(code, *text)

    def _kill(self, mark: str, *, besides: int = 0, user: str | None = None) -> bool:
        return kill(self._box.containers, self._box.id, mark, besides=besides, user=user)


class _Unended(TimeoutError):
    """Its time was over; whether it could be killed."""

    def __init__(self, *, killed: bool) -> None:
        self.killed = killed


def _words(command: str | Sequence[str]) -> list[str]:
    words = ["sh", "-c", command] if isinstance(command, str) else command
    if not isinstance(words, list | tuple) or not words or not all(isinstance(word, str) for word in words):
        help = "a line of text, or the words of a program: ['ls', '-l']"
        raise CompileError(Diagnostic("IB755", f"not a command: {command!r}", help=help))
    return list(words)


def _pieces(running: Running, until: float | None, command: Command) -> Iterator[tuple[int, bytes]]:
    """The streams and pieces that a command prints; where the engine could not start it, a line that says why."""

    def read() -> tuple[int, bytes]:
        return running.read(None if until is None else until - time.monotonic())

    stream, data = read()
    if data.startswith(not_started.BEGIN):
        after = read()
        # A command may print the same; it ends otherwise.
        if not after[1] and running.exit_code() in not_started.EXIT_CODES:
            said = not_started.not_started(data.decode(errors="replace"), command.words, command.cwd)
            yield 2, f"{said}\n".encode()
            return
        yield stream, data
        stream, data = after
    while data:
        yield stream, data
        stream, data = read()


def _feed(running: Running, data: bytes | IO[bytes]) -> None:
    # It need not read all of it.
    with suppress(OSError, ValueError):
        if isinstance(data, bytes):
            running.write(data)
        else:
            # What there is, as soon as it is there.
            read = getattr(data, "read1", data.read)
            while piece := read(_CHUNK):
                running.write(piece)
    running.close_input()


def seconds(timeout: float | None) -> float | None:
    """None where it is waited for ever.

    Raises:
        CompileError: it is no time.
    """
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout >= 0:
        help = "a number of seconds; None or 0 waits for ever"
        raise CompileError(Diagnostic("IB755", f"not a timeout: {timeout!r}", help=help))
    return None if timeout == 0 or timeout > threading.TIMEOUT_MAX else timeout


def _command(
    words: Sequence[str],
    cwd: str | None,
    env: Mapping[str, str] | None,
    user: str | None,
    *,
    terminal: bool = False,
    input: bool = False,
) -> Command:
    """
    Raises:
        CompileError: the engine would change what is no text.
    """
    for text in (*words, cwd or "", user or ""):
        if not is_text(text):
            help = "words are text without a NUL; bytes go by input=, or as a file"
            raise CompileError(Diagnostic("IB755", f"not a word of a command: {text!r}", help=help))
    check_env(env or {})
    return Command(list(words), cwd, env or {}, user, terminal, input)


__all__ = ["Process", "SessionCommand"]
