r"""From a word or a string of the source to the text that it stands for.

=====================  ==================================================================
a word                 as it is; ``{param}`` is replaced
``"…"``                ``{param}`` is replaced, ``{{`` and ``}}`` are braces;
                       ``\n \r \t \\ \" \$ \u{…}`` are escapes
``'…'``                as it is
three double quotes    dedented, without escapes; ``{{{param}}}`` is replaced
three single quotes    dedented, and nothing is replaced
``$"…"``               as ``"…"``; ``$NAME`` and ``${NAME}`` are variables of the image
=====================  ==================================================================

A block loses the line end after its opening quotes and the indentation that its
lines share. Its text ends with a line end where the closing quotes stand on a
line of their own.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping

from lark import Token

from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid, Span
from imagebuilder.frontends.snap.places import within
from imagebuilder.ir.checks import MAX_TEXT
from imagebuilder.ir.words import Expansion, Var, expand, merged

Lookup = Callable[[str, Span], str]
"""The text of a parameter; raises CompileError at the place where there is none."""

_HOLE_IN_WORD = re.compile(r"(?P<dollar>\$?)\{(?P<name>[A-Za-z_]\w*)\}")
_HOLE_IN_BLOCK = re.compile(r"\{\{\{(?P<name>[A-Za-z_]\w*)\}\}\}")
_PIECE = re.compile(
    r"\\(?:u\{(?P<point>[0-9A-Fa-f]{1,6})\}|(?P<escape>.))"
    r"|(?P<brace>\{\{|\}\})"
    r"|(?P<dollar>\$?)\{(?P<name>[A-Za-z_]\w*)\}"
    r"|(?P<text>[^\\{}$]+|\$)"
    r"|(?P<odd>.)",
    re.DOTALL,
)
# The same groups for a word, in which a brace of its own cannot stand.
_IN_WORD = re.compile(
    r"(?P<dollar>\$?)\{(?P<name>[A-Za-z_]\w*)\}|(?P<text>[^{$]+|.)(?P<point>(?!))?(?P<escape>(?!))?(?P<brace>(?!))?"
)
_VARIABLE = re.compile(r"\$(?:\{(?:[^{}\"\\]|\\.)*\}|[A-Za-z_]\w*)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "$": "$"}
QUOTES = {"STRING": 1, "RAW": 1, "BLOCK": 3, "RAWBLOCK": 3, "EXPAND": 1}


def is_word(token: Token) -> bool:
    return token.type not in QUOTES and token.type != "QKEY"


def hole(token: Token) -> str | None:
    """The parameter that a bare word consists of: ``{packages}``."""
    if is_word(token) and (match := _HOLE_IN_WORD.fullmatch(token)) and not match["dollar"]:
        return match["name"]
    return None


def key_text(token: Token, file: str) -> str:
    """The name that ``name=`` or ``"name"=`` gives."""
    if token.type == "KEY":
        return token[:-1]

    def refuse(name: str, span: Span) -> str:
        raise CompileError(Diagnostic("IB820", "a key cannot hold a parameter", span, help="write {{ for a brace"))

    return _string(token, token[1:-2], 1, refuse, file)


def text(token: Token, lookup: Lookup, file: str) -> str:
    """The text that a token stands for; ``$"…"`` is not among them.

    Raises:
        CompileError: an unknown parameter, a wrong escape, a brace that is not doubled.
    """
    match token.type:
        case "RAW":
            found = token[1:-1]
        case "RAWBLOCK":
            found = dedented(token[3:-3])
        case "BLOCK":
            values: dict[str, str] = {}
            for match in _HOLE_IN_BLOCK.finditer(token):
                if match["name"] not in values:
                    values[match["name"]] = lookup(match["name"], within(file, token, match.start(), match.end()))
            found = _joined(token, file, _filled(dedented(token[3:-3]), values))
        case "STRING":
            found = _string(token, token[1:-1], 1, lookup, file)
        case _:
            found = str(token)
            if "{" in found:
                found = _string(token, found, 0, lookup, file, _IN_WORD)
    return _joined(token, file, [found])


def _filled(body: str, values: Mapping[str, str]) -> Iterator[str]:
    at = 0
    for match in _HOLE_IN_BLOCK.finditer(body):
        yield body[at : match.start()]
        yield values[match["name"]]
        at = match.end()
    yield body[at:]


def expansion(token: Token, lookup: Lookup, file: str) -> Expansion:
    """The text of ``$"…"``, with its variables. Values of parameters are literal in it."""
    body = token[2:-1]
    parts: list[str | Var] = []
    at = 0
    while at < len(body):
        if variable := _VARIABLE.match(body, at):
            try:
                parts += expand(_unescaped(variable[0])).parts
            except Invalid as error:
                place = within(file, token, 2 + at, 2 + variable.end())
                raise CompileError(Diagnostic(error.code, error.message, place, help=error.help)) from None
            at = variable.end()
            continue
        piece = _PIECE.match(body, at)
        assert piece is not None
        if piece[0] == "$":
            place = within(file, token, 2 + at, 3 + at)
            raise CompileError(
                Diagnostic("IB104", "a '$' that begins no variable", place, help=r"write \$ for a dollar sign")
            )
        parts.append(_piece(token, piece, 2, lookup, file))
        at = piece.end()
    _joined(token, file, (part for part in parts if isinstance(part, str)))
    return Expansion(parts=merged(parts))


def _unescaped(variable: str) -> str:
    """A variable's default may hold a quote; nothing but text can follow its modifier."""
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), variable)


