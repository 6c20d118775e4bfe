"""The programmatic face: what a program asks for, what it gets back, and what it is told instead."""

from __future__ import annotations

from pathlib import Path

import pytest

import imagebuilder
from imagebuilder import Client, CreateSandboxFromImageParams, CreateSnapshotParams, Image, Resources
from imagebuilder.client import Wanted
from imagebuilder.diagnostics import BuildError, CompileError, Diagnostic, EngineError
from imagebuilder.engine.fake import FakeEngine
from imagebuilder.engine.protocol import BuildFailed, Event, LogEvent, Output

IMAGE = Image.base("debian").run_commands("true")


class Silent(FakeEngine):
    """Builds, and then answers no more."""

    def untag(self, ref: str) -> None:
        raise EngineError(Diagnostic("IB500", "no Docker Engine answers"))


@pytest.fixture(autouse=True)
def _no_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def client(tmp_path: Path, engine: FakeEngine) -> Client:
    return Client(home=tmp_path / "home", engine=engine)


def code(caught: pytest.ExceptionInfo[CompileError]) -> str:
    return caught.value.diagnostics[0].code


# Building ---------------------------------------------------------------------------------------------


def test_build(client: Client, engine: FakeEngine) -> None:
    events: list[Event] = []
    found = client.build(IMAGE, name="app:1", platform="linux/arm64", builder="b", on_event=events.append)
    assert (found.name, found.state, found.platform) == ("app:1", "active", "linux/arm64")
    assert (engine.requests[0].platform, engine.requests[0].builder) == ("linux/arm64", "b")
    assert found.key == IMAGE.key("linux/arm64") and found.resources == Resources()
    assert LogEvent("a", "hello from the build") in events


def test_build_arguments_are_part_of_the_key(client: Client, engine: FakeEngine) -> None:
    image = Image.base("debian").arg("VERSION", "1")
    first, second = (client.build(image, name="app", build_args=values) for values in ({}, {"VERSION": "2"}))
    assert first.key != second.key and "ARG VERSION=2\n" in engine.dockerfiles[1]


def test_secrets_and_the_bundle_reach_the_engine(client: Client, engine: FakeEngine, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").touch()
    image = Image.base("debian").run_commands("true", secrets=["TOKEN"])
    client.build(image, name="app", secrets={"TOKEN": "x"}, ca=tmp_path / "ca.crt", no_cache=True)
    assert len(engine.requests[0].secrets) == 3 and engine.requests[0].no_cache


def test_latest_is_no_tag_of_its_own(client: Client) -> None:
    assert client.build(IMAGE, name="app:latest").name == "app"


@pytest.mark.parametrize("name", ["App", "", "a b", "app:"])
def test_a_wrong_name_is_refused_before_anything_is_done(client: Client, engine: FakeEngine, name: str) -> None:
    with pytest.raises(CompileError) as caught:
        client.build(IMAGE, name=name)
    assert code(caught) == "IB701" and engine.requests == [] and client.snapshot.list() == []


def test_an_image_that_does_not_compile_needs_no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagebuilder.client.connect", lambda home: pytest.fail("nobody asked"))
    with pytest.raises(CompileError) as caught:
        Client(home=tmp_path).build(IMAGE, name="app", build_args={"NONE": "1"})
    assert code(caught) == "IB130"


def test_the_engine_is_looked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    monkeypatch.setattr("imagebuilder.client.connect", lambda home: asked.append(home) or FakeEngine())
    client = Client(home=tmp_path)
    assert asked == []
    assert client.engine is client.engine
    assert asked == [tmp_path]


def test_the_function_builds_with_a_client_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: FakeEngine
) -> None:
    monkeypatch.setenv("IMAGEBUILDER_HOME", str(tmp_path / "mine"))
    monkeypatch.setattr("imagebuilder.client.connect", lambda home: engine)
    found = imagebuilder.build(IMAGE, name="app", resources=Resources(cpu=4))
    assert found.resources.cpu == 4 and len(engine.requests) == 1
    assert Client(home=tmp_path / "mine", engine=engine).snapshot.get("app") == found


