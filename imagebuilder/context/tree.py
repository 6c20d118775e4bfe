"""A local source as it is on disk: which files it means, and one digest for all of them.

The digest covers names, contents, the executable bit and the targets of
symbolic links, in sorted order: not modes beyond that bit, owners, times or
where the folder lies, which differ from machine to machine. It is that of the
topmost folder. A folder's digest covers the names and digests of the folders
in it and the entries of its files, so a folder has the same one wherever it is.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Literal, NamedTuple

from imagebuilder import collector
from imagebuilder.context import stats
from imagebuilder.context.fingerprints import Problem, read_large, record
from imagebuilder.context.names import as_text, unreadable
from imagebuilder.context.names import on_disk as on_disk
from imagebuilder.context.patterns import is_wildcard
from imagebuilder.context.selection import Selection, ignore_rules
from imagebuilder.context.walk import Visit, entries, told, walk
from imagebuilder.diagnostics import Invalid
from imagebuilder.ir.ops import LocalSource

_TYPES: dict[bytes, Literal["file", "program", "link"]] = {b"f": "file", b"p": "program", b"l": "link"}

# A tree that takes no longer to read than this leaves nothing behind.
_WORTH_FILES = 250
_WORTH_BYTES = 8 << 20


class Entry(NamedTuple):
    """``path`` is relative, with ``/``; for a source that is a file, its name.

    ``content`` is the SHA-256 of a file in hexadecimal, the target of a link, or empty.
    """

    path: str
    type: Literal["file", "program", "dir", "link"]
    content: str = ""
    size: int = 0


class Tree:
    """What a source holds.

    ``root`` is the folder in which the paths of its entries start, ``source`` what the author named; ``digest`` is
    ``sha256:…``, ``size`` the bytes of all files.
    """

    __slots__ = ("_entries", "_folders", "digest", "root", "size", "source")

    def __init__(self, root: Path, source: Path, folders: dict[str, Folder]) -> None:
        """``folders`` are those of the tree by their paths, the topmost, whose path is empty, among them."""
        self.root = root
        self.source = source
        self.digest = folders[""].digest
        self.size = sum(folder.size for folder in folders.values())
        self._folders = folders
        self._entries: tuple[Entry, ...] | None = None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Sorted by path, parents before what they hold. Made when first asked for: a key needs none of them."""
        if self._entries is None:
            found = [Entry(path, "dir") for path in self._folders if path]
            for path, folder in self._folders.items():
                found += _entries(path + "/" if path else "", folder.files)
            self._entries = tuple(sorted(found, key=lambda entry: entry.path.encode()))
        return self._entries

    def digest_of(self, path: str) -> str | None:
        """What is at a path: ``dir:`` and the digest of what is in it, or ``file:`` and that of the file alone.

        None where there is no such path, or a link on the way.
        """
        if path in self._folders:
            return f"dir:{self._folders[path].digest}"
        above, name = posixpath.split(path)
        for kind, _, _, other, entry in entries(self._folders[above].files if above in self._folders else b""):
            if other == name.encode() and kind != b"l":
                return f"file:{_digest(entry)}"
        return None


class Folder(NamedTuple):
    """``files`` has the entries of files and links as :func:`fingerprints.record` writes them, in order."""

    digest: str
    files: bytes
    size: int


@collector.paused()
def read_tree(root: str, source: LocalSource, seen: Path | None = None) -> Tree:
    """Walk the source and read what it holds.

    Args:
        root: the folder at which ``source.path`` starts.
        seen: the folder in which to remember what files looked like, so that those which do not change are not read
            again; None remembers nothing.

    Raises:
        Invalid: something is missing, unreadable, or of a kind that no image can hold.
    """
    path = Path(root) / on_disk(source.path)
    try:
        if source.kind == "file":
            return _file(path)
        if not path.is_dir():
            raise (
                unreadable(path)
                if not path.exists()
                else Invalid("IB205", f"not a folder: {str(path)!r}", "add_local_file takes a file")
            )
        folder = path.resolve()
    except OSError as error:
        raise unreadable(path, error) from None
    wanted = Selection(folder, source)
    if seen and Path(os.path.realpath(seen)).is_relative_to(folder):
        # To write there would change what was just read.
        seen = None
    tree = Tree(folder, path, _folders(_walked(folder, source, wanted, seen)))
    wanted.check(lambda: {entry.path for entry in tree.entries})
    return tree


