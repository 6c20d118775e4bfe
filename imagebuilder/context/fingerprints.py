"""What files hold, as digests: read in this process, and by a second one where there are very many.

This file is also that second process's program, run by its path with the standard library alone, which starts in a
tenth of the time that the package takes to import. It holds what both do; who does what is decided in
:mod:`imagebuilder.context.reading`.

A file is looked at before it is read, so that what is written meanwhile shows at the next look. Besides, a large file
or one of another length than its inode said is looked at again afterwards: where the two looks differ it is read once
more, and refused when it never holds still. A small file that is overwritten in the very moment may be read half and
half; a build of it fails, since staging checks each byte against the key.
"""

from __future__ import annotations

import errno
import marshal
import os
import stat
import struct
import sys
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import chain
from operator import attrgetter
from typing import IO, Any

STAT = struct.Struct("<IQqqq")
"""What a look at an inode gives: mode, inode, size, mtime and ctime in nanoseconds."""

UNKNOWN = bytes(STAT.size)
"""In place of a look that says nothing, since no inode has the mode 0."""

LARGE = 1 << 20
"""From this size on files are hashed by several threads."""

Found = tuple[bytes, bytes, list[tuple[int, int]], int]
"""Of a list of names, in their order: the looks, the entries, which are large and still to be hashed (each the number
of its name and where its entry begins), and the bytes of all files."""

