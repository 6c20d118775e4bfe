"""The text of a JSON document: bounded, without doubles, and where in it a value stands."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeAlias

from imagebuilder.ir.document import MAX_SIZE

Pointer: TypeAlias = tuple[str | int, ...]
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')


class Problem(Exception):
    """What is wrong with a document: at a value, or at a position (line and column) where it is no JSON."""

    def __init__(
        self, code: str, message: str, pointer: Pointer = (), help: str = "", *, position: tuple[int, int] | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.pointer, self.help, self.position = code, message, pointer, help, position


def parse(text: str) -> Any:
    """The value of the text.

    Raises:
        Problem: it is no JSON, too large or too deep, or an object has two members of one name.
    """
    if len(text) > MAX_SIZE:
        message = f"a document of more than {MAX_SIZE:,} characters"
        raise Problem("IB412", message, help="put large files beside it: add_local_file", position=(1, 1))
    try:
        return json.loads(text, object_pairs_hook=_members, parse_constant=_constant)
    except json.JSONDecodeError as error:
        position = (error.lineno, error.colno)
        raise Problem("IB412", f"not JSON: {error.msg}", help=_HELP, position=position) from None
    except RecursionError:
        raise Problem("IB412", "values nested too deep", help=_HELP, position=(1, 1)) from None
    except ValueError as error:
        # A number of thousands of digits, or one of the two below.
        raise Problem("IB412", f"not JSON: {error}", help=_HELP, position=(1, 1)) from None


_HELP = "`imagebuilder convert IN OUT.json` writes such a document"


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        double = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"two members are called {shown(double)}")
    return found


def _constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def shown(value: Any) -> str:
    """A value of the document for a message, cut where it is long."""
    text = json.dumps(_shallow(value), ensure_ascii=True)
    return text if len(text) <= 60 else text[:57] + "…"


def _shallow(value: Any) -> Any:
    match value:
        case dict():
            return {name[:60]: "…" for name in list(value)[:3]}
        case list():
            return ["…" for _ in value[:3]]
        case str():
            return value[:60]
    return value


class Places:
    """Where the values of a text stand, which is JSON.

    Args:
        depth: values below it are not looked for.
    """

    def __init__(self, text: str, depth: int) -> None:
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]
        self._offsets: dict[Pointer, int] = {(): 0}
        self._read(_TOKEN.finditer(text), depth)

    def of(self, pointer: Pointer) -> tuple[int, int]:
        """The line and column, from 1, of a value; of the nearest that holds it where there is none."""
        while pointer not in self._offsets:
            pointer = pointer[:-1]
        offset = self._offsets[pointer]
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def _read(self, tokens: Iterator[re.Match[str]], depth: int) -> None:
        # Of each list or object that is open: the place of the member that comes next, None before its name.
        open_: list[str | int | None] = []
        for token in tokens:
            text = token[0]
            if text in ("}", "]"):
                open_.pop()
            elif text == ",":
                last = open_.pop()
                open_.append(last + 1 if isinstance(last, int) else None)
            elif open_ and open_[-1] is None:
                open_[-1] = json.loads(text)
            elif text != ":":
                if len(open_) <= depth:
                    self._offsets[tuple(each for each in open_ if each is not None)] = token.start()
                if text in ("{", "["):
                    open_.append(0 if text == "[" else None)
