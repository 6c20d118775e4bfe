"""A person's terminal, joined to a command in a sandbox."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from imagebuilder.diagnostics import EngineError
from imagebuilder.engine.containers import Running

_CHUNK = 1 << 14
_TRIES, _PAUSE = 5, 0.01


def join(running: Running) -> int:
    """Pass on what is typed and shown, key by key, until the command ends; its exit code."""
    keys = sys.stdin.fileno()
    with _raw(keys), _resizing(running):
        typing = True
        while True:
            # What is held already does not show in select(), and comes at once.
            try:
                _, data = running.read(0)
            except TimeoutError:
                ready = select.select([running, *([keys] if typing else [])], [], [])[0]
                if keys in ready:
                    typed = os.read(keys, _CHUNK)
                    typing = bool(typed)
                    # It may have ended by now, which shows when it is read next.
                    with suppress(OSError):
                        running.write(typed) if typed else running.close_input()
                continue
            if not data:
                return running.exit_code()
            _show(data)


def _show(data: bytes) -> None:
    while data:
        data = data[os.write(sys.stdout.fileno(), data) :]


@contextmanager
def _raw(keys: int) -> Iterator[None]:
    """Each key is the command's, Ctrl-C among them."""
    before = termios.tcgetattr(keys)
    try:
        tty.setraw(keys)
        yield
    finally:
        termios.tcsetattr(keys, termios.TCSADRAIN, before)


@contextmanager
def _resizing(running: Running) -> Iterator[None]:
    """The command's terminal has the size of the person's, now and after each change."""

    def resize(*_: object) -> bool:
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
        try:
            running.resize(columns, rows)
        except EngineError:
            return False
        return True

    before = signal.signal(signal.SIGWINCH, resize)
    try:
        # It may not have started yet, or have ended already, and the engine says the same of both.
        for _ in range(_TRIES):
            if resize():
                break
            time.sleep(_PAUSE)
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
