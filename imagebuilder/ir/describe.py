"""An operation in one short line, for progress and messages."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from typing import Any

from imagebuilder.ir.ops import Model, RunCommands
from imagebuilder.ir.stage import Stage
from imagebuilder.ir.words import Expansion, Var

_LENGTH = 72
# What a line ends with that goes on in the next.
_OPEN = re.compile(r"(?:[;&|({]|\b(?:do|then|else))$")
_SHOWN = ("packages", "requirements", "default")


def describe(op: Model) -> str:
    """``apt_install curl git``; long ones are cut."""
    verb = getattr(op, "verb", type(op).__name__)
    if isinstance(op, RunCommands):
        shown = "; ".join(_line(command) for command in op.commands)
    else:
        fields = type(op).model_fields.items()
        shown = " ".join(_words(getattr(op, name) for name, field in fields if field.is_required() or name in _SHOWN))
    text = " ".join(f"{verb} {shown}".split())
    return text if len(text) <= _LENGTH else text[: _LENGTH - 1] + "…"


def _line(command: str | tuple[str, ...]) -> str:
    """A script on one line, its lines parted by ``;`` where the shell would need it."""
    if isinstance(command, tuple):
        return shlex.join(command)
    lines = [line.strip() for line in command.replace("\\\n", " ").split("\n") if line.strip()]
    parted = [line if _OPEN.search(line) else f"{line};" for line in lines[:-1]]
    return " ".join([*parted, *lines[-1:]])


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
