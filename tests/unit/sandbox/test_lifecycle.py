"""Making, finding and ending sandboxes, over containers in memory."""

from __future__ import annotations

import gc
import json
import os
import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from imagebuilder.diagnostics import CompileError, Diagnostic, EngineError, ImagebuilderError, SandboxError
from imagebuilder.engine.containers import KEPT_CAPABILITIES, TRIAL, ContainerSpec
from imagebuilder.engine.docker_containers import _body
from imagebuilder.engine.fake_containers import FakeContainers
from imagebuilder.ir.resources import Resources
from imagebuilder.locks import lock
from imagebuilder.sandbox import CreateSandboxFromSnapshotParams, Sandbox, Sandboxes, watch
from imagebuilder.sandbox.box import file_of


@pytest.fixture
def containers() -> FakeContainers:
    return FakeContainers()


@pytest.fixture
def sandboxes(tmp_path: Path, containers: FakeContainers) -> Sandboxes:
    return Sandboxes(tmp_path, lambda: containers, lambda: "sha256:tool")


def create(sandboxes: Sandboxes, **params: object) -> Sandbox:
    return sandboxes.create(
        CreateSandboxFromSnapshotParams(**params),  # type: ignore[arg-type]
        image="sha256:1",
        snapshot="app",
        resources=Resources(cpu=2, memory=0.5),
        entrypoint=("sleep", "infinity"),
    )


def code(caught: pytest.ExceptionInfo[ImagebuilderError]) -> str:
    (found,) = caught.value.diagnostics
    assert found.help
    return found.code


def unused_for(sandboxes: Sandboxes, containers: FakeContainers, sandbox: Sandbox, minutes: float) -> None:
    past = time.time() - minutes * 60
    os.utime(file_of(sandboxes._home, sandbox.id), (past, past))
    found = containers.infos[sandbox.id]
    at = datetime.fromtimestamp(past, UTC)
    containers.infos[sandbox.id] = replace(found, created=at, started=at, ended=at)


def test_what_a_container_is_made_with(sandboxes: Sandboxes, containers: FakeContainers) -> None:
    sandbox = create(sandboxes, name="one", env_vars={"A": "b"}, network_block_all=True)
    spec = containers.specs[sandbox.id]
    assert (spec.image, spec.entrypoint, spec.env, spec.network) == (
        "sha256:1",
        ("sleep", "infinity"),
        {"A": "b"},
        False,
    )
    assert (spec.cpu, spec.memory, spec.privileged, spec.hostname) == (2, 0.5, False, "one")
    assert (sandbox.name, sandbox.state, sandbox.snapshot) == ("one", "started", "app")


def test_one_that_is_deleted_says_so(sandboxes: Sandboxes, containers: FakeContainers) -> None:
    """By whichever way it went, as far as this program saw it."""
    deleted, stopped, elsewhere = (create(sandboxes, name=n, ephemeral=n == "b") for n in "abc")
    deleted.delete()
    stopped.stop()
    containers.remove(elsewhere.id)
    with pytest.raises(SandboxError):
        elsewhere.refresh()
    for each in (deleted, stopped, elsewhere):
        assert each.state == each.as_json()["state"] == "deleted" and each.exit_code is None
        with pytest.raises(SandboxError):
            each.start()


def test_the_bounds_of_a_container() -> None:
    """None of the machine's files, its sockets or its devices, and few of its rights."""
    host = _body(ContainerSpec("n", "i", cpu=0.5, memory=0.25, disk=1))["HostConfig"]
    assert host["CapDrop"] == ["ALL"] and host["CapAdd"] == list(KEPT_CAPABILITIES)
    assert not set(KEPT_CAPABILITIES) & {"NET_RAW", "SYS_ADMIN", "SYS_PTRACE", "MKNOD", "NET_ADMIN", "SYS_MODULE"}
    assert host["SecurityOpt"] == ["no-new-privileges"] and host["PidsLimit"] == 1024
    assert not {"Binds", "Mounts", "Devices", "Privileged"} & set(host)
    assert (host["NanoCpus"], host["Memory"], host["MemorySwap"]) == (500_000_000, 2**28, 2**28)
    assert host["Ulimits"] == [{"Name": "fsize", "Soft": 2**30, "Hard": 2**30}]
    assert _body(ContainerSpec("n", "i", privileged=True))["HostConfig"]["Privileged"] is True