# Snapshots --------------------------------------------------------------------------------------------


def test_several_images_for_one_snapshot(client: Client, engine: FakeEngine) -> None:
    """Built at the same time, it would be left to chance which of them it is."""
    with pytest.raises(CompileError) as caught:
        client.build_all([Wanted("a", IMAGE), Wanted("b", IMAGE), Wanted("a:latest", IMAGE.user("u"))])
    assert code(caught) == "IB125" and "'a'" in str(caught.value) and not engine.requests


def test_create(client: Client, engine: FakeEngine) -> None:
    lines: list[str] = []
    wanted = Resources(cpu=2, memory=4, disk=8)
    params = CreateSnapshotParams(name="app", image=IMAGE, resources=wanted, entrypoint=["sleep", "infinity"])
    found = client.snapshot.create(params, on_logs=lines.append)
    assert found == client.snapshot.get("app") == client.snapshot.get(found.id)
    assert (found.state, found.resources) == ("active", wanted)
    assert lines[0].startswith("Step 1: ") and lines.index("hello from the build") < len(lines) - 1
    assert found.entrypoint == ("sleep", "infinity") and not engine.containers.infos
    assert engine.dockerfiles[0].endswith('ENTRYPOINT ["sleep", "infinity"]\n')


def test_create_from_the_name_of_an_image(client: Client, engine: FakeEngine) -> None:
    assert client.snapshot.create(CreateSnapshotParams(name="app", image="python:3.13")).state == "active"
    assert engine.fetched == ["python:3.13"] and not engine.dockerfiles


def test_create_says_what_build_says(client: Client, engine: FakeEngine) -> None:
    with pytest.raises(CompileError) as caught:
        client.snapshot.create(CreateSnapshotParams(name="app", image="not a name"))
    assert code(caught) == "IB113"
    engine.fail = BuildFailed("no")
    with pytest.raises(BuildError):
        client.snapshot.create(CreateSnapshotParams(name="app", image=IMAGE))
    assert client.snapshot.get("app").state == "build_failed"


def test_the_list_has_the_newest_first(client: Client) -> None:
    assert client.snapshot.list() == []
    for name in ("b", "c", "a"):
        client.build(IMAGE, name=name)
    assert [snapshot.name for snapshot in client.snapshot.list()] == ["a", "c", "b"]


def test_logs(client: Client) -> None:
    found = client.build(IMAGE, name="app")
    assert "hello from the build\n" in client.snapshot.logs("app") == client.snapshot.logs(found.id)
    client.store.log_path(found.id).unlink()
    assert client.snapshot.logs("app") == ""


def test_logs_of_a_failed_build(client: Client, engine: FakeEngine) -> None:
    engine.fail = BuildFailed("no")
    with pytest.raises(BuildError):
        client.build(IMAGE, name="app")
    assert "hello from the build\n" in client.snapshot.logs("app")


def test_delete(client: Client, engine: FakeEngine) -> None:
    found = client.build(IMAGE, name="app")
    client.build(IMAGE, name="other")
    assert client.snapshot.delete("app").id == found.id
    assert list(engine.images) == ["imagebuilder/other:latest"]
    assert [snapshot.name for snapshot in client.snapshot.list()] == ["other"]


def test_delete_keeps_the_snapshot_when_the_engine_is_silent(tmp_path: Path) -> None:
    client = Client(home=tmp_path, engine=Silent())
    client.build(IMAGE, name="app")
    with pytest.raises(EngineError):
        client.snapshot.delete("app")
    assert client.snapshot.get("app").state == "active"


