"""Python's collector of cycles, paused where nearly all that is made stays.

To look through it again and again costs a third more, and more the larger it is.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Also a decorator. Of several threads, the one that paused it lets it go on."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