@pytest.mark.parametrize("name", ["", "A", "-a", "a b", "a/b", "a" * 64, 3])
def test_a_name_that_is_none(sandboxes: Sandboxes, name: object) -> None:
    with pytest.raises(CompileError) as caught:
        create(sandboxes, name=name)
    assert code(caught) == "IB751"


def test_a_name_that_is_taken(sandboxes: Sandboxes, containers: FakeContainers) -> None:
    create(sandboxes, name="one")
    with pytest.raises(CompileError) as caught:
        create(sandboxes, name="one")
    assert code(caught) == "IB751" and len(containers.infos) == 1


def test_names_are_chosen(sandboxes: Sandboxes) -> None:
    assert len({create(sandboxes).name for _ in range(20)}) == 20


@pytest.mark.parametrize("minutes", [-1, 1.5, True, "9", 10**9])
def test_an_interval_that_is_none(sandboxes: Sandboxes, containers: FakeContainers, minutes: object) -> None:
    with pytest.raises(CompileError) as caught:
        create(sandboxes, auto_stop_interval=minutes)
    assert code(caught) == "IB755" and not containers.infos


def test_one_that_does_not_start_leaves_nothing(
    sandboxes: Sandboxes, containers: FakeContainers, tmp_path: Path
) -> None:
    containers.refuses.add(("sleep", "infinity"))
    with pytest.raises(SandboxError) as caught:
        create(sandboxes, name="one")
    assert code(caught) == "IB759" and not containers.infos and not list((tmp_path / "sandboxes").iterdir())


def test_it_is_found_by_its_name_by_another_program(
    sandboxes: Sandboxes, containers: FakeContainers, tmp_path: Path
) -> None:
    made = create(sandboxes, name="one", labels={"team": "a"})
    create(sandboxes, name="two", labels={"team": "b"})
    again = Sandboxes(tmp_path, lambda: containers, lambda: "sha256:tool")
    assert again.get("one").id == made.id == again.get(made.id[:12]).id
    assert [each.name for each in again.list({"team": "b"})] == ["two"]
    with pytest.raises(CompileError) as caught:
        again.get("onne")
    assert code(caught) == "IB750" and "did you mean 'one'" in caught.value.diagnostics[0].help
    other = Sandboxes(tmp_path / "other", lambda: containers, lambda: "sha256:tool")
    assert other.list() == [], "another home has its own"


def test_as_a_context_manager_it_ends_with_the_block(sandboxes: Sandboxes, containers: FakeContainers) -> None:
    with pytest.raises(ValueError, match="mine"), create(sandboxes):
        raise ValueError("mine")
    assert not containers.infos


def test_what_a_killed_program_left_goes(sandboxes: Sandboxes, containers: FakeContainers) -> None:
    """A container that was never started, or only tried out, and whose maker holds no lock."""
    labels = {"imagebuilder.home": sandboxes.home_id, "imagebuilder.sandbox": "half"}
    containers.create(ContainerSpec("half", "i", labels=labels))
    containers.create(ContainerSpec("trial", "i", labels={"imagebuilder.home": sandboxes.home_id, TRIAL: "t"}))
    with lock(sandboxes._lock("half")), lock(sandboxes._lock("t")):
        whole = create(sandboxes)
        assert len(containers.infos) == 3, "their makers are at work"
    assert [each.id for each in sandboxes.list()] == [whole.id] == list(containers.infos)


