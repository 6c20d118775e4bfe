"""Snapshots after they are made: replaced, gone back to, locked, unused, named twice, and deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder import (
    Client,
    CompileError,
    CreateSandboxFromImageParams,
    CreateSandboxFromSnapshotParams,
    CreateSnapshotParams,
    Image,
    ImagebuilderError,
    Resources,
    SandboxError,
)
from imagebuilder.diagnostics import Diagnostic, EngineError
from imagebuilder.engine.containers import ContainerSpec
from imagebuilder.engine.fake import FakeEngine

PYTHON = "python:3.13"


def code(caught: pytest.ExceptionInfo[ImagebuilderError]) -> str:
    (found,) = caught.value.diagnostics
    assert found.help
    return found.code


def replaced(client: Client) -> tuple[str, str]:
    """The digests of two, the second of which replaced the first."""
    first = client.snapshot.create(CreateSnapshotParams("app", PYTHON))
    second = client.snapshot.create(CreateSnapshotParams("app", "python:3.12"), replace=True)
    return first.digest, second.digest


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


def test_who_replaced_it_was_killed(client: Client) -> None:
    """The row says a build that was cut off; what came before it serves."""
    first = client.snapshot.create(CreateSnapshotParams("app", PYTHON))
    client.store.serve(first)
    client.store.building(client.store.begin("app", "sha256:" + "1" * 64, first.platform, first.image, first.resources))
    assert client.snapshot.get("app").state == "build_failed"
    assert client.snapshot.usable("app").digest == first.digest


def test_back_and_forth(client: Client, engine: FakeEngine) -> None:
    first, second = replaced(client)
    assert client.snapshot.get("app").previous is not None
    assert client.snapshot.rollback("app").digest == first == engine.images["imagebuilder/app:latest"]
    assert client.snapshot.rollback("app").digest == second == engine.images["imagebuilder/app:latest"]
    client.snapshot.delete("app")
    assert not [ref for ref in engine.images if ref.startswith("imagebuilder")]


def test_the_same_once_more_forgets_nothing(client: Client) -> None:
    """As when a pipeline runs again for the same commit."""
    first, second = replaced(client)
    assert client.snapshot.create(CreateSnapshotParams("app", "python:3.12"), replace=True).digest == second
    assert client.snapshot.rollback("app").digest == first


def test_nothing_to_go_back_to(client: Client) -> None:
    client.snapshot.create(CreateSnapshotParams("app", PYTHON))
    with pytest.raises(CompileError) as caught:
        client.snapshot.rollback("app")
    assert code(caught) == "IB764"


def test_a_locked_one_stays(client: Client, engine: FakeEngine) -> None:
    client.snapshot.create(CreateSnapshotParams("app", PYTHON))
    assert client.snapshot.lock("app").locked
    for act in (
        lambda: client.snapshot.delete("app"),
        lambda: client.build(Image.base("b:1"), name="app"),
        lambda: client.snapshot.create(CreateSnapshotParams("app", "python:3.12"), replace=True),
        lambda: client.snapshot.rollback("app"),
    ):
        with pytest.raises(CompileError) as caught:
            act()
        assert code(caught) == "IB765" and client.snapshot.get("app").state == "active"
        assert "imagebuilder/app:latest" in engine.images
    client.snapshot.unlock("app")
    assert client.snapshot.delete("app").name == "app"


@pytest.mark.parametrize("fails", ["imagebuilder/app:latest", "imagebuilder-before/app:latest"])
def test_an_engine_that_fails_meanwhile(
    client: Client, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    """What serves is what did, in the store and in the engine, and it can be gone back once more."""
    first, second = replaced(client)
    names, tag = dict(engine.images), engine.tag

    def failing(image: str, ref: str) -> None:
        if ref == fails:
            raise EngineError(Diagnostic("IB508", "the engine did not answer", help="x"))
        tag(image, ref)

    monkeypatch.setattr(engine, "tag", failing)
    with pytest.raises(EngineError):
        client.snapshot.rollback("app")
    assert client.snapshot.get("app").digest == second and engine.images == names
    monkeypatch.setattr(engine, "tag", tag)
    assert client.snapshot.rollback("app").digest == first == engine.images["imagebuilder/app:latest"]


def test_a_locked_one_does_not_go_back(client: Client, engine: FakeEngine) -> None:
    _, second = replaced(client)
    client.snapshot.lock("app")
    with pytest.raises(CompileError) as caught:
        client.snapshot.rollback("app")
    assert code(caught) == "IB765"
    assert client.snapshot.get("app").digest == second == engine.images["imagebuilder/app:latest"]


def test_an_image_that_is_gone_is_not_gone_back_to(client: Client, engine: FakeEngine) -> None:
    first, second = replaced(client)
    engine.images = {ref: digest for ref, digest in engine.images.items() if digest != first}
    with pytest.raises(CompileError) as caught:
        client.snapshot.rollback("app")
    assert code(caught) == "IB707"
    assert client.snapshot.get("app").digest == second == engine.images["imagebuilder/app:latest"]


def test_one_goes_whole_or_not_at_all(client: Client, engine: FakeEngine) -> None:
    """The engine keeps the image of a sandbox, and would end the deletion in its middle."""
    client.snapshot.create(CreateSnapshotParams("app", PYTHON))
    sandbox = client.create(CreateSandboxFromSnapshotParams(snapshot="app"))
    second = client.snapshot.create(CreateSnapshotParams("app", "python:3.12"), replace=True)
    with pytest.raises(SandboxError) as caught:
        client.snapshot.delete("app")
    assert code(caught) == "IB762" and engine.images["imagebuilder/app:latest"] == second.digest
    sandbox.delete()
    client.snapshot.delete("app")
    assert not [ref for ref in engine.images if ref.startswith("imagebuilder")]


def test_one_whose_time_is_over_goes(client: Client) -> None:
    for name in ("app", "kept"):
        client.snapshot.create(CreateSnapshotParams(name, PYTHON))
        client.snapshot.expire(name, -1)
    client.snapshot.lock("kept")
    assert [each.name for each in client.snapshot.list()] == ["kept"]
    client.snapshot.unlock("kept")
    client.snapshot.expire("kept", None)
    assert [each.name for each in client.snapshot.list()] == ["kept"]


def test_no_snapshot_takes_the_name_of_an_alias(client: Client) -> None:
    """Of two things of one name, `delete` would take the wrong one."""
    client.snapshot.create(CreateSnapshotParams("app", PYTHON))
    client.snapshot.alias("live", "app")
    for act in (
        lambda: client.snapshot.create(CreateSnapshotParams("live", "python:3.12")),
        lambda: client.build(Image.base("b:1"), name="live"),
    ):
        with pytest.raises(CompileError) as caught:
            act()
        assert code(caught) == "IB763" and [each.name for each in client.snapshot.list()] == ["app"]


def test_a_home_in_which_both_are(client: Client) -> None:
    for name in ("app", "live"):
        client.snapshot.create(CreateSnapshotParams(name, PYTHON))
    with client.store.transaction() as db:
        db.execute("INSERT INTO aliases VALUES ('live', 'app')")
    assert client.snapshot.delete("live").name == "live"
    assert [each.name for each in client.snapshot.list()] == ["app"]


def test_the_same_once_more_has_the_time_that_it_had(client: Client) -> None:
    client.snapshot.create(CreateSnapshotParams("app", PYTHON))
    until = client.snapshot.expire("app", 3600).expires_at
    client.snapshot.create(CreateSnapshotParams("app", PYTHON))
    assert until is not None and client.snapshot.get("app").expires_at == until
    client.snapshot.create(CreateSnapshotParams("app", "python:3.12"), replace=True)
    assert client.snapshot.get("app").expires_at is None


def test_what_nobody_named_goes_when_nobody_uses_it(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a sandbox of an image was made of has a name of its own, which nobody would delete."""
    client.snapshot.create(CreateSnapshotParams("app", PYTHON))
    used = client.create(CreateSandboxFromImageParams(image="python:3.12"))
    client.create(CreateSandboxFromImageParams(image=PYTHON)).delete()
    assert len(client.snapshot.list()) == 3
    monkeypatch.setattr(client.snapshot, "_unused_after", -1.0)
    left = client.snapshot.list()
    assert [each.name == "app" for each in left] == [False, True] and left[0].digest == used.image


