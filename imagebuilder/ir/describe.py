"""An operation in one short line, for progress and messages."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Any

from imagebuilder.ir.ops import Model
from imagebuilder.ir.stage import Stage
from imagebuilder.ir.words import Expansion, Var

_LENGTH = 72
_SHOWN = ("packages", "requirements", "default")


def describe(op: Model) -> str:
    """``apt_install curl git``; long ones are cut."""
    verb = getattr(op, "verb", type(op).__name__)
    shown = " ".join(
        _words(
            getattr(op, name) for name, field in type(op).model_fields.items() if field.is_required() or name in _SHOWN
        )
    )
    text = " ".join(f"{verb} {shown}".split())
    return text if len(text) <= _LENGTH else text[: _LENGTH - 1] + "…"


def _words(values: Iterable[Any]) -> Iterable[str]:
    for value in values:
        match value:
            case str():
                yield value
            case tuple() if value and all(isinstance(word, str) for word in value):
                yield shlex.join(value) if any(" " in word for word in value) else " ".join(value)
            case tuple():
                yield from _words(value)
            case Expansion():
                yield "".join(f"${part.name}" if isinstance(part, Var) else part for part in value.parts)
            case Stage():
                yield value.name or "image"
