"""Commands whose program was killed: found by the next one, ended, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder.engine.containers import Command, Running
from imagebuilder.engine.fake_containers import FakeContainers, FakeRunning
from imagebuilder.sandbox.box import file_of
from imagebuilder.sandbox.commands import MARK, marked, sweep


class Recording(FakeContainers):
    """Keeps what was run."""

    def __init__(self) -> None:
        super().__init__()
        self.ran: list[tuple[str, str, str | None]] = []

    def run(self, id: str, command: Command) -> Running:
        self.ran.append((id, next(word for word in command.words if word.startswith(MARK)), command.user))
        return FakeRunning("x", [])


@pytest.fixture
def containers() -> Recording:
    return Recording()


def left(home: Path, container: str, user: str | None = None) -> str:
    """What a killed program leaves: the file, which nobody holds."""
    with marked(home, container, user) as mark:
        (path,) = (home / "locks").glob(f"*{mark}")
        data = path.read_bytes()
    path.write_bytes(data)
    return mark


def files(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "locks").iterdir())


def test_one_that_a_killed_program_left_is_ended_as_its_user(tmp_path: Path, containers: Recording) -> None:
    mark = left(tmp_path, "c1", "app")
    sweep(tmp_path, containers, {"c1"})
    assert containers.ran == [("c1", f"{MARK}={mark}", "app")] and not files(tmp_path)


def test_one_whose_program_lives_goes_on(tmp_path: Path, containers: Recording) -> None:
    with marked(tmp_path, "c1", None):
        sweep(tmp_path, containers, {"c1"})
        assert not containers.ran and len(files(tmp_path)) == 1
    assert not files(tmp_path)


def test_nothing_is_asked_of_a_sandbox_that_is_gone(tmp_path: Path, containers: Recording) -> None:
    left(tmp_path, "c1")
    sweep(tmp_path, containers, set())
    assert not containers.ran and not files(tmp_path)


def test_another_engine_s_waits_for_that_engine(tmp_path: Path, containers: Recording) -> None:
    left(tmp_path, "c1")
    file_of(tmp_path, "c1").parent.mkdir()
    file_of(tmp_path, "c1").touch()
    sweep(tmp_path, containers, set())
    assert not containers.ran and len(files(tmp_path)) == 1


def test_a_program_that_was_killed_before_it_said_who(tmp_path: Path, containers: Recording) -> None:
    left(tmp_path, "c1")
    (path,) = (tmp_path / "locks").iterdir()
    path.write_bytes(b"")
    sweep(tmp_path, containers, {"c1"})
    assert containers.ran[0][2] is None and not files(tmp_path)