def test_an_alias(client: Client) -> None:
    for name in ("app:1", "app:2"):
        client.snapshot.create(CreateSnapshotParams(name, PYTHON))
        client.snapshot.alias("live", name)
        assert client.snapshot.get("live").name == name
    with pytest.raises(CompileError) as caught:
        client.snapshot.alias("app:1", "app:2")
    assert code(caught) == "IB763"
    client.snapshot.delete("live")
    assert [each.name for each in client.snapshot.list()] == ["app:2", "app:1"], "the alias alone is gone"
    client.snapshot.alias("live", "app:2")
    client.snapshot.delete("app:2")
    with pytest.raises(CompileError):
        client.snapshot.get("live")


def test_a_log_is_followed_to_its_end(client: Client, engine: FakeEngine) -> None:
    client.snapshot.create(CreateSnapshotParams("app", Image.base("b:1")))
    assert "hello from the build" in list(client.snapshot.follow("app"))


def test_the_default_one(client: Client, engine: FakeEngine) -> None:
    """Built when the first sandbox needs it, and then no more."""
    with client.create() as sandbox:
        assert sandbox.snapshot == "default"
    client.create(CreateSandboxFromSnapshotParams()).delete()
    (built,) = engine.dockerfiles
    for package in ("numpy==2.2.3", "SQLAlchemy==2.0.38", "nodejs", "pyright", "python-lsp-server"):
        assert package in built
    assert client.snapshot.create_default().id == client.snapshot.get("default").id


