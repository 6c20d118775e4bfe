"""What was seen of a folder's files when they were last hashed, so that what has not changed is not read again.

One file per folder that was read and per selection from it: for each folder inside, the names in it, a packed look at
the inode of each, and the entries that came of them. A file is taken for unchanged when its size, mtime, ctime, inode
and mode are. The ctime cannot be put back, so a same-size edit whose mtime was restored shows. A file that was changed
within two seconds of being hashed is looked at as ``UNKNOWN``, hence read again: its clock may not have moved between
the two. What no look can show is a write through a shared mapping whose page is already dirty (it leaves no time
until the page is written back); staging checks each byte against the key all the same.

The files are written whole and renamed into place, carry a checksum, and are nothing but a saving: one that is
missing, damaged or of another version is as good as none, and where none can be written each run reads everything.
"""

from __future__ import annotations

import marshal
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import xxhash

SLACK = 2_000_000_000
"""Nanoseconds: the coarsest clock of a file system in use."""

MAX_BYTES = 256 << 20
"""Of all files together; about two and a half million entries."""

Record = tuple[bytes, bytes, bytes, tuple[bytes, ...], bytes, bytes, int, tuple[int, ...]]
"""Of one folder: the names in it as they were listed and those that were looked at, each joined by zeros; the looks;
the subfolders that are entered and, for each, a byte that says whether it is taken itself; the entries of files and
links; the bytes of its files; which include groups something in it meets."""

Records = dict[bytes, Record]
"""By the folder's path from the root."""

# Marshal's own format and the records' layout: whoever writes otherwise, reads otherwise.
_VERSION = b"imagebuilder stats 1 %d.%d %d\0" % (*sys.version_info[:2], marshal.version)


def load(folder: Path, name: str) -> tuple[str, Records]:
    """The rules under which a tree was last read, and what was seen of it; empty where nothing is known."""
    file = folder / name
    try:
        data = file.read_bytes()
    except OSError:
        return "", {}
    head = len(_VERSION) + 16
    if data[: len(_VERSION)] != _VERSION or data[len(_VERSION) : head] != xxhash.xxh3_128_digest(data[head:]):
        return "", {}
    with suppress(OSError):
        os.utime(file)  # So that it is not the one that goes.
    rules, records = marshal.loads(data[head:])  # noqa: S302 - as this user wrote it, by the checksum
    return rules, records


def save(folder: Path, name: str, rules: str, records: Records) -> None:
    """Keep what was seen; not where it cannot be written."""
    data = marshal.dumps((rules, records))
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".", dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_VERSION + xxhash.xxh3_128_digest(data) + data)
            Path(temporary).replace(folder / name)
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink()
            raise
        _bound(folder, MAX_BYTES)


def file_name(*parts: object) -> str:
    """The name under which something with these parts is kept."""
    return "xxh3-" + xxhash.xxh3_128_hexdigest(repr(parts).encode())


def _bound(folder: Path, most: int) -> None:
    """Remove the least recently used files until the others have at most so many bytes."""
    found = []
    for child in os.scandir(folder):
        with suppress(FileNotFoundError):
            status = child.stat(follow_symlinks=False)
            found.append((status.st_mtime_ns, status.st_size, child.path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= most:
            return
        with suppress(FileNotFoundError):
            Path(path).unlink()
        total -= size
