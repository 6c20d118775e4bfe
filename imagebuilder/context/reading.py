"""Who reads what: this process, a second one beside it, and threads for large files.

Opening and hashing a small file is mostly Python's own work, which threads of one interpreter do in turn. So where
there are many files a second interpreter takes some of them. It is started as a program of its own: a fork of a
program with threads may never end, and a spawn by :mod:`multiprocessing` runs the caller's main module again.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from imagebuilder.context import fingerprints
from imagebuilder.context.fingerprints import Found, Job, Problem

MANY = 2_000
"""Files that wait to be read, from which on a second process is worth its start."""

# Names in a piece of work, and pieces in what a helper is given at once.
_PIECE = 128
_BATCH = 16
_MOST_HELPERS = 3
# So much waits in a pipe without holding up who writes: more than a batch and its answer.
_PIPE = 1 << 20


class Reading:
    """Files of several folders, read as one piece of work. Use as a context manager, which ends the helpers."""

    def __init__(self, fresh: int) -> None:
        """``fresh`` is as in :func:`fingerprints.read`."""
        self._fresh = fresh
        self._waiting: deque[_Piece] = deque()
        self._large: list[tuple[_Piece, int, int]] = []
        self._count = 0
        self._helpers: list[_Helper] | None = None

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *_: object) -> None:
        for helper in self._helpers or ():
            helper.end()

    def add(self, path: bytes, names: list[bytes], found: list[Found]) -> None:
        """Have names of a folder read. When :meth:`finish` returns, ``found`` has got what they hold, in their order.

        Raises:
            Problem: a file cannot be read; perhaps one that was added before.
        """
        for start in range(0, len(names), _PIECE):
            found.append((b"", b"", [], 0))
            self._waiting.append(_Piece((path, names[start : start + _PIECE]), found, len(found) - 1))
        self._count += len(names)
        self._feed()

    def finish(self) -> None:
        """Read what was added.

        Raises:
            Problem: a file cannot be read.
        """
        while self._read_here() or self._wait():
            pass
        self._read_large()

    def _read_here(self) -> bool:
        """Read what no helper takes, which is everything where there is none; whether there was something."""
        count = len(self._waiting)
        while self._waiting:
            self._feed()
            piece = self._waiting.popleft()
            self._done(piece, fingerprints.read(*piece.job, self._fresh))
        return count > 0

    def _wait(self) -> bool:
        """Wait for the helpers; whether one had something to do."""
        return sum(self._collect(helper) for helper in self._helpers or ()) > 0

    def _feed(self) -> None:
        """Give work to the helpers that have none, without waiting for them."""
        if self._helpers is None:
            if self._count < MANY:
                return
            self._helpers = [_Helper() for _ in range(_helpers())]
        for helper in self._helpers:
            if helper.batch and helper.ready():
                self._collect(helper)
            if not helper.batch and helper.has_started():
                # A part of what is left, so that all are done at about the same time.
                size = min(_BATCH, len(self._waiting) // 4)
                helper.ask([self._waiting.pop() for _ in range(size)], self._fresh)

    def _collect(self, helper: _Helper) -> bool:
        """Take over what a helper has read, or what it has left; whether there was something."""
        batch, answers = helper.answer()
        for piece, answer in zip(batch, answers, strict=False):
            if isinstance(answer[0], str):
                raise Problem(*answer)
            self._done(piece, answer)
        self._waiting.extend(batch[len(answers) :])
        return bool(batch)

    def _done(self, piece: _Piece, answer: Found) -> None:
        piece.found[piece.place] = answer
        self._large += [(piece, *place) for place in answer[2]]

    def _read_large(self) -> None:
        waiting, problems = list(self._large), list[Problem]()
        read: list[tuple[_Piece, int, int, bytes, bytes]] = []

        def work() -> None:
            # A list's pop is one step: no two threads get the same.
            while waiting and not problems:
                with suppress(IndexError):
                    piece, number, begin = waiting.pop()
                    path, names = piece.job
                    try:
                        read.append((piece, number, begin, *fingerprints.read_large(path, names[number], self._fresh)))
                    except Problem as problem:
                        problems.append(problem)

        others = [threading.Thread(target=work) for _ in range(min(len(waiting), _cpus()) - 1)]
        for thread in others:
            thread.start()
        work()
        for thread in others:
            thread.join()
        if problems:
            raise problems[0]
        for piece, number, begin, look, entry in read:
            piece.put(number, begin, look, entry)


@dataclass(slots=True)
class _Piece:
    """Some names of a folder, and the place for what they hold."""

    job: Job
    found: list[Found]
    place: int

    def put(self, number: int, begin: int, look: bytes, entry: bytes) -> None:
        """Put a large file's entry in the place that was kept for it, which is as long."""
        looks, entries, large, total = self.found[self.place]
        at, end = number * len(look), begin + len(entry)
        total += fingerprints.size_of(entry) - fingerprints.size_of(entries[begin:end])
        looks = looks[:at] + look + looks[at + len(look) :]
        self.found[self.place] = looks, entries[:begin] + entry + entries[end:], large, total


class _Helper:
    """A second process that reads, one batch at a time. One that fails leaves its batch to the others."""

    def __init__(self) -> None:
        self.batch: list[_Piece] = []
        self.failed = False
        self._greeted = False
        import subprocess  # Late: mostly nothing is read, and nobody helps.

        # Isolated and without site: nothing of the environment or the current folder is imported.
        argv = [sys.executable, "-I", "-S", fingerprints.__file__]
        pipe = subprocess.PIPE
        try:
            process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, pipesize=_PIPE)
        except OSError:
            self.failed = True
            return
        assert process.stdin is not None and process.stdout is not None
        self._process, self._questions, self._answers = process, process.stdin, process.stdout

    def has_started(self) -> bool:
        """Whether it may be given work."""
        if not self._greeted and self.ready() and not self.failed:
            with self._failing():
                self._greeted = os.read(self._answers.fileno(), 1024) == fingerprints.HELLO
                self.failed = not self._greeted
        return self._greeted and not self.failed

    def ask(self, batch: list[_Piece], fresh: int) -> None:
        if batch:
            self.batch = batch
            with self._failing():
                fingerprints.send(self._questions, (fresh, [piece.job for piece in batch]))

    def ready(self) -> bool:
        return self.failed or bool(select.select([self._answers], [], [], 0)[0])

    def answer(self) -> tuple[list[_Piece], list[Any]]:
        """The batch that was asked for, and what came of its first pieces: of all, unless one failed."""
        batch, self.batch = self.batch, []
        if batch and not self.failed:
            with self._failing():
                return batch, cast(list[Any], fingerprints.receive(self._answers))
        return batch, []

    def end(self) -> None:
        if hasattr(self, "_process"):
            with suppress(OSError):
                self._questions.close()
            self._process.kill()
            self._answers.close()
            self._process.wait()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, EOFError, ValueError, TypeError):
            self.failed = True


def _helpers() -> int:
    """How many more processes are of use."""
    python = sys.executable or ""
    # What embeds Python, or was frozen into one file, is no interpreter.
    if getattr(sys, "frozen", False) or not Path(python).name.startswith("python"):
        return 0
    if not Path(fingerprints.__file__).is_file():
        return 0
    return min(_cpus() - 1, _MOST_HELPERS)


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
