"""The arguments of an instruction: words, pairs, JSON arrays and flags, each with its place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from imagebuilder.diagnostics import did_you_mean
from imagebuilder.frontends.dockerfile import words
from imagebuilder.frontends.dockerfile.lexer import BLANKS, Instruction, Token
from imagebuilder.frontends.dockerfile.problems import Problem
from imagebuilder.ir.words import Word

Kind = Literal["text", "bool", "list"]


def blank_separated(rest: Token) -> list[Token]:
    """The words between blanks; quotes have no meaning yet."""
    return [_part(rest, found.start(), found.end()) for found in re.finditer(f"[^{BLANKS}]+", rest.text)]


def quoted_words(rest: Token, escape: str) -> list[Token]:
    """The words between blanks that no quote and no escape protects, as they are written."""
    pattern = _QUOTED[escape]
    found = (_part(rest, match.start(), match.end()) for match in pattern.finditer(rest.text))
    return [_without_last(token, escape) for token in found]


def _quoted(escape: str) -> re.Pattern[str]:
    e = re.escape(escape)
    # A quote that is not closed runs to the end; the word lexer refuses it then.
    double = rf'"(?:[^"{e}]|{e}.|{e}\Z)*(?:"|\Z)'
    return re.compile(rf"(?:[^{words.SPACE}'\"{e}]+|'[^']*(?:'|\Z)|{double}|{e}.|{e}\Z)+", re.DOTALL)


_QUOTED = {escape: _quoted(escape) for escape in ("\\", "`")}


def _without_last(token: Token, escape: str) -> Token:
    """Less an escape with nothing behind it."""
    text = token.text
    trailing = len(text) - len(text.rstrip(escape))
    return _part(token, 0, len(text) - 1) if trailing % 2 and not text.endswith("'") else token


def _part(token: Token, start: int, end: int) -> Token:
    return Token(token.text[start:end], token.line, token.start + start, token.start + end)


def cut(token: Token, separator: str) -> tuple[Token, Token] | None:
    """What is before and after the first ``separator``."""
    at = token.text.find(separator)
    if at < 0:
        return None
    if not token.exact:
        before, after = token.text[:at], token.text[at + len(separator) :]
        return (
            Token(before, token.line, token.start, token.end, exact=False),
            Token(after, token.line, token.start, token.end, exact=False),
        )
    return _part(token, 0, at), _part(token, at + len(separator), len(token.text))


def json_words(rest: Token) -> list[Token] | None:
    """The members of a JSON array of strings; None where it is not JSON, and is read as words then."""
    try:
        found = words.json_list(rest.text)
    except words.NotStrings:
        raise Problem(
            "IB317",
            "a JSON array of something else than strings",
            rest.span,
            'write every member in double quotes: ["a", "1"]',
        ) from None
    if found is None:
        return None
    places = _JSON_STRING.finditer(rest.text)
    return [
        Token(each, rest.line, rest.start + place.start(), rest.start + place.end(), exact=False)
        for each, place in zip(found, places, strict=True)
    ]


_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def word(token: Token, escape: str, *, quotes: bool = True) -> Word:
    """A word with its quotes resolved and its variables kept."""
    try:
        return words.parse(token.text, escape, quotes=quotes)
    except words.WordError as error:
        raise Problem(error.code, error.message, token.at(error.offset), error.help) from None


def one(instruction: Instruction, what: str) -> Token:
    """The single argument of an instruction: all of its text."""
    if not instruction.rest.text:
        raise Problem(
            "IB315",
            f"{instruction.keyword} without {what}",
            instruction.span,
            f"write {instruction.keyword} {what}",
        )
    return instruction.rest


def some(found: list[Token], instruction: Instruction, what: str) -> list[Token]:
    if not found:
        raise Problem(
            "IB315",
            f"{instruction.keyword} without {what}",
            instruction.span,
            f"write {instruction.keyword} {what}",
        )
    return found


def no_comment(found: list[Token]) -> list[Token]:
    """The words, none of which begins a comment: to BuildKit each word of it would be one more name or port."""
    for token in found:
        if token.text.startswith("#") and "=" not in token.text:
            hint = "'#' begins a comment only where a line begins; give it a line of its own"
            raise Problem("IB340", "a comment behind an instruction", token.span, hint)
    return found


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags of an instruction by name, those that may be repeated in order."""

    given: Mapping[str, Sequence[Token]]
    spans: Mapping[str, Token]

    def text(self, name: str) -> Token | None:
        values = self.given.get(name)
        return values[0] if values else None

    def texts(self, name: str) -> Sequence[Token]:
        return self.given.get(name, ())

    def switch(self, name: str) -> bool | None:
        value = self.text(name)
        return None if value is None else value.text.lower() != "false"

    def words(self, name: str, escape: str) -> tuple[Word, ...]:
        return tuple(word(token, escape) for token in self.texts(name))

    def word(self, name: str, escape: str) -> Word:
        token = self.text(name)
        return "" if token is None else word(token, escape)


def flags(instruction: Instruction, kinds: Mapping[str, Kind] = {}) -> Flags:
    """The flags that an instruction takes, each of its kind."""
    given: dict[str, list[Token]] = {}
    spans: dict[str, Token] = {}
    for token in instruction.flags:
        pair = cut(token, "=")
        name = (token if pair is None else pair[0]).text[2:]
        kind = kinds.get(name)
        if kind is None:
            known = [f"--{each}" for each in kinds]
            hint = did_you_mean(f"--{name}", known) or (
                f"it takes {', '.join(known)}" if known else "it takes no flags"
            )
            raise Problem("IB308", f"{instruction.keyword} has no flag --{name}", token.span, hint)
        if name in given and kind != "list":
            raise Problem("IB309", f"--{name} is given twice", token.span, "give it once")
        value = None if pair is None else pair[1]
        if kind == "bool":
            if value is not None and value.text.lower() not in ("true", "false"):
                raise Problem(
                    "IB309",
                    f"--{name} is true or false, not {value.text!r}",
                    token.span,
                    f"--{name} alone is true",
                )
            value = value or Token("true", token.line, token.start, token.end, exact=False)
        elif value is None:
            raise Problem("IB309", f"--{name} without a value", token.span, f"write --{name}=VALUE")
        given.setdefault(name, []).append(value)
        spans[name] = token
    return Flags(given, spans)
