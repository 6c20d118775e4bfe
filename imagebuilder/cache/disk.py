"""What a home holds besides its snapshots, and taking it away.

Everything here can be made anew: it saves time (what files looked like, staged
copies), or explains (records), or belongs to nothing any more (logs and staging
folders of builds that are gone). Images are the engine's, and the snapshots'
names are the person's: neither is touched.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from imagebuilder.cache.history import History
from imagebuilder.diagnostics import CompileError
from imagebuilder.eviction import size_of
from imagebuilder.locks import alone, held, unless_held
from imagebuilder.resolve import shelf
from imagebuilder.store import Snapshot, Store

Kind = Literal["fingerprints", "staged files", "packages", "records", "logs"]
KINDS: tuple[Kind, ...] = ("fingerprints", "staged files", "packages", "records", "logs")
# Builds share these under a lock.
_PARTS = "parts"
# Folders of which each member is one item; what they are for stands with those who fill them.
_FOLDERS: tuple[tuple[Kind, str], ...] = (
    ("fingerprints", "stats"),
    ("staged files", _PARTS),
    ("staged files", "cuts"),
)
_LOCK = "lock"


@dataclass(frozen=True, slots=True)
class Item:
    """``used`` is when it was last used (seconds since 1970), ``name`` the snapshot's that it belongs to, if one's.

    ``needed`` says that it is of use to somebody: a log that its snapshot shows, a record of a name that still is.
    """

    kind: Kind
    path: Path
    bytes: int
    used: float
    name: str = ""
    needed: bool = True


class Disk:
    """The disk under one home."""

    def __init__(self, store: Store, history: History) -> None:
        self._store = store
        self._history = history

    def items(self) -> list[Item]:
        """Everything that may go, what was used longest ago first."""
        return sorted(self._items(), key=lambda item: item.used)

    def _items(self) -> Iterator[Item]:
        snapshots = self._snapshots()
        for kind, folder in _FOLDERS:
            for path in _members(self._store.home / folder):
                yield Item(kind, path, size_of(path), _used(path), needed=not path.name.startswith(".new-"))
        for path in shelf.Shelf(self._store.home).items():
            yield Item("packages", path, size_of(path), _used(path))
        for path in _members(self._store.home / "staging"):
            if not held(self._store.locks / path.name):
                yield Item("staged files", path, size_of(path), _used(path), needed=False)
        for name, builds in self._history.by_name():
            needed = snapshots is None or any(each.name == name for each in snapshots)
            for kept in builds:
                yield Item("records", kept.path, kept.bytes, kept.built, name, needed)
        trees = self._history.trees_bytes()
        if trees:
            # They go with the records that refer to them.
            yield Item("records", self._history.folder, trees, time.time())
        store = self._store
        logs = {path(each.id) for each in snapshots or () for path in (store.log_path, store.provenance_path)}
        for path in _members(self._store.home / "logs"):
            if snapshots is not None and path not in logs:
                yield Item("logs", path, size_of(path), _used(path), needed=False)

    def _snapshots(self) -> list[Snapshot] | None:
        """None where the store cannot be read, as on a full disk: that is when something is to go, and what it says
        is needed stays."""
        try:
            return self._store.list()
        except CompileError:
            return None

    def worth(self, items: Sequence[Item]) -> int:
        """The bytes that :meth:`remove` would free."""
        records = {item.path for item in items if item.kind == "records"}
        others = sum(item.bytes for item in items if item.kind != "records" and not self._in_use(item))
        return others + (self._history.surplus(keep=lambda kept: kept.path not in records) if records else 0)

    def _in_use(self, item: Item) -> bool:
        if item.path.parent.name == "staging":
            return held(self._store.locks / item.path.name)
        if (lock := self._lock_of(item)) is not None:
            with suppress(OSError), alone(lock) as free:
                return not free
        return False

    def _lock_of(self, item: Item) -> Path | None:
        """What builds hold together that use such items."""
        if item.kind == "packages":
            return self._store.home / shelf.FOLDER / shelf.LOCK
        return item.path.parent / _LOCK if item.path.parent.name == _PARTS else None

    def remove(self, items: Iterable[Item]) -> int:
        """Take the items away, but what a build uses right now; the bytes that went."""
        freed = 0
        records: set[Path] = set()
        for item in items:
            if item.kind == "records":
                records.add(item.path)
                continue
            # A lock is a file, for which a full disk may have no room yet.
            with suppress(OSError), self._unused(item) as free:
                if free:
                    freed += _remove(item)
        if records:
            freed += self._history.sweep(keep=lambda kept: kept.path not in records)
        return freed

    def _unused(self, item: Item) -> AbstractContextManager[bool]:
        """Keeps builds from the item, or says that one uses it."""
        if item.path.parent.name == "staging":
            return unless_held(self._store.locks / item.path.name)
        lock = self._lock_of(item)
        return nullcontext(True) if lock is None else alone(lock)


def chosen(
    items: Iterable[Item], *, everything: bool, older_than: float | None, most_bytes: int | None, name: str | None
) -> list[Item]:
    """The items to take away.

    Args:
        everything: also what is of use. So is meant by an age, a size or a name.
        older_than: seconds since they were used.
        most_bytes: what was used last stays, up to so many bytes.
        name: only what belongs to that snapshot.
    """
    found = [item for item in items if not _is_trees(item)]
    if name is not None:
        found = [item for item in found if item.name == name]
    elif not everything and older_than is None and most_bytes is None:
        return [item for item in found if not item.needed]
    if older_than is not None:
        oldest = time.time() - older_than
        found = [item for item in found if item.used <= oldest]
    if most_bytes is not None:
        left = sum(item.bytes for item in found)
        gone = []
        for item in found:
            if left <= most_bytes:
                break
            gone.append(item)
            left -= item.bytes
        found = gone
    return found


def _is_trees(item: Item) -> bool:
    return item.kind == "records" and item.path.name == "records"


def _members(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.name != _LOCK]
    except OSError:
        return []


def _used(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def _remove(item: Item) -> int:
    with suppress(OSError):
        if item.path.is_dir() and not item.path.is_symlink():
            shutil.rmtree(item.path)
        else:
            item.path.unlink()
        return item.bytes
    return 0
