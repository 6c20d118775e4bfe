r"""From the text of a Dockerfile to its instructions, each with the place of every word.

No PyPI parser does this: dockerfile-parse knows neither here-documents nor columns, `dockerfile`
needs Go, and tree-sitter's grammar joins no lines; the rules below are those of BuildKit's parser.

An instruction is one *logical* line: physical lines joined where they end in the
escape character, less the comments and blank lines in between. A
:class:`Line` remembers which physical place each of its characters has.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

from imagebuilder.diagnostics import Span
from imagebuilder.frontends.dockerfile.problems import Problem
from imagebuilder.frontends.dockerfile.words import SPACE, NotStrings, json_list, split

BLANKS = "\t\v\f\r "


@dataclass(slots=True)
class Line:
    """A logical line. ``starts[i]`` is the offset of the text that stands at ``places[i]`` (line, column)."""

    file: str
    text: str = ""
    starts: list[int] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)

    def place(self, offset: int) -> tuple[int, int]:
        found = max(0, bisect_right(self.starts, offset) - 1)
        line, column = self.places[found]
        return line, column + offset - self.starts[found]

    def span(self, start: int, end: int) -> Span:
        """The place of ``text[start:end]``; at least one character wide."""
        line, column = self.place(start)
        end_line, end_column = self.place(max(start, end - 1))
        return Span(self.file, line, column, end_line, end_column + 1)


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a logical line. ``exact`` says that its text is the line's, character by character."""

    text: str
    line: Line
    start: int
    end: int
    exact: bool = True

    @property
    def span(self) -> Span:
        return self.line.span(self.start, self.end)

    def at(self, offset: int) -> Span:
        """The place of one character of the text, or of the whole word where that is not known."""
        if not self.exact or offset >= len(self.text):
            return self.span
        return self.line.span(self.start + offset, self.end)


