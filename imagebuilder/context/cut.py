"""A large folder cut into parts, each of which becomes a layer of its own.

The engine sends, exports and unpacks layers whole, so that one changed file of
100,000 costs as much as all of them. Of a folder in parts, it costs its part
and the unpacking of what lies above. The rule depends on nothing but a file's
place and size: the same files fall into the same part on every machine, and
into the same part as yesterday.

The last part is another one. It holds every folder, so that folders have the
times that a plain copy gives them, and empty ones are there; and the files that
this machine has seen change (:mod:`imagebuilder.context.changes`), which lie on
top: changed once more, they take nothing else along.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from zlib import crc32

from imagebuilder.context.tree import Entry, Tree

PARTS = 16
"""Parts besides the last one. More of them make a change cheaper and the whole dearer: each has folders of its own."""

# Below, a plain copy is built within two or three seconds, and most of that is not copying.
_FILES = 4_000
_BYTES = 64 << 20
# A folder of more files is spread over the parts, and so are larger files, so that no part grows out of proportion.
_MOST_IN_FOLDER = 1_000
_LARGE = 1 << 20
# With more folders than this, they are parted like files: what is sent again for each change has to be little.
_MOST_FOLDERS = 5_000


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a tree's entries, sorted, with every folder that leads to them; the digest tells contents apart."""

    root: Path
    entries: tuple[Entry, ...]
    digest: str

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.entries)


def is_large(tree: Tree, path: str = ".") -> bool:
    """Whether ``path`` is a folder of the tree that is worth cutting: not one behind a link, nor a pattern."""
    if path != "." and not _is_folder(tree, path):
        return False
    files = [entry.size for entry in _below(tree.entries, path) if entry.type != "dir"]
    return len(files) >= _FILES or sum(files) >= _BYTES


def cut(tree: Tree, path: str = ".", hot: Collection[str] = ()) -> tuple[Part, ...]:
    """The parts of a folder of the tree, those that hold nothing left out; ``hot`` names the last one's files."""
    entries = _below(tree.entries, path)
    filed = Counter(posixpath.dirname(entry.path) for entry in entries if entry.type != "dir")
    folders = {entry.path: entry for entry in tree.entries if entry.type == "dir"}
    top = [path, *_above(path)] if path != "." else []
    apart = sum(entry.type == "dir" for entry in entries) > _MOST_FOLDERS
    chosen: list[dict[str, Entry]] = [{} for _ in range(PARTS + 1)]
    for entry in entries:
        folder = posixpath.dirname(entry.path)
        if entry.type == "dir":
            number = _number(entry.path) if apart else PARTS
        elif entry.path in hot:
            number = PARTS
        elif entry.size >= _LARGE or filed[folder] > _MOST_IN_FOLDER:
            number = _number(entry.path)
        else:
            number = _number(folder)
        part = chosen[number]
        part[entry.path] = entry
        while folder and folder not in part:
            part[folder] = folders[folder]
            folder = posixpath.dirname(folder)
    parts = []
    for number, part in enumerate(chosen):
        if part or number == PARTS:
            part.update((folder, folders[folder]) for folder in top)
            parts.append(_part(tree.root, part.values()))
    return tuple(parts)


def _number(path: str) -> int:
    return crc32(path.encode()) % PARTS


def _part(root: Path, entries: Iterable[Entry]) -> Part:
    ordered = sorted(entries, key=lambda entry: entry.path.encode())
    digest = sha256(b"imagebuilder part 1\0")
    # Neither a path nor what a link leads to can hold a NUL.
    digest.update("".join(f"{e.type}\0{e.path}\0{e.content}\0" for e in ordered).encode())
    return Part(root, tuple(ordered), "sha256:" + digest.hexdigest())


def _below(entries: Iterable[Entry], path: str) -> list[Entry]:
    return [entry for entry in entries if entry.path.startswith(path + "/")] if path != "." else list(entries)


def _above(path: str) -> Iterable[str]:
    while path := posixpath.dirname(path):
        yield path


def _is_folder(tree: Tree, path: str) -> bool:
    types = {entry.path: entry.type for entry in tree.entries}
    return all(types.get(folder) == "dir" for folder in (path, *_above(path)))
