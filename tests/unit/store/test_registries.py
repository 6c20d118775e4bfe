"""Registries in the store: beside what is there, and not in the way of a version that knows none."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from imagebuilder.diagnostics import CompileError
from imagebuilder.store import RegistryTable, Resources, Store


def test_a_store_of_before(tmp_path: Path) -> None:
    """Has no table, is read as having no registries, keeps its rows, and stays usable by an older version."""
    store = Store(tmp_path / "home")
    store.begin("app", "sha256:00", "linux/amd64", "imagebuilder/app", Resources())
    table = RegistryTable(store)
    with sqlite3.connect(tmp_path / "home/store.db") as db:
        before = db.execute("PRAGMA user_version").fetchone()
    assert table.list() == []
    row = table.begin("r", "ghcr.io", "me", "team", "file")
    assert table.list() == [] and table.cut_off() == [row]
    table.ready(row.id, "r")
    assert table.list() == [row] == RegistryTable(Store(tmp_path / "home")).list() and table.cut_off() == []
    assert [found.name for found in store.list()] == ["app"]
    with sqlite3.connect(tmp_path / "home/store.db") as db:
        assert db.execute("PRAGMA user_version").fetchone() == before


def test_one_takes_anothers_place_at_once(tmp_path: Path) -> None:
    table = RegistryTable(Store(tmp_path / "home"))
    first, second = (table.begin("r", "ghcr.io", user, "", "file") for user in ("a", "b"))
    table.ready(first.id, "r")
    table.ready(second.id, "r")
    assert table.list() == [second] and table.cut_off() == [first]
    table.forget(first.id)
    table.leave(second.id)
    assert table.list() == [] and table.cut_off() == [second]


def test_a_damaged_row_is_a_diagnostic(tmp_path: Path) -> None:
    table = RegistryTable(Store(tmp_path / "home"))
    table.ready(table.begin("r", "ghcr.io", "me", "", "file").id, "r")
    with sqlite3.connect(tmp_path / "home/store.db") as db:
        db.execute("UPDATE registries SET created = 'x'")
    with pytest.raises(CompileError, match="'r' is damaged"):
        table.list()


def test_a_damaged_store_is_a_diagnostic(tmp_path: Path) -> None:
    table = RegistryTable(Store(tmp_path / "home"))
    (tmp_path / "home/store.db").write_bytes(b"not a database" * 100)
    with pytest.raises(CompileError) as caught:
        table.list()
    assert caught.value.diagnostics[0].code == "IB703"
