"""Reading files that somebody else may have put there."""

from __future__ import annotations

import errno
import os
import stat
from io import FileIO
from pathlib import Path


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


def read_text(path: Path) -> str:
    """The text of a regular file in UTF-8, without a byte order mark.

    Raises:
        OSError: as :func:`open_regular`.
        UnicodeDecodeError: it is not UTF-8.
    """
    with open_regular(path) as file:
        return file.read().decode("utf-8-sig")
