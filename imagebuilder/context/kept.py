"""Staged parts of large folders, kept under the home so that only what changed is staged again.

A part is named by the digest of its content and is whole from the moment it has
its name: it is made beside it and renamed. What happens to it afterwards shows
in its seal, a hash over the size, times, inode and mode of all it holds, which
is compared each time before the part is used: whoever writes into a file, or
loses the end of one in a crash, moves its size or its times (nobody sets ctime).
A part whose seal is broken is not repaired but passed by, and a new one made.

Builds share parts. Each holds the store's lock together with the others, and
what is to go goes only while nobody holds it.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

from imagebuilder.context.copying import reason
from imagebuilder.context.cut import Part
from imagebuilder.context.staging import stage_all, unwritable
from imagebuilder.eviction import Kept, evict
from imagebuilder.locks import shared

FOLDER = "files"
_MOST_BYTES = 2 << 30
_MOST_SECONDS = 14 * 24 * 3600.0
# What a file costs besides its bytes: an inode and half a block.
_PER_FILE = 2304
_PER_FOLDER = 4096
_DIGITS = 40
# Never the name of a part that is whole.
_NEW = ".new-"


class KeptParts:
    """The parts of one home: ``parts/<digest>-…/<digest>/files``, with a listing and a seal beside."""

    def __init__(self, home: Path, most_bytes: int = _MOST_BYTES) -> None:
        self._folder = home / "parts"
        self._lock = self._folder / "lock"
        self._most = most_bytes
        self._held: int | None = None

    @contextmanager
    def using(self, replaced: Collection[str] = ()) -> Iterator[KeptParts]:
        """No part goes for as long as the block lasts; then those that are replaced go, and what is too much."""
        with shared(self._lock) as held:
            self._held = held
            try:
                yield self
            finally:
                self._held = None
        self.prune(self._most, _MOST_SECONDS, replaced)

    def stage(self, parts: Sequence[Part]) -> list[Path]:
        """The folders that the builder gets, one for each part; inside of :meth:`using`.

        Raises:
            Invalid: as :func:`imagebuilder.context.stage_tree`.
        """
        found = {part.digest: self._whole(part.digest) for part in parts}
        missing = {part.digest: part for part in parts if found[part.digest] is None}
        new: dict[str, Path] = {}
        try:
            for digest in missing:
                new[digest] = Path(tempfile.mkdtemp(prefix=_NEW, dir=self._folder))
                self._inside(new[digest], digest).mkdir(mode=0o755)
            jobs = [(p.root, p.entries, self._inside(new[digest], digest) / FOLDER) for digest, p in missing.items()]
            stage_all(jobs, self._held)
            found |= {digest: self._keep(new[digest], part) for digest, part in missing.items()}
        except OSError as error:
            raise unwritable(self._folder, reason(error)) from None
        finally:
            for left in new.values():  # Those that were not renamed.
                shutil.rmtree(left, ignore_errors=True)
        return [folder for part in parts if (folder := found[part.digest]) is not None]

    def listing(self, digest: str) -> dict[str, tuple[str, str]] | None:
        """Type and content of each path in a part that is kept or was lately; None where it is not known."""
        for folder in self._found(digest):
            try:
                entries = json.loads((folder / "listing").read_text(encoding="utf-8"))
                return {path: (type, content) for path, type, content in entries}
            except (OSError, ValueError, TypeError):
                continue
        return None

    def size(self) -> int:
        """About how many bytes all parts take on the disk."""
        return sum(_size(folder) for folder in self._all())

    def prune(self, most_bytes: int = 0, older_than: float = 0.0, replaced: Collection[str] = ()) -> int:
        """Remove what was used longest ago, until no more than so many bytes stay.

        And what was not used for ``older_than`` seconds, what is ``replaced`` (digests), and what was left by a
        process that was killed. Nothing happens while a build uses parts. Returns how many bytes went.
        """
        return evict(self._lock, self._kept({_short(digest) for digest in replaced}), most_bytes, older_than)

    def _kept(self, replaced: Collection[str]) -> Iterator[Kept]:
        for folder in self._all():
            in_the_way = folder.name.startswith(_NEW) or folder.name.partition("-")[0] in replaced
            with suppress(OSError):
                yield Kept(folder.stat().st_mtime, _size(folder), folder, in_the_way)

    def _keep(self, folder: Path, part: Part) -> Path:
        inside = self._inside(folder, part.digest)
        listing = [(entry.path, entry.type, entry.content) for entry in part.entries]
        (folder / "listing").write_text(json.dumps(listing), encoding="utf-8")
        folders = sum(entry.type == "dir" for entry in part.entries)
        (folder / "size").write_text(str(part.size + _PER_FILE * len(listing) + _PER_FOLDER * folders))
        (folder / "seal").write_text(seal(str(inside / FOLDER)))
        # A random name each: another process may have made the same part meanwhile, and uses its own.
        kept = self._folder / (_short(part.digest) + "-" + folder.name.removeprefix(_NEW))
        folder.rename(kept)
        return self._inside(kept, part.digest)

    def _whole(self, digest: str) -> Path | None:
        """The part as it was staged, or None."""
        for folder in self._found(digest):
            inside = self._inside(folder, digest)
            with suppress(OSError):
                # As bytes: one that is damaged may be no text.
                if (folder / "seal").read_bytes() == seal(str(inside / FOLDER)).encode():
                    os.utime(folder)
                    return inside
        return None

    def _found(self, digest: str) -> list[Path]:
        # What is said to be a digest may come from a damaged file, and be no pattern.
        return sorted(self._folder.glob(f"{_short(digest)}-*")) if _short(digest).isalnum() else []

    def _all(self) -> list[Path]:
        return [path for path in self._folder.iterdir() if path.is_dir()] if self._folder.is_dir() else []

    @staticmethod
    def _inside(folder: Path, digest: str) -> Path:
        # The last name of a context is what some builders tell contexts by.
        return folder / _short(digest)


def seal(folder: str) -> str:
    """One hash over what the system says about all that a folder holds.

    Raises:
        OSError: the folder is not there or cannot be read.
    """
    total = blake2b(digest_size=16)
    total.update(b"%o " % os.stat(folder).st_mode)
    waiting = [folder]
    while waiting:
        folder = waiting.pop()
        with os.scandir(folder) as found:
            children = sorted(found, key=lambda child: child.name)
        lines = []
        for child in children:
            s = child.stat(follow_symlinks=False)
            lines.append(f"{child.name}\0{s.st_mode} {s.st_size} {s.st_mtime_ns} {s.st_ctime_ns} {s.st_ino}")
            if child.is_dir(follow_symlinks=False):
                waiting.append(child.path)
        total.update("\0".join([str(len(lines)), *lines]).encode(errors="surrogateescape"))
    return total.hexdigest()


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:_DIGITS]


def _size(folder: Path) -> int:
    try:
        return int((folder / "size").read_text())
    except (OSError, ValueError):
        return 0
