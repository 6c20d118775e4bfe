"""A suggestion in the words of the language that its reader writes."""

from __future__ import annotations

from pathlib import PurePath

from imagebuilder.diagnostics import Place, Span


def said(place: Place | None, *, python: str, dockerfile: str, snap: str) -> str:
    """The one of three suggestions that can be pasted where the place is."""
    if not isinstance(place, Span):
        return python
    ending = PurePath(place.file).suffix
    return snap if ending == ".snap" else python if ending == ".py" else dockerfile