@pytest.mark.parametrize("ask", ["get", "logs", "delete"])
def test_an_unknown_snapshot(client: Client, ask: str) -> None:
    client.build(IMAGE, name="webapp")
    with pytest.raises(CompileError) as caught:
        getattr(client.snapshot, ask)("webap")
    found = caught.value.diagnostics[0]
    assert (found.code, found.help) == ("IB702", "did you mean 'webapp'?")
    assert len(client.snapshot.list()) == 1


# Running ----------------------------------------------------------------------------------------------


def test_run(client: Client, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(engine, "run", lambda *args: calls.append(args) or Output(3, "out", "err"))
    built = client.build(IMAGE, name="app")
    assert built.last_used_at is None
    assert client.run("app", ["a", "b c"], timeout=7) == Output(3, "out", "err")
    assert calls == [(built.digest, ["a", "b c"], 7)], "by digest: a name may be another home's"
    assert client.snapshot.get("app").last_used_at is not None


def test_run_in_a_snapshot_that_does_not_exist(client: Client) -> None:
    with pytest.raises(CompileError) as caught:
        client.run("app", ["true"])
    assert code(caught) == "IB702"


def test_run_in_a_snapshot_without_an_image(client: Client, engine: FakeEngine) -> None:
    engine.fail = BuildFailed("no space")
    with pytest.raises(BuildError):
        client.build(IMAGE, name="app")
    with pytest.raises(CompileError) as caught:
        client.run("app", ["true"])
    found = caught.value.diagnostics[0]
    assert (found.code, found.help) == ("IB707", "make it again")
    assert found.message == "the snapshot 'app' cannot be used, since making it failed: the builder failed: no space"
    assert client.snapshot.get("app").last_used_at is None


def test_a_failed_build_leaves_nothing_to_run_and_the_last_image(client: Client, engine: FakeEngine) -> None:
    client.build(IMAGE, name="app")
    engine.fail = BuildFailed("no")
    with pytest.raises(BuildError):
        client.build(IMAGE.env(A="1"), name="app")
    with pytest.raises(CompileError, match="IB707"):
        client.run("app", ["hello"])
    assert engine.image("imagebuilder/app:latest") is not None


def test_deleting_leaves_the_image_of_another_home(client: Client, engine: FakeEngine) -> None:
    """Two homes may give one name on one engine."""
    client.build(IMAGE, name="app")
    engine.images["imagebuilder/app:latest"] = "sha256:theirs"
    client.snapshot.delete("app")
    assert engine.images["imagebuilder/app:latest"] == "sha256:theirs"
    assert client.snapshot.list() == []


@pytest.mark.parametrize("command", ["ls -l", ""])
def test_a_command_is_a_list_of_words(client: Client, command: str) -> None:
    client.build(IMAGE, name="app")
    with pytest.raises(CompileError) as caught:
        client.run("app", command)
    assert code(caught) == "IB100"


def test_what_is_no_image(client: Client) -> None:
    with pytest.raises(CompileError) as caught:
        client.build("debian", name="app")  # type: ignore[arg-type]
    assert code(caught) == "IB100" and "Image.base" in caught.value.diagnostics[0].help


@pytest.mark.parametrize("wrong", [{"cpu": -1}, {"cpu": 0}, {"memory": "2"}, {"disk": float("nan")}, {"gpu": True}])
def test_resources_that_nothing_can_have(wrong: dict[str, float]) -> None:
    with pytest.raises(CompileError, match="IB709"):
        Resources(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "A b"},
        {"auto_stop_interval": -1},
        {"network_allow_list": "https://x"},
        {"env_vars": {"A=B": "c"}},
        {"labels": ["a"]},
    ],
)
def test_a_sandbox_that_cannot_be_builds_nothing(client: Client, engine: FakeEngine, wrong: dict[str, object]) -> None:
    params = CreateSandboxFromImageParams(image=Image.debian_slim(), **wrong)  # type: ignore[arg-type]
    with pytest.raises(CompileError) as caught:
        client.create(params)
    assert code(caught) in ("IB751", "IB755") and not engine.requests and not client.snapshot.list()
