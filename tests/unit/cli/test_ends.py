"""However a command ends, it says so by its exit code and leaves nothing half-done behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = [sys.executable, "-m", "imagebuilder"]
SLOW = "import time\nprint('started', flush=True)\ntime.sleep(30)\n"


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "IMAGEBUILDER_HOME": str(home), "DOCKER_HOST": f"unix://{home}/no.sock"}


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.py"
    path.write_text("from imagebuilder import Image\nimage = Image.scratch().label(a='é ✓')\n")
    return path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_as_an_interrupt(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    process = subprocess.Popen(
        [*PROGRAM, "hash", str(tmp_path / "slow.py")], env=environment(tmp_path), stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None and process.stderr.readline() == "started\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err and "interrupted" in err


def test_diagnostics_that_nobody_reads_do_not_change_the_exit_code(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*PROGRAM, "hash", "gone.py"], env=environment(tmp_path), stderr=writer, check=False)
    os.close(writer)
    assert done.returncode == 2


@pytest.mark.parametrize("closed", ["1", "2"])
def test_a_closed_stream(spec: Path, tmp_path: Path, closed: str) -> None:
    script = f'exec "$0" -m imagebuilder hash "$1" {closed}>&-'
    done = subprocess.run(
        ["sh", "-c", script, sys.executable, str(spec)], env=environment(tmp_path), capture_output=True, check=False
    )
    assert done.returncode == 0 and b"Traceback" not in done.stderr


def test_a_full_disk_is_told(spec: Path, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, "hash", str(spec)], env=environment(tmp_path), stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert b"IB710" in done.stderr and b"no space left" in done.stderr and b"Traceback" not in done.stderr


def test_characters_that_the_terminal_lacks(spec: Path, tmp_path: Path) -> None:
    env = {**environment(tmp_path), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*PROGRAM, "render", str(spec)], env=env, capture_output=True, check=False)
    assert done.returncode == 0 and b"\\u2713" in done.stdout
