"""Reading files that somebody else may have put there, and writing them whole."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from io import FileIO
from pathlib import Path

# What file systems without hard links answer.
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


MAX_TEXT = 64 << 20
"""Bytes of a text that a person wrote. What the system shows as a file may have no end: /proc/kcore."""


def is_folder(path: Path) -> bool:
    """Whether there is a folder; False where nothing can be, since the name is too long."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir() raises for such a name


def is_link(path: Path) -> bool:
    """Whether there is a symbolic link, in the same way."""
    return os.path.islink(path)  # noqa: PTH114 - as above


def open_regular(path: Path) -> FileIO:
    """Open a file for reading, unbuffered. A pipe or device is refused, since reading one may never end.

    Raises:
        OSError: there is no such file, it cannot be read, or it is no regular file.
    """
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(file).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        return FileIO(file, "rb")
    except BaseException:
        os.close(file)
        raise


def link_or_copy(source: Path, target: Path) -> None:
    """A file under a second name, or a copy with its times where the two file systems are not one.

    Raises:
        OSError: neither can be.
    """
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno not in (*_NO_LINKS, errno.EXDEV):
            raise
        shutil.copy2(source, target)


def read_text(path: Path) -> str:
    """The text of a regular file in UTF-8, without a byte order mark.

    Raises:
        OSError: as :func:`open_regular`, or it has more than ``MAX_TEXT`` bytes.
        UnicodeDecodeError: it is not UTF-8.
    """
    with open_regular(path) as file:
        # Of a raw file, one call may give less than there is.
        data = bytearray()
        while chunk := file.read(1 << 20):
            data += chunk
            if len(data) > MAX_TEXT:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        return data.decode("utf-8-sig")


def write_text(path: Path, text: str, *, force: bool = False) -> None:
    """Write a file in UTF-8, all of it or nothing.

    Args:
        force: also where there is a regular file already.

    Raises:
        FileExistsError: there is a file, and no ``force``.
        OSError: it cannot be written, or is a device or a link, whose place no file is to take: /dev/stdout.
    """
    if force and os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        # Under the name that was asked for, not the one of the moment.
        raise OSError(error.errno, error.strerror, str(path)) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            os.fchmod(handle, 0o666 & ~_umask())
            file.flush()
            os.fsync(handle)
        if force:
            Path(name).replace(path)
        else:
            # Unlike a rename, a link never replaces what somebody else has just written.
            try:
                os.link(name, path)
            except OSError as error:
                if error.errno not in _NO_LINKS or path.exists():
                    raise
                Path(name).replace(path)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def replace_text(path: Path, text: str) -> None:
    """Put a text in the place of a file's own, in UTF-8: at every moment the file holds one of the two, whole.

    A link stays and what it leads to is written; the mode stays, and the owner where that is allowed.

    Raises:
        OSError: there is no such file, or it or its folder may not be written.
    """
    real = Path(os.path.realpath(path))
    before = real.stat()
    if not os.access(real, os.W_OK):
        # Only its folder is asked by what follows.
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    handle, name = tempfile.mkstemp(prefix=".imagebuilder-", dir=real.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            with suppress(OSError):
                os.fchown(handle, before.st_uid, before.st_gid)
            os.fchmod(handle, stat.S_IMODE(before.st_mode))
            os.fsync(handle)
        Path(name).replace(real)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
