"""The rows of snapshots.

Write-ahead logging lets readers go on while a build writes. A row that says ``building`` while no
living process holds its name's lock is a build that was cut off, and is read as
``build_failed``.
"""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid, did_you_mean
from imagebuilder.home import private_folder
from imagebuilder.ir import checks
from imagebuilder.ir.resources import Resources
from imagebuilder.locks import held
from imagebuilder.store.database import Database
from imagebuilder.store.snapshot import UNUSED, Snapshot, State, Step

__all__ = ["UNUSED", "Snapshot", "State", "Step", "Store", "check_name"]


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
        self._database = Database(home / "store.db", self.locks)
        self.transaction = self._database.transaction
        self.held = self._database.held

    def lock_path(self, key: str) -> Path:
        """The lock that whoever builds this key holds."""
        return self.locks / key.partition(":")[2][:40]

    def name_lock_path(self, name: str) -> Path:
        """The lock that whoever builds under this name holds."""
        return self.locks / f"name-{sha256(name.encode()).hexdigest()[:40]}"

    def log_path(self, id: str) -> Path:
        return self._logs / f"{id}.log"

    def provenance_path(self, id: str) -> Path:
        """What the builder recorded of how the image was made, where it did."""
        return self._logs / f"{id}.provenance.json"

    def forget_files(self, id: str) -> None:
        """Remove the log and what lies beside it."""
        self.log_path(id).unlink(missing_ok=True)
        self.provenance_path(id).unlink(missing_ok=True)

    def begin(self, name: str, key: str, platform: str, image: str, resources: Resources) -> Snapshot:
        """A snapshot in the state ``pending``; it takes the place of the name's last one.

        The last one's image and digest are kept until the new build has succeeded; all of it where it is to serve
        until then (:meth:`serve`).

        Raises:
            CompileError: the name's last one is locked, or the name is an alias.
        """
        now = time.time()
        with self.transaction() as db:
            if led := db.execute("SELECT name FROM aliases WHERE alias = ?", (name,)).fetchone():
                help = f"take another name, or `imagebuilder snapshot delete {name}`, which takes the alias alone"
                raise CompileError(Diagnostic("IB763", f"{name!r} is an alias of {led[0]!r}", help=help))
            before = self._row(db, name)
            if before is not None and before.name == name and before.locked:
                raise _locked(before)
            kept = db.execute("SELECT * FROM snapshots WHERE name = ? AND serves", (name,)).fetchone()
            # The same once more may stay as long as before.
            same = db.execute("SELECT expires FROM snapshots WHERE name = ? AND key = ?", (name, key)).fetchone()
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
                "previous": _written(kept),
                "expires": same["expires"] if same else None,
            }
            columns = ", ".join(values)
            marks = ", ".join("?" * len(values))
            db.execute(f"INSERT OR REPLACE INTO snapshots ({columns}) VALUES ({marks})", list(values.values()))
            if before and kept is None:
                self.forget_files(before.id)
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

    def serve(self, snapshot: Snapshot) -> None:
        """Have it serve until whatever takes its place is active, and be there to be gone back to."""
        self._update(snapshot, serves=1)

    @contextmanager
    def keeping_previous(self, name: str) -> Iterator[None]:
        """What may be gone back to is the same after the block, in which the same is made once more."""
        with self.transaction() as db:
            row = db.execute("SELECT previous FROM snapshots WHERE name = ?", (name,)).fetchone()
        yield
        with self.transaction() as db:
            db.execute("UPDATE snapshots SET previous = ? WHERE name = ? AND previous = ''", (row["previous"], name))

    def put_back(self, snapshot: Snapshot, reason: str = "") -> Snapshot:
        """Have the one that it took the place of under the name again; it can be gone back to in its turn.

        Raises:
            CompileError: there is none.
        """
        with self.transaction() as db:
            row = db.execute("SELECT * FROM snapshots WHERE name = ? AND previous != ''", (snapshot.name,)).fetchone()
            if row is None:
                help = "only what was replaced with --replace is kept"
                raise CompileError(Diagnostic("IB764", f"nothing came before {snapshot.name!r}", help=help))
            values = json.loads(row["previous"])
            values |= {"reason": reason, "updated": time.time(), "locked": row["locked"], "state": "active"}
            values["previous"] = _written(row) if row["state"] == "active" else ""
            columns, marks = ", ".join(values), ", ".join("?" * len(values))
            db.execute(f"INSERT OR REPLACE INTO snapshots ({columns}) VALUES ({marks})", list(values.values()))
        return self.get(snapshot.name)

    def lock(self, name: str, locked: bool) -> Snapshot:
        """Let it neither be replaced nor deleted, or let it again."""
        found = self.get(name)
        self._update(found, locked=int(locked))
        return self.get(name)

    def expire(self, snapshot: Snapshot, seconds: float | None) -> Snapshot:
        """Let it go after so long, counted from now; None keeps it."""
        self._update(snapshot, expires=None if seconds is None else time.time() + seconds)
        return self._found(snapshot)

    def expired(self) -> Sequence[Snapshot]:
        """Those whose time is over, and which are not locked."""
        with self.transaction(reading=True) as db:
            rows = db.execute("SELECT * FROM snapshots WHERE expires < ? AND NOT locked", (time.time(),))
            return [self._snapshot(row) for row in rows]

    def alias(self, alias: str, name: str) -> None:
        """Have a second name lead to a snapshot, in place of what it led to before.

        Raises:
            CompileError: there is no such snapshot, or the alias is one's name.
        """
        target = self.get(name)
        with self.transaction() as db:
            if db.execute("SELECT 1 FROM snapshots WHERE name = ?", (alias,)).fetchone():
                help = "take another alias"
                raise CompileError(Diagnostic("IB763", f"there is a snapshot {alias!r}", help=help))
            db.execute("INSERT OR REPLACE INTO aliases VALUES (?, ?)", (alias, target.name))

    def unalias(self, alias: str) -> bool:
        """Whether there was one."""
        with self.transaction() as db:
            return db.execute("DELETE FROM aliases WHERE alias = ?", (alias,)).rowcount > 0

    def aliases(self) -> dict[str, str]:
        """The name that each leads to."""
        with self.transaction(reading=True) as db:
            return dict(db.execute("SELECT alias, name FROM aliases ORDER BY alias").fetchall())

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
        span = f"{seconds / 3600:g} hours" if seconds < 86400 else f"{seconds / 86400:g} days"
        with self.transaction() as db:
            db.execute(
                "UPDATE snapshots SET state = 'inactive', reason = ?"
                " WHERE state = 'active' AND max(updated, coalesce(last_used, 0)) < ?",
                (f"{UNUSED} for {span}", since),
            )

    def used(self, name: str) -> None:
        with self.transaction() as db:
            db.execute("UPDATE snapshots SET last_used = ? WHERE name = ?", (time.time(), name))

    def get(self, name: str) -> Snapshot:
        """The snapshot of that name or id.

        Raises:
            CompileError: there is none.
        """
        with self.transaction(reading=True) as db:
            found = self._row(db, name.removesuffix(":latest"))
            names = [row[0] for row in db.execute("SELECT name FROM snapshots ORDER BY name")]
        if found is None:
            hint = did_you_mean(name, names) or (
                "`imagebuilder snapshot list` shows what there is"
                if names
                else "`imagebuilder snapshot create` makes one"
            )
            raise CompileError(Diagnostic("IB702", f"no snapshot is called {name!r}", help=hint))
        return found

    def unlocked(self, name: str) -> Snapshot:
        """As :meth:`get`; CompileError also where it is locked."""
        found = self.get(name)
        if found.locked:
            raise _locked(found)
        return found

    def named(self, name: str) -> Snapshot | None:
        """The snapshot of exactly that name, if there is one."""
        with self.transaction(reading=True) as db:
            found = self._row(db, name)
        return found if found is not None and found.name == name else None

    def list(self) -> list[Snapshot]:
        """All snapshots, the newest first."""
        with self.transaction(reading=True) as db:
            return [self._snapshot(row) for row in db.execute("SELECT * FROM snapshots ORDER BY created DESC, name")]

    def built(self, key: str, platform: str) -> Sequence[Snapshot]:
        """Snapshots of that key that have an image, the newest first."""
        with self.transaction(reading=True) as db:
            rows = db.execute(
                "SELECT * FROM snapshots WHERE key = ? AND platform = ? AND state IN ('active', 'inactive')"
                " ORDER BY created DESC",
                (key, platform),
            )
            return [self._snapshot(row) for row in rows]

    def building_now(self, key: str) -> Sequence[Snapshot]:
        """Snapshots of that key that a living process builds."""
        with self.transaction(reading=True) as db:
            rows = db.execute("SELECT * FROM snapshots WHERE key = ? AND state = 'building'", (key,))
            return [found for found in map(self._snapshot, rows) if found.state == "building"]

    def delete(self, name: str) -> Snapshot:
        """Forget the snapshot and its log; the image is the engine's to remove.

        Raises:
            CompileError: there is none of that name, or it is locked.
        """
        found = self.unlocked(name)
        with self.transaction() as db:
            db.execute("DELETE FROM snapshots WHERE name = ?", (found.name,))
            db.execute("DELETE FROM aliases WHERE name = ?", (found.name,))
        self.forget_files(found.id)
        return found

    def _found(self, snapshot: Snapshot) -> Snapshot:
        with self.transaction(reading=True) as db:
            found = self._row(db, snapshot.name)
        return found if found is not None and found.id == snapshot.id else replace(snapshot, state="active")

    def _update(self, snapshot: Snapshot, **values: Any) -> None:
        """Only the build that a row belongs to may change it: a later build of the name has its own row."""
        values["updated"] = time.time()
        assignments = ", ".join(f"{column} = ?" for column in values)
        with self.transaction() as db:
            db.execute(
                f"UPDATE snapshots SET {assignments} WHERE name = ? AND id = ?",
                [*values.values(), snapshot.name, snapshot.id],
            )

    def _row(self, db: sqlite3.Connection, name: str) -> Snapshot | None:
        row = db.execute(
            "SELECT * FROM snapshots WHERE name = ?1 OR id = ?1 OR name = (SELECT name FROM aliases WHERE alias = ?1)"
            " ORDER BY name = ?1 DESC",
            (name,),
        ).fetchone()
        return None if row is None else self._snapshot(row)

    def _snapshot(self, row: sqlite3.Row) -> Snapshot:
        try:
            return self._read(row)
        except (ValueError, TypeError, OverflowError) as error:
            raise sqlite3.DatabaseError(f"the row of {row['name']!r} is damaged: {error}") from error

    def _read(self, row: sqlite3.Row | dict[str, Any]) -> Snapshot:
        previous = _previous(row["previous"])
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
            previous=None if previous is None else self._read(previous),
            locked=bool(row["locked"]),
            expires_at=_time(row["expires"]),
        )


def _written(row: sqlite3.Row | None) -> str:
    """A row as text, without the one before it."""
    return "" if row is None else json.dumps({**dict(row), "previous": "", "serves": 0})


def _previous(written: str) -> dict[str, Any] | None:
    return json.loads(written) if written else None


def _locked(found: Snapshot) -> CompileError:
    help = f"`imagebuilder snapshot unlock {found.name}` first"
    return CompileError(Diagnostic("IB765", f"the snapshot {found.name!r} is locked", help=help))


def _words(written: str) -> tuple[str, ...] | None:
    words = json.loads(written) if written else None
    return None if words is None else tuple(map(str, words))


def _time(stamp: float | None) -> datetime | None:
    return None if stamp is None else datetime.fromtimestamp(stamp, UTC)
