"""What those who come from other sandboxes type: names that mean what they meant there, or say what there is instead."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from imagebuilder import (
    AsyncClient,
    Client,
    CodeRunParams,
    CompileError,
    CreateSandboxFromSnapshotParams,
    CreateSnapshotParams,
    FileUpload,
    SandboxError,
    SessionExecuteRequest,
)
from imagebuilder.engine.fake import FakeEngine
from imagebuilder.engine.fake_containers import FakeContainers, FakeRunning
from imagebuilder.sandbox import FileSystem


@pytest.fixture
def client(tmp_path: Path) -> Client:
    made = Client(home=tmp_path / "home", engine=FakeEngine())
    made.snapshot.create(CreateSnapshotParams("py", "python:3.13"))
    return made


def of(**given: Any) -> CreateSandboxFromSnapshotParams:
    return CreateSandboxFromSnapshotParams(snapshot="py", **given)


def test_code_has_arguments_and_variables(client: Client) -> None:
    engine = client.engine
    assert isinstance(engine, FakeEngine)
    process = client.create(of(language="python")).process
    process.code_run("print()", CodeRunParams(argv=["a", "b"]))
    process.code_run("print()", CodeRunParams(), 5)
    assert [words[6:] for words in engine.containers.commands] == [["a", "b"], []]
    for wrong in ({"params": CodeRunParams(), "argv": ["a"]}, {"params": ["a"]}):
        with pytest.raises(CompileError, match="not how code is run"):
            process.code_run("print()", **wrong)  # type: ignore[arg-type] # that is the mistake


def test_a_request_that_is_not_waited_for() -> None:
    assert SessionExecuteRequest("ls", var_async=True) == SessionExecuteRequest("ls", run_async=True)
    assert SessionExecuteRequest("ls", var_async=False) == SessionExecuteRequest("ls")


def test_one_is_found_by_its_name_or_its_labels(client: Client) -> None:
    old, new = (client.create(of(name=name, labels={"team": "a"})) for name in ("old", "new"))
    assert client.find_one("old").id == client.find_one(old.id).id == old.id
    assert client.find_one(labels={"team": "a"}).id == new.id

    async def found() -> str:
        other = AsyncClient(home=client.home, engine=client.engine)
        return (await other.find_one(labels={"team": "a"})).name

    assert asyncio.run(found()) == "new"
    for given, said in (
        ({"labels": {"team": "b"}}, "no sandbox has the labels"),
        ({"id_or_name": "nwe"}, "no sandbox is called 'nwe'"),
        ({}, "neither a name nor labels"),
    ):
        with pytest.raises(CompileError, match=said) as caught:
            client.find_one(**given)  # type: ignore[arg-type] # one of the two
        assert caught.value.diagnostics[0].help


def test_folders(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = client.create(of())
    assert sandbox.get_work_dir() == "/"
    monkeypatch.setattr(FakeContainers, "run", lambda *_, **__: FakeRunning("x", [(1, b"/home/me")]))
    assert sandbox.get_user_home_dir() == "/home/me"
    monkeypatch.setattr(FakeContainers, "run", lambda *_, **__: FakeRunning("x", [], 127))
    with pytest.raises(SandboxError, match="does not say where its user's home is"):
        sandbox.get_user_home_dir()


def test_several_files(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    put: list[tuple[object, str]] = []
    monkeypatch.setattr(FileSystem, "upload_file", lambda _, src, dst: put.append((src, dst)))
    client.create(of()).fs.upload_files([FileUpload(b"a", "/a"), FileUpload("b", "b")])
    assert put == [(b"a", "/a"), ("b", "b")]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"language": "typescript"}, "process.exec"),
        ({"public": True}, "preview()"),
        ({"volumes": ["data"]}, "upload_dir()"),
    ],
)
def test_what_there_is_instead(client: Client, given: dict[str, object], said: str) -> None:
    with pytest.raises(CompileError) as caught:
        client.create(of(**given))
    assert said in (caught.value.diagnostics[0].help or "") and client.list() == []


def test_what_asks_for_nothing(client: Client) -> None:
    assert client.create(of(public=False, volumes=[], language=None)).state == "started"
