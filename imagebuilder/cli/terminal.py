"""A person's terminal, joined to a command in a sandbox."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from imagebuilder.cli.output import tell
from imagebuilder.diagnostics import EngineError
from imagebuilder.engine.containers import Running
from imagebuilder.sandbox import not_started

_CHUNK = 1 << 14
_TRIES, _PAUSE = 5, 0.01


def join(running: Running, words: Sequence[str], cwd: str | None = None) -> int:
    """Pass on what is typed and shown, key by key, until the command ends; its exit code.

    Args:
        words, cwd: what was asked for, to be named where it could not be started.
    """
    keys = sys.stdin.fileno()
    # What may be the engine's words in the place of the command's waits for what comes after it.
    begun, held = False, b""
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
                break
            if (held and b"\n" not in held) or (not begun and data.startswith(not_started.BEGIN)):
                held += data
            else:
                _show(held + data)
                held = b""
            begun = True
    code = running.exit_code()
    if held and code in not_started.EXIT_CODES:
        tell(not_started.not_started(held.decode(errors="replace"), words, cwd))
    elif held:
        _show(held)
    return code


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
