"""Who speaks: the place that a call to :class:`Image` is blamed for, and the folder its relative paths start from.

A Python program speaks for itself, through the frame that made the call. A front
end that calls ``Image`` on behalf of a file says so with :func:`speaking_for`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from imagebuilder.diagnostics import CallSite, Place

# A global of code without a file: the folder from which its relative paths start.
FOLDER = "__imagebuilder_folder__"

_SPEAKER: ContextVar[tuple[Place, Path] | None] = ContextVar("speaker", default=None)


@contextmanager
def speaking_for(place: Place, root: Path) -> Iterator[None]:
    """Calls inside the block are made by ``place``; relative paths start at the absolute folder ``root``."""
    token = _SPEAKER.set((place, root))
    try:
        yield
    finally:
        _SPEAKER.reset(token)


def caller() -> tuple[Place, Path]:
    """The speaker, or the call outside of this package with the folder of its file."""
    if (speaker := _SPEAKER.get()) is not None:
        return speaker
    frame = sys._getframe(2)
    while frame.f_globals.get("__name__", "").partition(".")[0] == "imagebuilder" and frame.f_back is not None:
        frame = frame.f_back
    file = Path(frame.f_code.co_filename)
    # Code that is read before its file is written says where that will be.
    folder = frame.f_globals.get(FOLDER)
    root = Path(folder) if folder else file.parent.absolute() if file.is_file() else Path.cwd()
    return CallSite(frame.f_code, frame.f_lasti, frame.f_lineno), root