def holes(token: Token) -> list[tuple[str, int, int]]:
    """The parameters that a token names, and where in it."""
    if token.type in ("RAW", "RAWBLOCK"):
        return []
    if token.type == "BLOCK":
        return [(m["name"], m.start(), m.end()) for m in _HOLE_IN_BLOCK.finditer(token)]
    if token.type in ("STRING", "EXPAND", "QKEY"):
        found = []
        for m in _PIECE.finditer(token):
            if m["name"] and not (token.type == "EXPAND" and m["dollar"]):
                found.append((m["name"], m.start(), m.end()))
        return found
    return [(m["name"], m.start(), m.end()) for m in _HOLE_IN_WORD.finditer(token)]


def _string(token: Token, body: str, offset: int, lookup: Lookup, file: str, pieces: re.Pattern[str] = _PIECE) -> str:
    if "\\" not in body and "{" not in body and "}" not in body:
        return body
    return _joined(token, file, (_piece(token, match, offset, lookup, file) for match in pieces.finditer(body)))


def _piece(token: Token, match: re.Match[str], offset: int, lookup: Lookup, file: str) -> str:
    if match["text"] is not None:
        return match["text"]
    if match["brace"] is not None:
        return match["brace"][0]
    place = within(file, token, offset + match.start(), offset + match.end())
    if match["point"] is not None:
        point = int(match["point"], 16)
        if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
            raise CompileError(Diagnostic("IB821", f"not a character of Unicode: {match[0]}", place))
        return chr(point)
    if match["escape"] is not None:
        if match["escape"] not in _ESCAPES:
            help = r"known: \n \r \t \\ \" \$ \u{…}; in '…' a backslash is a backslash"
            raise CompileError(Diagnostic("IB821", f"an unknown escape: {match[0]}", place, help=help))
        return _ESCAPES[match["escape"]]
    if match["name"] is not None:
        return _hole_text(token, match, offset, lookup, file)
    brace = match[0]
    raise CompileError(
        Diagnostic(
            "IB822",
            f"a lone {brace!r} in a string",
            place,
            help=f"write {brace * 2}, or use '…', which takes it as it is",
        )
    )


def _hole_text(token: Token, match: re.Match[str], offset: int, lookup: Lookup, file: str) -> str:
    name = match["name"]
    place = within(file, token, offset + match.start(), offset + match.end())
    if match["dollar"]:
        raise CompileError(
            Diagnostic(
                "IB823",
                f"${{{name}}} in a text that interpolates parameters",
                place,
                help=f'of the image: $"${{{name}}}"; of the shell: \'${{{name}}}\' or a block of """; '
                f'a dollar sign and the parameter: "\\${{{name}}}"',
            )
        )
    return lookup(name, place)


def dedented(body: str) -> str:
    """The text of a block, from what stands between its quotes."""
    first, newline, rest = body.partition("\n")
    if not newline:
        return body
    if first.strip(" \t"):
        return first + newline + textwrap.dedent(rest)
    return textwrap.dedent(rest)


def _joined(token: Token, file: str, parts: Iterable[str]) -> str:
    """The parts as one text. Bounded while it grows, since parameters may repeat one another."""
    found: list[str] = []
    size = 0
    for part in parts:
        found.append(part)
        size += len(part)
        if size > MAX_TEXT:
            help = "put it into a file: add_local_file"
            place = within(file, token, 0, len(token))
            raise CompileError(Diagnostic("IB102", f"a value of more than {MAX_TEXT:,} characters", place, help=help))
    return "".join(found)
