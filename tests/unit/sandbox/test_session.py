"""Sessions over a shell of this machine, in the place of one in a container."""

from __future__ import annotations

import selectors
import subprocess
from pathlib import Path
from typing import IO

import pytest

from imagebuilder.diagnostics import SandboxError
from imagebuilder.engine.fake_containers import FakeContainers
from imagebuilder.sandbox import SessionExecuteRequest
from imagebuilder.sandbox.box import Box
from imagebuilder.sandbox.session import Shell


class LocalShell:
    """As the engine is: what is written after the shell's end is taken, and leads nowhere."""

    id = "x"

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(["sh"], stdin=pipe, stdout=pipe, stderr=pipe)
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._input: IO[bytes] = self._process.stdin
        self._open = selectors.DefaultSelector()
        self._open.register(self._process.stdout, selectors.EVENT_READ, 1)
        self._open.register(self._process.stderr, selectors.EVENT_READ, 2)

    def __enter__(self) -> LocalShell:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def read(self, timeout: float | None = None) -> tuple[int, bytes]:
        while self._open.get_map():
            for key, _ in self._open.select():
                if data := key.fileobj.read1():  # type: ignore[union-attr] # a pipe
                    return int(key.data), data
                self._open.unregister(key.fileobj)
        return 1, b""

    def write(self, data: bytes) -> None:
        if self._process.poll() is None:
            self._input.write(data)
            self._input.flush()

    def close_input(self) -> None:
        pass

    def resize(self, columns: int, rows: int) -> None:
        pass

    def exit_code(self) -> int:
        return self._process.wait()

    def fileno(self) -> int:
        raise OSError


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    containers = FakeContainers()
    return Shell(Box("one", "1", lambda: containers, tmp_path / "1"), (LocalShell(), "mark"), lambda *_: None)


def test_a_shell_that_has_ended_is_not_waited_for(shell: Shell) -> None:
    """Neither by the command that ended it, nor by those that come after it, nor by one that waited for its turn."""
    assert shell.run(SessionExecuteRequest("X=5; echo $X"), None).stdout == "5\n"
    shell.run(SessionExecuteRequest("sleep 0.2; exit 3", run_async=True), None)
    waiting = shell.run(SessionExecuteRequest("echo waited", run_async=True), None)
    for line in ("echo one", "echo two"):
        with pytest.raises(SandboxError) as caught:
            shell.run(SessionExecuteRequest(line), 30.0)
        assert caught.value.diagnostics[0].code == "IB757"
    assert shell.command(waiting.cmd_id).exit_code is None
    shell.end()
