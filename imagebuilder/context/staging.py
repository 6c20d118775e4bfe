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
from pathlib import Path

from imagebuilder.context.tree import Entry, Tree
from imagebuilder.diagnostics import Invalid

_CHUNK = 1 << 20


def stage_tree(tree: Tree, target: Path) -> None:
    """Copy the tree to ``target``, which must not exist and whose parent must.

    Raises:
        Invalid: a file is not what it was when the key was computed.
    """
    if not (tree.entries and tree.entries[0].path == ""):
        _make_folder(target)
    for entry in tree.entries:
        source = tree.root / entry.path if entry.path else tree.root
        copy = target / entry.path if entry.path else target
        try:
            _copy(entry, source, copy)
        except OSError as error:
            raise _changed(source, (error.strerror or str(error)).lower()) from None
    for entry in reversed(tree.entries):
        if entry.type == "dir":
            try:
                _keep_time(tree.root / entry.path, target / entry.path)
            except OSError as error:
                raise _changed(tree.root / entry.path, (error.strerror or str(error)).lower()) from None


def stage_text(content: str, target: Path) -> None:
    """Write the text as a file, byte for byte."""
    target.write_bytes(content.encode())
    target.chmod(0o644)


def _copy(entry: Entry, source: Path, copy: Path) -> None:
    if entry.type == "dir":
        _make_folder(copy)
    elif entry.type == "link":
        if os.readlink(source) != entry.content:
            raise _changed(source, "its target is another one")
        copy.symlink_to(entry.content)
        _keep_time(source, copy)
    else:
        digest = hashlib.sha256()
        with source.open("rb", buffering=0) as file, copy.open("xb") as out:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                out.write(chunk)
        if digest.hexdigest() != entry.content:
            raise _changed(source, "its content is another one")
        copy.chmod(0o755 if entry.type == "program" else 0o644)
        _keep_time(source, copy)


def _make_folder(path: Path) -> None:
    """With the mode that the builder is to see, whatever the umask."""
    path.mkdir()
    path.chmod(0o755)


def _keep_time(source: Path, copy: Path) -> None:
    status = source.lstat()
    os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)


def _changed(path: Path, how: str) -> Invalid:
    return Invalid("IB210", f"{str(path)!r} changed while the image was being built: {how}", "build again")
