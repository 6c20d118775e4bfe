"""Python's collector of cycles, kept from work that frees nothing.

To look through what stays again and again costs a third more, and more the larger it is.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# Objects made and not freed again. Importing makes fewer; of cycles, so many are what may wait.
_SELDOM = 200_000


@contextmanager
def paused() -> Iterator[None]:
    """Also a decorator, for what makes no cycles. Of several threads, the one that paused it lets it go on.

    What was made meanwhile counts as old: else all of it would be looked through as soon as the collector goes on.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            # A program that froze objects of its own would find them thawed.
            if not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()


@contextmanager
def of_a_command() -> Iterator[None]:
    """Seldom while a command runs, and not once more at the end of its process, which frees everything anyway."""
    gc.set_threshold(_SELDOM)
    try:
        yield
    finally:
        gc.freeze()