def test_a_snapshot_in_the_place_of_its_name(client: Client) -> None:
    made = client.snapshot.create(CreateSnapshotParams("app", PYTHON))
    assert client.snapshot.deactivate(made).state == "inactive" and client.snapshot.activate(made).state == "active"
    assert client.snapshot.lock(made).locked and not client.snapshot.unlock(made).locked
    assert client.snapshot.get(made).name == client.snapshot.delete(made).name == "app"
    with pytest.raises(CompileError, match="not a snapshot name"):
        client.snapshot.get(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "params",
    [CreateSnapshotParams("app", PYTHON, Resources(cpu=64)), CreateSnapshotParams("app", PYTHON, None, ["ends"])],
)
def test_the_same_image_with_what_fails(
    client: Client, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, params: CreateSnapshotParams
) -> None:
    """The old one goes on, though no image was replaced."""
    first = client.snapshot.create(CreateSnapshotParams("app", PYTHON))
    made = engine.containers.create

    def create(spec: ContainerSpec) -> str:
        if spec.cpu > 2:
            raise EngineError(Diagnostic("IB503", "range of CPUs is from 0.01 to 2.00"))
        return made(spec)

    monkeypatch.setattr(engine.containers, "create", create)
    engine.containers.ends[("ends",)] = 1
    with pytest.raises(SandboxError):
        client.snapshot.create(params)
    found = client.snapshot.usable("app")
    assert (found.id, found.state, found.resources, found.entrypoint) == (
        first.id,
        "active",
        first.resources,
        first.entrypoint,
    )
    assert engine.image(found.image) is not None


@pytest.mark.parametrize(("given", "state"), [("2h", "inactive"), ("4h", "active"), ("0", "active")])
def test_how_long_one_may_be_unused(
    tmp_path: Path, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, given: str, state: str
) -> None:
    monkeypatch.setenv("IMAGEBUILDER_UNUSED_AFTER", given)
    client = Client(home=tmp_path, engine=engine)
    client.snapshot.create(CreateSnapshotParams("app", PYTHON))
    with client.store.transaction() as db:
        db.execute("UPDATE snapshots SET updated = updated - 3 * 3600")
    (found,) = client.snapshot.list()
    assert found.state == state


def test_a_time_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEBUILDER_UNUSED_AFTER", "soon")
    with pytest.raises(CompileError, match="IMAGEBUILDER_UNUSED_AFTER is not an age: 'soon'"):
        Client()
