"""What a person's terminal shows of a command in a sandbox."""

from __future__ import annotations

import os
import pty
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from imagebuilder.cli.terminal import join
from imagebuilder.engine.fake_containers import FakeRunning

OCI = b"OCI runtime exec failed: exec failed: unable to start container process: "
MISSING = OCI + b'exec: "nosuch": executable file not found in $PATH: unknown'


@contextmanager
def terminal() -> Iterator[int]:
    """The other end of a terminal that this program is on, while the block lasts."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r+b", buffering=0) as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", file)
        patch.setattr(sys, "stdout", file)
        yield ours
    os.close(ours)


@pytest.mark.parametrize("pieces", [[MISSING + b"\r\n"], [MISSING, b"\r\n"]])
def test_one_that_could_not_be_started(capsys: pytest.CaptureFixture[str], pieces: list[bytes]) -> None:
    """The words are those of `exec` without a terminal, and none of the engine's."""
    with terminal() as screen:
        assert join(FakeRunning("x", [(1, piece) for piece in pieces], 127), ["nosuch"]) == 127
        os.set_blocking(screen, False)
        with pytest.raises(BlockingIOError):
            os.read(screen, 100)
    assert capsys.readouterr().err == "the sandbox has no command 'nosuch'\n"


@pytest.mark.parametrize(("pieces", "code"), [([OCI], 0), ([OCI + b"\n", b"more"], 127)])
def test_a_command_may_print_the_same(capsys: pytest.CaptureFixture[str], pieces: list[bytes], code: int) -> None:
    with terminal() as screen:
        assert join(FakeRunning("x", [(1, piece) for piece in pieces], code), ["echo"]) == code
        assert os.read(screen, 1000).replace(b"\r\n", b"\n") == b"".join(pieces)
    assert capsys.readouterr().err == ""
