"""One mistake, on its way to becoming a diagnostic of the whole file."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from imagebuilder.diagnostics import Diagnostic, Note, Place, did_you_mean


def near(name: str, known: Iterable[str]) -> str:
    """A hint for a misspelt name; of very many only the first are compared."""
    return did_you_mean(name, sorted(islice(known, 100)))


class Problem(Exception):
    """What is wrong with one instruction.

    ``only_if_needed`` marks what an instruction asks of the world around the
    file (a value that is known only when building). It is no mistake in a stage
    that the target does not need; a mistake in the text is one everywhere.
    """

    def __init__(
        self,
        code: str,
        message: str,
        place: Place | None,
        help: str = "",
        *,
        note: Note | None = None,
        only_if_needed: bool = False,
    ) -> None:
        super().__init__(message)
        notes = () if note is None else (note,)
        self.diagnostic = Diagnostic(code, message, place, notes=notes, help=help)
        self.only_if_needed = only_if_needed
