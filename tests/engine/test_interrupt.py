"""A build that is stopped, politely or not, leaves a machine on which the next one works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cli

SPEC = """
from imagebuilder import Image

image = Image.debian_slim("3.13").env({"ID": "{id}"}).add_text("x", "/x").run_commands("echo it runs; sleep {seconds}")
"""


class Building:
    """``imagebuilder build`` in a process of its own, with what it prints."""

    def __init__(self, env: dict[str, str], folder: Path, *words: str) -> None:
        argv = [sys.executable, "-m", "imagebuilder", "build", "spec.py", *words]
        self.process = subprocess.Popen(
            argv, env=env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.lines.extend(iter(self.process.stderr.readline, ""))

    def until(self, text: str) -> None:
        """Wait until it has printed that."""
        wait_for(lambda: any(text in line for line in self.lines) or self.process.poll() is not None)
        assert any(text in line for line in self.lines), self.lines

    def end(self) -> tuple[int, str, str]:
        out = self.process.stdout
        assert out is not None
        code = self.process.wait(60)
        self._reader.join(60)
        return code, out.read(), "".join(self.lines)


def wait_for(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def write(folder: Path, id: str, seconds: float) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "spec.py").write_text(SPEC.replace("{id}", id).replace("{seconds}", str(seconds)))
    return folder


def builders(home: Path) -> list[int]:
    """The processes that build from this home's staging."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                words = (process / "cmdline").read_bytes()
            except OSError:
                continue
            if b"--file=" + os.fsencode(home / "staging") in words:
                found.append(int(process.name))
    return found


def left(home: Path) -> list[str]:
    """Staged files and locks."""
    return [str(path) for folder in ("staging", "locks") for path in (home / folder).rglob("*")]


@pytest.mark.parametrize("json", [False, True], ids=["plain", "json"])
def test_ctrl_c(cli: Cli, env: dict[str, str], home: Path, tmp_path: Path, name: str, json: bool) -> None:
    folder = write(tmp_path / "project", name, 120)
    building = Building(env, folder, "--name", name, *(["--json"] if json else []))
    building.until("it runs")
    assert len(builders(home)) == 1 and cli("snapshot", "info", name, "--json").json["state"] == "building"
    started = time.monotonic()
    building.process.send_signal(signal.SIGINT)
    code, out, err = building.end()
    assert code == 130
    assert time.monotonic() - started < 15
    assert err.rstrip().splitlines()[-1].startswith("error[IB601]: interrupted")
    assert "Traceback" not in err and "KeyboardInterrupt" not in err
    assert ('"IB601"' in out) is json
    assert builders(home) == []
    assert left(home) == []
    info = cli("snapshot", "info", name, "--json").json
    assert info["state"] == "build_failed" and info["reason"].startswith("interrupted")

    write(folder, name, 0)
    done = cli("build", "spec.py", "--name", name, "--json", cwd=folder)
    assert done.code == 0, done.err
    assert done.json["state"] == "active"


def test_ctrl_c_while_waiting_for_another_build(
    cli: Cli, env: dict[str, str], home: Path, tmp_path: Path, name: str
) -> None:
    folder = write(tmp_path / "project", name, 120)
    first = Building(env, folder, "--name", name)
    first.until("it runs")
    second = Building(env, folder, "--name", name)
    second.until("waiting")
    second.process.send_signal(signal.SIGINT)
    code, _, err = second.end()
    assert code == 130 and "error[IB601]" in err and "Traceback" not in err
    assert first.process.poll() is None and cli("snapshot", "info", name, "--json").json["state"] == "building"
    first.process.send_signal(signal.SIGINT)
    assert first.end()[0] == 130
    assert left(home) == []


@pytest.mark.parametrize("moment", ["at once", "staging", "running", "late"])
def test_kill_9(cli: Cli, env: dict[str, str], home: Path, tmp_path: Path, name: str, moment: str) -> None:
    folder = write(tmp_path / "project", name, 3)
    building = Building(env, folder, "--name", name)
    if moment == "at once":
        wait_for((home / "store.db").exists)
    elif moment == "staging":
        wait_for(lambda: any((home / "staging").glob("*")))
    else:
        building.until("it runs")
        if moment == "late":
            time.sleep(1.5)
    building.process.kill()
    assert building.end()[0] == -signal.SIGKILL
    # The step would go on for seconds, and the builder would not learn of it before its next line.
    wait_for(lambda: builders(home) == [], seconds=1.5)
    found = cli("snapshot", "list", "--json").json
    if moment != "at once" or found:
        assert [(snapshot["name"], snapshot["state"]) for snapshot in found] == [(name, "build_failed")]
        assert "cut off" in found[0]["reason"]

    started = time.monotonic()
    done = cli("build", "spec.py", "--name", name, "--json", cwd=folder)
    assert done.code == 0, done.err
    assert done.json["state"] == "active" and "waiting" not in done.err, "a lock outlived its process"
    assert time.monotonic() - started < 30
    assert left(home) == []
    assert cli("snapshot", "info", name, "--json").json["state"] == "active"
