"""Where statements and blocks begin and end, found without the grammar.

Only a file that does not parse comes here. What a parser says of an unclosed
bracket blames a later line; here the bracket itself is blamed, and everything
else is still parted into statements, each of which is then parsed alone.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field

from imagebuilder.diagnostics import Diagnostic, Note, Span
from imagebuilder.frontends.snap.bounds import MAX_ERRORS, MAX_OPEN
from imagebuilder.frontends.snap.mistakes import Enough

_TOKEN = re.compile(
    r"""
      (?P<comment>(?<![^\s{}\[\](),;])\#[^\n]*)
    | (?P<block>\"\"\"|''')
    | (?P<string>\$?"(?:[^"\\\n]|\\.)*"|'[^'\n]*')
    | (?P<quote>["'])
    | (?P<hole>\{[A-Za-z_]\w*\})
    | (?P<open>[\[{(])
    | (?P<close>[\]})])
    | (?P<newline>\n)
    | (?P<semi>;(?=[\s}]|$))
    | (?P<blank>[ \t]+)
    | (?P<text>[^\s"'{}\[\]();#$]+|.)
    """,
    re.VERBOSE,
)
# A brace inside of a statement, where it means nothing, is kept as "{ ".
_PAIRS = {"{": "}", "[": "]", "(": ")", "{ ": "}"}
_TOP = re.compile(r"(?:use|param|secret|image|snapshot|matrix)[ \t]+[^\s=]")
_WORD = re.compile(r"[A-Za-z_]\w*")
_BLANKS = re.compile(r"[ \t]*")
_HEADS = ("image", "snapshot", "matrix", "when", "else")
_LINE_OF_A_LIST = re.compile(r"[ \t]*(?P<word>[A-Za-z_]\w*)(?=[ \t]+[^\s,\]#]|[ \t]*\{)")


@dataclass(slots=True)
class Chunk:
    """A statement, or the head of a block: ``text[begin:end]``.

    ``body`` is None where it has no block, and ``close`` is where that ends.
    ``damaged`` is one whose mistake is known already.
    """

    begin: int
    end: int
    body: list[Chunk] | None = None
    damaged: bool = False
    close: int = -1

    def word_end(self, text: str) -> str:
        """What follows the first word."""
        return text[self.begin + len(self.word(text))]

    def word(self, text: str) -> str:
        found = _WORD.match(text, self.begin, self.end)
        return found[0] if found else ""


@dataclass(slots=True)
class _Open:
    """A bracket that waits for its end; ``chunks`` is where a brace's statements go."""

    char: str
    at: int
    chunks: list[Chunk] = field(default_factory=list)
    excused: bool = False


class Structure:
    """``chunks`` are the items of the file, ``errors`` the brackets and quotes that do not match.

    ``stopped`` says that there are more than anybody reads, and that the rest of the file was not looked at.
    """

    def __init__(self, file: str, text: str, items: frozenset[str], operations: frozenset[str]) -> None:
        self.errors: list[Diagnostic] = []
        self._text, self._items, self._keywords = text, items, items | operations
        self._lines = Lines(file, text)
        self._stack: list[_Open] = [_Open("", 0)]
        self._begin = -1
        self._last = 0
        self._damaged = False
        self._after_block = False
        self.stopped = False
        try:
            self._scan()
        except Enough:
            self.stopped = True
        self.chunks = self._stack[0].chunks

    def _scan(self) -> None:
        at = 0
        while at < len(self._text):
            match = _TOKEN.match(self._text, at)
            assert match is not None
            kind = match.lastgroup
            end = match.end()
            if kind in ("comment", "blank"):
                at = end
                continue
            if kind == "newline":
                self._newline(end)
            elif kind == "semi":
                if self._stack[-1].char in ("", "{"):
                    self._semicolon(at)
            elif kind == "close":
                self._close(match[0], at)
            else:
                if self._begin < 0:
                    self._check_parted(match[0], at)
                    self._start(at)
                if kind == "open":
                    self._open(match[0], at)
                elif kind in ("block", "quote"):
                    end = self._unclosed_quote(match[0], at) if kind == "quote" else self._block(match[0], at)
                self._last = max(self._last, end) if kind != "open" or match[0] != "{" else self._last
            at = end
        self._end()

    def _error(self, error: Diagnostic) -> None:
        self.errors.append(error)
        if len(self.errors) >= MAX_ERRORS:
            # What follows would be looked at once for each bracket that is still open.
            raise Enough

    def _semicolon(self, at: int) -> None:
        if self._begin < 0 and not self._after_block:
            place = self._lines.span(at, at + 1)
            self._error(Diagnostic("IB808", "a ';' without a statement before it", place, help="leave it out"))
        self._finish()
        self._after_block = False

    def _check_parted(self, text: str, at: int) -> None:
        """What follows a block on its line is `else`; a word of another language for it is refused later."""
        if self._after_block and not text.startswith(("else", "elif", "elsif")):
            place = self._lines.span(at, at + 1)
            help = "a line end, or a ';' and a blank, parts two statements"
            self._error(Diagnostic("IB808", f"{text[:40]!r} right after a block", place, help=help))
        self._after_block = False

    def _start(self, at: int) -> None:
        self._begin, self._last, self._damaged = at, at, False
        if len(self._stack) > 1 and _TOP.match(self._text, at) and self._lines.column(at) == 1:
            self._unclosed_until(1, at)
            self._begin = self._last = at

    def _open(self, char: str, at: int) -> None:
        if char == "{" and self._text.startswith(("when", "else"), self._begin):
            self._end_condition(at)
        if char == "{" and self._is_statement():
            char = "{ "
        if char == "{" and self._stack[-1].char in ("", "{"):
            chunk = Chunk(self._begin, self._last, [], self._damaged)
            self._stack[-1].chunks.append(chunk)
            assert chunk.body is not None
            self._stack.append(_Open(char, at, chunk.body))
            self._begin = -1
        else:
            self._stack.append(_Open(char, at))
        if len(self._stack) > MAX_OPEN:
            place = self._lines.span(at, at + 1)
            self._error(Diagnostic("IB852", f"more than {MAX_OPEN} brackets that are open at once", place))
            raise Enough

    def _is_statement(self) -> bool:
        word = _WORD.match(self._text, self._begin)
        return word is not None and word[0] in self._keywords and word[0] not in self._items

    def _end_condition(self, at: int) -> None:
        """A block begins: the brackets of the condition before it should be closed."""
        note = Note("the block begins here", self._lines.span(at, at + 1))
        while self._stack[-1].char in ("(", "["):
            self._damaged = True
            self._unclosed(self._stack.pop(), note)

    def _unclosed(self, opener: _Open, note: Note) -> None:
        if not opener.excused:
            place = self._lines.span(opener.at, opener.at + 1)
            help = f"add the {_PAIRS[opener.char]!r}"
            self._error(Diagnostic("IB806", f"a {opener.char[0]!r} that is never closed", place, (note,), help))

    def _close(self, char: str, at: int) -> None:
        top = self._stack[-1]
        if char == "}" and top.char in ("", "{") and self._begins_line(at) and self._close_by_indentation(at):
            return
        top = self._stack[-1]
        if _PAIRS.get(top.char) == char:
            if char == "}" and top.char == "{":
                self._finish()
                below = self._stack[-2]
                if below.char in ("", "{") and below.chunks:
                    below.chunks[-1].close = at
            self._stack.pop()
            self._last = at + 1
            self._after_block = self._begin < 0
            return
        opener = next(
            (index for index in range(len(self._stack) - 1, 0, -1) if _PAIRS[self._stack[index].char] == char), 0
        )
        if opener and (char == "}" or opener == len(self._stack) - 1):
            self._unclosed_until(opener + 1, at)
            self._close(char, at)
            return
        if self._begin < 0:
            self._start(at)
            self._last = at + 1
        self._damaged = True
        note = (
            (Note("the bracket that is open is here", self._lines.span(top.at, top.at + 1)),)
            if top.char in ("[", "(")
            else ()
        )
        self._error(Diagnostic("IB807", f"a {char!r} that closes nothing", self._lines.span(at, at + 1), note))

    def _begins_line(self, at: int) -> bool:
        return self._indentation(at) == self._lines.column(at)

    def _close_by_indentation(self, at: int) -> bool:
        """Whether a '}' at a line's start belongs to a block whose '{' is missing; gives up inner blocks before."""
        width = self._lines.column(at)
        top = self._stack[-1]
        if top.char and self._indentation(top.at) > width:
            below = [
                i for i, each in enumerate(self._stack) if each.char == "{" and self._indentation(each.at) == width
            ]
            if below:
                self._finish()
                self._unclosed_until(below[-1] + 1, at)
            return False
        if top.char and self._indentation(top.at) == width:
            return False
        self._finish()
        index = next(
            (
                i
                for i in range(len(top.chunks) - 1, -1, -1)
                if self._indentation(top.chunks[i].begin) <= width and top.chunks[i].word(self._text) in _HEADS
            ),
            -1,
        )
        head = top.chunks[index] if index >= 0 else None
        if head is None or (head.body is not None and top.char):
            return False
        place = self._lines.span(at, at + 1)
        if head.body is None:
            head.body = []
            if not head.damaged:
                self._error(self.missing_brace(head, (Note("the block ends here", place),)))
        else:
            note = Note("the block was closed here", self._lines.span(head.close, head.close + 1))
            self._error(Diagnostic("IB807", "a '}' that closes nothing", place, (note,)))
        head.body += top.chunks[index + 1 :]
        del top.chunks[index + 1 :]
        head.close = at
        return True

    def missing_brace(self, head: Chunk, notes: tuple[Note, ...] = ()) -> Diagnostic:
        place = self._lines.span(head.end - 1, head.end)
        return Diagnostic("IB808", f"the '{{' after {head.word(self._text)!r} is missing", place, notes, "add it here")

    def _indentation(self, at: int) -> int:
        """The column at which the line's text begins."""
        blanks = _BLANKS.match(self._text, self._lines.start(at), at)
        return len(blanks[0]) + 1 if blanks else 1

    def _newline(self, end: int) -> None:
        self._after_block = False
        if self._stack[-1].char in ("", "{"):
            self._finish()
            return
        # A list that goes on into what reads as a statement was not closed.
        line = _LINE_OF_A_LIST.match(self._text, end)
        if line and line["word"] in self._keywords:
            first = next(i for i, each in enumerate(self._stack) if i and each.char in ("[", "(", "{ "))
            self._unclosed_until(first, line.start("word"))

    def _unclosed_until(self, height: int, at: int) -> None:
        """Give up all brackets from ``height`` on: the text at ``at`` belongs below them."""
        note = Note("this stands where it should be closed at the latest", self._lines.span(at, at + 1))
        while len(self._stack) > height:
            top = self._stack[-1]
            if top.char == "{":
                self._finish()
            else:
                self._damaged = True
                if len(self._stack) > 1 and self._stack[-2].char in ("", "{"):
                    self._finish_in(self._stack[-2])
            self._stack.pop()
            self._unclosed(top, note)
        self._begin = -1

    def _unclosed_quote(self, quote: str, at: int) -> int:
        end = self._text.find("\n", at)
        end = len(self._text) if end < 0 else end
        self._damaged = True
        for each in self._stack:
            # The quote swallowed what may have closed it.
            each.excused = each.excused or each.char in ("[", "(", "{ ")
        help = (
            "a text of several lines stands in three quotes"
            if quote == '"'
            else "a text with an apostrophe stands in double quotes"
        )
        self._error(Diagnostic("IB806", "a quote that is not closed in its line", self._lines.span(at, end), help=help))
        return end

    def _block(self, quotes: str, at: int) -> int:
        end = self._text.find(quotes, at + 3)
        if end >= 0:
            return end + 3
        self._damaged = True
        self._error(
            Diagnostic(
                "IB806",
                f"{quotes} that is never closed",
                self._lines.span(at, at + 3),
                help="all that follows would be text",
            )
        )
        return len(self._text)

    def _finish(self) -> None:
        self._finish_in(self._stack[-1])

    def _finish_in(self, owner: _Open) -> None:
        if self._begin >= 0 and (self._last > self._begin):
            owner.chunks.append(Chunk(self._begin, self._last, None, self._damaged))
        self._begin, self._damaged = -1, False

    def _end(self) -> None:
        if len(self._stack) > 1 and not any(e.code == "IB806" for e in self.errors[-1:]):
            at = len(self._text.rstrip())
            top = self._stack[-1]
            note = Note("the file ends here", self._lines.span(max(at - 1, 0), max(at, 1)))
            self._unclosed(top, note)
        while self._stack:
            if self._stack[-1].char in ("", "{"):
                self._finish()
            else:
                self._damaged = True
            if len(self._stack) == 1:
                break
            self._stack.pop()


class Lines:
    """From offsets to places."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._length = len(text)

    def at(self, at: int) -> tuple[int, int]:
        """The line's number, and where it begins."""
        line = self._line(at)
        return line + 1, self._starts[line]

    def start(self, at: int) -> int:
        """Where the line begins."""
        return self._starts[self._line(at)]

    def column(self, at: int) -> int:
        return at - self.start(at) + 1

    def span(self, begin: int, end: int) -> Span:
        """The place of ``text[begin:end]``, of one character at least; a line's end counts as one of its own."""
        begin = max(0, min(begin, self._length - 1))
        end = max(end, begin + 1)
        first, last = self._line(begin), self._line(end - 1)
        return Span(self._file, first + 1, begin - self._starts[first] + 1, last + 1, end - self._starts[last] + 1)

    def _line(self, at: int) -> int:
        return bisect_right(self._starts, at) - 1
