"""Commands: which are none, and what is said of one that could not be started."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from imagebuilder.diagnostics import CompileError, Diagnostic, EngineError, SandboxError
from imagebuilder.engine.containers import ContainerSpec
from imagebuilder.engine.fake_containers import FakeContainers, FakeRunning
from imagebuilder.sandbox import Process
from imagebuilder.sandbox.box import Box

OCI = "OCI runtime exec failed: exec failed: unable to start container process: "


@pytest.fixture
def containers() -> FakeContainers:
    return FakeContainers()


@pytest.fixture
def process(containers: FakeContainers, tmp_path: Path) -> Process:
    id = containers.create(ContainerSpec("one", "sha256:1"))
    containers.start(id)
    return Process(Box("one", id, lambda: containers, tmp_path))


def _keep(came: list[tuple[int, bytes]], stream: int, data: bytes) -> None:
    came.append((stream, data))


def prints(monkeypatch: pytest.MonkeyPatch, *pieces: tuple[int, bytes], code: int) -> None:
    monkeypatch.setattr(FakeContainers, "run", lambda *_, **__: FakeRunning("x", list(pieces), code))


@pytest.mark.parametrize(
    ("said", "words", "cwd", "shown"),
    [
        ('exec: "nosuch": executable file not found in $PATH', ["nosuch"], None, "the sandbox has no command 'nosuch'"),
        ('exec: "./x": stat ./x: no such file or directory', ["./x"], None, "the sandbox has no command './x'"),
        ('exec: "ls -l": executable file not found in $PATH', ["ls -l"], None, "a shell runs a line: sh -c LINE"),
        ('exec: "cd": executable file not found in $PATH', ["cd", "/"], None, "only a shell has it"),
        ('exec: "--cwd": executable file not found in $PATH', ["--cwd", "/", "ls"], None, "options stand before"),
        ('exec: "/etc": is a directory: permission denied', ["/etc"], None, "'/etc' is a folder"),
        ('exec: "/etc/x": permission denied', ["/etc/x"], None, "'/etc/x' is no program that may be run"),
        ('chdir to cwd ("/no") set in config.json failed: no such file or directory', ["ls"], "/no", "is not in the sandb"),
        ('chdir to cwd ("/f") set in config.json failed: not a directory: Are you', ["ls"], "/f", "is no folder: '/f'"),
        ('chdir to cwd ("/r") set in config.json failed: permission denied', ["ls"], "/r", "may not be entered: '/r'"),
        ("something new", ["ls"], None, "something new"),
    ],
)  # fmt: skip
def test_one_that_could_not_be_started(
    process: Process, monkeypatch: pytest.MonkeyPatch, said: str, words: list[str], cwd: str | None, shown: str
) -> None:
    """Its one line is an error's, as of a shell, whether it is collected or passed on."""
    for streamed in (False, True):
        prints(monkeypatch, (1, f"{OCI}{said}\r\n".encode()), code=127)
        came: list[tuple[int, bytes]] = []
        keep = partial(_keep, came) if streamed else None
        done = process.exec(words, cwd=cwd, on_output=keep)
        line = came[0][1].decode() if streamed else done.stderr
        assert done.exit_code == 127 and shown in line and line.count("\n") == 1 and "OCI" not in line
        assert done.stdout == "" and [stream for stream, _ in came] == [2] * streamed


@pytest.mark.parametrize(("more", "code"), [([], 0), ([(1, b"more")], 127)])
def test_a_command_may_print_the_same(
    process: Process, monkeypatch: pytest.MonkeyPatch, more: list[tuple[int, bytes]], code: int
) -> None:
    prints(monkeypatch, (1, OCI.encode()), *more, code=code)
    assert process.exec("x").stdout == OCI + "".join(data.decode() for _, data in more)


def test_a_relative_folder(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    prints(monkeypatch, (1, b"OCI runtime exec failed: exec failed: Cwd must be an absolute path\r\n"), code=128)
    assert process.exec("x", cwd="rel").stderr == "the folder to run in has to start with a slash: 'rel'\n"


@pytest.mark.parametrize("command", [None, 3, b"ls", [], ["sleep", 1], {"ls": 1}])
def test_what_is_no_command(process: Process, command: Any) -> None:
    with pytest.raises(CompileError, match="not a command"):
        process.exec(command)


@pytest.mark.parametrize("timeout", ["1", True, -1])
def test_what_is_no_timeout(process: Process, timeout: Any) -> None:
    with pytest.raises(CompileError, match="not a timeout"):
        process.exec("ls", timeout=timeout)


def test_a_user_that_is_not_there(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise EngineError(
            Diagnostic("IB503", "the engine refused POST /x: unable to find user bob: no matching entries")
        )

    monkeypatch.setattr(FakeContainers, "run", refuse)
    with pytest.raises(SandboxError, match="has no user bob") as caught:
        process.exec("ls", user="bob")
    assert "POST" not in str(caught.value)


@pytest.mark.parametrize(("code", "shown"), [(4, "exit code 4"), (0, "does not run\n"), (137, "does not run\n")])
def test_one_that_ended_by_itself_says_so(process: Process, containers: FakeContainers, code: int, shown: str) -> None:
    (id,) = containers.infos
    containers.infos[id] = replace(containers.infos[id], state="exited", exit_code=code)
    with pytest.raises(SandboxError) as caught:
        process.exec("ls")
    assert shown in str(caught.value)
