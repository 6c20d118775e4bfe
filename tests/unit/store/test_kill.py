"""kill -9 at any moment leaves a store that opens, says what was cut off, and is used again at once."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from imagebuilder.locks import held, lock
from imagebuilder.store import Resources, Store

KEY = "sha256:" + "ab" * 32

# One build after another, as fast as it goes; `stop` is where the process kills itself, or empty.
BUILDER = """
import os, signal, sys
from pathlib import Path
from imagebuilder.locks import lock
from imagebuilder.store import Resources, Step, Store

home, name, stop, builds = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
key = "sha256:" + "ab" * 32

def reached(where):
    if where == stop:
        os.kill(os.getpid(), signal.SIGKILL)

print("ready", flush=True)
for number in range(builds):
    store = Store(home)
    with lock(store.name_lock_path(name)):
        reached("locked")
        snapshot = store.begin(name, key, "linux/amd64", "imagebuilder/" + name, Resources())
        reached("pending")
        store.building(snapshot)
        reached("building")
        if stop == "writing":
            with store.transaction() as db:
                db.execute("UPDATE snapshots SET state = 'active', digest = 'sha256:torn' WHERE name = ?", [name])
                reached("writing")
        done = store.active(snapshot, digest="sha256:%d" % number, size=number, seconds=1.0,
                            steps=[Step("run", "RUN true", 1.0, False)] * 50)
        assert done.state == "active", done
        reached("active")
print("done", flush=True)
"""


def builder(home: Path, name: str = "app", stop: str = "", builds: int = 100_000) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", BUILDER, str(home), name, stop, str(builds)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def check_usable(home: Path) -> None:
    """The file is whole, and a build goes through."""
    with sqlite3.connect(home / "store.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    store = Store(home)
    assert not held(store.name_lock_path("app"))
    waited: list[str] = []
    with lock(store.name_lock_path("next"), lambda: waited.append("waited")):
        snapshot = store.begin("next", KEY, "linux/amd64", "imagebuilder/next", Resources())
        store.building(snapshot)
        assert store.active(snapshot, digest="sha256:x", size=1, seconds=1, steps=()).state == "active"
    assert not waited
    store.delete("next")


@pytest.mark.parametrize(
    ("stop", "state", "digest"),
    [
        ("locked", None, None),
        ("pending", "build_failed", ""),
        ("building", "build_failed", ""),
        ("writing", "build_failed", ""),
        ("active", "active", "sha256:0"),
    ],
)
def test_killed_at(tmp_path: Path, stop: str, state: str | None, digest: str | None) -> None:
    process = builder(tmp_path, stop=stop)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    found = {s.name: s for s in Store(tmp_path).list()}
    if state is None:
        assert found == {}
    else:
        assert (found["app"].state, found["app"].digest) == (state, digest)
        assert ("cut off" in found["app"].reason) is (state == "build_failed")
    check_usable(tmp_path)


def test_killed_at_random_moments(tmp_path: Path) -> None:
    """One store, twenty processes killed one after another: each finds it whole and leaves it so."""
    moments = random.Random(20)
    seen: dict[str, int] = {}
    for _ in range(20):
        process = builder(tmp_path)
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(moments.uniform(0.0, 0.04))
        process.kill()
        process.communicate()
        for snapshot in Store(tmp_path).list():
            assert snapshot.state in ("active", "build_failed")
            assert ("cut off" in snapshot.reason) is (snapshot.state == "build_failed")
            assert snapshot.state != "active" or len(snapshot.steps) == 50, "a half-written row"
            seen[snapshot.state] = seen.get(snapshot.state, 0) + 1
        check_usable(tmp_path)
    assert seen.get("build_failed", 0) >= 1, "no build was caught in its middle"


def test_four_processes_at_once(tmp_path: Path) -> None:
    """Two names, one key, and a reader: nobody fails, and nobody sees a row that is half one build's."""
    processes = [builder(tmp_path, name, builds=15) for name in ("app", "app", "web", "web")]
    errors: list[BaseException] = []
    stop = threading.Event()

    def read() -> None:
        store = Store(tmp_path)
        try:
            while not stop.is_set():
                for snapshot in store.list():
                    assert snapshot.state in ("pending", "building", "active", "build_failed")
                    assert snapshot.state != "active" or len(snapshot.steps) == 50
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    outputs = [process.communicate(timeout=120) for process in processes]
    stop.set()
    reader.join()
    assert not errors
    assert [out for out, _ in outputs] == ["ready\ndone\n"] * 4, [err for _, err in outputs]
    assert {(s.name, s.state) for s in Store(tmp_path).list()} == {("app", "active"), ("web", "active")}
