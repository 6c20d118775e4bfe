"""The file that all tables are in: what is held open, and what of it is on disk when."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder.diagnostics import CompileError
from imagebuilder.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "store.db", tmp_path / "locks")


def alias(database: Database, name: str) -> None:
    with database.transaction() as db:
        db.execute("INSERT INTO aliases VALUES (?, 'app')", (name,))


def aliases(database: Database) -> list[str]:
    with database.transaction(reading=True) as db:
        return [row["alias"] for row in db.execute("SELECT alias FROM aliases ORDER BY alias")]


def test_the_log_is_written_once_when_it_is_let_go(database: Database, tmp_path: Path) -> None:
    log = tmp_path / "store.db-wal"
    with database.held():
        for name in "abc":
            alias(database, name)
            assert log.stat().st_size > 0
            assert aliases(Database(database.path, tmp_path / "locks"))[-1] == name, "others see what was committed"
    assert not log.exists() and aliases(database) == ["a", "b", "c"]
    alias(database, "d")
    assert not log.exists()


def test_it_is_held_twice(database: Database) -> None:
    with database.held(), database.held():
        alias(database, "a")
    assert aliases(database) == ["a"]


def test_one_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(CompileError) as caught, Database(tmp_path / "store.db", tmp_path / "locks").held():
        pass
    assert caught.value.diagnostics[0].code == "IB703"
