"""How a snapshot is made: what is demanded, what is tried, and what the row says afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from imagebuilder import (
    BuildError,
    Client,
    CompileError,
    CreateSandboxFromSnapshotParams,
    CreateSnapshotParams,
    Image,
    ImagebuilderError,
    Resources,
    SandboxError,
)
from imagebuilder.diagnostics import Diagnostic, EngineError
from imagebuilder.engine.fake import FakeEngine
from imagebuilder.engine.protocol import Event, StepEvent
from imagebuilder.sandbox.stays_up import SLEEP, Started

PYTHON = "python:3.13"


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


def test_what_takes_long_is_a_step(client: Client, engine: FakeEngine) -> None:
    events: list[Event] = []
    lines: list[str] = []
    client.snapshot.create(CreateSnapshotParams("a", PYTHON), on_event=events.append, on_logs=lines.append)
    steps = [(each.name, each.state, each.is_chore) for each in events if isinstance(each, StepEvent)]
    pull, trial = f"pulling {PYTHON}", "waiting for a container of it to stay up"
    assert steps == [(name, state, False) for name in (pull, trial) for state in ("started", "done")]
    assert lines == [pull, trial]

    engine.containers.ends[("x",)] = 1
    with pytest.raises(SandboxError):
        client.snapshot.create(CreateSnapshotParams("b", PYTHON, entrypoint=["x"]), on_event=events.append)
    assert isinstance(events[-1], StepEvent) and (events[-1].name, events[-1].state) == (trial, "failed")


def test_what_is_made_again_is_not_tried_again(client: Client, engine: FakeEngine) -> None:
    def tried(image: Image, resources: Resources | None = None) -> bool:
        told: list[str] = []
        made = client.snapshot.create(CreateSnapshotParams("app", image, resources), replace=True, on_logs=told.append)
        assert made.state == "active" and made.tried and client.snapshot.get("app").tried
        return any("stay up" in line for line in told)

    image = Image.base(PYTHON).env({"A": "1"})
    assert tried(image) and not tried(image)
    assert tried(image, Resources(memory=0.5)) and not tried(image, Resources(memory=0.5))
    assert tried(image.entrypoint(["server"])) and not tried(image.entrypoint(["server"]))


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


def test_how_long_is_looked(client: Client, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long enough for a program that gives up after a while; what is known to wait for ever is only started."""
    looked: list[float] = []
    wait = engine.containers.wait

    def waits(id: str, timeout: float) -> int | None:
        looked.append(timeout)
        return wait(id, timeout)

    monkeypatch.setattr(engine.containers, "wait", waits)
    for own, wanted in (
        (Started(("server",)), None),
        (Started(), ("sh", "-c", "sleep 2")),
        (Started(), None),
        (Started(), ("tail", "-f", "/dev/null")),
        (Started(), ("sleep", "2")),
    ):
        client.sandboxes.keep_up("x", own, wanted, Resources())
    long, short = looked[0], looked[2]
    assert looked == [long, long, short, short, long] and long > 2 > short


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
    assert code(caught) == "IB760" and not engine.fetched and not client.snapshot.list()
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


def test_the_old_one_serves_until_the_new_one_is_active(
    client: Client, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.snapshot.create(CreateSnapshotParams("app", PYTHON))
    served: list[str] = []
    fetch = engine.fetch

    def fetching(ref: str, login: str | None = None) -> None:
        fetch(ref, login)
        served.append(client.snapshot.usable("app").digest)

    monkeypatch.setattr(engine, "fetch", fetching)
    second = client.snapshot.create(CreateSnapshotParams("app", "python:3.12"), replace=True)
    assert served == [first.digest] and client.snapshot.usable("app").digest == second.digest != first.digest


@pytest.mark.parametrize("image", ["python:3.12", Image.base("b:1")])
def test_the_old_one_goes_on_where_the_new_one_fails(client: Client, engine: FakeEngine, image: str | Image) -> None:
    first = client.snapshot.create(CreateSnapshotParams("app", PYTHON))
    engine.containers.refuses.add(SLEEP)
    engine.containers.ends[None] = 1
    with pytest.raises(SandboxError):
        client.snapshot.create(CreateSnapshotParams("app", image), replace=True)
    found = client.snapshot.get("app")
    assert (found.state, found.digest, found.id) == ("active", first.digest, first.id)
    assert "sleep infinity" in found.reason and engine.images[found.image] == first.digest
    assert not [ref for ref in engine.images if ref.startswith("imagebuilder-before/")]


def test_last_lines_are_no_longer_than_a_screen(client: Client, engine: FakeEngine) -> None:
    engine.containers.ends[("loud",)] = 3
    engine.containers.last_lines = "x" * 10**6 + "\n" + "last\n"
    with pytest.raises(SandboxError) as caught:
        client.snapshot.create(CreateSnapshotParams("app", PYTHON, entrypoint=["loud"]))
    assert "x" * 240 + "…\nlast" in str(caught.value)
    assert len(client.snapshot.get("app").reason) < 1000


def test_what_is_made_of_nothing(client: Client) -> None:
    """The usual mistakes are told in one line, with what to write."""
    given: Any
    for given in ("app", None, {"name": "app"}):
        with pytest.raises(CompileError) as caught:
            client.snapshot.create(given)
        assert code(caught) == "IB100" and "CreateSnapshotParams(" in str(caught.value)
    for given in ("app", 3, {"snapshot": "app"}):
        with pytest.raises(CompileError) as caught:
            client.create(given)
        assert code(caught) == "IB755" and "CreateSandboxFromSnapshotParams(" in str(caught.value)


@pytest.mark.parametrize("entrypoint", ["sleep 100", "it's", [], ["sleep", 1], b"sleep"])
def test_an_entrypoint_is_words(client: Client, entrypoint: Any) -> None:
    """Of one text each letter would be a word."""
    with pytest.raises(CompileError) as caught:
        client.snapshot.create(CreateSnapshotParams("app", PYTHON, entrypoint=entrypoint))
    assert code(caught) == "IB755" and "['sleep', " in str(caught.value)
    assert not client.snapshot.list()


def test_an_entrypoint_that_is_not_there(client: Client, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.containers.ends[("no such", "-x")] = 127
    said = "[FATAL tini (7)] exec no such failed: No such file or directory"
    monkeypatch.setattr(engine.containers, "logs", lambda *_: said)
    with pytest.raises(SandboxError) as caught:
        client.snapshot.create(CreateSnapshotParams("app", PYTHON, entrypoint=["no such", "-x"]))
    assert "the image has no 'no such'" in str(caught.value) and "tini" not in str(caught.value)


def test_more_cpus_than_there_are(client: Client, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is there; exit code 3 would say that it is not."""

    def refuse(spec: object) -> None:
        said = "the engine refused POST /containers/create: range of CPUs is from 0.01 to 2.00, as there are only 2"
        raise EngineError(Diagnostic("IB503", said))

    monkeypatch.setattr(engine.containers, "create", refuse)
    with pytest.raises(SandboxError) as caught:
        client.snapshot.create(CreateSnapshotParams("app", PYTHON, Resources(cpu=64)))
    assert code(caught) == "IB759" and "64 CPUs were asked for, and the engine's machine has 2" in str(caught.value)
