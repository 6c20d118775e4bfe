"""What resolving keeps under the home: wheels, layers, answers and uv's cache; bounded, and left alone while used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from imagebuilder.eviction import Kept, evict, size_of
from imagebuilder.files import write_text
from imagebuilder.home import private_folder
from imagebuilder.locks import shared

FOLDER = "packages"
LOCK = "lock"
WHEELS, BUILT, LAYERS, ANSWERS, UV = "wheels", "built", "layers", "answers", "uv"
NEW = ".new-"
"""What the name begins with of something that is being written."""

_MOST_BYTES = 6 << 30
_MOST_SECONDS = 14 * 24 * 3600.0


class Shelf:
    """That of one home: items of several kinds, each a folder or an answer; its time is when it was last used."""

    def __init__(self, home: Path) -> None:
        self._folder = home / FOLDER

    def item(self, kind: str, name: str) -> Path:
        """The folder of an item, which need not be there."""
        return self._folder / kind / name

    def new(self, kind: str, name: str) -> Path:
        """The folder of an item, made if need be, and used."""
        # One by one: what mkdir() makes on the way is not private.
        for folder in (self._folder, self._folder / kind):
            private_folder(folder)
        made = private_folder(self._folder / kind / name)
        self.used(kind, name)
        return made

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
        with suppress(OSError):
            evict(self._folder / LOCK, self._kept(), most_bytes, older_than)

    def _kept(self) -> Iterator[Kept]:
        for path in self.items():
            # While nobody uses any, what is being written was left by a process that was killed.
            left = [Kept(0.0, size_of(new), new, unwanted=True) for new in path.glob(f"{NEW}*")]
            yield from left
            size = size_of(path) - sum(each.size for each in left)
            yield Kept(path.stat().st_mtime, size, path, unwanted=path.name.startswith(NEW))

    def items(self) -> Iterator[Path]:
        """What may go, each by itself."""
        for kind in (WHEELS, BUILT, LAYERS, ANSWERS):
            if (self._folder / kind).is_dir():
                yield from (self._folder / kind).iterdir()
        # Which of its files belong together uv alone knows.
        if (self._folder / UV).is_dir():
            yield self._folder / UV


class Answers:
    """What was asked once in a home, each under a name of its own. What cannot be kept is asked again."""

    def __init__(self, home: Path) -> None:
        self._folder = Shelf(home).item(ANSWERS, "")

    def get(self, name: str) -> bytes | None:
        with suppress(OSError):
            found = self._path(name).read_bytes()
            with suppress(OSError):
                os.utime(self._path(name))
            return found
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
