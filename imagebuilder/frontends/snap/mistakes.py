"""What is wrong with a target, collected: each mistake once, and no more of them than anybody reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from imagebuilder.diagnostics import Diagnostic

MAX_MISTAKES = 100


class Enough(Exception):
    """So many mistakes that it is not worth the time to look for more."""


class Mistakes(list[Diagnostic]):
    """Adding one that is there already (a matrix may come by it in each of its cells) changes nothing.

    Adding raises :class:`Enough` as soon as there are ``MAX_MISTAKES``.
    """

    def __init__(self) -> None:
        super().__init__()
        self._known: set[tuple[str, str]] = set()

    def append(self, error: Diagnostic) -> None:
        place = error.place.resolve() if error.place is not None else None
        known = (error.code, f"{place}" if place else error.message)
        if known in self._known:
            return
        self._known.add(known)
        super().append(error)
        if len(self) >= MAX_MISTAKES:
            raise Enough

    # A list's own takes what fits several types at once; here, diagnostics come in alone.
    def __iadd__(self, errors: Iterable[Diagnostic]) -> Self:  # type: ignore[override,misc]
        for error in errors:
            self.append(error)
        return self
