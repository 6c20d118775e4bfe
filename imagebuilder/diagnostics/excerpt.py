"""How a place is drawn: its source line, with carets below."""

from __future__ import annotations

import linecache
import re
from collections.abc import Sequence
from pathlib import Path

from imagebuilder.diagnostics.places import Span

# What a terminal obeys instead of showing it: control characters, and those that turn the direction of writing.
_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
# Characters of an excerpt's line, and of those before the place, where the line is longer.
_LONGEST = 240
_AROUND = 80
_CREDENTIAL = re.compile(r"(?<=://)[^/\s@]+(?=@)")


def visible(text: str) -> str:
    """The text with another character for each that a terminal would obey; what is quoted may be a stranger's."""
    return _OBEYED.sub(_shown, text)


def excerpt(span: Span, hidden: Sequence[str] = (), *, text: str | None = None) -> list[str]:
    """The lines of a place; ``hidden`` are texts that are not shown, ``text`` is its line where that is known."""
    number = str(span.line)
    pad = " " * len(number)
    lines = [f"{pad}--> {span}"]
    text = source_line(span.file, span.line) if text is None else text
    if text is None:
        return lines
    # The line may be refused just because it holds a credential. The width stays, so that the carets do.
    for value in sorted(filter(None, hidden), key=len, reverse=True):
        text = text.replace(value, "*" * len(value))
    shown = _CREDENTIAL.sub(lambda found: "*" * len(found[0]), text.replace("\t", " "))
    last = span.end_column if span.end_line in (0, span.line) else len(text) + 1
    width = max(1, min(last, len(text) + 1) - span.column)
    shown, before = _cut(shown, span.column - 1) if span.column else (_cut(shown, 0)[0], 0)
    lines += [f"{pad} |", f"{number} | {shown}"]
    if span.column:
        lines.append(f"{pad} | {' ' * before}{'^' * max(1, min(width, len(shown) - before))}")
    return lines


def _cut(line: str, at: int) -> tuple[str, int]:
    """What of a long line is worth showing, and where in it the column ``at`` is; a whole document may be one line."""
    first = at - _AROUND if len(line) > _LONGEST and at > _AROUND else 0
    shown = line[first : first + _LONGEST]
    rest = "…" if first + _LONGEST < len(line) else ""
    return ("…" if first else "") + shown + rest, at - first + bool(first)


def source_line(file: str, line: int) -> str | None:
    """The text of a line of a file; None where there is no such line."""
    # A program that runs for long may read a file that has changed since.
    linecache.checkcache(file)
    if text := linecache.getline(file, line):
        return text.rstrip("\r\n")
    try:
        # Not splitlines(), which ends a line at characters that no editor ends one at.
        lines = Path(file).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return None
    return lines[line - 1] if 0 < line <= len(lines) else None


def _shown(found: re.Match[str]) -> str:
    """One character for one, so that carets stay below what they mean: ``␛`` for an escape."""
    code = ord(found[0])
    return chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else "\ufffd"