_identity = attrgetter("st_mode", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")
# Where the system has it, as a mere place: in a folder that may be entered but not listed, known names can be read.
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe that has taken a file's place is not waited for, and a link is not followed.
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_TRIES = 3
_KIND, _REGULAR = 0o170000, stat.S_IFREG
_STAT = STAT.pack
_SIZE = struct.Struct(">Q").pack
_CHUNK = 1 << 20
_LENGTH = struct.Struct("<I")


class Problem(Exception):
    """Why a file cannot be read.

    ``kind`` is ``unreadable`` (``code`` is the system's error number), ``special`` (neither a file, a folder nor a
    link), ``changing`` or ``name`` (a link whose target is not UTF-8).
    """

    def __init__(self, kind: str, path: bytes, code: int = 0) -> None:
        super().__init__(kind, path, code)
        self.kind, self.path, self.code = kind, path, code


def open_folder(path: bytes) -> int:
    """A descriptor of the folder, for names that start in it; of no link to one, which may have taken its place."""
    return os.open(path, _FOLDER)


def look(folder: int, names: Sequence[bytes]) -> bytes:
    """What the inodes of a folder's names are now, packed.

    Raises:
        OSError: a name is not there.
        struct.error: a time is beyond 64 bits.
    """
    found = [_identity(os.stat(name, dir_fd=folder, follow_symlinks=False)) for name in names]
    return _struct(len(names)).pack(*chain.from_iterable(found))


@lru_cache(maxsize=256)
def _struct(count: int) -> struct.Struct:
    return struct.Struct("<" + STAT.format[1:] * count)


def record(kind: bytes, name: bytes, content: bytes, size: int) -> bytes:
    """One entry of a folder: its kind, the size of a file or the length of a link's target, what it holds, its name.

    What a file or a folder holds is 32 bytes of SHA-256; no name holds the zero that ends it. So no two lists of
    entries are written alike.
    """
    return b"%b%b%b%b\0" % (kind, _SIZE(size), content, name)


def size_of(entry: bytes) -> int:
    """The bytes of a file, by its entry; of a link, its target's."""
    return int.from_bytes(entry[1:9], "big")


def read(path: bytes, names: Iterable[bytes], fresh: int) -> Found:
    """Read files and links of one folder.

    Args:
        fresh: nanoseconds since the epoch. What was changed after it may change again without a trace, within the
            granularity of the file system's clock, so the look at it is written as ``UNKNOWN``.

    Raises:
        Problem: one of them cannot be read.
    """
    looks: list[bytes] = []
    records: list[bytes] = []
    large: list[int] = []
    total = 0
    try:
        folder = open_folder(path)
    except OSError as error:
        raise Problem("unreadable", path, error.errno or 0) from None
    try:
        for name in names:
            # A small regular file, which nearly all are, takes the short way: each call here counts.
            try:
                file = os.open(name, _FILE, dir_fd=folder)
            except OSError:
                file = -1
            if file >= 0:
                try:
                    identity = _identity(os.fstat(file))
                    mode, _, size, mtime, ctime = identity
                    if mode & _KIND == _REGULAR and size < LARGE:
                        data = os.read(file, size + 1)
                        if len(data) == size:
                            looks.append(_STAT(*identity) if mtime < fresh and ctime < fresh else UNKNOWN)
                            kind = b"p" if mode & 0o111 else b"f"
                            total += size
                            records.append(b"%b%b%b%b\0" % (kind, _SIZE(size), sha256(data).digest(), name))
                            continue
                except (OSError, struct.error):
                    pass
                finally:
                    os.close(file)
            kind, found, size, content = _any(folder, name, path)
            if kind == b"L":
                large.append(len(records))
            looks.append(_packed(found, fresh))
            records.append(record(kind, name, content, size))
            total += 0 if kind == b"l" else size
    finally:
        os.close(folder)
    begins = [(number, sum(map(len, records[:number]))) for number in large]
    return b"".join(looks), b"".join(records), begins, total


def read_large(path: bytes, name: bytes, fresh: int) -> tuple[bytes, bytes]:
    """The packed look at a large file and its record; without the lock of the interpreter, mostly."""
    try:
        folder = open_folder(path)
    except OSError as error:
        raise Problem("unreadable", path, error.errno or 0) from None
    try:
        kind, identity, size, content = _any(folder, name, path, large=True)
    finally:
        os.close(folder)
    return _packed(identity, fresh), record(kind, name, content, size)


_Identity = tuple[int, int, int, int, int]
_Entry = tuple[bytes, "_Identity | None", int, bytes]


def _packed(identity: _Identity | None, fresh: int) -> bytes:
    if identity is None or identity[3] >= fresh or identity[4] >= fresh:
        return UNKNOWN
    try:
        return STAT.pack(*identity)
    except struct.error:
        return UNKNOWN


def _any(folder: int, name: bytes, path: bytes, *, large: bool = False) -> _Entry:
    """A file or a link of whatever size; a large file unread, as the kind ``L``, unless it is asked for."""
    whole = path + b"/" + name
    try:
        for _ in range(_TRIES):
            identity = _identity(os.stat(name, dir_fd=folder, follow_symlinks=False))
            mode, _, size, _, _ = identity
            if stat.S_ISLNK(mode):
                target = os.readlink(name, dir_fd=folder)
                try:
                    target.decode()
                except UnicodeDecodeError:
                    raise Problem("name", target) from None
                return b"l", identity, len(target), target
            if not stat.S_ISREG(mode):
                # It was a file or a link when the folder was listed.
                raise Problem("changing", whole)
            if size >= LARGE and not large:
                return b"L", None, size, bytes(32)
            if (found := _whole(folder, name, identity)) is not None:
                return found
    except OSError as error:
        raise Problem("unreadable", whole, error.errno or 0) from None
    raise Problem("changing", whole)


def _whole(folder: int, name: bytes, identity: _Identity) -> _Entry | None:
    """A file's content; None where it was changed meanwhile."""
    try:
        file = os.open(name, _FILE, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            return None  # A link or a socket has taken its place.
        raise
    try:
        if _identity(os.fstat(file)) != identity:
            return None
        digest, count = sha256(), 0
        buffer = memoryview(bytearray(_CHUNK))
        while length := os.readv(file, [buffer]):
            digest.update(buffer[:length])
            count += length
            if count > identity[2] > 0:
                break
        if _identity(os.fstat(file)) != identity:
            return None
    finally:
        os.close(file)
    mode, _, size, _, _ = identity
    if count != size:
        if size:
            return None
        # The system makes such a file when it is read, as in /proc: its inode tells nothing about its content.
        return b"p" if mode & 0o111 else b"f", None, count, digest.digest()
    return b"p" if mode & 0o111 else b"f", identity, size, digest.digest()


# The second process ---------------------------------------------------------------------------------


HELLO = b"imagebuilder reads\n"
"""What the second process says first, so that whatever else was started in its place is given no work."""

Job = tuple[bytes, list[bytes]]
"""A folder and names in it."""


def send(stream: IO[bytes], message: Any) -> None:
    data = marshal.dumps(message)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """
    Raises:
        EOFError: the other side has ended.
    """
    head = stream.read(_LENGTH.size)
    data = stream.read(_LENGTH.unpack(head)[0]) if len(head) == _LENGTH.size else b""
    if not data:
        raise EOFError
    return marshal.loads(data)  # noqa: S302 - both ends are this file


def serve(source: IO[bytes], sink: IO[bytes]) -> None:
    """Say ``HELLO``; then answer ``(fresh, jobs)`` with one ``Found`` per job, until the other side ends.

    In place of a ``Found`` stand the arguments of the ``Problem`` that was met.
    """
    sink.write(HELLO)
    sink.flush()
    while True:
        try:
            fresh, jobs = receive(source)
        except EOFError:
            return
        answer: list[object] = []
        for path, names in jobs:
            try:
                answer.append(read(path, names, fresh))
            except Problem as problem:
                answer.append(problem.args)
                break
        send(sink, answer)


if __name__ == "__main__":
    import signal

    # The first process hears of it too, and ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(sys.stdin.buffer, sys.stdout.buffer)
