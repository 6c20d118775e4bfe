"""Which files of a large folder this machine has seen change: those are likely to change again.

Remembered per folder under the home, as the parts that it was last cut into and
the names of the files that have changed since. It is a guess at what pays: lost
or wrong, it moves files between layers and never changes what an image holds.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from imagebuilder.context.cut import Part, cut
from imagebuilder.context.kept import KeptParts
from imagebuilder.context.tree import Entry, Tree
from imagebuilder.home import private_folder
from imagebuilder.ir.ops import LocalSource

# Remembered per folder: what changed longest ago is forgotten first.
_MOST_FILES = 256
_MOST_BYTES = 16 << 20
# More at a time is another branch or a tool's doing, and says nothing about what a person works on.
_AT_ONCE = 64
# Folders that are remembered.
_MOST_FOLDERS = 64


class Changes:
    """The memory of one home."""

    def __init__(self, home: Path, kept: KeptParts) -> None:
        self._folder = home / "cuts"
        self._kept = kept
        self.replaced: list[str] = []
        """The last parts that were cut before and are of no more use: one comes of every change."""

    def cut(self, tree: Tree, source: LocalSource, path: str = ".") -> tuple[Part, ...]:
        """The parts of a folder, what has changed in the last one; and remember them for the next time."""
        file = self._folder / sha256(f"{tree.root}\0{source!r}\0{path}".encode(errors="surrogateescape")).hexdigest()
        before, hot = _read(file)
        parts = cut(tree, path, set(hot))
        if before and before != [part.digest for part in parts] and (changed := self._changed(before, parts)):
            hot = _bounded([*(p for p in hot if p not in changed), *changed], tree)
            parts = cut(tree, path, set(hot))
        self._write(file, [part.digest for part in parts], hot)
        if before and before[-1] != parts[-1].digest:
            self.replaced.append(before[-1])
        return parts

    def _changed(self, before: list[str], parts: Iterable[Part]) -> list[str]:
        """The files that are not what they were, as far as what they were is known."""
        now = {part.digest: part for part in parts}
        known: dict[str, tuple[str, str]] = {}
        for digest in before:
            if digest not in now:
                listing = self._kept.listing(digest)
                if listing is None:
                    return []
                known |= listing
        new = [entry for digest, part in now.items() if digest not in before for entry in part.entries]
        changed = [e.path for e in new if e.type != "dir" and known.get(e.path) != (e.type, e.content)]
        return changed if len(changed) <= _AT_ONCE else []

    def _write(self, file: Path, digests: list[str], hot: list[str]) -> None:
        # The guess is worth no error.
        with suppress(OSError):
            private_folder(self._folder)
            handle, name = tempfile.mkstemp(dir=self._folder)
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                json.dump({"parts": digests, "hot": hot}, out)
            Path(name).replace(file)
            ordered = sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
            for old in ordered[:-_MOST_FOLDERS]:
                old.unlink()


def _read(file: Path) -> tuple[list[str], list[str]]:
    """The digests of the parts, and the files that changed, the last one last; empty where nothing sound is there."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        parts, hot = found["parts"], found["hot"]
        if all(isinstance(each, list) and all(isinstance(text, str) for text in each) for each in (parts, hot)):
            return parts, hot
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return [], []


def _bounded(hot: list[str], tree: Tree) -> list[str]:
    entries: dict[str, Entry] = {entry.path: entry for entry in tree.entries}
    most = max(_MOST_BYTES, tree.size // 16)
    taken, size = [], 0
    for path in reversed(hot[-_MOST_FILES:]):
        size += entries[path].size if path in entries else 0
        if size > most:
            break
        taken.append(path)
    return taken[::-1]
