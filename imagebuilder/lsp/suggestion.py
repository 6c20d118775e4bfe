"""What a completion consists of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Suggestion:
    """``insert`` is what is written, the label where it is empty; ``snippet`` the same with stops for the cursor.

    ``kind`` is ``keyword``, ``verb``, ``option``, ``value``, ``image``, ``param``, ``secret``, ``type``
    or ``operator``.
    """

    label: str
    kind: str
    detail: str = ""
    doc: str = ""
    insert: str = ""
    snippet: str = ""


@dataclass(frozen=True, slots=True)
class Completion:
    """Suggestions for ``text[begin:end]``."""

    begin: int
    end: int
    suggestions: tuple[Suggestion, ...]
