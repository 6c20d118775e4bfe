"""Several processes that want one image do the work once, whoever of them dies."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from imagebuilder.locks import held

SPEC = """
from imagebuilder import Image

image = Image.debian_slim("3.13").env({"ID": "{id}"}).run_commands("echo it runs; sleep 2; date +%N >/stamp")
"""


@pytest.fixture
def folder(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "spec.py").write_text(SPEC.replace("{id}", name))
    return folder


@pytest.fixture
def calls(env: dict[str, str], tmp_path: Path) -> Path:
    """Where a wrapped buildx writes a line for each build that it is asked for."""
    plugin = Path(env["DOCKER_CONFIG"]) / "cli-plugins/docker-buildx"
    mine = tmp_path / "docker-config/cli-plugins"
    mine.mkdir(parents=True)
    calls = tmp_path / "calls"
    calls.touch()
    (mine / "docker-buildx").write_text(f'#!/bin/sh\necho "$1 $PPID" >>"{calls}"\nexec "{plugin}" "$@"\n')
    (mine / "docker-buildx").chmod(0o755)
    env["DOCKER_CONFIG"] = str(mine.parent)
    return calls


def start(env: dict[str, str], folder: Path, name: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "imagebuilder", "build", "spec.py", "--json", "--name", name]
    return subprocess.Popen(argv, env=env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(processes: list[subprocess.Popen[str]]) -> list[tuple[dict[str, object], str]]:
    """What each printed, and told."""
    ends = [(process.communicate(timeout=240), process.returncode) for process in processes]
    assert [code for _, code in ends] == [0] * len(processes), [err for (_, err), _ in ends]
    return [(json.loads(out), err) for (out, err), _ in ends]


def built(processes: list[subprocess.Popen[str]]) -> list[dict[str, object]]:
    return [out for out, _ in ended(processes)]


@pytest.mark.parametrize("names", ["one name", "names of their own"])
def test_twenty_processes_one_key(env: dict[str, str], calls: Path, folder: Path, name: str, names: str) -> None:
    own = names == "names of their own"
    ends = ended([start(env, folder, f"{name}-{n}" if own else name) for n in range(20)])
    found = [out for out, _ in ends]
    assert any("waiting for it" in err for _, err in ends)
    assert [snapshot["reused"] for snapshot in found].count(False) == 1
    assert len({(snapshot["digest"], snapshot["key"]) for snapshot in found}) == 1
    assert {snapshot["state"] for snapshot in found} == {"active"}
    assert len({snapshot["image"] for snapshot in found}) == (20 if own else 1)
    assert len(calls.read_text().split()) == 2, "one call, by one process"


def test_when_the_first_is_killed_one_of_the_others_does_it(
    env: dict[str, str], calls: Path, folder: Path, name: str, home: Path
) -> None:
    spec = folder / "spec.py"
    spec.write_text(spec.read_text().replace("sleep 2", "sleep 6"))
    first = start(env, folder, f"{name}-first")
    assert first.stderr is not None
    while "it runs" not in first.stderr.readline():
        assert first.poll() is None
    others = [start(env, folder, f"{name}-{n}") for n in range(4)]
    for process in others:
        assert process.stderr is not None and "waiting" in process.stderr.readline()
        shown = [process.stderr.readline()]
        while "it runs" not in shown[-1]:
            assert first.poll() is None, f"who waits is shown what is printed: {shown}"
            shown.append(process.stderr.readline())
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=60)
    found = built(others)
    assert [snapshot["reused"] for snapshot in found].count(False) == 1
    assert len({snapshot["digest"] for snapshot in found}) == 1
    # Not the number of calls: the builder may lose what it cancels, and is then asked again by the same process.
    assert len(set(calls.read_text().splitlines())) == 2, "the one that was cut off, and the one that took over"
    assert not any(held(path) for path in (home / "locks").iterdir())


def test_two_keys_are_built_side_by_side(env: dict[str, str], calls: Path, folder: Path, name: str) -> None:
    """The lock is the key's: what has nothing to do with one another does not wait."""
    other = folder.parent / "other"
    other.mkdir()
    (other / "spec.py").write_text(SPEC.replace("{id}", f"{name}-other"))
    first = start(env, folder, name)
    assert first.stderr is not None
    while "it runs" not in first.stderr.readline():
        assert first.poll() is None
    started = time.monotonic()
    second = start(env, other, f"{name}-other")
    assert second.stderr is not None
    shown = []
    while not shown or "it runs" not in shown[-1]:
        shown.append(second.stderr.readline())
        assert second.poll() is None, shown
    assert first.poll() is None and not any("waiting" in line for line in shown)
    assert time.monotonic() - started < 60
    assert [snapshot["reused"] for snapshot in built([first, second])] == [False, False]
