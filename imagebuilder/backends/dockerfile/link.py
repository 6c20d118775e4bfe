"""Where ``COPY --link`` is safe.

A linked layer is made without a look at what lies below, so its parent folders
replace those of the base: a symbolic link on the way (``/bin`` → ``usr/bin``)
would become a folder, and a folder with an owner or mode of its own (``/tmp``,
``/root``, a home) would lose it. It is safe where nothing can have made the
folder before: at a top-level folder outside of the standard layout, on an empty
base or an official one of known layout, in a stage in which no command has run,
no user was set, and nothing but single files was put into that folder.
"""

from __future__ import annotations

import posixpath
import re

from imagebuilder.ir.ops import (
    Add,
    BaseImage,
    Copy,
    LocalSource,
    Op,
    Run,
    Scratch,
    User,
    Volume,
    Workdir,
    WriteFiles,
)
from imagebuilder.ir.stage import Stage
from imagebuilder.ir.words import Word

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


# What is below their top-level folders is known: nothing outside of the standard layout.
_KNOWN_BASE = re.compile(r"(docker\.io/)?(library/)?python:[0-9.]+-slim-[a-z]+(@sha256:[0-9a-f]{64})?")


class LinkRule:
    """Follows one stage from its base on."""

    def __init__(self, stage: Stage) -> None:
        self._empty = isinstance(stage.base, Scratch)
        self._pristine = self._empty or (
            isinstance(stage.base, BaseImage) and _KNOWN_BASE.fullmatch(stage.base.ref) is not None
        )
        self._taken: set[str] = set()

    def allows(self, op: Copy) -> bool:
        """Whether this copy may be linked, given what was noted before it."""
        if op.link:
            return True
        top = _top(op.dest)
        if not self._pristine or not top or top in self._taken:
            return False
        if not isinstance(op.origin, LocalSource) and any(isinstance(s, str) and s.endswith("/") for s in op.sources):
            return False
        if not (isinstance(op.chown, str) and re.fullmatch(r"(\d+(:\d+)?)?", op.chown)):
            return False
        return self._empty or (top not in _STANDARD and str(op.dest).count("/") > 1)

    def note(self, op: Op) -> None:
        if isinstance(op, Run | User | Volume | Workdir):
            self._pristine = False
        elif isinstance(op, Copy | Add | WriteFiles) and not _is_plain_file(op):
            if top := _top(op.dest):
                self._taken.add(top)
            else:
                self._pristine = False


def _top(dest: Word) -> str:
    """The top-level folder of a destination; empty where it is not plain to see."""
    if not isinstance(dest, str) or not dest.startswith("/") or posixpath.normpath(dest) != (dest.rstrip("/") or "/"):
        return ""
    return dest.split("/")[1]


def _is_plain_file(op: Copy | Add | WriteFiles) -> bool:
    """Whether it makes folders just as a linked copy does, and nothing that leads elsewhere."""
    if op.chown or op.chmod:
        return False
    return isinstance(op, WriteFiles) or (
        isinstance(op, Copy) and isinstance(op.origin, LocalSource) and op.origin.kind == "file"
    )
