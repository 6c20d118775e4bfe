"""What may go, and what stays."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from pathlib import Path

import pytest

from imagebuilder import Image
from imagebuilder.cache.disk import Disk, Item, chosen
from imagebuilder.cache.history import History
from imagebuilder.locks import lock
from imagebuilder.store import Store
from tests.unit.building import Bench

BASE = Image.base("debian:12")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    return Bench(tmp_path)


def disk(bench: Bench) -> Disk:
    return Disk(bench.store, History(bench.store.home))


def put(path: Path, size: int, age: float = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (time.time() - age,) * 2)
    return path


def pick(
    items: list[Item],
    *,
    everything: bool = False,
    older_than: float | None = None,
    most_bytes: int | None = None,
    name: str | None = None,
) -> list[str]:
    found = chosen(items, everything=everything, older_than=older_than, most_bytes=most_bytes, name=name)
    return sorted(item.path.name if item.kind != "records" else item.name for item in found)


def test_what_nothing_needs_goes_first(bench: Bench) -> None:
    home = bench.store.home
    bench.build(BASE)
    bench.build(BASE.label(a="b"), name="gone")
    bench.store.delete("gone")
    put(home / "logs/old.log", 10)
    put(home / "stats/x", 100)
    put(home / "staging/left/file", 5)
    items = disk(bench).items()
    assert pick(items) == ["gone", "left", "old.log"]
    assert pick(items, everything=True) == ["app", "gone", "left", "old.log", "x"]
    assert pick(items, name="app") == ["app"]
    freed = disk(bench).remove(chosen(items, everything=False, older_than=None, most_bytes=None, name=None))
    assert freed > 15 and not (home / "logs/old.log").exists() and not (home / "staging/left").exists()
    assert (home / "stats/x").exists() and History(home).last("app") and not History(home).last("gone")
    assert bench.store.log_path(bench.store.get("app").id).exists()


def test_age_and_size(bench: Bench) -> None:
    home = bench.store.home
    for number in range(4):
        put(home / f"stats/s{number}", 100, age=number * 3600)
    items = disk(bench).items()
    assert pick(items, older_than=1.5 * 3600) == ["s2", "s3"]
    assert pick(items, most_bytes=250) == ["s2", "s3"], "what was used longest ago goes"
    assert pick(items, most_bytes=250, older_than=2.5 * 3600) == []
    assert pick(items, most_bytes=0) == ["s0", "s1", "s2", "s3"]
    assert pick(items, most_bytes=400) == []


def test_of_packages_each_item_goes_by_itself_and_what_uv_keeps_as_a_whole(bench: Bench) -> None:
    folder = bench.store.home / "packages"
    put(folder / "wheels/a/a.whl", 100)
    put(folder / "answers/b.json", 20)
    put(folder / "uv/simple-v1/pypi/c", 3, age=3600)
    put(folder / "uv/.lock", 0)
    items = {item.path.name: item.bytes for item in disk(bench).items()}
    assert items == {"a": 100, "b.json": 20, "uv": 3}
    assert pick(disk(bench).items(), older_than=1800) == [], "a folder's time is that of its last use"
    assert disk(bench).remove(disk(bench).items()) == 123 and not (folder / "uv").exists()


def test_all_records_go_with_their_trees(bench: Bench) -> None:
    bench.build(bench.project())
    history = History(bench.store.home)
    assert history.trees_bytes()
    items = disk(bench).items()
    wanted = chosen(items, everything=True, older_than=None, most_bytes=None, name=None)
    worth = disk(bench).worth(wanted)
    assert disk(bench).remove(wanted) == worth > 0
    assert history.trees_bytes() == 0 and list(history.all()) == []


def test_a_dry_run_says_what_then_goes(bench: Bench) -> None:
    """Also of trees that some records share, of bases, and of what was left by a process that was killed."""
    history = History(bench.store.home)
    image = bench.project()
    shared = bench.build(image)
    bench.build(image.label(a="b"), name="gone")
    (bench.folder / "src/a").write_text("another")
    bench.build(image, name="gone")
    bench.build(image, name="third")
    bench.store.delete("gone")
    history.started_from(shared.key, {"debian": "sha256:ab"})
    history.started_from("sha256:" + "9" * 64, {"debian": "sha256:ab"})
    put(next((history.folder / "builds").iterdir()) / ".new-left", 7)
    for options in ({}, {"name": "app"}, {"everything": True}):
        wanted = chosen(
            disk(bench).items(),
            **{"everything": False, "older_than": None, "most_bytes": None, "name": None, **options},
        )
        worth = disk(bench).worth(wanted)
        before = sum(item.bytes for item in disk(bench).items())
        assert disk(bench).remove(wanted) == worth > 0
        assert before - sum(item.bytes for item in disk(bench).items()) in (worth, worth - 7)
    assert list(history.folder.rglob("*.record")) == [] and history.trees_bytes() == 0


def test_a_store_that_cannot_be_read_keeps_nothing_else_from_going(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk has no room for what SQLite writes when it reads, and this is what makes some."""
    home = bench.store.home
    bench.build(BASE)
    bench.build(BASE.label(a="b"), name="gone")
    bench.store.delete("gone")
    put(home / "stats/x", 100)
    put(home / "parts/.new-left/file", 50)
    put(home / "parts/lock", 0)
    log = put(home / "logs/old.log", 10)

    def full(*_: object, **__: object) -> object:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(sqlite3, "connect", full)
    items = disk(bench).items()
    assert pick(items) == [".new-left"], "what is of use to somebody is not known"
    assert pick(items, everything=True) == [".new-left", "app", "gone", "x"]
    assert disk(bench).remove([item for item in items if item.kind != "records"]) == 150 and log.exists()


def test_what_a_build_uses_stays(bench: Bench) -> None:
    home = bench.store.home
    put(home / "staging/busy/file", 5)
    put(home / "parts/abc/files/x", 50)
    put(home / "parts/lock", 0)
    everything = chosen(disk(bench).items(), everything=True, older_than=None, most_bytes=None, name=None)
    with lock(bench.store.locks / "busy"), (home / "parts/lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        assert "busy" not in [item.path.name for item in disk(bench).items()]
        assert disk(bench).remove(everything) == 0
    assert (home / "staging/busy/file").exists() and (home / "parts/abc/files/x").exists()
    assert disk(bench).remove(everything) == 55


def test_an_empty_home(tmp_path: Path) -> None:
    made = Disk(Store(tmp_path), History(tmp_path))
    assert made.items() == [] and made.remove([]) == 0
