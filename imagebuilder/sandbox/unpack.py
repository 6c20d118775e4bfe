"""Archives from a sandbox, unpacked where nothing of them can lead out: a sandbox is not trusted."""

from __future__ import annotations

import os
import posixpath
import shutil
import tarfile
from itertools import dropwhile
from pathlib import Path
from typing import IO

_CHUNK = 1 << 20
MOST_FILES = 1_000_000
"""Files, folders and links that are written at most."""


class Refused(Exception):
    """An entry that would be, or lead, outside of the folder, or is neither file, folder nor link."""


class TooMuch(Refused):
    """More bytes or files than are wanted."""


def unpack(stream: IO[bytes], target: Path, most: float) -> None:
    """Write what the archive's one folder holds into the folder ``target``, which is there and empty.

    Permissions are kept without the special bits; owners are not.

    Args:
        most: bytes that the files may take.

    Raises:
        Refused: an entry is not to be written; those before it have been.
    """
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        files = taken = 0
        while (entry := archive.next()) is not None:
            # It would keep all that it has read.
            archive.members.clear()  # type: ignore[attr-defined] # its stub lacks it
            _, _, name = entry.name.partition("/")
            if not (name := name.rstrip("/")):
                continue
            files += 1
            if files > MOST_FILES:
                raise TooMuch(f"more than {MOST_FILES:,} files")
            taken += _write(archive, entry, _inside(name), target, most - taken)


def _write(archive: tarfile.TarFile, entry: tarfile.TarInfo, name: str, target: Path, left: float) -> int:
    """The bytes that it took, which are no more than are ``left``."""
    path = target / name
    # A link that was written before may not be what the next entry goes through.
    for folder in path.parents:
        if folder == target:
            break
        if folder.is_symlink():
            raise Refused(f"{entry.name!r} lies behind a link")
    path.parent.mkdir(parents=True, exist_ok=True)
    if entry.isdir():
        path.mkdir(exist_ok=True)
        path.chmod((entry.mode & 0o777) | 0o700)
    elif entry.issym():
        _inside(posixpath.join(posixpath.dirname(name), entry.linkname), entry.linkname)
        # Up from a real folder leads where it seems to lead; up from what another link leads to may lead out.
        below = list(dropwhile(lambda part: part in ("", ".", ".."), entry.linkname.split("/")))
        if ".." in below:
            raise Refused(f"{entry.linkname!r} may lead out of the folder")
        path.symlink_to(entry.linkname)
    elif entry.islnk():
        source = target / _inside(entry.linkname.partition("/")[2], entry.linkname)
        if source.is_symlink() or not source.is_file():
            raise Refused(f"{entry.name!r} is a link to {entry.linkname!r}")
        size = _fits(source.stat().st_size, left)
        shutil.copy2(source, path, follow_symlinks=False)
        return size
    elif entry.isfile():
        size = _fits(entry.size, left)
        member = archive.extractfile(entry)
        assert member is not None
        with open(path, "xb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, 0o600)) as out:
            shutil.copyfileobj(member, out, _CHUNK)
        path.chmod((entry.mode & 0o777) | 0o400)
        return size
    else:
        raise Refused(f"{entry.name!r} is neither a file nor a folder")
    return 0


def _fits(size: int, left: float) -> int:
    if size > left:
        raise TooMuch("more bytes than are wanted")
    return size


def _inside(name: str, shown: str = "") -> str:
    """The name without ``.`` and ``..``."""
    path = posixpath.normpath(name)
    if path.startswith("/") or path.split("/")[0] == ".." or (shown or name).startswith("/") or "\0" in path:
        raise Refused(f"{shown or name!r} leads out of the folder")
    return path
