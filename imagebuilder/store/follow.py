"""What another process's build prints, for one that waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from imagebuilder.store.snapshots import Snapshot, Store

_LOOK = 0.5
_READ = 0.1
_MOST_BYTES = 1 << 20


class Follower:
    """Reads the log of a build as it grows. Who builds may change: one that is killed is followed by another."""

    def __init__(self, store: Store, find: Callable[[], Sequence[Snapshot]]) -> None:
        """
        Args:
            find: the snapshots that are waited for, whatever their states.
        """
        self._store = store
        self._find = find
        self._id = ""
        self._at = 0
        self._looked = self._read = 0.0

    @classmethod
    def of_name(cls, store: Store, name: str) -> Follower:
        return cls(store, lambda: [found] if (found := store.named(name)) else [])

    @classmethod
    def of_key(cls, store: Store, key: str) -> Follower:
        return cls(store, lambda: store.building_now(key))

    def lines(self) -> Iterator[str]:
        """The whole lines that came since the last call; often none. Called as often as one likes."""
        now = time.monotonic()
        if now - self._looked >= _LOOK:
            self._looked = now
            building = [found.id for found in self._find() if found.state == "building"]
            if building and self._id not in building:
                self._id, self._at = building[0], 0
        if not self._id or now - self._read < _READ:
            return
        self._read = now
        try:
            with self._store.log_path(self._id).open("rb") as log:
                log.seek(self._at)
                whole, end, _ = log.read(_MOST_BYTES).rpartition(b"\n")
        except OSError:
            return
        self._at += len(whole) + len(end)
        if end:
            yield from whole.decode(errors="replace").split("\n")
