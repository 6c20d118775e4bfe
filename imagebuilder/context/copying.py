"""The copying of many files, by this process and, where there are very many, by a second one.

The second is this very file as a program, isolated: it imports nothing but the
standard library. Paths are bytes and descriptors are the system's own, since of
100,000 small files, path objects and file objects took longer than their bytes.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import sys
from collections.abc import Sequence
from typing import IO, Any

Item = tuple[str, str, str, int]
"""A path, and type, content and size, as in :class:`~imagebuilder.context.tree.Entry`."""

_CHUNK = 1 << 20
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class Changed(Exception):
    """A file that is not what it was when the key was computed."""

    def __init__(self, path: bytes, how: str) -> None:
        super().__init__(path, how)
        self.path, self.how = path, how


def copy_all(root: bytes, items: Sequence[Item], target: bytes) -> None:
    """Copy items, parents before what they hold, from the folder ``root`` into a new folder ``target``.

    Raises:
        Changed: one of them is not what it says.
        OSError: the copy cannot be written.
    """
    _make_folder(target)
    for item in items:
        path = item[0].encode()
        _copy(item, b"%s/%s" % (root, path), b"%s/%s" % (target, path))
    for item in reversed(items):
        if item[1] == "dir":
            path = item[0].encode()
            _keep_time(b"%s/%s" % (root, path), b"%s/%s" % (target, path))


def reason(error: OSError) -> str:
    """What the system says, in lower case."""
    return (error.strerror or str(error)).lower()


def _copy(item: Item, source: bytes, copy: bytes) -> None:
    _, type, content, size = item
    if type == "dir":
        _make_folder(copy)
    elif type == "link":
        try:
            found = os.readlink(source)
        except OSError as error:
            raise Changed(source, reason(error)) from None
        if found != content.encode():
            raise Changed(source, "its target is another one")
        os.symlink(found, copy)
        _keep_time(source, copy)
    else:
        file, status = _open_regular(source)
        try:
            # A mode of its own: what it is created with is less the umask, and more what the folder's ACL says.
            mode = 0o755 if type == "program" else 0o644
            out = os.open(copy, _WRITE, mode)
            try:
                if _pour(file, out, size, source) != content:
                    raise Changed(source, "its content is another one")
                os.fchmod(out, mode)
                os.utime(out, ns=(status.st_atime_ns, status.st_mtime_ns))
            finally:
                os.close(out)
        finally:
            os.close(file)


def _open_regular(path: bytes) -> tuple[int, os.stat_result]:
    """As :func:`imagebuilder.files.open_regular`: nothing that never ends."""
    try:
        file = os.open(path, _READ)
    except OSError as error:
        raise Changed(path, reason(error)) from None
    status = os.fstat(file)
    if stat.S_ISREG(status.st_mode):
        return file, status
    os.close(file)
    raise Changed(path, os.strerror(errno.EISDIR).lower() if stat.S_ISDIR(status.st_mode) else "not a regular file")


def _pour(file: int, out: int, size: int, source: bytes) -> str:
    """Copy and hash a file's bytes, up to one more than it should have."""
    digest, left = hashlib.sha256(), size + 1
    while left:
        try:
            chunk = os.read(file, min(left, _CHUNK))
        except OSError as error:
            raise Changed(source, reason(error)) from None
        if not chunk:
            break
        left -= len(chunk)
        digest.update(chunk)
        while chunk:
            chunk = chunk[os.write(out, chunk) :]
    return digest.hexdigest()


def _make_folder(path: bytes) -> None:
    """With the mode that the builder is to see, whatever the umask."""
    os.mkdir(path)
    os.chmod(path, 0o755)


def _keep_time(source: bytes, copy: bytes) -> None:
    try:
        status = os.lstat(source)
    except OSError as error:
        raise Changed(source, reason(error)) from None
    os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)


def send(out: IO[bytes], value: object) -> None:
    """Write a value that JSON can hold, and no more after it."""
    out.write(json.dumps(value).encode())
    out.close()


def receive(file: IO[bytes]) -> Any:
    """
    Raises:
        ValueError: what came is not whole.
    """
    return json.loads(file.read())


def _main() -> None:
    """Copy what standard input says, and answer with what is wrong: nothing, a change, or what cannot be written."""
    answer: list[str | None]
    try:
        for root, items, target in receive(sys.stdin.buffer):
            copy_all(as_bytes(root), items, as_bytes(target))
        answer = []
    except Changed as change:
        answer = ["changed", as_json(change.path), change.how]
    except OSError as error:
        answer = ["unwritable", reason(error)]
    send(sys.stdout.buffer, answer)


def as_json(path: bytes) -> str:
    """Any path as text; JSON holds no bytes."""
    return path.decode("latin-1")


def as_bytes(path: str) -> bytes:
    """The inverse of :func:`as_json`."""
    return path.encode("latin-1")


if __name__ == "__main__":
    _main()
