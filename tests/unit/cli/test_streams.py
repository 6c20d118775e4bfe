"""What stands between a person's streams and a command in a sandbox."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import Any

import pytest

from imagebuilder.cli import terminal
from imagebuilder.cli.main import run
from imagebuilder.diagnostics import Diagnostic, EngineError
from imagebuilder.engine.fake_containers import FakeRunning

ENDS = """
import threading, time
from imagebuilder.cli.sandbox import _input
from imagebuilder.engine.fake_containers import FakeRunning
from imagebuilder.sandbox.process import _feed
threading.Thread(target=_feed, args=(FakeRunning("x", []), _input()), daemon=True).start()
time.sleep(0.2)
"""


def test_a_command_that_ends_before_its_input_does() -> None:
    """Python aborts where a thread holds the lock of standard input's buffer at its end."""
    with subprocess.Popen([sys.executable, "-c", ENDS], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.wait(60) == 0, program.stderr and program.stderr.read()


def test_input_that_is_closed() -> None:
    code = "from imagebuilder.cli.sandbox import _input; print(_input().read())"
    done = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-c", code], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"b''\n", b"")


def test_a_file_and_json_do_not_share_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sandbox", "cp", "one:/f", "-", "--json"]) == 2
    assert "IB755" in capsys.readouterr().err


@pytest.mark.parametrize("refusals", [0, 2, 100])
def test_a_command_that_has_no_terminal_yet_or_any_more(monkeypatch: pytest.MonkeyPatch, refusals: int) -> None:
    """The engine refuses to give it a size; how it ended is told all the same."""
    keys, screen = pty.openpty()
    sizes = []

    class Terminal(FakeRunning):
        def resize(self, columns: int, rows: int) -> None:
            sizes.append((columns, rows))
            if len(sizes) <= refusals:
                raise EngineError(Diagnostic("IB503", "cannot resize a stopped container"))

    class Stream:
        def fileno(self) -> int:
            return screen

    stream: Any = Stream()
    monkeypatch.setattr(sys, "stdin", stream)
    monkeypatch.setattr(sys, "stdout", stream)
    try:
        assert terminal.join(Terminal("x", [], 7), ["true"]) == 7
    finally:
        os.close(keys)
        os.close(screen)
    assert len(sizes) == min(refusals + 1, 5)


def test_a_key_that_comes_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    keys, screen = pty.openpty()

    class Ended(FakeRunning):
        waited = False

        def read(self, timeout: float | None = None) -> tuple[int, bytes]:
            if not self.waited:
                self.waited = True
                os.write(keys, b"x")
                raise TimeoutError
            return 1, b""

        def write(self, data: bytes) -> None:
            raise BrokenPipeError

        def fileno(self) -> int:
            return screen

    class Stream:
        def fileno(self) -> int:
            return screen

    stream: Any = Stream()
    monkeypatch.setattr(sys, "stdin", stream)
    monkeypatch.setattr(sys, "stdout", stream)
    try:
        assert terminal.join(Ended("x", [], 7), ["true"]) == 7
    finally:
        os.close(keys)
        os.close(screen)
