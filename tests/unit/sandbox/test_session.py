"""A session, whatever becomes of its shell; the shell is this machine's own, over pipes."""

from __future__ import annotations

import os
import select
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagebuilder.diagnostics import CompileError, SandboxError
from imagebuilder.engine.fake_containers import FakeContainers
from imagebuilder.sandbox import SessionExecuteRequest, session
from imagebuilder.sandbox.box import Box
from imagebuilder.sandbox.session import Shell


class Local:
    """See :class:`~imagebuilder.engine.containers.Running`."""

    id = "x"

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(["sh"], stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0)
        streams = (self.process.stdout, self.process.stderr)
        self._open = {stream.fileno(): number for number, stream in enumerate(streams, 1) if stream}

    def __enter__(self) -> Local:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, timeout: float | None = None) -> tuple[int, bytes]:
        while self._open:
            for file in select.select(list(self._open), [], [])[0]:
                if data := os.read(file, 1 << 16):
                    return self._open[file], data
                del self._open[file]
        return 1, b""

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    def close_input(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()

    def resize(self, columns: int, rows: int) -> None:
        raise AssertionError

    def exit_code(self) -> int:
        raise AssertionError

    def fileno(self) -> int:
        raise AssertionError

    def kill(self, besides: int) -> None:
        """Of what it runs there is nothing but the shell in these tests."""
        if not besides:
            self.process.kill()


@pytest.fixture
def local() -> Iterator[Local]:
    running = Local()
    yield running
    running.process.kill()
    running.process.wait()


@pytest.fixture
def shell(local: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setattr(session, "_GRACE", 0.1)
    return Shell(Box("one", "1", FakeContainers, tmp_path), local, local.kill)


def within(act: Callable[[], object]) -> str:
    """The code of what it fails with; it may not hang, which no timeout of its own would end."""
    found: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - looked at below
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive(), "it hangs"
    error = found[0]
    assert isinstance(error, SandboxError | CompileError), error
    return error.diagnostics[0].code


def execute(shell: Shell, line: str, timeout: float | None = None) -> Callable[[], object]:
    return lambda: shell.run(SessionExecuteRequest(line), timeout)


def test_a_shell_that_is_busy_itself_ends_the_session(shell: Shell) -> None:
    assert within(execute(shell, "while :; do :; done", 0.2)) == "IB753"
    assert within(execute(shell, "echo", None)) == "IB757", "the next one does not wait for ever"


@pytest.mark.parametrize("line", ["exit 3", "exec true"])
def test_after_the_shell_has_ended_nothing_waits_for_it(shell: Shell, line: str) -> None:
    assert within(execute(shell, line)) == "IB757"
    assert within(execute(shell, "echo")) == "IB757"
    assert within(execute(shell, "echo", 5)) == "IB757"


def test_one_that_no_longer_says_when_a_command_has_ended(shell: Shell) -> None:
    assert within(execute(shell, "printf() { :; }", 0.2)) == "IB753"
    assert within(execute(shell, "echo")) == "IB757"


def test_the_turn_has_its_time_too(shell: Shell) -> None:
    shell.run(SessionExecuteRequest("while :; do :; done", run_async=True), None)
    assert within(execute(shell, "echo", 0.2)) == "IB753"


@pytest.mark.parametrize("line", ["echo a\0b", "echo \udcff"])
def test_what_is_no_text_is_refused_and_the_session_goes_on(shell: Shell, line: str) -> None:
    assert within(execute(shell, line)) == "IB755"
    assert shell.run(SessionExecuteRequest("echo on"), 20).stdout == "on\n"


def test_what_calls_itself_sh_may_say_anything(local: Local, tmp_path: Path) -> None:
    local.write(b'alias echo="printf garbage"\n')
    Shell(Box("one", "1", FakeContainers, tmp_path), local, local.kill)
