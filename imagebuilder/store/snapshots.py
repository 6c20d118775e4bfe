"""Snapshots in SQLite.

Write-ahead logging lets readers go on while a build writes, and a process that
is killed leaves the last committed state. A row that says ``building`` while no
living process holds its name's lock is a build that was cut off, and is read as
``build_failed``.
"""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid, did_you_mean
from imagebuilder.home import private_folder
from imagebuilder.ir import checks
from imagebuilder.ir.resources import Resources
from imagebuilder.locks import held, lock

State = Literal["pending", "building", "pulling", "active", "inactive", "error", "build_failed", "removing"]

UNUSED = "unused"
"""What the reason of a snapshot begins with that is inactive since nobody used it: using it wakes it."""

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
""",
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a build: what it was, how long it ran in seconds, and whether it came from the cache."""

    op: str
    name: str
    seconds: float
    cached: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A named image.

    ``image`` is a reference that ``docker run`` takes, ``digest`` the image's,
    ``size`` its bytes. ``seconds`` and ``steps`` are those of the build; where
    ``reused`` says that the call which returned this did not have to build,
    ``seconds`` is that call's. ``reason`` tells why ``state`` is ``build_failed``, ``error`` or ``inactive``.
    ``entrypoint`` is what keeps its containers up; None is the image's own, or was not tried yet, which ``tried`` says.
    """

    name: str
    id: str
    state: State
    key: str
    platform: str
    image: str
    digest: str = ""
    size: int = 0
    reason: str = ""
    resources: Resources = field(default_factory=Resources)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    last_used_at: datetime | None = None
    reused: bool = False
    seconds: float = 0.0
    steps: tuple[Step, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    tried: bool = False

    def as_json(self) -> dict[str, Any]:
        """All fields; times in ISO 8601, UTC."""
        return {
            "name": self.name,
            "id": self.id,
            "state": self.state,
            "reason": self.reason,
            "key": self.key,
            "platform": self.platform,
            "image": self.image,
            "digest": self.digest,
            "size": self.size,
            "resources": {
                "cpu": self.resources.cpu,
                "memory": self.resources.memory,
                "disk": self.resources.disk,
                "gpu": self.resources.gpu,
            },
            "created_at": self.created_at.isoformat() if self.created_at else None,
            "updated_at": self.updated_at.isoformat() if self.updated_at else None,
            "last_used_at": self.last_used_at.isoformat() if self.last_used_at else None,
            "entrypoint": None if self.entrypoint is None else list(self.entrypoint),
            "reused": self.reused,
            "seconds": round(self.seconds, 3),
            "steps": [
                {"op": s.op, "name": s.name, "seconds": round(s.seconds, 3), "cached": s.cached} for s in self.steps
            ],
        }


def check_name(name: str) -> str:
    """A snapshot's name as it is kept; see :func:`imagebuilder.ir.checks.snapshot_name`.

    Raises:
        CompileError: it is none.
    """
    try:
        return checks.snapshot_name(name)
    except Invalid as error:
        raise CompileError(error.at(None)) from None


class Store:
    """The state under one home folder.

    Raises:
        CompileError: the folder cannot be made.
    """

    def __init__(self, home: Path) -> None:
        try:
            self.home = private_folder(home)
            self.locks = private_folder(home / "locks")
            self._logs = private_folder(home / "logs")
        except OSError as error:
            raise CompileError(
                Diagnostic(
                    "IB708",
                    f"the home folder {str(home)!r} cannot be used: {(error.strerror or str(error)).lower()}",
                    help="set IMAGEBUILDER_HOME to a folder of your own",
                )
            ) from error
        self._path = home / "store.db"
        self._ready = False

    def lock_path(self, key: str) -> Path:
        """The lock that whoever builds this key holds."""
        return self.locks / key.partition(":")[2][:40]

    def name_lock_path(self, name: str) -> Path:
        """The lock that whoever builds under this name holds."""
        return self.locks / f"name-{sha256(name.encode()).hexdigest()[:40]}"

    def log_path(self, id: str) -> Path:
        return self._logs / f"{id}.log"

    def begin(self, name: str, key: str, platform: str, image: str, resources: Resources) -> Snapshot:
        """A snapshot in the state ``pending``; it takes the place of the name's last one.

        The last one's image and digest are kept until the new build has succeeded.
        """
        now = time.time()
        with self._transaction() as db:
            before = self._row(db, name)
            values = {
                "name": name,
                "id": uuid.uuid4().hex,
                "state": "pending",
                "reason": "",
                "key": key,
                "platform": platform,
                "image": image,
                "digest": before.digest if before else "",
                "size": before.size if before else 0,
                "cpu": resources.cpu,
                "memory": resources.memory,
                "disk": resources.disk,
                "gpu": resources.gpu,
                "created": now,
                "updated": now,
            }
            columns = ", ".join(values)
            marks = ", ".join("?" * len(values))
            db.execute(f"INSERT OR REPLACE INTO snapshots ({columns}) VALUES ({marks})", list(values.values()))
            if before:
                self.log_path(before.id).unlink(missing_ok=True)
            found = self._row(db, name)
        assert found is not None
        return found

    def building(self, snapshot: Snapshot) -> None:
        self._update(snapshot, state="building")

    def pulling(self, snapshot: Snapshot) -> None:
        self._update(snapshot, state="pulling")

    def stays_up(self, snapshot: Snapshot, entrypoint: Sequence[str] | None) -> Snapshot:
        """A container of it was seen to stay up with this entrypoint, None for the image's own."""
        self._update(snapshot, state="active", reason="", entrypoint=json.dumps(entrypoint))
        return self._found(snapshot)

    def active(self, snapshot: Snapshot, *, digest: str, size: int, seconds: float, steps: Sequence[Step]) -> Snapshot:
        """The build succeeded."""
        written = json.dumps([[s.op, s.name, s.seconds, s.cached] for s in steps])
        self._update(snapshot, state="active", reason="", digest=digest, size=size, seconds=seconds, steps=written)
        return self._found(snapshot)

    def failed(self, snapshot: Snapshot, reason: str, state: State = "build_failed") -> None:
        self._update(snapshot, state=state, reason=reason)

    def set_state(self, name: str, state: State, reason: str = "") -> Snapshot:
        """
        Raises:
            CompileError: there is no snapshot of that name.
        """
        found = self.get(name)
        self._update(found, state=state, reason=reason)
        return self.get(name)

    def deactivate_unused(self, seconds: float) -> None:
        """Those that nobody used for so long are inactive from now on."""
        since = time.time() - seconds
        with self._transaction() as db:
            db.execute(
                "UPDATE snapshots SET state = 'inactive', reason = ?"
                " WHERE state = 'active' AND max(updated, coalesce(last_used, 0)) < ?",
                (f"{UNUSED} for {seconds / 86400:g} days", since),
            )

    def used(self, name: str) -> None:
        with self._transaction() as db:
            db.execute("UPDATE snapshots SET last_used = ? WHERE name = ?", (time.time(), name))

    def get(self, name: str) -> Snapshot:
        """The snapshot of that name or id.

        Raises:
            CompileError: there is none.
        """
        with self._transaction(reading=True) as db:
            found = self._row(db, name.removesuffix(":latest"))
            names = [row[0] for row in db.execute("SELECT name FROM snapshots ORDER BY name")]
        if found is None:
            hint = did_you_mean(name, names) or (
                "`imagebuilder snapshot list` shows what there is" if names else "nothing has been built yet"
            )
            raise CompileError(Diagnostic("IB702", f"no snapshot is called {name!r}", help=hint))
        return found

    def named(self, name: str) -> Snapshot | None:
        """The snapshot of exactly that name, if there is one."""
        with self._transaction(reading=True) as db:
            found = self._row(db, name)
        return found if found is not None and found.name == name else None

    def list(self) -> list[Snapshot]:
        """All snapshots, the newest first."""
        with self._transaction(reading=True) as db:
            return [self._snapshot(row) for row in db.execute("SELECT * FROM snapshots ORDER BY created DESC, name")]

    def built(self, key: str, platform: str) -> Sequence[Snapshot]:
        """Active snapshots of that key, the newest first."""
        with self._transaction(reading=True) as db:
            rows = db.execute(
                "SELECT * FROM snapshots WHERE key = ? AND platform = ? AND state = 'active' ORDER BY created DESC",
                (key, platform),
            )
            return [self._snapshot(row) for row in rows]

    def building_now(self, key: str) -> Sequence[Snapshot]:
        """Snapshots of that key that a living process builds."""
        with self._transaction(reading=True) as db:
            rows = db.execute("SELECT * FROM snapshots WHERE key = ? AND state = 'building'", (key,))
            return [found for found in map(self._snapshot, rows) if found.state == "building"]

    def delete(self, name: str) -> Snapshot:
        """Forget the snapshot and its log; the image is the engine's to remove.

        Raises:
            CompileError: there is none of that name.
        """
        found = self.get(name)
        with self._transaction() as db:
            db.execute("DELETE FROM snapshots WHERE name = ?", (found.name,))
        self.log_path(found.id).unlink(missing_ok=True)
        return found

    def _found(self, snapshot: Snapshot) -> Snapshot:
        with self._transaction(reading=True) as db:
            found = self._row(db, snapshot.name)
        return found if found is not None and found.id == snapshot.id else replace(snapshot, state="active")

    def _update(self, snapshot: Snapshot, **values: Any) -> None:
        """Only the build that a row belongs to may change it: a later build of the name has its own row."""
        values["updated"] = time.time()
        assignments = ", ".join(f"{column} = ?" for column in values)
        with self._transaction() as db:
            db.execute(
                f"UPDATE snapshots SET {assignments} WHERE name = ? AND id = ?",
                [*values.values(), snapshot.name, snapshot.id],
            )

    @contextmanager
    def _transaction(self, *, reading: bool = False) -> Iterator[sqlite3.Connection]:
        """One transaction; while one writes, others read what was committed before."""
        try:
            if not self._ready:
                # SQLite would make it, and the files beside it, readable by all. What it cannot open it says itself.
                with suppress(OSError):
                    self._path.touch(mode=0o600)
            with closing(sqlite3.connect(self._path, timeout=30, isolation_level=None)) as db:
                db.row_factory = sqlite3.Row
                if not self._ready:
                    with ExitStack() as stack:
                        # SQLite waits for nobody while it changes to write-ahead logging. A home in which nothing
                        # can be written is for it to tell.
                        with suppress(OSError):
                            stack.enter_context(lock(self.locks / "store"))
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
                Diagnostic("IB703", f"the store {str(self._path)!r} cannot be used: {error}", help=_remedy(error))
            ) from error

    def _prepare(self, db: sqlite3.Connection) -> None:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(_STEPS):
            raise CompileError(
                Diagnostic(
                    "IB704",
                    f"the store {str(self._path)!r} was written by a newer imagebuilder",
                    help="upgrade imagebuilder, or use another IMAGEBUILDER_HOME",
                )
            )
        for number, step in enumerate(_STEPS[version:], version + 1):
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;")
        self._ready = True

    def _row(self, db: sqlite3.Connection, name: str) -> Snapshot | None:
        row = db.execute(
            "SELECT * FROM snapshots WHERE name = ? OR id = ? ORDER BY name = ? DESC", (name, name, name)
        ).fetchone()
        return None if row is None else self._snapshot(row)

    def _snapshot(self, row: sqlite3.Row) -> Snapshot:
        try:
            return self._read(row)
        except (ValueError, TypeError, OverflowError) as error:
            raise sqlite3.DatabaseError(f"the row of {row['name']!r} is damaged: {error}") from error

    def _read(self, row: sqlite3.Row) -> Snapshot:
        state, reason = row["state"], row["reason"]
        if state in ("pending", "building") and not held(self.name_lock_path(row["name"])):
            state, reason = "build_failed", "the build was cut off; build again"
        elif state == "pulling" and not held(self.name_lock_path(row["name"])):
            state, reason = "error", "the pull was cut off; create it again"
        return Snapshot(
            name=row["name"],
            id=row["id"],
            state=state,
            reason=reason,
            key=row["key"],
            platform=row["platform"],
            image=row["image"],
            digest=row["digest"],
            size=row["size"],
            resources=Resources(row["cpu"], row["memory"], row["disk"], row["gpu"]),
            created_at=_time(row["created"]),
            updated_at=_time(row["updated"]),
            last_used_at=_time(row["last_used"]),
            seconds=row["seconds"],
            steps=tuple(Step(*step) for step in json.loads(row["steps"])),
            entrypoint=_words(row["entrypoint"]),
            tried=row["entrypoint"] != "",
        )


def _words(written: str) -> tuple[str, ...] | None:
    words = json.loads(written) if written else None
    return None if words is None else tuple(map(str, words))


def _time(stamp: float | None) -> datetime | None:
    return None if stamp is None else datetime.fromtimestamp(stamp, UTC)


def _remedy(error: sqlite3.Error) -> str:
    text = str(error)
    if "locked" in text or "busy" in text:
        return "another process is using it; try again"
    if "full" in text or "I/O" in text:
        return "free some space there, or set IMAGEBUILDER_HOME to a folder on a larger disk"
    if "readonly" in text or "unable to open" in text:
        return "may it be written? set IMAGEBUILDER_HOME to a folder of your own"
    return "move the file away to start anew; images stay in the engine"
