"""Locks that end with their process: whoever holds one is alive."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from imagebuilder.home import private_folder

_PAUSE = 0.05


@contextmanager
def lock(
    path: Path, on_wait: Callable[[], None] = lambda: None, still: Callable[[], None] | None = None
) -> Iterator[int]:
    """Hold the lock of that name, waiting for it if need be.

    What is given is its file descriptor: a program that inherits it holds the lock as well, until it ends.

    Args:
        on_wait: called once before waiting.
        still: called again and again while waiting, which ends with what it raises; no signal wakes a thread.
    """
    private_folder(path.parent)
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                _wait(file, still)
            if not _is(path, file):
                continue  # Its holder removed it while this process was waiting.
            try:
                yield file
            finally:
                path.unlink(missing_ok=True)
            return
        finally:
            os.close(file)


def _wait(file: int, still: Callable[[], None] | None) -> None:
    if still is None:
        fcntl.flock(file, fcntl.LOCK_EX)
        return
    while True:
        still()
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(_PAUSE)


@contextmanager
def unless_held(path: Path) -> Iterator[bool]:
    """Hold the lock if nobody does; whether it is held now. Never waits."""
    private_folder(path.parent)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        mine = _is(path, file)
        try:
            yield mine
        finally:
            if mine:
                path.unlink(missing_ok=True)
    finally:
        os.close(file)


@contextmanager
def shared(path: Path) -> Iterator[int]:
    """Hold the lock together with all who share it, waiting for one who has it :func:`alone`; its file stays."""
    with _file(path) as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield file


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Hold the lock unless somebody shares it; whether it is held now. Never waits; its file stays."""
    with _file(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def held(path: Path) -> bool:
    """Whether a living process holds the lock.

    Asks with a shared lock, so that two that ask at once do not take each other for the holder.
    """
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


@contextmanager
def _file(path: Path) -> Iterator[int]:
    private_folder(path.parent)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def _is(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False
