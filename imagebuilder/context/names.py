"""Names of files: UTF-8 in a tree, bytes on disk, and told in a message however they are."""

from __future__ import annotations

import os
from pathlib import Path

from imagebuilder.diagnostics import Invalid


def on_disk(path: str) -> str:
    """A path as this process has to say it: names are UTF-8, whatever its locale is."""
    return os.fsdecode(path.encode())


def as_text(name: str | bytes) -> str:
    """A name from this machine, read as UTF-8 whatever the locale of this process is.

    Raises:
        Invalid: it is not UTF-8.
    """
    try:
        return os.fsencode(name).decode()
    except UnicodeDecodeError:
        shown = os.fsencode(name).decode(errors="surrogateescape")
        raise Invalid("IB206", f"a file name that is not UTF-8: {shown!a}", "rename the file, or ignore it") from None


def unreadable(path: Path, error: OSError | None = None) -> Invalid:
    """What is missing, or cannot be read."""
    reason = (error.strerror or str(error)).lower() if error else "no such file or directory"
    return Invalid(
        "IB201",
        f"cannot read {str(path)!r}: {reason}",
        "relative paths start at the folder of the file that names them",
    )
