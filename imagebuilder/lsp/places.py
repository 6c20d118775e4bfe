"""Between offsets of a text and the lines and columns of an editor."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable

from imagebuilder.diagnostics import Span
from imagebuilder.frontends.snap.syntax import normalised

BOM = "\ufeff"


def utf16(text: str) -> int:
    """How many UTF-16 code units a text has."""
    return len(text) + sum(char > "\uffff" for char in text)


class Places:
    """Positions are 0-based lines and columns in the units of ``width``, of the text before it was normalised.

    A line ends with ``\\n``, ``\\r\\n`` or ``\\r``, as the language and the protocol have it. Positions outside of the
    text are taken to the nearest one inside.
    """

    def __init__(self, source: str, width: Callable[[str], int] = utf16) -> None:
        self.text = normalised(source)
        self._starts = [0, *(match.end() for match in re.finditer("\n", self.text))]
        self._width = width
        # Of a byte order mark: the first line of the editor's text has one more character.
        self._first = width(BOM) if source.startswith(BOM) else 0

    def position(self, offset: int) -> tuple[int, int]:
        offset = max(0, min(offset, len(self.text)))
        line = bisect_right(self._starts, offset) - 1
        return line, self._width(self.text[self._starts[line] : offset]) + (0 if line else self._first)

    def offset(self, line: int, column: int) -> int:
        if line < 0:
            return 0
        if line >= len(self._starts):
            return len(self.text)
        written = self._line(line)
        column -= 0 if line else self._first
        low, high = 0, len(written)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._width(written[:middle]) <= column else (low, middle - 1)
        return self._starts[line] + low

    def of_span(self, span: Span) -> tuple[int, int]:
        """Where a place of a diagnostic begins and ends; at least one character where its line has one."""
        line = min(max(span.line, 1), len(self._starts)) - 1
        written = self._line(line)
        if not span.column:
            indent = len(written) - len(written.lstrip())
            return self._starts[line] + indent, self._starts[line] + len(written)
        begin = self._starts[line] + min(span.column - 1, len(written))
        last = min(max(span.end_line, span.line), len(self._starts)) - 1
        end = self._starts[last] + min(max(span.end_column - 1, 0), len(self._line(last)))
        return begin, end if end > begin else min(begin + 1, self._starts[line] + len(written))

    def _line(self, line: int) -> str:
        end = self._starts[line + 1] - 1 if line + 1 < len(self._starts) else len(self.text)
        return self.text[self._starts[line] : end]
