"""The parser: Lark's LALR tables for ``grammars/snap.lark``, generated ahead of time.

Reading the grammar costs more than parsing most files, so ``table.json`` holds
what comes of it. ``make grammar`` writes it; a test says when it is out of date.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from lark import Lark, TextSlice, Token
from lark.grammar import Rule
from lark.lexer import LexerState, LexerThread, LineCounter, TerminalDef

from imagebuilder.frontends.snap.tree import Build

STARTS = ("start", "head_item", "head_stmt")
_TABLE = Path(__file__).with_name("table.json")


def table(grammar: str) -> str:
    """What ``table.json`` holds for the text of a grammar."""
    data, memo = Lark(grammar, parser="lalr", start=list(STARTS)).memo_serialize([TerminalDef, Rule])
    return json.dumps([data, memo], separators=(",", ":"), ensure_ascii=False) + "\n"


@cache
def _parser() -> Lark:
    data, memo = json.loads(_TABLE.read_bytes())
    # JSON knows no numbers as keys.
    lalr = data["parser"]["parser"]
    lalr["tokens"] = _numbered(lalr["tokens"])
    lalr["states"] = {int(state): _numbered(actions) for state, actions in lalr["states"].items()}
    # The way in that Lark's own stand-alone parsers take.
    parser: Lark = Lark._load_from_dict(data, _numbered(memo), transformer=Build())  # type: ignore[no-untyped-call] # Lark's own is untyped
    return parser


def _numbered(table: dict[str, Any]) -> dict[int, Any]:
    return {int(key): value for key, value in table.items()}


def parse(
    text: str, start: str = "start", begin: int = 0, end: int | None = None, line: tuple[int, int] | None = None
) -> Any:
    """What the callbacks of :class:`~imagebuilder.frontends.snap.tree.Build` made of ``text[begin:end]``.

    Args:
        line: the number of the line that ``begin`` is in, and where it begins; None counts the lines before, which
            is too slow for every part of a file.

    Raises:
        lark.exceptions.UnexpectedInput: it does not parse; positions are those in the whole text.
    """
    if begin == 0 and end is None:
        return _parser().parse(text, start)
    part = TextSlice(text, begin, len(text) if end is None else end)
    if line is None:
        return _parser().parse(part, start)
    counter = LineCounter("\n")  # type: ignore[no-untyped-call] # Lark's own is untyped
    counter.char_pos = begin
    counter.line, counter.line_start_pos = line
    counter.column = begin - counter.line_start_pos + 1
    frontend = _parser().parser
    return frontend.parser.parse(LexerThread(frontend.lexer, LexerState(part, counter)), start)


def read(text: str) -> tuple[list[Token], Any]:
    """All tokens of a valid file in order, those that the tree leaves out included; and what :func:`parse` returns.

    Raises:
        lark.exceptions.UnexpectedInput: it does not parse.
    """
    interactive = _parser().parse_interactive(text, "start")
    found = list(interactive.iter_parse())
    return found, interactive.feed_eof(*found[-1:])  # type: ignore[no-untyped-call] # Lark's own is untyped


def tokens(text: str) -> list[Token]:
    """All tokens of a valid file in order, those that the tree leaves out included.

    Raises:
        lark.exceptions.UnexpectedInput: it does not parse.
    """
    return read(text)[0]
