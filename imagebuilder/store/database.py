"""The one file that all tables are in: its versions, its transactions, and what is told where it cannot be used."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from imagebuilder.diagnostics import CompileError, Diagnostic
from imagebuilder.locks import lock

# What makes a store of each version one of the next; its version is how many have run.
_STEPS = (
    """
CREATE TABLE IF NOT EXISTS snapshots (
    name TEXT PRIMARY KEY,
    id TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    key TEXT NOT NULL,
    platform TEXT NOT NULL,
    image TEXT NOT NULL,
    digest TEXT NOT NULL DEFAULT '',
    size INTEGER NOT NULL DEFAULT 0,
    cpu REAL NOT NULL, memory REAL NOT NULL, disk REAL NOT NULL, gpu REAL NOT NULL,
    created REAL NOT NULL,
    updated REAL NOT NULL,
    last_used REAL,
    seconds REAL NOT NULL DEFAULT 0,
    steps TEXT NOT NULL DEFAULT '[]'
);
CREATE INDEX IF NOT EXISTS snapshots_by_key ON snapshots (key);
""",
    """
ALTER TABLE snapshots ADD COLUMN entrypoint TEXT NOT NULL DEFAULT '';
ALTER TABLE snapshots ADD COLUMN previous TEXT NOT NULL DEFAULT '';
ALTER TABLE snapshots ADD COLUMN locked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE snapshots ADD COLUMN expires REAL;
ALTER TABLE snapshots ADD COLUMN serves INTEGER NOT NULL DEFAULT 0;
CREATE TABLE IF NOT EXISTS aliases (alias TEXT PRIMARY KEY, name TEXT NOT NULL);
""",
)


class Database:
    """SQLite in write-ahead mode; a process that is killed leaves the last committed state."""

    def __init__(self, path: Path, locks: Path) -> None:
        self.path = path
        self._locks = locks
        self._ready = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Several transactions are to come: whoever closes the file as the last one has its log written into it.

        Raises:
            CompileError: it cannot be used.
        """
        with self.transaction(reading=True):
            db = sqlite3.connect(self.path, isolation_level=None)
            db.execute("SELECT 1 FROM sqlite_master").fetchone()
        with closing(db):
            yield

    @contextmanager
    def transaction(self, *, reading: bool = False) -> Iterator[sqlite3.Connection]:
        """One transaction; while one writes, others read what was committed before."""
        try:
            if not self._ready:
                # SQLite would make it, and the files beside it, readable by all. What it cannot open it says itself.
                with suppress(OSError):
                    self.path.touch(mode=0o600)
            with closing(sqlite3.connect(self.path, timeout=30, isolation_level=None)) as db:
                db.row_factory = sqlite3.Row
                # What a power failure takes of the last commits is built or looked up again.
                db.execute("PRAGMA synchronous = NORMAL")
                if not self._ready:
                    with ExitStack() as stack:
                        # SQLite waits for nobody while it changes to write-ahead logging. A home in which nothing
                        # can be written is for it to tell.
                        with suppress(OSError):
                            stack.enter_context(lock(self._locks / "store"))
                        self._prepare(db)
                # A writer takes its lock at once: one that read first could not wait for it any more.
                db.execute("BEGIN" if reading else "BEGIN IMMEDIATE")
                try:
                    yield db
                except BaseException:
                    db.execute("ROLLBACK")
                    raise
                db.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            raise CompileError(
                Diagnostic("IB703", f"the store {str(self.path)!r} cannot be used: {error}", help=_remedy(error))
            ) from error

    def _prepare(self, db: sqlite3.Connection) -> None:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(_STEPS):
            raise CompileError(
                Diagnostic(
                    "IB704",
                    f"the store {str(self.path)!r} was written by a newer imagebuilder",
                    help="upgrade imagebuilder, or use another IMAGEBUILDER_HOME",
                )
            )
        for number, step in enumerate(_STEPS[version:], version + 1):
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;")
        self._ready = True


def _remedy(error: sqlite3.Error) -> str:
    text = str(error)
    if "locked" in text or "busy" in text:
        return "another process is using it; try again"
    if "full" in text or "I/O" in text:
        return "free some space there, or set IMAGEBUILDER_HOME to a folder on a larger disk"
    if "readonly" in text or "unable to open" in text:
        return "may it be written? set IMAGEBUILDER_HOME to a folder of your own"
    return "move the file away to start anew; images stay in the engine"
