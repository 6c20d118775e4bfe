"""Registries in the same database as snapshots. Their passwords are elsewhere: see :mod:`imagebuilder.registries`.

The table is made by whoever first writes to it. The schema's number stays: a
version of imagebuilder that knows no registries has nothing to misread.

A row that is not ``ready`` is one whose password is being kept or forgotten
under :meth:`RegistryTable.lock`; where nobody holds that, it was cut off.
"""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from imagebuilder.locks import lock
from imagebuilder.store.snapshots import Store

_TABLE = """
CREATE TABLE IF NOT EXISTS registries (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    username TEXT NOT NULL,
    project TEXT NOT NULL,
    kept_in TEXT NOT NULL,
    ready INTEGER NOT NULL,
    created REAL NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry that wants a login.

    ``url`` is ``host[:port]``, after ``http://`` where it has no TLS; Docker Hub's is ``docker.io``. ``project`` is
    the part of the registry that the login is for, empty for all of it. ``kept_in`` says where the password is:
    ``keyring``, ``helper:NAME`` (one of Docker's credential helpers) or ``file``.
    """

    name: str
    url: str
    username: str
    project: str = ""
    kept_in: str = "file"
    id: str = field(default="", repr=False)
    created_at: datetime | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        """``url`` without its scheme: what the names of its images begin with."""
        return self.url.rpartition("://")[2]

    def as_json(self) -> dict[str, Any]:
        """All that may be shown; the time in ISO 8601, UTC."""
        return {
            "name": self.name,
            "url": self.url,
            "username": self.username,
            "project": self.project,
            "kept_in": self.kept_in,
            "created_at": self.created_at.isoformat() if self.created_at else None,
        }


class RegistryTable:
    """The rows; each change is one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def lock(self) -> AbstractContextManager[int]:
        """Held by whoever changes a row and its password."""
        return lock(self._store.locks / "registries")

    def _rows(self, *, ready: bool) -> list[Registry]:
        with self._store.transaction(reading=True) as db:
            if db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'registries'").fetchone():
                found = db.execute("SELECT * FROM registries WHERE ready = ? ORDER BY name", (ready,))
                return [_registry(row) for row in found]
            return []

    def list(self) -> list[Registry]:
        """Those that are ready, by name."""
        return self._rows(ready=True)

    def cut_off(self) -> Sequence[Registry]:
        """Those that are not ready; only for who holds the lock."""
        return self._rows(ready=False)

    def begin(self, name: str, url: str, username: str, project: str, kept_in: str) -> Registry:
        """A row that nobody sees before :meth:`ready`."""
        id = uuid.uuid4().hex
        with self._writing() as db:
            values = (id, name, url, username, project, kept_in, 0, time.time())
            db.execute("INSERT INTO registries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
            return _registry(db.execute("SELECT * FROM registries WHERE id = ?", (id,)).fetchone())

    def ready(self, id: str, name: str) -> None:
        """Have it seen, in the place of the one of that name."""
        with self._writing() as db:
            db.execute("UPDATE registries SET ready = (id = ?) WHERE name = ?", (id, name))

    def leave(self, id: str) -> None:
        """Have it seen no more; its password is still to be forgotten."""
        with self._writing() as db:
            db.execute("UPDATE registries SET ready = 0 WHERE id = ?", (id,))

    def forget(self, id: str) -> None:
        with self._writing() as db:
            db.execute("DELETE FROM registries WHERE id = ?", (id,))

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._store.transaction() as db:
            db.execute(_TABLE)
            yield db


def _registry(row: sqlite3.Row) -> Registry:
    try:
        created = datetime.fromtimestamp(row["created"], UTC)
    except (ValueError, TypeError, OverflowError) as error:
        raise sqlite3.DatabaseError(f"the row of {row['name']!r} is damaged: {error}") from error
    return Registry(
        name=row["name"],
        url=row["url"],
        username=row["username"],
        project=row["project"],
        kept_in=row["kept_in"],
        id=row["id"],
        created_at=created,
    )
