"""Who waits for a build is shown what it prints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebuilder.locks import lock
from imagebuilder.store import Follower, Resources, Snapshot, Store, follow

KEY = "sha256:" + "ab" * 32


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """With the lock of the one that builds."""
    monkeypatch.setattr(follow, "_LOOK", 0)
    monkeypatch.setattr(follow, "_READ", 0)
    store = Store(tmp_path / "home")
    with lock(store.name_lock_path("app")):
        yield store


def begin(store: Store, name: str = "app") -> Snapshot:
    snapshot = store.begin(name, KEY, "linux/amd64", "imagebuilder/app:latest", Resources())
    store.building(snapshot)
    return snapshot


def prints(store: Store, snapshot: Snapshot, text: str) -> None:
    with store.log_path(snapshot.id).open("a") as log:
        log.write(text)


@pytest.mark.parametrize("by", ["name", "key"])
def test_each_whole_line_once(store: Store, by: str) -> None:
    follower = Follower.of_name(store, "app") if by == "name" else Follower.of_key(store, KEY)
    assert list(follower.lines()) == [], "nothing is built yet"
    snapshot = begin(store)
    assert list(follower.lines()) == [], "and nothing printed"
    prints(store, snapshot, "one\ntwo\nthr")
    assert list(follower.lines()) == ["one", "two"]
    prints(store, snapshot, "ee\n\n")
    assert list(follower.lines()) == ["three", ""]
    assert list(follower.lines()) == []


def test_one_that_takes_over_is_followed(store: Store) -> None:
    follower = Follower.of_key(store, KEY)
    first = begin(store)
    prints(store, first, "first\n")
    assert list(follower.lines()) == ["first"]
    store.failed(first, "killed")
    with lock(store.name_lock_path("other")):
        second = begin(store, "other")
        prints(store, second, "second\n")
        assert list(follower.lines()) == ["second"]
    store.delete("other")
    assert list(follower.lines()) == [], "a log that is gone"


def test_another_key_or_name_is_not(store: Store) -> None:
    prints(store, begin(store), "line\n")
    assert list(Follower.of_key(store, KEY.replace("a", "c")).lines()) == []
    assert list(Follower.of_name(store, "app:2").lines()) == []
