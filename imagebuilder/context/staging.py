"""A copy of just the files that a build needs, as the builder gets them.

Copying buys three things: what is ignored is never sent, every machine sends
the same modes (0755 for folders and programs, 0644 for files), and the bytes
are checked against the key while they are copied, so that a file which changes
meanwhile fails the build instead of entering it. Times are kept, since the
builder tells changed files by them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imagebuilder.context.tree import Entry, Tree, on_disk
from imagebuilder.diagnostics import Invalid
from imagebuilder.files import open_regular

_CHUNK = 1 << 20


def stage_tree(tree: Tree, target: Path) -> None:
    """Copy the tree into a new folder ``target``, whose parent must exist.

    Raises:
        Invalid: a file is not what it was when the key was computed, or the copy cannot be written.
    """
    try:
        _make_folder(target)
        for entry in tree.entries:
            path = on_disk(entry.path)
            _copy(entry, tree.root / path, target / path)
        for entry in reversed(tree.entries):
            if entry.type == "dir":
                path = on_disk(entry.path)
                _keep_time(tree.root / path, target / path)
    except OSError as error:
        raise _unwritable(target, error) from None


def stage_text(content: str, target: Path) -> None:
    """Write the text as a file, byte for byte."""
    try:
        target.write_bytes(content.encode())
        target.chmod(0o644)
    except OSError as error:
        raise _unwritable(target, error) from None


def _copy(entry: Entry, source: Path, copy: Path) -> None:
    if entry.type == "dir":
        _make_folder(copy)
    elif entry.type == "link":
        with _reading(source):
            found = os.fsencode(os.readlink(source))
        if found != entry.content.encode():
            raise _changed(source, "its target is another one")
        copy.symlink_to(on_disk(entry.content))
        _keep_time(source, copy)
    else:
        digest, size = hashlib.sha256(), 0
        with _reading(source):
            file = open_regular(source)
        with file, copy.open("xb") as out:
            status = os.fstat(file.fileno())
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                if size > entry.size:
                    break
                out.write(chunk)
        if digest.hexdigest() != entry.content:
            raise _changed(source, "its content is another one")
        copy.chmod(0o755 if entry.type == "program" else 0o644)
        os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))


@contextmanager
def _reading(source: Path) -> Iterator[None]:
    """What was there when the key was computed and cannot be read now has changed."""
    try:
        yield
    except OSError as error:
        raise _changed(source, (error.strerror or str(error)).lower()) from None


def _make_folder(path: Path) -> None:
    """With the mode that the builder is to see, whatever the umask."""
    path.mkdir()
    path.chmod(0o755)


def _keep_time(source: Path, copy: Path) -> None:
    with _reading(source):
        status = source.lstat()
    os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)


def _unwritable(path: Path, error: OSError) -> Invalid:
    reason = (error.strerror or str(error)).lower()
    help = "free some space there, or set IMAGEBUILDER_HOME to a folder on a larger disk"
    return Invalid("IB211", f"the copy for the builder cannot be written to {str(path)!r}: {reason}", help)


def _changed(path: Path, how: str) -> Invalid:
    return Invalid("IB210", f"{str(path)!r} changed while the image was being built: {how}", "build again")
