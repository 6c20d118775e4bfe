"""What is kept only to save time: bounded by its size, and by how long ago it was used."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from imagebuilder.locks import alone


class Kept(NamedTuple):
    """``used`` is when it was used last (seconds since 1970); what is ``unwanted`` goes whatever room there is."""

    used: float
    size: int
    path: Path
    unwanted: bool = False


def evict(lock: Path, kept: Iterable[Kept], most_bytes: int, older_than: float) -> int:
    """Remove what was used longest ago, until no more than so many bytes stay.

    And what was not used for ``older_than`` seconds, and what is unwanted. Nothing happens while somebody shares the
    lock; ``kept`` is read once nobody does. Returns how many bytes went.
    """
    gone = 0
    with alone(lock) as free:
        if not free:
            return 0
        found = sorted(kept)
        left = sum(each.size for each in found)
        oldest = time.time() - older_than
        for each in found:
            if each.unwanted or left > most_bytes or each.used < oldest:
                _remove(each.path)
                left -= each.size
                gone += each.size
    return gone


def size_of(path: Path | str) -> int:
    """The bytes of all files at and below a path."""
    try:
        status = os.lstat(path)
        if not stat.S_ISDIR(status.st_mode):
            return status.st_size
        with os.scandir(path) as found:
            return sum(size_of(each.path) for each in found)
    except OSError:
        return 0


def _remove(path: Path) -> None:
    """A file, or a folder with all that is in it; what cannot go stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
