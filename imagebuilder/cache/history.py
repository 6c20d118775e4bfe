"""Records of builds on disk, and the listings of the trees that they read.

    records/builds/<hash of the name>/<time>-<key>-<id>.record    what the build was made of
                                     /<time>-<key>-<id>.done      the layers that it made, once it has ended
    records/bases/<key>                                           the digests that its bases' tags had, where asked for
    records/trees/<digest>                                        the files of a tree, once per digest

Each file is written beside its place and renamed, so it is whole or not there;
one that is damaged is as good as missing. What cannot be written is not: a
record explains, and no build may fail for want of one.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from imagebuilder.context import Entry
from imagebuilder.home import private_folder

if TYPE_CHECKING:
    from imagebuilder.cache.record import Record

FOLDER = "records"
# Of each name.
_MOST_BUILDS = 20
_MOST_BYTES = 256 << 20
_NAME = re.compile(r"(?P<time>\d{20})-(?P<key>[0-9a-f]{16})-(?P<id>[0-9a-f]+)\.record")
_HEAD = b"imagebuilder tree 2\0"
# No field is empty, so two zeros stand only here.
_PARTED = "\0\0"
# How a build has ended; the last one's image was there already.
_BUILT, _FAILED, _REUSED = "built", "failed", "reused"

Listing = frozenset[str]
"""The entries of a tree, packed: two listings are compared as sets, and only what differs is looked at."""


class Kept(NamedTuple):
    """A build that is on record. ``key`` is the beginning of its key, ``built`` when it began."""

    path: Path
    built: float
    key: str
    id: str

    @property
    def done(self) -> Path:
        return self.path.with_suffix(".done")

    @property
    def bytes(self) -> int:
        return _size(self.path) + _size(self.done)

    def load(self) -> Record | None:
        from imagebuilder.cache.record import Record

        try:
            return Record.loaded(zlib.decompress(self.path.read_bytes()))
        except (OSError, zlib.error):
            return None


class History:
    """The records of one home."""

    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER
        self._builds = self.folder / "builds"
        self._trees = self.folder / "trees"
        self._bases = self.folder / "bases"

    # Reading ------------------------------------------------------------------------------------------

    def of(self, name: str) -> Iterator[Kept]:
        """The builds of a name that came to an image, the newest first."""
        return (kept for kept in self._of(self._builds / _folder(name)) if self._ended_well(kept))

    def last(self, name: str) -> Record | None:
        return next(filter(None, (kept.load() for kept in self.of(name))), None)

    def is_last(self, name: str, key: str) -> bool:
        """Whether the name's last build has that key. Nothing is read but the folder's listing."""
        newest = next(self.of(name), None)
        return newest is not None and key.removeprefix("sha256:").startswith(newest.key)

    def all(self) -> Iterator[Kept]:
        """Every build on record, also those that failed."""
        for folder in _listed(self._builds):
            yield from self._of(folder)

    def by_key(self, start: str) -> list[Record]:
        """The newest record of each key that begins so; ``sha256:`` and what follows, or that without it."""
        digits = start.removeprefix("sha256:")
        found: dict[str, Record] = {}
        for kept in sorted(self.all(), key=lambda kept: kept.built, reverse=True):
            if digits.startswith(kept.key) or kept.key.startswith(digits):
                record = kept.load()
                if record and record.key.removeprefix("sha256:").startswith(digits):
                    found.setdefault(record.key, record)
        return list(found.values())

    def names(self) -> set[str]:
        """The names under which something came to an image."""
        return {name for name, builds in self.by_name() if name and any(map(self._ended_well, builds))}

    def failed(self, name: str) -> int:
        """How many builds of a name are on record that came to no image."""
        return sum(not self._ended_well(kept) for kept in self._of(self._builds / _folder(name)))

    def by_name(self) -> Iterator[tuple[str, list[Kept]]]:
        """The builds of each name, the newest first; the name is empty where no record of it can be read."""
        for folder in _listed(self._builds):
            if builds := self._of(folder):
                yield next((record.name for kept in builds if (record := kept.load())), ""), builds

    def trees_bytes(self) -> int:
        """Bytes of the listings of trees and of bases, which go when no record refers to them any more."""
        return sum(map(_size, (*_listed(self._trees), *_listed(self._bases))))

    def made(self) -> set[str]:
        """The layers that builds on record have made, and the keys of the steps that they carried out."""
        found: set[str] = set()
        for kept in self.all():
            found.update(_read(kept.done).split()[1:])
        return found

    def listing(self, digest: str) -> Listing | None:
        """What the tree of that digest held; None where it is not on record."""
        try:
            data = zlib.decompress(self._tree(digest).read_bytes())
        except (OSError, zlib.error):
            return None
        if not data.startswith(_HEAD):
            return None
        return frozenset(data[len(_HEAD) :].decode().split(_PARTED)) - {""}

    def bases(self, key: str) -> dict[str, str]:
        """The digests that the tags of a key's bases had when it was last built with them, as far as known."""
        try:
            found = json.loads(_read(self._base(key)) or "{}")
        except ValueError:
            return {}
        return {str(ref): str(digest) for ref, digest in found.items()} if isinstance(found, dict) else {}

    # Writing ------------------------------------------------------------------------------------------

    def begin(self, record: Record, entries: Callable[[str], Iterable[Entry]]) -> Kept | None:
        """Keep the record of a build that begins, and its trees.

        Args:
            entries: gives those of a tree by its digest; asked for the trees that are not on record yet.
        """
        name = f"{int(record.built * 1e9):020}-{record.key.removeprefix('sha256:')[:16]}-{record.id}.record"
        path = self._builds / _folder(record.name) / name
        try:
            fresh = False
            # Trees are listed before the record that refers to them is there.
            with self._locked(fcntl.LOCK_SH):
                for digest in record.trees:
                    if not self._tree(digest).exists():
                        fresh = True
                        _write(
                            self._tree(digest), zlib.compress(_HEAD + _PARTED.join(packed(entries(digest))).encode(), 1)
                        )
                _write(path, zlib.compress(record.dumped(), 1))
            if fresh:
                self.sweep()
        except OSError:
            return None
        return Kept(path, record.built, record.key.removeprefix("sha256:")[:16], record.id)

    def ended(self, kept: Kept, made: Iterable[str], *, well: bool) -> None:
        """The build has ended, with an image or without one; ``made`` is what :meth:`made` is to have of it."""
        with suppress(OSError):
            _write(kept.done, "\n".join([_BUILT if well else _FAILED, *made]).encode())

    def reused(self, kept: Kept) -> None:
        """The image was there already."""
        with suppress(OSError):
            _write(kept.done, _REUSED.encode())

    def started_from(self, key: str, digests: Mapping[str, str]) -> None:
        """A key was built from these digests of its bases' tags."""
        with suppress(OSError):
            _write(self._base(key), json.dumps(dict(digests)).encode())

    def sweep(self, *, keep: Callable[[Kept], bool] = lambda kept: True) -> int:
        """Remove what is beyond the bounds or not to be kept, and what nothing refers to; the bytes that went.

        Nothing happens where the folder cannot be written.
        """
        try:
            with self._locked(fcntl.LOCK_EX):
                freed = sum(map(_remove, self._surplus(keep)))
                for folder in _listed(self._builds):
                    with suppress(OSError):
                        folder.rmdir()
                return freed
        except OSError:
            return 0

    def surplus(self, *, keep: Callable[[Kept], bool] = lambda kept: True) -> int:
        """The bytes that would go with :meth:`sweep`."""
        return sum(map(_size, self._surplus(keep)))

    def _surplus(self, keep: Callable[[Kept], bool]) -> set[Path]:
        gone: set[Path] = set()
        stay: list[Kept] = []
        for folder in _listed(self._builds):
            for number, kept in enumerate(self._of(folder)):
                if number < _MOST_BUILDS and keep(kept):
                    stay.append(kept)
                else:
                    gone |= {kept.path, kept.done}
            gone |= _strays(folder)
        stay.sort(key=lambda kept: kept.built)
        gone |= self._unreferred(stay)
        sizes = {path: _size(path) for path in self.folder.rglob("*")}
        while sum(sizes[path] for path in sizes.keys() - gone) > _MOST_BYTES and len(stay) > 1:
            # The older half at a time, since the trees have to be looked for anew each time.
            half = len(stay) // 2
            gone |= {path for kept in stay[:half] for path in (kept.path, kept.done)}
            del stay[:half]
            gone |= self._unreferred(stay)
        return gone

    def _unreferred(self, kept: Sequence[Kept]) -> set[Path]:
        wanted = {self._tree(digest).name for each in kept if (record := each.load()) for digest in record.trees}
        wanted |= {each.key for each in kept}
        return {path for path in (*_listed(self._trees), *_listed(self._bases)) if path.name not in wanted}

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        """Many write at once, and one sweeps alone."""
        file = os.open(private_folder(self.folder) / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, how)
            yield
        finally:
            os.close(file)

    def _of(self, folder: Path) -> list[Kept]:
        found = []
        for path in sorted(_listed(folder), reverse=True):
            if match := _NAME.fullmatch(path.name):
                found.append(Kept(path, int(match["time"]) / 1e9, match["key"], match["id"]))
        return found

    def _ended_well(self, kept: Kept) -> bool:
        return _read(kept.done).partition("\n")[0] in (_BUILT, _REUSED)

    def _base(self, key: str) -> Path:
        return self._bases / key.removeprefix("sha256:")[:16]

    def _tree(self, digest: str) -> Path:
        # By the form as well: one of an earlier form is as good as missing, and takes nobody's place.
        return self._trees / f"{digest.removeprefix('sha256:')[:40]}-2"


def packed(entries: Iterable[Entry]) -> Iterator[str]:
    """Each entry as one text."""
    for entry in entries:
        yield f"{entry.type}\0{entry.content or '-'}\0{entry.size}\0{entry.path}"


def unpacked(listing: Iterable[str]) -> dict[str, Entry]:
    """The entries by their paths."""
    found = {}
    for line in listing:
        type, content, size, path = line.split("\0")
        found[path] = Entry(path, type, "" if content == "-" else content, int(size))  # type: ignore[arg-type] # as packed() wrote it
    return found


def _folder(name: str) -> str:
    return sha256(name.encode()).hexdigest()[:40]


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _write(path: Path, data: bytes) -> None:
    private_folder(path.parent.parent)
    private_folder(path.parent)
    handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _strays(folder: Path) -> set[Path]:
    """What a process left that was killed while it wrote, and the ends of records that are gone."""
    return {
        path
        for path in _listed(folder)
        if path.name.startswith(".new-") or (path.suffix == ".done" and not path.with_suffix(".record").exists())
    }


def _remove(path: Path) -> int:
    size = _size(path)
    try:
        path.unlink()
    except OSError:
        return 0
    return size


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size if not path.is_dir() else 0
    except OSError:
        return 0