@dataclass(frozen=True, slots=True)
class Heredoc:
    """A here-document: its delimiter without quotes, its lines, and whether their variables are expanded."""

    name: str
    body: str
    expand: bool
    chomp: bool
    line: int

    @property
    def content(self) -> str:
        """The lines, without leading tabs where the delimiter is written ``<<-``."""
        return re.sub(r"(?m)^\t+", "", self.body) if self.chomp else self.body


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its keyword in upper case, its flags, and the text after them."""

    keyword: str
    word: Token
    flags: tuple[Token, ...]
    rest: Token
    heredocs: tuple[Heredoc, ...]
    escape: str
    span: Span


@dataclass(frozen=True, slots=True)
class Lexed:
    instructions: tuple[Instruction, ...]
    problems: tuple[Problem, ...]


def lex(text: str, file: str) -> Lexed:
    """All instructions of the text, and what is wrong with it at this level."""
    lexer = _Lexer(normalised(text).split("\n"), file)
    lexer.run()
    return Lexed(tuple(lexer.instructions), tuple(lexer.problems))


def normalised(text: str) -> str:
    """Without a BOM, and with LF where every line ends in CRLF, so that a checkout never moves a key."""
    text = text.removeprefix("\ufeff")
    if "\r\n" in text and text.count("\n") == text.count("\r\n"):
        return text.replace("\r\n", "\n")
    return text


class _Lexer:
    def __init__(self, lines: list[str], file: str) -> None:
        if lines and not lines[-1]:
            lines.pop()
        self.lines, self.file = lines, file
        self.at = 0
        self.escape = "\\"
        self.directives: set[str] | None = set()
        self.instructions: list[Instruction] = []
        self.problems: list[Problem] = []

    def run(self) -> None:
        while self.at < len(self.lines):
            line = self.logical()
            if line is not None:
                self.instruction(line)

    def logical(self) -> Line | None:
        """The next logical line; None for a comment, a directive or a blank line."""
        physical = self.lines[self.at]
        self.at += 1
        text = physical.rstrip("\r").lstrip(SPACE)
        if text.startswith("#"):
            self.directive(text, len(physical) - len(physical.lstrip(SPACE)))
            return None
        if not text:
            self.directives = None
            return None
        self.directives = None
        line = Line(self.file)
        pieces: list[str] = []
        column = len(physical) - len(physical.lstrip(SPACE)) + 1
        more = self.append(line, pieces, text, column)
        while more and self.at < len(self.lines):
            text = self.lines[self.at].rstrip("\r")
            self.at += 1
            stripped = text.lstrip(SPACE)
            if stripped and not stripped.startswith("#"):
                more = self.append(line, pieces, text, 1)
        line.text = "".join(pieces)
        return line

    def append(self, line: Line, pieces: list[str], text: str, column: int) -> bool:
        """Add one physical line; True where it ends in a continuation."""
        end = text.rstrip(" \t")
        more = end.endswith(self.escape) and not end[:-1].endswith(self.escape)
        kept = end[:-1] if more else text
        line.starts.append(line.starts[-1] + len(pieces[-1]) if pieces else 0)
        line.places.append((self.at, column))
        pieces.append(kept)
        return more

    def directive(self, text: str, indent: int) -> None:
        """``# name=value`` in the first lines of a file; anything else, a blank line too, ends those."""
        if self.directives is None:
            return
        found = re.fullmatch(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(\S.*)", text.rstrip(SPACE))
        name = found[1].lower() if found else ""
        if found is None or name not in ("syntax", "escape", "check"):
            self.directives = None
            return
        place = Span(self.file, self.at, indent + found.start(2) + 1, self.at, indent + found.end(2) + 1)
        value = found[2]
        if name in self.directives:
            self.problems.append(Problem("IB310", f"a second '{name}' directive", place, "a file has one of each"))
        elif name == "escape" and value not in ("\\", "`"):
            self.problems.append(Problem("IB310", f"not an escape character: {value!r}", place, "only \\ and ` are"))
        elif name == "syntax" and not _OFFICIAL.fullmatch(value.split(" ")[0]):
            hint = "only docker/dockerfile and its copies are read here; another syntax may mean anything"
            self.problems.append(Problem("IB310", f"a syntax that is not Docker's: {value!r}", place, hint))
        elif name == "check" and not re.fullmatch(r"((skip|error|experimental)=[^;=]*(;|$))+", value):
            self.problems.append(Problem("IB310", f"not a check option: {value!r}", place, "skip=RULE,RULE;error=true"))
        elif name == "escape":
            self.escape = value
        self.directives.add(name)

    def instruction(self, line: Line) -> None:
        text = line.text
        start = len(text) - len(text.lstrip(SPACE))
        stop = len(text.rstrip(SPACE))
        if start >= stop:
            problem = Problem("IB336", "a continuation without an instruction", line.span(0, 1), "remove the line")
            self.problems.append(problem)
            return
        first_line = line.place(start)[0]
        end = _skip(text, start, stop, lambda char: char not in BLANKS)
        word = Token(text[start:end], line, start, end)
        flags, at = split_flags(line, end, stop)
        rest = Token(text[at:stop], line, at, stop)
        heredocs: tuple[Heredoc, ...] = ()
        if "<<" in rest.text and takes_heredocs(word.text, rest.text):
            try:
                heredocs = self.heredocs(text[start:stop], line, start)
            except Problem as problem:
                self.problems.append(problem)
                return
        span = line.span(start, stop)
        if heredocs:
            span = Span(span.file, first_line, span.column, self.at, len(self.lines[self.at - 1]) + 1)
        self.instructions.append(
            Instruction(word.text.upper(), word, flags, rest, heredocs, self.escape, span),
        )

    def heredocs(self, text: str, line: Line, start: int) -> tuple[Heredoc, ...]:
        """The here-documents that a line announces; their bodies are the next lines of the file."""
        found = []
        for word in split(text, raw_quotes=True, raw_escapes=True) or ():
            marker = heredoc_marker(word)
            if marker is None:
                continue
            first = self.at
            while self.at < len(self.lines):
                end = self.lines[self.at].rstrip("\r")
                self.at += 1
                if (end.lstrip("\t") if marker.chomp else end) == marker.name:
                    break
            else:
                at = max(text.find(word), 0) + start
                raise Problem(
                    "IB311",
                    f"a here-document that does not end: {word!r}",
                    line.span(at, at + len(word)),
                    f"a line with {marker.name!r} alone, from its first column on, ends it",
                )
            body = "".join(each + "\n" for each in self.lines[first : self.at - 1])
            found.append(Heredoc(marker.name, body, marker.expand, marker.chomp, first + 1))
        return tuple(found)


_OFFICIAL = re.compile(r"(?:[^\s@]*/)?dockerfile(?:-upstream)?(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?")
_HEREDOC = re.compile(r"\d*<<(-?)\s*([^<]*)")


def heredoc_marker(word: str) -> Heredoc | None:
    """``<<EOF``, ``<<-EOF``, ``<<"EOF"``, ``3<<EOF``: what a word announces, as yet without its lines."""
    match = _HEREDOC.fullmatch(word)
    if match is None or not match[2]:
        return None
    names = split(match[2], raw_quotes=False, raw_escapes=False)
    quoted = split(match[2], raw_quotes=True, raw_escapes=False)
    if not names or not quoted or len(names) != 1 or len(quoted) != 1:
        return None
    expand = sum(map(names[0].count, "'\"")) == sum(map(quoted[0].count, "'\""))
    return Heredoc(names[0], "", expand, match[1] == "-", 0)


def takes_heredocs(keyword: str, rest: str) -> bool:
    """Only RUN, COPY and ADD do, and ONBUILD of them, in their shell form."""
    keyword = keyword.upper()
    if keyword == "ONBUILD":
        inner = re.match(f"([^{BLANKS}]+)(.*)", rest, re.DOTALL)
        return inner is not None and inner[1].upper() != "ONBUILD" and takes_heredocs(inner[1], inner[2])
    if keyword not in ("RUN", "COPY", "ADD"):
        return False
    try:
        return json_list(_after_flags(rest)) is None
    except NotStrings:
        return False


def _after_flags(rest: str) -> str:
    line = Line("", rest, [0], [(1, 1)])
    return rest[split_flags(line, 0, len(rest))[1] :].strip(SPACE)


def split_flags(line: Line, start: int, stop: int) -> tuple[tuple[Token, ...], int]:
    """The words from ``start`` on that begin with ``--``, without their quotes; and where the rest begins."""
    text, at = line.text, start
    found: list[Token] = []
    while True:
        at = _skip(text, at, stop, lambda char: char in SPACE)
        if not text.startswith("--", at, stop):
            return tuple(found), at
        begin = at
        word: list[str] = []
        quote = ""
        while at < stop and (quote or text[at] not in SPACE):
            char = text[at]
            at += 1
            if char == quote:
                quote = ""
            elif not quote and char in "'\"":
                quote = char
            elif char == "\\":
                word.append(text[at : min(at + 1, stop)])
                at += 1
            else:
                word.append(char)
        at = min(at, stop)
        value = "".join(word)
        if value == "--":
            return tuple(found), _skip(text, at, stop, lambda char: char in SPACE)
        found.append(Token(value, line, begin, at, exact=value == text[begin:at]))


def _skip(text: str, at: int, stop: int, over: Callable[[str], bool]) -> int:
    while at < stop and over(text[at]):
        at += 1
    return at
