"""Commands: what is refused before the engine is asked, and what is killed when the time is over."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder.diagnostics import CompileError, SandboxError
from imagebuilder.engine.containers import Command, Running
from imagebuilder.engine.fake_containers import FakeContainers, FakeRunning
from imagebuilder.ir.resources import Resources
from imagebuilder.sandbox import CreateSandboxFromSnapshotParams, Process, Sandboxes
from imagebuilder.sandbox.box import Box


class Hanging(FakeRunning):
    def read(self, timeout: float | None = None) -> tuple[int, bytes]:
        assert timeout is not None
        raise TimeoutError


class Killing(FakeContainers):
    """Its first command never ends; the others print ``said``."""

    said = b""
    code = 0

    def __init__(self) -> None:
        super().__init__()
        self.users: list[str | None] = []

    def run(self, id: str, command: Command) -> Running:
        self.users.append(command.user)
        return FakeRunning("y", [(1, self.said)], self.code) if len(self.users) > 1 else Hanging("x", [])


def process(containers: FakeContainers, folder: Path) -> Process:
    return Process(Box("one", "1", lambda: containers, folder))


def test_what_became_another_user_is_killed_as_that_user(tmp_path: Path) -> None:
    """Root in a sandbox may not look into others' processes. Never as root: the tools there may be anybody's."""
    containers = Killing()
    containers.said = b"1000\n65534\n1000\n0\n00\n-1\nx\n99999999999999999999\n\xff\n" + b"".join(
        b"%d\n" % each for each in range(2000, 2100)
    )
    with pytest.raises(SandboxError) as caught:
        process(containers, tmp_path).exec("su", timeout=1)
    assert caught.value.diagnostics[0].code == "IB753"
    assert containers.users[:4] == [None, None, "1000", "65534"]
    assert len(containers.users) == 10 and not {"0", "00"} & set(containers.users)


def test_without_a_shell_it_is_told_that_the_command_runs_on(tmp_path: Path) -> None:
    containers = Killing()
    containers.code = 127
    with pytest.raises(SandboxError) as caught:
        process(containers, tmp_path).exec(["server"], timeout=1)
    assert "sandbox stop one" in caught.value.diagnostics[0].help


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("-inf")])
def test_a_time_that_is_none(tmp_path: Path, timeout: float) -> None:
    with pytest.raises(CompileError) as caught:
        process(FakeContainers(), tmp_path).exec("true", timeout=timeout)
    assert caught.value.diagnostics[0].code == "IB755"


@pytest.mark.parametrize("timeout", [float("inf"), 1e300, 0, None])
def test_for_ever(tmp_path: Path, timeout: float | None) -> None:
    containers = FakeContainers()
    sandbox = Sandboxes(tmp_path, lambda: containers, lambda: "sha256:tool").create(
        CreateSandboxFromSnapshotParams(), image="i", snapshot="s", resources=Resources(), entrypoint=None
    )
    assert sandbox.process.exec("true", timeout=timeout).exit_code == 3


@pytest.mark.parametrize(
    "given",
    [
        {"command": ["printf", "\udcff"]},
        {"command": "a\0b"},
        {"cwd": "/a\0b"},
        {"cwd": "/\udcff"},
        {"user": "\udcff"},
        {"env": {"A": "\udcff"}},
        {"env": {"A": "hunter2\0"}},
        {"env": {"A=B": "hunter2"}},
        {"env": {"": "hunter2"}},
    ],
)
def test_what_would_arrive_as_something_else_is_refused(tmp_path: Path, given: dict[str, object]) -> None:
    """The engine puts another character in the place of what is none, and takes A=B for A."""
    containers = FakeContainers()
    with pytest.raises(CompileError) as caught:
        process(containers, tmp_path).exec(**{"command": "true", **given})  # type: ignore[arg-type]
    assert caught.value.diagnostics[0].code == "IB755" and "hunter2" not in str(caught.value)


@pytest.mark.parametrize("env", [{"A": "x\0y"}, {"A=B": "c"}, {"": "c"}, {"A": "\udcff"}])
def test_nor_is_a_sandbox_made_with_such_a_variable(tmp_path: Path, env: dict[str, str]) -> None:
    containers = FakeContainers()
    with pytest.raises(CompileError):
        Sandboxes(tmp_path, lambda: containers, lambda: "sha256:tool").create(
            CreateSandboxFromSnapshotParams(env_vars=env),
            image="i",
            snapshot="s",
            resources=Resources(),
            entrypoint=None,
        )
    assert not containers.infos
