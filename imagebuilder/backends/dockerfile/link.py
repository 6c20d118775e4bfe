"""Where ``COPY --link`` is safe.

A linked layer is made without a look at what lies below, so its parent folders
replace those of the base: a symbolic link on the way (``/bin`` → ``usr/bin``)
would become a folder, and a folder with an owner or mode of its own (``/tmp``,
``/root``, a home) would lose it. It is safe where nothing can have made the
folder before: at a top-level folder outside of the standard layout, in a stage
in which no command has run and no user was set.
"""

from __future__ import annotations

import re

from imagebuilder.ir.ops import Copy, LocalSource, Op, Run, Scratch, User, Volume, Workdir
from imagebuilder.ir.stage import Stage

_STANDARD = frozenset(
    [
        "bin",
        "boot",
        "dev",
        "etc",
        "home",
        "lib",
        "lib32",
        "lib64",
        "libx32",
        "lost+found",
        "media",
        "mnt",
        "opt",
        "proc",
        "root",
        "run",
        "sbin",
        "srv",
        "sys",
        "tmp",
        "usr",
        "var",
    ]
)


class LinkRule:
    """Follows one stage from its base on."""

    def __init__(self, stage: Stage) -> None:
        self._pristine = not isinstance(stage.base, Stage)
        self._empty = isinstance(stage.base, Scratch)

    def allows(self, op: Copy) -> bool:
        """Whether this copy may be linked, given what was noted before it."""
        if op.link:
            return True
        if not self._pristine or not isinstance(op.dest, str) or not op.dest.startswith("/"):
            return False
        if not isinstance(op.origin, LocalSource) and not _is_folderlike(op):
            return False
        if not (isinstance(op.chown, str) and re.fullmatch(r"(\d+(:\d+)?)?", op.chown)):
            return False
        top = op.dest.split("/")[1]
        return bool(top) and (self._empty or (top not in _STANDARD and op.dest.count("/") > 1))

    def note(self, op: Op) -> None:
        if isinstance(op, Run | User | Volume | Workdir):
            self._pristine = False


def _is_folderlike(op: Copy) -> bool:
    return isinstance(op.dest, str) and not any(isinstance(s, str) and s.endswith("/") for s in op.sources)
