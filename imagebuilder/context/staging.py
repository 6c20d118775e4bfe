"""A copy of just the files that a build needs, as the builder gets them.

Copying buys three things: what is ignored is never sent, every machine sends
the same modes (0755 for folders and programs, 0644 for files), and the bytes
are checked against the key while they are copied, so that a file which changes
meanwhile fails the build instead of entering it. Times are kept, since the
builder tells changed files by them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from imagebuilder.context import copying
from imagebuilder.context.tree import Entry, Tree
from imagebuilder.diagnostics import Invalid

Job = tuple[Path, Sequence[Entry], Path]
"""Entries of a folder, parents before what they hold, and the new folder they are copied into, whose parent exists."""

# With fewer entries, a second process takes longer to start than it saves.
_FOR_TWO = 8_000


def stage_tree(tree: Tree, target: Path) -> None:
    """Copy the tree into a new folder ``target``, whose parent must exist.

    Raises:
        Invalid: a file is not what it was when the key was computed, or the copy cannot be written.
    """
    stage_all([(tree.root, tree.entries, target)])


def stage_all(jobs: Sequence[Job], lock: int | None = None) -> None:
    """Copy several, the last of them by a second process where there are very many files.

    Args:
        lock: the descriptor of a lock that the second process holds as well, until it ends.

    Raises:
        Invalid: as :func:`stage_tree`.
    """
    ours, theirs = _shared_out(jobs)
    helper = _Helper(theirs, lock) if theirs else None
    try:
        _copy(ours)
        if helper is not None and not helper.wait():
            # Whatever ended it, what it left is in the way.
            for _, _, target in theirs:
                shutil.rmtree(target, ignore_errors=True)
            _copy(theirs)
    finally:
        if helper is not None:
            helper.end()


def stage_text(content: str, target: Path) -> None:
    """Write the text as a file, byte for byte."""
    with _writing(target):
        target.write_bytes(content.encode())
        target.chmod(0o644)


def _copy(jobs: Sequence[Job]) -> None:
    for root, entries, target in jobs:
        with _writing(target):
            copying.copy_all(os.fsencode(root), _items(entries), os.fsencode(target))


def _shared_out(jobs: Sequence[Job]) -> tuple[Sequence[Job], Sequence[Job]]:
    count = sum(len(entries) for _, entries, _ in jobs)
    if count < _FOR_TWO or len(jobs) < 2 or not _can_help():
        return jobs, []
    ours = 0
    for number, (_, entries, _) in enumerate(jobs):
        if ours >= count // 2:
            return jobs[:number], jobs[number:]
        ours += len(entries)
    return jobs, []


def _items(entries: Sequence[Entry]) -> list[copying.Item]:
    return [(entry.path, entry.type, entry.content, entry.size) for entry in entries]


class _Helper:
    """A second process that copies; one that cannot be started, or is ended, has done nothing."""

    def __init__(self, jobs: Sequence[Job], lock: int | None) -> None:
        self._target = jobs[0][2].parent
        self._process: subprocess.Popen[bytes] | None = None
        # Isolated and without site: nothing of the environment or the current folder is imported.
        argv = [sys.executable, "-I", "-S", copying.__file__]
        inherited = () if lock is None else (lock,)
        pipe = subprocess.PIPE
        with suppress(OSError):
            self._process = subprocess.Popen(
                argv, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, pass_fds=inherited, start_new_session=True
            )
            assert self._process.stdin is not None
            text = [copying.as_json(os.fsencode(root)) for root, _, _ in jobs]
            work = [
                (root, _items(entries), copying.as_json(os.fsencode(target)))
                for root, (_, entries, target) in zip(text, jobs, strict=True)
            ]
            copying.send(self._process.stdin, work)

    def wait(self) -> bool:
        """Whether it has copied everything.

        Raises:
            Invalid: as :func:`stage_tree`.
        """
        if self._process is None or self._process.stdout is None:
            return False
        try:
            answer = copying.receive(self._process.stdout)
        except (OSError, ValueError):
            return False
        match answer:
            case []:
                return True
            case ["changed", path, how]:
                raise _changed(copying.as_bytes(path), how)
            case ["unwritable", reason]:
                raise unwritable(self._target, reason)
        return False

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process.wait()


def _can_help() -> bool:
    # What embeds Python, or was frozen into one file, is no interpreter.
    if getattr(sys, "frozen", False) or not Path(sys.executable or "").name.startswith("python"):
        return False
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cpus > 1 and Path(copying.__file__).is_file()


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except copying.Changed as change:
        raise _changed(change.path, change.how) from None
    except OSError as error:
        raise unwritable(target, copying.reason(error)) from None


def unwritable(path: Path, reason: str) -> Invalid:
    """The diagnostic for a copy that cannot be made."""
    help = "free some space there, or set IMAGEBUILDER_HOME to a folder on a larger disk"
    return Invalid("IB211", f"the copy for the builder cannot be written to {str(path)!r}: {reason}", help)


def _changed(path: bytes, how: str) -> Invalid:
    return Invalid("IB210", f"{os.fsdecode(path)!r} changed while the image was being built: {how}", "build again")
