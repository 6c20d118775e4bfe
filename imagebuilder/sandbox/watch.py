"""Looking after sandboxes for as long as the program that makes them runs; after that, the next command does."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from imagebuilder.diagnostics import ImagebuilderError

if TYPE_CHECKING:
    from imagebuilder.sandbox.lifecycle import Sandboxes

# Seconds between two looks; intervals are in minutes.
_EVERY = 30.0


class Watch:
    """A thread that sweeps, from when it is first asked for. It keeps neither the client alive nor the program."""

    def __init__(self, sandboxes: Sandboxes) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ended = ended = threading.Event()
        self._sandboxes = weakref.ref(sandboxes, lambda _: ended.set())

    def begin(self) -> None:
        """Nothing happens where it runs; a process that was forked has none."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=_watch, args=(self._sandboxes, self._ended), daemon=True)
                self._thread.start()


def _watch(sandboxes: Callable[[], Sandboxes | None], ended: threading.Event) -> None:
    while not ended.wait(_EVERY):
        found = sandboxes()
        # An engine that does not answer now may do so later.
        with suppress(ImagebuilderError, OSError):
            if found is not None:
                found.sweep()
        del found
