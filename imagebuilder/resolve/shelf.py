"""What resolving keeps under the home: wheels, layers and answers, bounded, and never taken from under a build."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from imagebuilder.files import write_text
from imagebuilder.home import private_folder
from imagebuilder.locks import alone, shared

FOLDER = "packages"
LOCK = "lock"
WHEELS, BUILT, LAYERS, ANSWERS, UV = "wheels", "built", "layers", "answers", "uv"
NEW = ".new-"
"""What the name begins with of something that is being written."""

_MOST_BYTES = 6 << 30
_MOST_SECONDS = 14 * 24 * 3600.0


class Shelf:
    """That of one home: folders, each with an item's files; a folder's time is when it was last used."""

    def __init__(self, home: Path) -> None:
        self._folder = home / FOLDER

    def item(self, kind: str, name: str) -> Path:
        """The folder of an item, which need not be there."""
        return self._folder / kind / name

    def new(self, kind: str, name: str) -> Path:
        """The folder of an item, made if need be."""
        # One by one: what mkdir() makes on the way is not private.
        for folder in (self._folder, self._folder / kind):
            private_folder(folder)
        return private_folder(self._folder / kind / name)

    def used(self, kind: str, name: str) -> None:
        with suppress(OSError):
            os.utime(self.item(kind, name))

    @contextmanager
    def using(self) -> Iterator[None]:
        """Nothing goes for as long as the block lasts; afterwards, what is too much, and what nobody used for long."""
        with shared(self._folder / LOCK):
            yield
        self.prune(_MOST_BYTES, _MOST_SECONDS)

    def prune(self, most_bytes: int, older_than: float) -> None:
        """Remove what was used longest ago, until so many bytes are left; nothing happens while a build uses any."""
        with suppress(OSError), alone(self._folder / LOCK) as free:
            if not free:
                return
            found = [(path.stat().st_mtime, _size(path), path) for path in self._items()]
            left = sum(size for _, size, _ in found)
            oldest = time.time() - older_than
            for used, size, path in sorted(found):
                if left > most_bytes or used < oldest:
                    shutil.rmtree(path, ignore_errors=True)
                    left -= size

    def _items(self) -> Iterator[Path]:
        for kind in (WHEELS, BUILT, LAYERS):
            if (self._folder / kind).is_dir():
                yield from (self._folder / kind).iterdir()


class Answers:
    """What was asked once in a home, each under a name of its own. What cannot be kept is asked again."""

    def __init__(self, home: Path) -> None:
        self._folder = Shelf(home).item(ANSWERS, "")

    def get(self, name: str) -> bytes | None:
        with suppress(OSError):
            return self._path(name).read_bytes()
        return None

    def keep(self, name: str, text: str) -> None:
        with suppress(OSError):
            private_folder(self._folder)
            write_text(self._path(name), text, force=True)

    def forget(self, name: str) -> None:
        with suppress(OSError):
            self._path(name).unlink()

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
