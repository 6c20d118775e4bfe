r"""The words of a Dockerfile, as BuildKit's shell lexer reads them.

Two views of one syntax. :func:`parse` keeps the variables of a word, to be
expanded when building. :func:`split` cuts a line at its unquoted blanks and
keeps variables as text; that is how here-documents are found.

In the word of ``#``, ``%`` and ``/`` escapes stay in the text, since there they
belong to the pattern: ``${v#\*}`` removes a star.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import cast

from imagebuilder.ir.words import Modifier, Var, Word, merged, simplified

# unicode.IsSpace of Go; str.isspace also takes the separators U+001C to U+001F.
SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
MAX_NESTING = 16

_SPECIAL = "@*#?-$!"
_PLAIN = re.compile(r"[^$'\"\\`}/]+")


class WordError(Exception):
    """A word that cannot be read; ``offset`` is where, from its start."""

    def __init__(self, code: str, message: str, offset: int, help: str) -> None:
        super().__init__(message)
        self.code, self.message, self.offset, self.help = code, message, offset, help


def parse(text: str, escape: str = "\\", *, quotes: bool = True) -> Word:
    """The word with its quotes and escapes resolved.

    Args:
        text: the word as it is written.
        escape: the escape character of the file.
        quotes: False in the body of a here-document, where quotes are text.

    Raises:
        WordError: a quote or brace that is not closed, or an unknown ``${…}``.
    """
    if not any(c in text for c in ("$", "'", '"', escape)):
        return text
    return simplified(_Reader(text, escape, quotes).until("", raw=False))


class NotStrings(ValueError):
    """A JSON array whose members are not all strings."""


def json_list(text: str) -> list[str] | None:
    """The strings of a JSON array; None where the text is no JSON array, and is for the shell then.

    Raises:
        NotStrings: it is one, of something else.
    """
    if not text.lstrip(SPACE).startswith("["):
        return None
    try:
        found = json.loads(text, parse_constant=_not_json)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(each, str) for each in found):
        raise NotStrings(text)
    # A lone surrogate cannot be a word; Go reads U+FFFD in its place.
    return [each.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for each in found]


def _not_json(constant: str) -> None:
    raise ValueError(constant)


class _Reader:
    """A cursor over one word. ``lenient`` accepts what BuildKit does where it looks for here-documents."""

    def __init__(self, text: str, escape: str, quotes: bool, *, at: int = 0, lenient: bool = False) -> None:
        self.text, self.escape, self.quotes, self.at, self.lenient = text, escape, quotes, at, lenient
        self.depth = 0

    def until(self, stop: str, *, raw: bool) -> list[str | Var]:
        """The parts up to the character ``stop``, which is consumed; all of the text where it is empty."""
        parts: list[str | Var] = []
        start, text = self.at, self.text
        while self.at < len(text):
            char = text[self.at]
            if char == stop:
                self.at += 1
                return parts
            if char == "$":
                parts.append(self.dollar())
            elif char == "'" and self.quotes:
                parts.append(self.single())
            elif char == '"' and self.quotes:
                parts += self.double(raw=raw)
            elif char == self.escape:
                parts.append(text[self.at + (0 if raw else 1) : self.at + 2])
                self.at += 2
            else:
                plain = _PLAIN.match(text, self.at)
                end = plain.end() if plain else self.at + 1
                parts.append(text[self.at : end])
                self.at = end
        if stop:
            missing = "the '/' after the pattern" if stop == "/" else "its '}'"
            raise WordError("IB313", f"a '${{' without {missing}", start, "close it, or escape the '$'")
        return parts

    def single(self) -> str:
        end = self.text.find("'", self.at + 1)
        if end < 0:
            raise WordError("IB313", "a single quote that is not closed", self.at, _QUOTE_HELP)
        inner = self.text[self.at + 1 : end]
        self.at = end + 1
        return inner

    def double(self, *, raw: bool) -> list[str | Var]:
        start, text = self.at, self.text
        parts: list[str | Var] = []
        self.at += 1
        while self.at < len(text):
            char = text[self.at]
            if char == '"':
                self.at += 1
                return parts
            if char == "$":
                parts.append(self.dollar())
                continue
            self.at += 1
            if char == self.escape:
                if raw:
                    parts.append(char)
                following = text[self.at : self.at + 1]
                if not following:
                    break
                if following in ('"', "$", self.escape):
                    char = following
                    self.at += 1
            parts.append(char)
        raise WordError("IB313", "a double quote that is not closed", start, _QUOTE_HELP)

    def dollar(self) -> str | Var:
        start, text = self.at, self.text
        self.at += 1
        if text[self.at : self.at + 1] != "{":
            name = self.name()
            if not name:
                return "$"
            return Var(name=name) if _can_be_set(name) else ""
        self.at += 1
        if text[self.at : self.at + 1] in ("{", "}", ":"):
            raise WordError("IB314", "a '${' without a name", start, "write ${NAME}, or escape the '$'")
        name = self.name()
        char = text[self.at : self.at + 1]
        self.at += 1
        if char == "}" and name:
            return Var(name=name) if _can_be_set(name) else ""
        if not char:
            raise WordError("IB313", "a '${' without its '}'", start, "close it, or escape the '$'")
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise WordError("IB333", f"'${{' nested more than {MAX_NESTING} deep", start, "use an ARG in between")
        try:
            return self.modified(name, char, start)
        finally:
            self.depth -= 1

    def modified(self, name: str, char: str, start: int) -> Var:
        """``${name<char>…}``, from behind ``char``."""
        if not self.lenient and not _can_be_set(name):
            raise WordError("IB314", f"not a variable name: {name!r}", start, "write ${NAME}, or escape the '$'")
        if char == "/":
            return self.replaced(name)
        modifier = char
        if char == ":":
            char = self.text[self.at : self.at + 1]
            self.at += 1
            modifier = char if char in ("#", "%") else ":" + char
        known = modifier in (":-", ":+", ":?", "-", "+", "?", "#", "%")
        if not known and not (self.lenient and modifier.startswith(":")):
            raise WordError(
                "IB314",
                f"an unknown modifier in '${{{name}{modifier}…}}'",
                start,
                "known: :- :+ :? - + ? # ## % %% / //",
            )
        parts = self.until("}", raw=char in ("#", "%"))
        if modifier in ("#", "%") and parts and isinstance(parts[0], str) and parts[0].startswith(modifier):
            parts[0] = parts[0][1:]
            modifier *= 2
        if self.lenient:
            return Var(name="_")
        if modifier in _PATTERNS:
            self.check_pattern(parts, start)
        return Var(name=name, modifier=cast(Modifier, modifier), word=simplified(parts))

    def replaced(self, name: str) -> Var:
        start = self.at
        modifier: Modifier = "/"
        if self.text[self.at : self.at + 1] == "/":
            self.at += 1
            modifier = "//"
        pattern = self.until("/", raw=True)
        replacement = self.until("}", raw=True)
        if not self.lenient:
            self.check_pattern(pattern, start)
        return Var(name=name or "_", modifier=modifier, word=simplified(pattern), replacement=simplified(replacement))

    def check_pattern(self, parts: list[str | Var], start: int) -> None:
        for part in merged(parts):
            for found in _ESCAPE.finditer(part) if isinstance(part, str) else ():
                if not re.fullmatch(r"\\[\\*?}/]", found[0]):
                    hint = r"only \* \? \\ \} and \/"
                    raise WordError("IB335", f"an escape that no pattern has: {found[0]!r}", start, hint)

    def name(self) -> str:
        """A name as BuildKit reads one: letters, digits and '_'; or digits; or a sign of the shell."""
        text, start = self.text, self.at
        if self.at < len(text) and text[self.at] in _SPECIAL:
            self.at += 1
        elif self.at < len(text) and text[self.at].isdecimal():
            while self.at < len(text) and text[self.at].isdecimal():
                self.at += 1
        else:
            while self.at < len(text) and (
                text[self.at].isalpha() or text[self.at].isdecimal() or text[self.at] == "_"
            ):
                self.at += 1
        return text[start : self.at]


_QUOTE_HELP = "close it, or escape it; a word with blanks stands in quotes, or in the JSON form"
_PATTERNS = ("#", "##", "%", "%%")
_ESCAPE = re.compile(r"\\.?", re.DOTALL)


def _can_be_set(name: str) -> bool:
    """Positional and special parameters are always unset in a Dockerfile."""
    return bool(name) and name not in _SPECIAL and not name[0].isdecimal()


def split(line: str, *, raw_quotes: bool, raw_escapes: bool) -> list[str] | None:
    """The words of a line, cut at unquoted blanks; ``<<`` takes the blanks behind it along.

    None where a quote or brace is not closed.
    """
    words: list[str] = []
    current: list[str] = []
    at = 0

    def flush() -> None:
        if word := "".join(current):
            words.append(word)
        current.clear()

    def skip(step: Callable[[_Reader], object]) -> int:
        reader = _Reader(line, "\\", True, at=at, lenient=True)
        step(reader)
        return reader.at

    while at < len(line):
        char = line[at]
        end = at + 1
        try:
            if char == "$":
                end = skip(_Reader.dollar)
                for piece in re.split(f"([{SPACE}])", line[at:end]):
                    if piece in SPACE and piece:
                        flush()
                    else:
                        current.append(piece)
            elif char == "'":
                end = skip(_Reader.single)
                current.append(line[at:end] if raw_quotes else line[at + 1 : end - 1])
            elif char == '"':
                end = skip(lambda reader: reader.double(raw=raw_escapes))
                inner = line[at + 1 : end - 1]
                inner = inner if raw_escapes else re.sub(r'\\(["$\\])', r"\1", inner)
                current.append(f'"{inner}"' if raw_quotes else inner)
            elif char == "\\":
                end = at + 2
                current.append(line[at if raw_escapes else at + 1 : end])
            elif char == "<" and line[at + 1 : at + 2] == "<":
                end = at + 2
                while end < len(line) and line[end] in SPACE:
                    end += 1
                current.append(line[at:end])
            elif char in SPACE:
                flush()
            else:
                current.append(char)
        except WordError:
            return None
        at = end
    flush()
    return words
