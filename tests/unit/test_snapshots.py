"""Snapshots of images by their names: what is demanded, what is tried, and what the row says afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder import (
    BuildError,
    Client,
    CompileError,
    CreateSandboxFromSnapshotParams,
    CreateSnapshotParams,
    Image,
    ImagebuilderError,
    SandboxError,
)
from imagebuilder.diagnostics import Diagnostic, EngineError
from imagebuilder.engine.fake import FakeEngine
from imagebuilder.sandbox.stays_up import SLEEP, Started

PYTHON = "python:3.13"


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def client(tmp_path: Path, engine: FakeEngine) -> Client:
    return Client(home=tmp_path / "home", engine=engine)


def code(caught: pytest.ExceptionInfo[ImagebuilderError]) -> str:
    (found,) = caught.value.diagnostics
    assert found.help
    return found.code


@pytest.mark.parametrize("ref", ["python", "python:latest", "ghcr.io/a/b", "host:5000/a", "host:5000/a:latest"])
def test_an_image_needs_a_version(client: Client, engine: FakeEngine, ref: str) -> None:
    with pytest.raises(CompileError) as caught:
        client.snapshot.create(CreateSnapshotParams("app", ref))
    assert code(caught) == "IB761" and not engine.fetched and client.snapshot.list() == []
    assert client.snapshot.create(CreateSnapshotParams("app", ref), resolve=True).digest.startswith("sha256:")


@pytest.mark.parametrize("ref", ["python:3.13", "a@sha256:" + "0" * 64, "a:latest@sha256:" + "0" * 64, "host:5000/a:1"])
def test_a_version_is_a_tag_or_a_digest(client: Client, ref: str) -> None:
    assert client.snapshot.create(CreateSnapshotParams("app", ref)).state == "active"


def test_what_stays_up_by_itself_is_left_alone(client: Client, engine: FakeEngine) -> None:
    engine.images[PYTHON] = "sha256:1"
    own = Started(("server",), ("--port", "1"))
    assert (
        client.sandboxes.keep_up("x", own, None, client.snapshot.create(CreateSnapshotParams("a", PYTHON)).resources)
        is None
    )


@pytest.mark.parametrize(
    "own", [Started(), Started((), ("bash",)), Started((), ("/usr/local/bin/python3",)), Started(("echo",))]
)
def test_what_would_end_is_kept_up(client: Client, engine: FakeEngine, own: Started) -> None:
    engine.containers.ends[None] = 0
    found = client.sandboxes.keep_up(
        "x", own, None, client.snapshot.create(CreateSnapshotParams("a", PYTHON)).resources
    )
    assert found == SLEEP and not engine.containers.infos


def test_an_entrypoint_that_ends_is_an_error(client: Client, engine: FakeEngine) -> None:
    engine.containers.ends["echo", "x"] = 0
    with pytest.raises(SandboxError) as caught:
        client.snapshot.create(CreateSnapshotParams("app", PYTHON, entrypoint=["echo", "x"]))
    assert code(caught) == "IB759" and "its last line" in str(caught.value)
    found = client.snapshot.get("app")
    assert found.state == "error" and "its last line" in found.reason and not engine.containers.infos
    with pytest.raises(CompileError) as unusable:
        client.create(CreateSandboxFromSnapshotParams(snapshot="app"))
    assert code(unusable) == "IB707"


def test_an_image_without_sleep(client: Client, engine: FakeEngine) -> None:
    engine.containers.refuses.add(SLEEP)
    with pytest.raises(SandboxError) as caught:
        client.snapshot.create(CreateSnapshotParams("app", PYTHON))
    assert "has no 'sleep infinity'" in str(caught.value) and client.snapshot.get("app").state == "error"


def test_an_image_that_cannot_be_pulled(client: Client, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine answers: what failed is the pull."""

    def fetch(ref: str, login: str | None) -> None:
        raise EngineError(Diagnostic("IB645", "no such host", help="x"))

    monkeypatch.setattr(engine, "fetch", fetch)
    with pytest.raises(BuildError) as caught:
        client.snapshot.create(CreateSnapshotParams("app", PYTHON))
    assert code(caught) == "IB645"
    assert (client.snapshot.get("app").state, client.snapshot.get("app").reason) == ("error", "no such host")


def test_an_image_that_is_to_be_here(client: Client, engine: FakeEngine) -> None:
    with pytest.raises(CompileError) as caught:
        client.snapshot.push("local:1", name="app")
    assert code(caught) == "IB760" and not engine.fetched
    engine.images["local:1"] = "sha256:1"
    assert client.snapshot.push("local:1", name="app").digest == "sha256:1"


def test_a_name_that_is_taken(client: Client) -> None:
    first = client.snapshot.create(CreateSnapshotParams("app", PYTHON))
    for other in (CreateSnapshotParams("app", "python:3.12"), CreateSnapshotParams("app", Image.base("b:1"))):
        with pytest.raises(CompileError) as caught:
            client.snapshot.create(other)
        assert code(caught) == "IB763" and client.snapshot.get("app").digest == first.digest
    assert client.snapshot.create(CreateSnapshotParams("app", PYTHON)).digest == first.digest
    assert client.snapshot.create(CreateSnapshotParams("app", "python:3.12"), replace=True).digest != first.digest


def test_a_snapshot_that_was_deactivated(client: Client) -> None:
    client.snapshot.create(CreateSnapshotParams("app", PYTHON))
    assert client.snapshot.deactivate("app").state == "inactive"
    with pytest.raises(CompileError) as caught:
        client.run("app", ["true"])
    assert code(caught) == "IB707" and "snapshot activate app" in caught.value.diagnostics[0].help
    assert client.snapshot.activate("app").state == "active"
    assert client.run("app", ["true"]).exit_code == 0


def test_a_snapshot_that_nobody_used_wakes_when_it_is_used(client: Client) -> None:
    client.snapshot.create(CreateSnapshotParams("app", PYTHON))
    client.store.deactivate_unused(3600)
    assert client.snapshot.get("app").state == "active"
    client.store.deactivate_unused(-1)
    assert client.snapshot.get("app").state == "inactive" and "unused" in client.snapshot.get("app").reason
    client.run("app", ["true"])
    assert client.snapshot.get("app").state == "active"


def test_a_snapshot_that_a_sandbox_uses_stays(client: Client) -> None:
    client.snapshot.create(CreateSnapshotParams("app", PYTHON))
    sandbox = client.create(CreateSandboxFromSnapshotParams(snapshot="app", name="one"))
    with pytest.raises(SandboxError) as caught:
        client.snapshot.delete("app")
    assert code(caught) == "IB762" and client.snapshot.get("app").state == "active"
    sandbox.delete()
    assert client.snapshot.delete("app").name == "app"
