"""Two processes find what one does, and one that fails leaves its work to the other."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import BinaryIO

import pytest

from imagebuilder.context import Tree, fingerprints, read_tree, reading
from imagebuilder.diagnostics import Invalid
from imagebuilder.ir.ops import LocalSource


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Some hundred files in folders of several sizes."""
    root = tmp_path / "root"
    for number in range(12):
        folder = root / f"d{number}" / "ünder"
        folder.mkdir(parents=True)
        for each in range(number * number):
            (folder / f"f{each}").write_bytes(b"%d" % each * number)
        (folder / "link").symlink_to(f"f{number}")
    return root


def read(root: Path) -> Tree:
    return read_tree(str(root.parent), LocalSource(path=root.name))


@pytest.fixture
def helpers(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """A second process also for few files; those that were started."""
    started: list[subprocess.Popen[bytes]] = []
    original = subprocess.Popen

    def counted(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
        started.append(original(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(reading, "MANY", 1)
    monkeypatch.setattr(reading, "_cpus", lambda: 3)
    monkeypatch.setattr(reading, "_PIECE", 8)
    monkeypatch.setattr(subprocess, "Popen", counted)
    return started


@pytest.fixture
def patient(helpers: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """As ``helpers``, which are waited for, so that each has its part in the work; their answers."""
    answers: list[object] = []
    receive = fingerprints.receive

    def noted(stream: BinaryIO) -> object:
        answers.append(receive(stream))
        return answers[-1]

    select = reading.select.select
    monkeypatch.setattr(reading.select, "select", lambda *files_and_time: select(*files_and_time[:3], 20))
    monkeypatch.setattr(fingerprints, "receive", noted)
    return answers


def test_two_processes_find_what_one_does(
    root: Path,
    helpers: list[subprocess.Popen[bytes]],
    patient: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    several = read(root)
    assert len(helpers) == 2 and len(patient) > 2
    monkeypatch.setattr(reading, "_cpus", lambda: 1)
    alone = read(root)
    assert len(helpers) == 2
    assert (several.digest, several.entries) == (alone.digest, alone.entries)


def test_they_are_gone_afterwards(root: Path, helpers: list[subprocess.Popen[bytes]]) -> None:
    read(root)
    assert helpers
    assert all(helper.returncode is not None for helper in helpers)


def test_they_are_not_started_for_little(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("started"))
    read(root)


@pytest.mark.parametrize("program", ["/no/such/python", "/bin/false", "/bin/cat", "/bin/echo", "/usr/bin/yes", "sleep"])
def test_one_that_fails_leaves_its_work(
    root: Path, helpers: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str
) -> None:
    """Whatever runs in its place: nothing, what ends at once, what waits, what says something else, once or forever."""
    expected = read(root).digest
    python = tmp_path / "python"
    if program == "sleep":
        python.write_text("#!/bin/sh\nexec sleep 600\n")
        python.chmod(0o755)
    else:
        python.symlink_to(program)
    monkeypatch.setattr(reading.sys, "executable", str(python))
    assert read(root).digest == expected


def test_one_that_is_killed_leaves_its_work(
    root: Path,
    helpers: list[subprocess.Popen[bytes]],
    patient: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = read(root).digest
    helpers.clear()
    original = fingerprints.read

    def killing(*arguments: object) -> fingerprints.Found:
        for helper in helpers:
            helper.kill()
        return original(*arguments)

    monkeypatch.setattr(fingerprints, "read", killing)
    assert read(root).digest == expected and helpers


@pytest.mark.parametrize("program", ["/usr/sbin/uwsgi", "", "/opt/app/server"])
def test_what_is_no_interpreter_is_not_run(root: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setattr(reading, "MANY", 1)
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("started"))
    monkeypatch.setattr(reading.sys, "executable", program)
    read(root)


def test_what_a_helper_cannot_read_is_told(
    root: Path,
    helpers: list[subprocess.Popen[bytes]],
    patient: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for folder in root.iterdir():
        os.symlink(b"\xff", os.fsencode(folder / "zzz"))
    monkeypatch.setattr(fingerprints, "read", lambda path, names, fresh: (b"", b"", [], 0))
    with pytest.raises(Invalid) as caught:
        read(root)
    assert caught.value.code == "IB206" and patient
    assert all(helper.returncode is not None for helper in helpers)


def test_nothing_of_the_callers_is_run_again(tmp_path: Path, root: Path) -> None:
    """Unlike multiprocessing, which imports the main module once more; and a sitecustomize is not asked."""
    script = tmp_path / "script.py"
    script.write_text(
        "print('here')\nimport sys\nfrom imagebuilder.context import read_tree, reading\n"
        "from imagebuilder.ir.ops import LocalSource\nreading.MANY, reading._cpus = 1, lambda: 2\n"
        "print(read_tree(sys.argv[1], LocalSource(path='root')).digest)\n"
    )
    (tmp_path / "hashlib.py").write_text("raise SystemExit('not this one')")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/sitecustomize.py").write_text("import sys; print('again', file=sys.stderr)")
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "lib")}
    argv = [sys.executable, "-P", str(script), str(root.parent)]
    done = subprocess.run(argv, env=env, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["here", read(root).digest]
    assert done.stderr.count("again") == 1


def test_threads_may_ask_at_once(root: Path, patient: list[object]) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(read(root).digest)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6 and len(set(found)) == 1


# Large files -----------------------------------------------------------------------------------------


def test_large_files_are_read_by_several_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, helpers: list[subprocess.Popen[bytes]]
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for number in range(6):
        (root / f"f{number}").write_bytes(b"x" * (fingerprints.LARGE + number - 2))
    by: set[int] = set()
    original = fingerprints.read_large

    def noted(*arguments: object) -> tuple[bytes, bytes]:
        by.add(threading.get_ident())
        return original(*arguments)

    monkeypatch.setattr(fingerprints, "read_large", noted)
    several = read(root)
    assert [entry.size - fingerprints.LARGE for entry in several.entries] == [-2, -1, 0, 1, 2, 3]
    assert by
    monkeypatch.setattr(fingerprints, "LARGE", 1 << 30)
    assert read(root).entries == several.entries


def test_a_large_file_that_goes_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for number in range(3):
        (root / f"f{number}").write_bytes(b"x" * fingerprints.LARGE)
    original = fingerprints.read_large

    def vanishing(path: bytes, name: bytes, fresh: int) -> tuple[bytes, bytes]:
        (root / "f1").unlink(missing_ok=True)
        return original(path, name, fresh)

    monkeypatch.setattr(fingerprints, "read_large", vanishing)
    with pytest.raises(Invalid) as caught:
        read(root)
    assert caught.value.code == "IB201" and "f1" in caught.value.message
