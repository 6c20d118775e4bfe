"""Where something stands that went wrong.

A :class:`Span` is a range in a file. A :class:`CallSite` is a call in a running
Python program, which is resolved to a span only when somebody looks: resolving
costs more than recording, and most places are never shown.
"""

from __future__ import annotations

import linecache
from dataclasses import dataclass
from itertools import islice
from types import CodeType
from typing import Any


@dataclass(frozen=True, slots=True)
class Span:
    """A range of text in a file; lines and columns are 1-based, in characters.

    ``end_column`` is exclusive. ``column`` 0 means that only the line is known.
    """

    file: str
    line: int
    column: int = 0
    end_line: int = 0
    end_column: int = 0

    def resolve(self) -> Span:
        return self

    def part(self, name: str, index: int | None) -> Span:
        """Where the argument of that name stands, or one of its values; the whole where that is not known."""
        return self

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" + (f":{self.column}" if self.column else "")


@dataclass(frozen=True, slots=True, eq=False)
class CallSite:
    """A call in Python code: the code object and the offset of its instruction.

    The exact columns come from the position table that CPython 3.11 keeps
    (PEP 657); its columns are UTF-8 byte offsets and are converted here.
    """

    code: CodeType
    lasti: int
    line: int

    def __reduce__(self) -> tuple[Any, ...]:
        # Code cannot be pickled; where it stood can.
        span = self.resolve()
        return (Span, (span.file, span.line, span.column, span.end_line, span.end_column))

    def part(self, name: str, index: int | None) -> CallSite:
        return self

    def resolve(self) -> Span:
        file = self.code.co_filename
        found = next(islice(self.code.co_positions(), self.lasti // 2, None), None)
        if found is None or None in found:
            return Span(file, self.line)
        line, end_line, start, end = found
        assert line is not None and end_line is not None and start is not None and end is not None
        lines = linecache.getlines(file)[line - 1 : end_line]
        if not lines:
            return Span(file, self.line)
        if method := _method(lines, start, end):
            line, start = line + method[0], method[1]
        end_column = _characters(lines[-1], end) + 1
        return Span(file, line, _characters(lines[line - end_line - 1], start) + 1, end_line, end_column)


def _method(lines: list[str], start: int, end: int) -> tuple[int, int] | None:
    """Where the name of the method stands in a call ``….method(…)``: its line's index and its byte offset.

    The position of a call in a fluent chain begins where the chain does; a
    person looks for the method.
    """
    import ast

    whole = b"".join(line.encode() for line in lines[:-1]) + lines[-1].encode()[:end]
    try:
        call = ast.parse(b"(" + whole[start:] + b")", mode="eval").body
    except (SyntaxError, ValueError):
        return None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return None
    row, column = call.func.end_lineno or 1, call.func.end_col_offset or 0
    name = column - len(call.func.attr.encode())
    return row - 1, name + (start - 1 if row == 1 else 0)


def _characters(text: str, byte_offset: int) -> int:
    return len(text.encode()[:byte_offset].decode(errors="replace"))


Place = Span | CallSite


def span_json(place: Place | None) -> dict[str, Any] | None:
    """A place as JSON: ``{file, line, column}``, or None."""
    if place is None:
        return None
    span = place.resolve()
    return {"file": span.file, "line": span.line, "column": span.column}
