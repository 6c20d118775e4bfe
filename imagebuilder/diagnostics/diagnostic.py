"""A mistake, as data and as text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from imagebuilder.diagnostics.excerpt import excerpt, visible
from imagebuilder.diagnostics.places import Place, span_json


@dataclass(frozen=True, slots=True)
class Note:
    """A further remark; with a place, it is drawn as a second excerpt."""

    message: str
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake. ``code`` is a key of ``CODES`` and never changes its meaning.

    ``hidden`` are texts that no excerpt may show.
    """

    code: str
    message: str
    place: Place | None = None
    notes: tuple[Note, ...] = ()
    help: str = ""
    severity: str = "error"
    hidden: tuple[str, ...] = field(default=(), repr=False)

    def render(self) -> str:
        """The diagnostic as a person reads it, with its source line and carets.

        A character that a terminal would obey is shown as another one.
        """
        lines = [f"{self.severity}[{self.code}]: {self.message}"]
        if self.place is not None:
            lines += excerpt(self.place.resolve(), self.hidden)
        for note in self.notes:
            lines.append(f"  = note: {_indented(note.message, 10)}")
            if note.place is not None:
                lines += excerpt(note.place.resolve(), self.hidden)
        if self.help:
            lines.append(f"  = help: {_indented(self.help, 10)}")
        return visible("\n".join(lines))

    def as_json(self) -> dict[str, Any]:
        """The diagnostic as one JSON object; the place is null where unknown."""
        span = self.place.resolve() if self.place is not None else None
        return {
            "severity": self.severity,
            "code": self.code,
            "message": self.message,
            "span": span_json(span),
            "notes": [note.message for note in self.notes],
            "help": self.help,
        }


def _indented(text: str, width: int) -> str:
    return text.replace("\n", "\n" + " " * width)
