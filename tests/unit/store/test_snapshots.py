"""Snapshots: their states, their names, and a store that others cannot read and this version can."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier
from time import sleep

import pytest

from imagebuilder.diagnostics import CompileError
from imagebuilder.locks import lock
from imagebuilder.store import Resources, Snapshot, Step, Store, check_name
from imagebuilder.store.database import Database

KEY = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32
STEPS = (Step("run_commands", "RUN true", 1.5, False), Step("copy", "COPY 'é' /", 0.0, True))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def begin(store: Store, name: str = "app", key: str = KEY) -> Snapshot:
    return store.begin(name, key, "linux/amd64", f"imagebuilder/{name}:latest", Resources(cpu=2, memory=4, disk=8))


def build(store: Store, name: str = "app", key: str = KEY, digest: str = "sha256:1") -> Snapshot:
    with lock(store.name_lock_path(name)):
        snapshot = begin(store, name, key)
        store.building(snapshot)
        return store.active(snapshot, digest=digest, size=10, seconds=2.25, steps=STEPS)


def test_states(store: Store) -> None:
    with lock(store.name_lock_path("app")):
        snapshot = begin(store)
        assert store.get("app").state == snapshot.state == "pending"
        store.building(snapshot)
        assert store.get("app").state == "building"
        done = store.active(snapshot, digest="sha256:1", size=10, seconds=2.25, steps=STEPS)
    assert done == store.get("app") == store.get(done.id)
    assert (done.state, done.digest, done.size, done.seconds, done.steps) == ("active", "sha256:1", 10, 2.25, STEPS)
    assert done.resources == Resources(cpu=2, memory=4, disk=8, gpu=0)
    assert (done.reason, done.reused, done.last_used_at) == ("", False, None)


def test_a_failed_build_says_why(store: Store) -> None:
    with lock(store.name_lock_path("app")):
        snapshot = begin(store)
        store.building(snapshot)
        store.failed(snapshot, "run_commands failed with exit code 3")
    found = store.get("app")
    assert (found.state, found.reason) == ("build_failed", "run_commands failed with exit code 3")


@pytest.mark.parametrize("last", ["pending", "building"])
def test_a_build_whose_process_is_gone_was_cut_off(store: Store, last: str) -> None:
    with lock(store.name_lock_path("app")):
        snapshot = begin(store)
        if last == "building":
            store.building(snapshot)
    for found in (store.get("app"), *store.list()):
        assert found.state == "build_failed"
        assert found.reason == "the build was cut off; build again"


def test_a_failed_build_keeps_what_the_name_stood_for(store: Store) -> None:
    build(store)
    with lock(store.name_lock_path("app")):
        store.failed(begin(store, key=OTHER), "no")
    found = store.get("app")
    assert (found.state, found.key, found.digest, found.size) == ("build_failed", OTHER, "sha256:1", 10)
    assert store.built(KEY, "linux/amd64") == []


def test_a_later_build_of_the_name_is_not_changed_by_an_earlier_one(store: Store) -> None:
    earlier = begin(store)
    with lock(store.name_lock_path("app")):
        later = begin(store, key=OTHER)
        store.failed(earlier, "late")
        finished = store.active(earlier, digest="sha256:9", size=1, seconds=1, steps=())
        assert finished.state == "active" and finished.id == earlier.id
        assert store.get("app") == later


def test_times(store: Store) -> None:
    before = datetime.now(UTC)
    build(store)
    store.used("app")
    found = store.get("app")
    assert found.created_at is not None and found.updated_at is not None and found.last_used_at is not None
    assert before <= found.created_at <= found.updated_at <= found.last_used_at <= datetime.now(UTC)


def test_the_list_has_the_newest_first(store: Store) -> None:
    assert store.list() == []
    for name in ("b", "c", "a"):
        build(store, name)
    assert [s.name for s in store.list()] == ["a", "c", "b"]
    build(store, "b")
    assert [s.name for s in store.list()] == ["b", "a", "c"]


def test_what_is_built_is_found_by_key_and_platform_the_newest_first(store: Store) -> None:
    build(store, "a")
    build(store, "b")
    build(store, "c", OTHER)
    assert [s.name for s in store.built(KEY, "linux/amd64")] == ["b", "a"]
    assert store.built(KEY, "linux/arm64") == []


def test_deleting(store: Store) -> None:
    snapshot = build(store)
    log = store.log_path(snapshot.id)
    log.write_text("log")
    assert store.delete("app").id == snapshot.id
    assert store.list() == [] and not log.exists()
    with pytest.raises(CompileError):
        store.delete("app")


def test_the_log_of_a_replaced_build_goes_with_it(store: Store) -> None:
    log = store.log_path(build(store).id)
    log.write_text("log")
    assert store.log_path(build(store).id) != log and not log.exists()


@pytest.mark.parametrize(
    ("names", "asked", "hint"),
    [
        ([], "app", "`imagebuilder snapshot create` makes one"),
        (["web"], "app", "`imagebuilder snapshot list` shows what there is"),
        (["webapp", "other"], "webap", "did you mean 'webapp'?"),
    ],
)
def test_an_unknown_name(store: Store, names: list[str], asked: str, hint: str) -> None:
    for name in names:
        build(store, name)
    with pytest.raises(CompileError) as caught:
        store.get(asked)
    found = caught.value.diagnostics[0]
    assert (found.code, found.help) == ("IB702", hint) and repr(asked) in found.message


# Names ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["a", "app", "my-app", "my_app", "my__app", "a.b", "a--b", "team/app", "team/app:1.0", "app:v1_2-rc.3", "0", "a" * 200]
    + ["app:" + "t" * 128],
)  # fmt: skip
def test_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", " ", "App", "app ", "-app", "app-", ".app", "a..b", "a___b", "a/", "/a", "a//b", "app:", ":tag", "app:-x"]
    + ["app:a:b", "app@sha256:1", "a b", "a\nb", "app\n", "é", "a" * 201, "app:" + "t" * 129, "../a", "a;b", "$(a)"],
)  # fmt: skip
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(CompileError) as caught:
        check_name(name)
    found = caught.value.diagnostics[0]
    assert found.code == "IB701" and repr(name) in found.message and "lower-case" in found.help


def test_latest_is_no_tag_of_its_own(store: Store) -> None:
    """``app`` and ``app:latest`` are one image, and so one snapshot."""
    assert check_name("app:latest") == "app"
    build(store)
    assert store.get("app:latest").name == "app"
    assert store.delete("app:latest").name == "app"


# The file -------------------------------------------------------------------------------------------


@pytest.fixture
def umask() -> Iterator[None]:
    import os

    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_it_is_its_owners_alone(tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    build(store)
    with sqlite3.connect(tmp_path / "home/store.db") as db:
        db.execute("SELECT * FROM snapshots").fetchall()
        modes = {
            path.relative_to(tmp_path).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")
        }
    assert {modes.pop(name) for name in ("home", "home/locks", "home/logs")} == {0o700}
    assert "home/store.db-wal" in modes
    assert set(modes.values()) == {0o600}, modes


def test_a_second_store_sees_what_the_first_wrote(store: Store) -> None:
    snapshot = build(store)
    assert Store(store.home).get("app") == snapshot


def test_write_ahead_logging(store: Store) -> None:
    build(store)
    with sqlite3.connect(store.home / "store.db") as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_reader_does_not_wait_for_readers(store: Store) -> None:
    build(store)
    with sqlite3.connect(store.home / "store.db") as db:
        db.execute("BEGIN")
        db.execute("SELECT * FROM snapshots").fetchall()
        assert build(store).state == "active"


def test_a_reader_does_not_wait_for_a_writer(store: Store) -> None:
    made = build(store)
    with sqlite3.connect(store.home / "store.db", isolation_level=None) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE snapshots SET state = 'pending'")
        assert store.get(made.name) == made
        assert store.list() == [made]
        db.execute("ROLLBACK")


def test_a_newer_store_is_refused_and_left_alone(store: Store) -> None:
    build(store)
    with sqlite3.connect(store.home / "store.db") as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(CompileError) as caught:
        Store(store.home).list()
    found = caught.value.diagnostics[0]
    assert found.code == "IB704" and "newer" in found.message and "upgrade" in found.help
    with sqlite3.connect(store.home / "store.db") as db:
        assert db.execute("PRAGMA user_version").fetchone() == (99,)
        assert db.execute("SELECT name FROM snapshots").fetchall() == [("app",)]


@pytest.mark.parametrize(
    "content", [b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 4080], ids=["text", "torn"]
)
def test_a_corrupt_file_is_a_diagnostic(tmp_path: Path, content: bytes) -> None:
    store = Store(tmp_path / "home")
    (tmp_path / "home/store.db").write_bytes(content)
    with pytest.raises(CompileError) as caught:
        store.list()
    found = caught.value.diagnostics[0]
    assert found.code == "IB703" and "store.db" in found.message and "move the file away" in found.help
    (tmp_path / "home/store.db").unlink()
    assert store.list() == []


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    (tmp_path / "home/store.db").mkdir()
    with pytest.raises(CompileError, match="IB703"):
        store.list()


def test_a_home_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CompileError) as caught:
        Store(tmp_path / "file/home")
    found = caught.value.diagnostics[0]
    assert found.code == "IB708" and "file/home" in found.message and "IMAGEBUILDER_HOME" in found.help


def test_json_has_every_field(store: Store) -> None:
    found = build(store).as_json()
    assert list(found) == [
        "name", "id", "state", "reason", "key", "platform", "image", "digest", "size", "resources",
        "created_at", "updated_at", "last_used_at", "expires_at", "locked", "previous", "entrypoint", "reused", "pushed", "seconds", "steps",
    ]  # fmt: skip
    assert found["steps"][1] == {"op": "copy", "name": "COPY 'é' /", "seconds": 0.0, "cached": True}
    assert found["resources"] == {"cpu": 2, "memory": 4, "disk": 8, "gpu": 0}
    assert found["created_at"].endswith("+00:00") and found["last_used_at"] is None


def test_a_new_store_is_made_by_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite waits for nobody while it changes to write-ahead logging: two at once, and one finds it locked."""
    together, inside, most = Barrier(4), [], []
    prepare = Database._prepare

    def watched(self: Database, db: sqlite3.Connection) -> None:
        inside.append(self)
        most.append(len(inside))
        sleep(0.02)
        prepare(self, db)
        inside.remove(self)

    monkeypatch.setattr(Database, "_prepare", watched)

    def first(home: Path) -> Snapshot:
        store = Store(home)
        together.wait()
        return store.begin("app", "sha256:1", "linux/amd64", "app:latest", Resources())

    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(first, [tmp_path] * 4))
    assert len({each.id for each in made}) == 4
    assert most == [1] * 4
