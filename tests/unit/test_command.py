"""A program that is started is one that can be got rid of."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from imagebuilder import command
from imagebuilder.diagnostics import EngineError

PARENT = """
import sys, time
from imagebuilder.command import spawn
print(spawn(["sleep", "60"], stdout=2, dies_with_parent=sys.argv[1] == "True").pid, flush=True)
time.sleep(60)
"""


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
@pytest.mark.parametrize("dies", [False, True])
def test_a_child_dies_with_a_parent_that_is_killed(dies: bool) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(dies)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    try:
        parent.kill()
        parent.communicate()
        deadline = time.monotonic() + (20 if dies else 0.3)
        while runs(child) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert runs(child) is not dies
    finally:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def test_a_program_that_is_missing_is_named() -> None:
    for start in (command.run, command.spawn):
        with pytest.raises(EngineError, match="cannot run 'no-such-program'"):
            start(["no-such-program"])


def test_a_variable_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEBUILDER_ONE", "1")
    show = "import os; print(sorted(name for name in os.environ if name.startswith('IMAGEBUILDER_')))"
    done = command.run([sys.executable, "-c", show], env={"IMAGEBUILDER_ONE": None, "IMAGEBUILDER_TWO": "2"})
    assert b"IMAGEBUILDER_ONE" not in done.stdout and b"IMAGEBUILDER_TWO" in done.stdout