def test_what_cannot_be_removed_is_in_nobodys_way(
    sandboxes: Sandboxes, containers: FakeContainers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes with a later look; who asks for one to be deleted is told."""
    containers.create(ContainerSpec("t", "i", labels={"imagebuilder.home": sandboxes.home_id, TRIAL: "t"}))
    stuck = create(sandboxes, name="stuck", auto_delete_interval=5)
    assert not [each for each in containers.infos.values() if TRIAL in each.labels]
    containers.create(ContainerSpec("t", "i", labels={"imagebuilder.home": sandboxes.home_id, TRIAL: "t"}))

    def refuse(id: str) -> None:
        raise EngineError(Diagnostic("IB503", "another program removes it", help="x"))

    monkeypatch.setattr(containers, "remove", refuse)
    assert [each.name for each in sandboxes.list()] == ["stuck"] and len(containers.infos) == 2
    with sandboxes.unstarted("sha256:1"):
        pass
    with pytest.raises(EngineError, match="another program"):
        stuck.delete()
    assert stuck.state == "started" and sandboxes.kept(stuck.id).auto_delete == 5
    monkeypatch.undo()
    sandboxes.sweep()
    assert list(containers.infos) == [stuck.id]


def test_the_files_of_what_is_gone_go(sandboxes: Sandboxes, containers: FakeContainers) -> None:
    """Of another engine's sandboxes nothing is known here, and a file may be being written."""
    here, gone = create(sandboxes, name="here"), create(sandboxes, name="gone")
    folder = file_of(sandboxes._home, here.id).parent
    containers.engine = "tcp://elsewhere"
    elsewhere = create(sandboxes, name="elsewhere")
    containers.engine = "unix:///fake.sock"
    for id in (gone.id, elsewhere.id):
        del containers.infos[id]
    (folder / ".old").touch()
    os.utime(folder / ".old", (0, 0))
    (folder / ".new").touch()
    sandboxes.sweep()
    assert {path.name for path in folder.iterdir()} == {here.id, elsewhere.id, ".new"}


def test_what_only_shows_its_files_goes(sandboxes: Sandboxes, containers: FakeContainers) -> None:
    """With the block, whatever happens in it; and it is not swept away meanwhile."""
    with suppress(KeyboardInterrupt), sandboxes.unstarted("sha256:1") as id:
        assert sandboxes.list() == [] and containers.infos[id].state == "created"
        assert TRIAL in containers.infos[id].labels and not containers.specs[id].network
        raise KeyboardInterrupt
    assert not containers.infos


def test_it_is_stopped_when_nobody_uses_it(sandboxes: Sandboxes, containers: FakeContainers) -> None:
    sandbox = create(sandboxes, auto_stop_interval=10)
    unused_for(sandboxes, containers, sandbox, 9)
    assert sandboxes.get(sandbox.name).state == "started"
    unused_for(sandboxes, containers, sandbox, 11)
    assert sandboxes.get(sandbox.name).state == "stopped"
    sandbox.start()
    assert sandboxes.get(sandbox.name).state == "started", "starting it is a use"


def test_a_command_that_takes_long_is_a_use(sandboxes: Sandboxes, containers: FakeContainers) -> None:
    sandbox = create(sandboxes, auto_stop_interval=10)
    unused_for(sandboxes, containers, sandbox, 11)
    containers.busy.add(sandbox.id)
    assert sandboxes.get(sandbox.name).state == "started"
    containers.busy.clear()
    assert sandboxes.get(sandbox.name).state == "stopped"


def test_it_is_stopped_while_its_program_does_nothing(
    sandboxes: Sandboxes, containers: FakeContainers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_EVERY", 0.01)
    sandbox = create(sandboxes, auto_stop_interval=10)
    unused_for(sandboxes, containers, sandbox, 11)
    for _ in range(1000):
        if containers.infos[sandbox.id].state == "exited":
            break
        time.sleep(0.01)
    else:
        pytest.fail("it runs")


def test_the_watch_ends_with_its_client(tmp_path: Path, containers: FakeContainers) -> None:
    before = set(threading.enumerate())
    sandboxes = Sandboxes(tmp_path, lambda: containers, lambda: "sha256:tool")
    for _ in range(2):
        create(sandboxes, auto_stop_interval=10)
    (thread,) = set(threading.enumerate()) - before
    del sandboxes
    gc.collect()
    thread.join(20)
    assert not thread.is_alive()


def test_never_is_never(sandboxes: Sandboxes, containers: FakeContainers) -> None:
    sandbox = create(sandboxes, auto_stop_interval=0)
    unused_for(sandboxes, containers, sandbox, 10**5)
    assert sandboxes.get(sandbox.name).state == "started"


def test_it_is_deleted_when_it_was_stopped_for_long(sandboxes: Sandboxes, containers: FakeContainers) -> None:
    sandbox = create(sandboxes, auto_delete_interval=60)
    sandbox.stop()
    assert sandboxes.get(sandbox.name).state == "stopped"
    unused_for(sandboxes, containers, sandbox, 61)
    assert sandboxes.list() == [] and not containers.infos


def test_an_ephemeral_one_does_not_outlive_its_stop(sandboxes: Sandboxes, containers: FakeContainers) -> None:
    create(sandboxes, ephemeral=True).stop()
    assert not containers.infos
    sandbox = create(sandboxes, ephemeral=True, auto_stop_interval=1)
    unused_for(sandboxes, containers, sandbox, 2)
    assert sandboxes.list() == [] and not containers.infos


def test_labels_and_intervals_can_change(sandboxes: Sandboxes, tmp_path: Path) -> None:
    sandbox = create(sandboxes, labels={"a": "1"})
    assert sandbox.set_labels({"b": "2"}) == sandbox.labels == {"b": "2"}
    sandbox.set_autostop_interval(7)
    sandbox.set_auto_delete_interval(8)
    found = sandboxes.get(sandbox.name).as_json()
    assert (found["auto_stop_interval"], found["auto_delete_interval"], found["labels"]) == (7, 8, {"b": "2"})
    assert json.dumps(found)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"labels": 3}', "null"])
def test_a_damaged_file_costs_labels_and_nothing_else(sandboxes: Sandboxes, damage: str) -> None:
    sandbox = create(sandboxes, labels={"a": "1"})
    file_of(sandboxes._home, sandbox.id).write_text(damage)
    assert sandboxes.get(sandbox.name).labels == {} and sandboxes.get(sandbox.name).state == "started"


def test_one_that_was_removed_behind_our_back(sandboxes: Sandboxes, containers: FakeContainers) -> None:
    sandbox = create(sandboxes)
    containers.infos.clear()
    with pytest.raises(SandboxError) as caught:
        sandbox.refresh()
    assert code(caught) == "IB750"
    sandbox.delete()


def test_one_that_went_over_its_memory_says_so(sandboxes: Sandboxes, containers: FakeContainers) -> None:
    sandbox = create(sandboxes)
    containers.infos[sandbox.id] = replace(containers.infos[sandbox.id], state="exited", killed=True, exit_code=137)
    assert (sandbox.refresh().state, sandbox.error_reason) == ("error", "it went over its memory")
    with pytest.raises(SandboxError) as caught:
        sandbox.process.exec("true")
    assert code(caught) == "IB752" and "memory" in str(caught.value)


def test_use_counts(sandboxes: Sandboxes, containers: FakeContainers) -> None:
    sandbox = create(sandboxes)
    unused_for(sandboxes, containers, sandbox, 14)
    before = sandbox.last_used_at
    sandbox.process.exec("true")
    assert sandbox.last_used_at - before > timedelta(minutes=13)


def test_labels_are_texts_by_names(sandboxes: Sandboxes, containers: FakeContainers) -> None:
    given: Any
    for given in (["a"], "a=b", 3):
        for what in ("labels", "env_vars"):
            with pytest.raises(CompileError, match=f"not {what}"):
                create(sandboxes, **{what: given})
        with pytest.raises(CompileError, match="not labels"):
            sandboxes.list(given)
    assert not containers.infos
    made = create(sandboxes, labels={"number": 1}, env_vars={"N": 1})
    assert made.labels == {"number": "1"} and containers.specs[made.id].env == {"N": "1"}
    assert made.set_labels({"number": 2}) == made.labels == {"number": "2"}  # type: ignore[dict-item]
    assert [each.name for each in sandboxes.list({"number": 2})] == [made.name]  # type: ignore[dict-item]
