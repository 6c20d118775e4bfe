"""A lock is held by the living: it is waited for, ends with its process, and cannot be held twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from imagebuilder.locks import alone, held, lock, shared, unless_held

HOLDER = """
import sys, time
from pathlib import Path
from imagebuilder.locks import lock
with lock(Path(sys.argv[1])) as file:
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


def holder(path: Path) -> subprocess.Popen[str]:
    """A process that has the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_held_only_while_it_is_held(path: Path) -> None:
    assert not held(path)
    with lock(path):
        assert held(path)
    assert not held(path)
    assert not path.exists()


def test_let_go_when_the_work_fails(path: Path) -> None:
    with pytest.raises(ValueError, match="work"), lock(path):
        raise ValueError("work")
    assert not held(path) and not path.exists()


def test_nobody_waits_for_a_free_lock(path: Path) -> None:
    waits: list[str] = []
    with lock(path, lambda: waits.append("waited")):
        pass
    assert waits == []


def test_only_its_owner_may_read_it(path: Path) -> None:
    with lock(path):
        assert path.stat().st_mode & 0o777 == 0o600


def test_it_ends_with_its_process(path: Path) -> None:
    process = holder(path)
    assert held(path)
    process.kill()
    process.wait()
    assert path.exists(), "the dead could not remove it"
    assert not held(path)
    with lock(path):
        assert held(path)
    assert not path.exists()


@pytest.mark.parametrize("inherits", [False, True])
def test_a_child_of_the_holder_keeps_it_only_where_it_inherits_it(path: Path, inherits: bool) -> None:
    """buildx is such a child: nobody else begins before it is gone, though the build that started it was killed."""
    spawn = f"spawn(['sleep', '60'], stdout=2, inherited=[file] if {inherits} else [])"
    code = HOLDER.replace('print("held"', f'from imagebuilder.command import spawn; {spawn}; print("held"')
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        process.kill()
        process.wait()
        assert held(path) is inherits
    finally:
        os.killpg(process.pid, signal.SIGKILL)


def test_a_waiter_says_so_once_and_gets_it(path: Path) -> None:
    process = holder(path)
    waits: list[float] = []
    got = threading.Event()

    def wait() -> None:
        with lock(path, lambda: waits.append(time.monotonic())):
            got.set()

    waiter = threading.Thread(target=wait)
    waiter.start()
    deadline = time.monotonic() + 20
    while not waits and time.monotonic() < deadline:
        time.sleep(0.005)
    assert waits and not got.is_set()
    process.kill()
    process.wait()
    waiter.join(20)
    assert got.is_set() and len(waits) == 1


def test_a_lock_that_is_removed_under_its_waiters_is_still_held_by_one(path: Path) -> None:
    """Whoever lets go removes the file; a waiter that then gets the removed one must start over."""
    inside: list[int] = []
    most: list[int] = []
    done: list[int] = []

    def work() -> None:
        for _ in range(20):
            with lock(path):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.0005)
                inside.pop()
                done.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(done) == 160
    assert max(most) == 1
    assert not path.exists()


def test_asking_is_not_holding(path: Path) -> None:
    """Two that ask about a dead holder's lock at once must not take each other for it."""
    path.touch()
    answers: list[bool] = []

    def ask() -> None:
        answers.extend(held(path) for _ in range(300))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 1200 and not any(answers)


def test_taking_a_lock_only_if_nobody_has_it(path: Path) -> None:
    with unless_held(path) as free:
        assert free and held(path)
    assert not held(path) and not path.exists()
    process = holder(path)
    try:
        with unless_held(path) as free:
            assert not free
        assert held(path), "asking takes nothing away"
    finally:
        process.kill()
        process.communicate()
    with unless_held(path) as free:
        assert free


def test_a_wait_that_is_over(path: Path) -> None:
    """A thread waits in vain where it is asked to end: no signal would wake it."""
    asked = 0

    def still() -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise InterruptedError

    with lock(path):
        with pytest.raises(InterruptedError), lock(path, still=still):
            pass
        assert held(path)
    with lock(path, still=still):
        assert held(path) and asked == 3, "nobody asks where nothing is waited for"


def test_a_patient_wait(path: Path) -> None:
    with holder(path) as process:
        done = threading.Event()

        def wait() -> None:
            with lock(path, still=lambda: None):
                done.set()

        thread = threading.Thread(target=wait)
        thread.start()
        assert not done.wait(0.3)
        process.kill()
        assert done.wait(5)
        thread.join()


def test_who_shares_a_lock_keeps_others_from_having_it_alone(path: Path) -> None:
    with shared(path), shared(path), alone(path) as free:
        assert not free
    with alone(path) as free, alone(path) as again:
        assert free and not again
    assert path.exists(), "its file stays: who waits for it has it open"
