"""The one form of a ``.snap`` file, which means what the file meant.

What comes out is read again, and refused if it says anything else, so that a
fault in here costs a message and never a file.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from lark import Token
from lark.exceptions import UnexpectedInput

from imagebuilder.diagnostics import CompileError, Diagnostic
from imagebuilder.frontends.snap.bounds import MAX_SIZE
from imagebuilder.frontends.snap.grammar import read
from imagebuilder.frontends.snap.layout import laid_out
from imagebuilder.frontends.snap.printer import printed
from imagebuilder.frontends.snap.syntax import parse_file, readable
from imagebuilder.frontends.snap.text import dedented


def format_text(text: str, path: str) -> str:
    """The text in its one form: the same tree and the same comments, with the blanks and line ends that it should have.

    Args:
        path: as it is shown to people.

    Raises:
        CompileError: the text does not parse (all syntax errors), brackets that nest too deep, or a result that is
            too large for a file.
    """
    source = readable(path, text)
    try:
        tokens, items = read(source)
    except UnexpectedInput:
        raise CompileError(parse_file(path, text)[1]) from None
    made = printed(laid_out(tokens, path))
    if len(made.encode()) > MAX_SIZE:
        raise CompileError(
            Diagnostic("IB803", f"{path!r} would have more than {MAX_SIZE:,} bytes", help="`use` parts a spec")
        )
    if made != source and not _says_the_same(made, tokens, items):
        help = "the file is left as it is; please report it, with the file: this is a fault of the formatter"
        raise CompileError(Diagnostic("IB860", f"the form of {path!r} would change what it says", help=help))
    return made


def comments(tokens: list[Token]) -> list[str]:
    """All comments, in order; the blanks at their ends say nothing."""
    return [
        line.strip(" \t").rstrip()
        for token in tokens
        if token.type == "_NL" and "#" in token
        for line in token.split("\n")
        if "#" in line
    ]


def _says_the_same(text: str, tokens: list[Token], items: list[Any]) -> bool:
    try:
        found, again = read(text)
    except UnexpectedInput:
        return False
    return comments(found) == comments(tokens) and same(again, items)


def same(one: Any, other: Any) -> bool:
    """Whether two trees say the same: texts, kinds of tokens and structure, wherever they stand."""
    waiting = [(one, other)]
    while waiting:
        a, b = waiting.pop()
        kind = type(a)
        if kind is not type(b):
            return False
        if kind is Token:
            if a.type != b.type or (str.__ne__(a, b) and _value(a) != _value(b)):
                return False
        elif kind is list:
            if len(a) != len(b):
                return False
            waiting += zip(a, b, strict=True)
        elif is_dataclass(kind):
            waiting += [(getattr(a, name), getattr(b, name)) for name in _names(kind)]
        elif a != b:
            return False
    return True


@cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _value(token: Token) -> str:
    return dedented(token[3:-3]) if token.type in ("BLOCK", "RAWBLOCK") else str(token)