def taken(tree: Tree, source: LocalSource, path: str) -> str | None:
    """What COPY or a mount takes of a source for one path in it: a folder's content, or a file with its name.

    The digest is the same wherever in the source that lies, and whichever source it is. None where the path is a
    pattern or leads through a link: that is for the builder to follow.
    """
    path = posixpath.normpath(path.lstrip("/") or ".")
    if source.kind == "file":
        return f"file:{tree.digest}"
    if path == ".":
        return f"dir:{tree.digest}"
    return None if is_wildcard(path) else tree.digest_of(path)


def _walked(folder: Path, source: LocalSource, wanted: Selection, seen: Path | None) -> list[Visit]:
    rules = ignore_rules(folder, source)
    name = stats.file_name(os.fsencode(folder), source.include, source.literal, source.dockerignore, source.ignore)
    words, before = stats.load(seen, name) if seen else ("", {})
    records = before
    while True:
        same = words == (words := f"{rules.words} {wanted.words}")
        visits = walk(folder, rules, wanted, records, same=same)
        records = {visit.path: visit.record for visit in visits}
        if not wanted.may_follow() or not wanted.follow(_links(visits)):
            break
    if seen and (len(records) != len(before) or any(before.get(path) is not each for path, each in records.items())):
        count = sum(visit.record[1].count(b"\0") for visit in visits)
        if before or count >= _WORTH_FILES or sum(visit.record[6] for visit in visits) >= _WORTH_BYTES:
            stats.save(seen, name, words, records)
    return visits


def _links(visits: list[Visit]) -> Iterator[str]:
    for visit in visits:
        prefix = visit.path + b"/" if visit.path else b""
        for kind, _, _, name, _ in entries(visit.record[5]):
            if kind == b"l":
                yield as_text(prefix + name)


def _folders(visits: list[Visit]) -> dict[str, Folder]:
    """The folders that are part of the tree: those that are taken, and what leads to something that is."""
    below: dict[Visit, list[bytes]] = {}
    found: dict[str, Folder] = {}
    for visit in reversed(visits):
        files, size = visit.record[5], visit.record[6]
        inside = below.pop(visit, [])
        if not (visit.taken or files or inside):
            continue
        # They came from the last to the first.
        digest = _digest(b"".join(reversed(inside)) + files)
        found[as_text(visit.path)] = Folder(digest, files, size)
        if visit.parent is not None:
            name = visit.path.rpartition(b"/")[2]
            below.setdefault(visit.parent, []).append(record(b"d", name, bytes.fromhex(digest[7:]), 0))
    return found


def _digest(content: bytes) -> str:
    return "sha256:" + sha256(b"imagebuilder tree 2\0" + content).hexdigest()


def _entries(prefix: str, files: bytes) -> Iterator[Entry]:
    for kind, size, content, name, _ in entries(files):
        held = content.decode() if kind == b"l" else content.hex()
        yield Entry(prefix + name.decode(), _TYPES[kind], held, size)


def _file(path: Path) -> Tree:
    if path.is_dir():
        raise Invalid("IB205", f"a folder, not a file: {str(path)!r}", "add_local_dir takes folders")
    as_text(path.name)
    real = _resolved(path, strict=True)
    mode = real.lstat().st_mode
    if not stat.S_ISREG(mode):
        raise Invalid("IB207", f"neither a file nor a folder: {str(path)!r}")
    try:
        _, entry = read_large(os.fsencode(real.parent), os.fsencode(real.name), 0)
    except Problem as problem:
        raise told(problem) from None
    ((kind, size, content, _, _),) = entries(entry)
    files = record(kind, os.fsencode(path.name), content, size)
    return Tree(path.parent, path, {"": Folder(_digest(files), files, size)})


def _resolved(path: Path, *, strict: bool = False) -> Path:
    try:
        return path.resolve(strict=strict)
    except (OSError, RuntimeError) as error:
        # Up to Python 3.12 a circle of links is a RuntimeError.
        circle = OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        raise unreadable(path, error if isinstance(error, OSError) else circle) from None
