"""What stands around a place in a text, found without the grammar.

While somebody types, the statement under the cursor is the one that does not
parse; so the words before it are told apart here, by the same rules as in
``grammars/snap.lark``, and nothing is ever refused. One pass, linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from imagebuilder.frontends.snap.complaints import ITEMS
from imagebuilder.frontends.snap.verbs import verbs

WITH_BLOCK = frozenset(("image", "snapshot", "when", "matrix", "else"))

_TOKEN = re.compile(
    r"""
      (?P<comment>(?<![^\s{}\[\](),;])\#[^\n]*)
    | (?P<block>\"\"\"|''')
    | (?P<string>\$?"(?:[^"\\\n]|\\.)*"?|'[^'\n]*'?)
    | (?P<newline>\n)
    | (?P<semi>;(?=[\s}]|$))
    | (?P<blank>[ \t\f]+)
    | (?P<word>(?:(?!\$")[^\s\[\]{}(),;"']|\{[A-Za-z_]\w*\}|(?<=[^\s\[\](),;{}"'=])\[[^\s\[\]{}()"';]*\]|,(?=[<>=!~]))+)
    | (?P<open>[\[{(])
    | (?P<close>[\]})])
    | (?P<odd>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_KEY = re.compile(r"[A-Za-z_][\w.\-]*=(?!=)")
_PARTIAL_HOLE = re.compile(r"\{(?:[A-Za-z_]\w*)?")
_NEW_ITEM = re.compile(r"(?:use|param|secret|image|snapshot|matrix)[ \t]+[^\s=]")
_NEW_STATEMENT = re.compile(r"[ \t]*(?P<word>[A-Za-z_]\w*)(?=[ \t]+[^\s,\]#]|[ \t]*\{)")
_PAIRS = {"{": "}", "[": "]", "(": ")"}


@dataclass(slots=True)
class Word:
    """``text[begin:end]``: a word, a string, a list as a whole, or ``key=`` with one of them.

    ``kind`` is that of the value: ``word``, ``string`` (also ``$"…"``), ``raw``, ``block``, ``rawblock`` or ``list``.
    ``value`` is where the value begins: after ``key=``, before its quotes.
    """

    kind: str
    text: str
    begin: int
    end: int
    key: str = ""
    value: int = 0

    @property
    def value_text(self) -> str:
        return self.text[self.value - self.begin :]

    @property
    def unquoted(self) -> str:
        """The text between the quotes, escapes left as they are."""
        value = self.value_text
        match self.kind:
            case "string":
                return value.removeprefix("$").removeprefix('"').removesuffix('"')
            case "raw":
                return value.strip("'")
            case "block" | "rawblock":
                return value[3:-3]
        return value

    @property
    def content(self) -> int:
        """Where the text between the quotes begins."""
        match self.kind:
            case "string":
                return self.value + (2 if self.value_text.startswith("$") else 1)
            case "raw":
                return self.value + 1
            case "block" | "rawblock":
                return self.value + 3
        return self.value


@dataclass(slots=True)
class Frame:
    """A bracket that is open, or the file: the words since its last separator.

    ``level`` is ``block`` inside of an image or a snapshot, ``file`` elsewhere. ``owner`` is the list that an open
    ``[`` is, among the words of the frame below. ``head`` are the words before a block. ``closed`` is the head of the
    block that the statement follows on its line, as in ``} else``.
    """

    char: str
    at: int
    words: list[Word] = field(default_factory=list)
    head: list[Word] = field(default_factory=list)
    owner: Word | None = None
    closed: list[Word] = field(default_factory=list)
    level: str = "file"


@dataclass(slots=True)
class Region:
    """A stretch that a reader may fold: a block, a list, a text in three quotes, lines of comments."""

    kind: str
    begin: int
    end: int


@dataclass(slots=True)
class Head:
    """A statement, or what stands before a block: ``text[begin:end]``.

    ``level`` is ``file`` or ``block``; ``close`` is where its block ends, -1 without one.
    """

    begin: int
    end: int
    word: str
    level: str
    close: int = -1


class Scan:
    """The text up to ``stop``, or all of it; ``frames`` is what is open there, innermost last."""

    def __init__(self, text: str, stop: int | None = None) -> None:
        self.frames: list[Frame] = [Frame("", 0)]
        self.heads: list[Head] = []
        self.regions: list[Region] = []
        self.word: Word | None = None
        self.in_comment = False
        self._text = text
        self._stop = len(text) if stop is None else min(stop, len(text))
        self._waiting: list[tuple[Head, int]] = []
        self._begin = -1
        self._blocks = 0
        self._run()
        if stop is None:
            while len(self.frames) > 1:
                self._pop(len(text))
            self._finish(len(text))

    # The frames ---------------------------------------------------------------------------------

    @property
    def statement(self) -> Frame:
        """The file or the block that the cursor's statement stands in."""
        return next(frame for frame in reversed(self.frames) if frame.char in ("", "{"))

    @property
    def inner(self) -> list[Frame]:
        """Lists and parentheses that are open inside of the statement."""
        index = max(i for i, frame in enumerate(self.frames) if frame.char in ("", "{"))
        return self.frames[index + 1 :]

    @property
    def level(self) -> str:
        """That of the innermost frame."""
        return self.frames[-1].level

    def heads_around(self) -> Iterator[list[Word]]:
        """The heads of the blocks around the cursor, innermost first."""
        return (frame.head for frame in reversed(self.frames) if frame.head)

    # The pass -----------------------------------------------------------------------------------

    def _run(self) -> None:
        text, at = self._text, 0
        while at < self._stop:
            match = _TOKEN.match(text, at)
            assert match is not None
            kind, end = match.lastgroup, match.end()
            touched = end >= self._stop
            match kind:
                case "blank" | "odd":
                    pass
                case "comment":
                    self.in_comment = touched
                    self._comment(at, end)
                case "newline":
                    self._newline(end)
                case "semi":
                    if self.frames[-1].char in ("", "{"):
                        self._finish(at)
                case "close":
                    self._close(match[0], at)
                case "open":
                    end = self._open(match[0], at)
                    touched = end >= self._stop and self.frames[-1].at != at
                case _:
                    end = self._add(str(kind), at, end)
                    touched = end >= self._stop
            if touched and kind in ("word", "string", "block", "open") and self._last() is not None:
                self.word = self._last()
            at = end

    def _last(self) -> Word | None:
        words = self.frames[-1].words
        return words[-1] if words else None

    def _add(self, kind: str, at: int, end: int) -> int:
        text = self._text
        if self._begin < 0 and self.frames[-1].char in ("", "{"):
            self._start(at)
        if kind == "block":
            quotes = text[at : at + 3]
            close = text.find(quotes, at + 3)
            end = len(text) if close < 0 else close + 3
            kind = "block" if quotes == '"""' else "rawblock"
            self.regions.append(Region("text", at, end))
        elif kind == "string":
            kind = "raw" if text[at] == "'" else "string"
        last = self._last()
        glued = last is not None and last.end == at and last.kind == "word"
        if last is not None and glued and (last.text.endswith("=") or kind == "word"):
            # `key=` with its string, or a word that goes on after a hole that is not closed.
            last.kind = kind if last.text.endswith("=") and last.key else last.kind
            last.text, last.end = text[last.begin : end], end
            return end
        word = Word(kind, text[at:end], at, end, value=at)
        if kind == "word" and (key := _KEY.match(word.text)):
            word.key, word.value = key[0][:-1], at + key.end()
        self.frames[-1].words.append(word)
        return end

    def _start(self, at: int) -> None:
        if len(self.frames) > 1 and (at == 0 or self._text[at - 1] == "\n") and _NEW_ITEM.match(self._text, at):
            while len(self.frames) > 1:
                self._pop(at)
        self._begin = at

    def _open(self, char: str, at: int) -> int:
        frame, text = self.frames[-1], self._text
        if char == "{" and (hole := self._hole(frame, at)):
            return self._add("word", at, hole)
        if char == "{":
            if self._begin < 0:
                self._begin = at
            self._waiting.append((self._head(at), len(self.frames)))
            head = frame.words or [Word("word", "", at, at)]
            level = "block" if head[0].text in ("image", "snapshot") else frame.level
            self.frames.append(Frame(char, at, head=head, level=level))
            self._blocks += 1
            frame.words, self._begin = [], -1
            return at + 1
        if self._begin < 0 and frame.char in ("", "{"):
            self._start(at)
            frame = self.frames[-1]
        owner = None
        if char == "[":
            last = self._last()
            if last is not None and last.kind == "word" and last.end == at and last.text.endswith("="):
                last.kind, owner = "list", last
            else:
                owner = Word("list", "", at, at + 1, value=at)
                frame.words.append(owner)
            owner.text, owner.end = text[owner.begin : at + 1], at + 1
        self.frames.append(Frame(char, at, owner=owner, level=frame.level))
        return at + 1

    def _hole(self, frame: Frame, at: int) -> int:
        """Where a `{` that begins a parameter ends; 0 where it begins a block."""
        match = _PARTIAL_HOLE.match(self._text, at)
        assert match is not None
        if frame.char not in ("", "{"):
            return match.end()
        if not frame.words:
            return 0
        last = frame.words[-1]
        if frame.words[0].text not in WITH_BLOCK or last.text in ("==", "!=", "in"):
            return match.end()
        glued = last.end == at
        following = self._text[match.end() : match.end() + 1]
        return match.end() if glued and (match.end() >= self._stop or following not in ("\n", " ")) else 0

    def _close(self, char: str, at: int) -> None:
        index = len(self.frames) - 1
        if char == "}":
            # Without an open block, none is looked for: there may be as many brackets as closing braces.
            index = index if self._blocks else 0
            while index and self.frames[index].char != "{":
                index -= 1
        elif _PAIRS.get(self.frames[index].char) != char:
            index = 0
        if not index:
            return
        while len(self.frames) > index + 1:
            self._pop(at)
        self._pop(at, at + 1)

    def _pop(self, at: int, end: int = -1) -> None:
        """Close the innermost bracket: at ``end`` its own one, and without one it is given up."""
        frame = self.frames[-1]
        if frame.char == "{":
            self._finish(at)
            self._blocks -= 1
        self.frames.pop()
        end = at if end < 0 else end
        if frame.owner is not None:
            frame.owner.text, frame.owner.end = self._text[frame.owner.begin : end], end
        if frame.char != "(":
            self.regions.append(Region("block" if frame.char == "{" else "list", frame.at, end))
        if frame.char == "{":
            self.frames[-1].closed = frame.head
            while self._waiting and self._waiting[-1][1] >= len(self.frames):
                self._waiting.pop()[0].close = end

    def _newline(self, end: int) -> None:
        if self.frames[-1].char not in ("", "{"):
            line = _NEW_STATEMENT.match(self._text, end)
            word = line["word"] if line else ""
            if line is None or not (word in verbs() or (word in ITEMS and line.start("word") == end)):
                return
            while self.frames[-1].char not in ("", "{"):
                self._pop(end - 1)
        self._finish(end - 1)
        self.frames[-1].closed = []

    def _head(self, at: int) -> Head:
        words = self.frames[-1].words
        head = Head(self._begin, words[-1].end if words else at, words[0].text if words else "", self.level)
        self.heads.append(head)
        return head

    def _finish(self, at: int) -> None:
        """The statement ends."""
        frame = self.frames[-1]
        if frame.words and self._begin >= 0:
            self._head(at)
        frame.words, self._begin = [], -1

    def _comment(self, at: int, end: int) -> None:
        last = self.regions[-1] if self.regions else None
        between = self._text[last.end : at] if last is not None and last.kind == "comment" else ""
        if last is not None and between.strip(" \t") == "\n":
            last.end = end
            return
        self.regions.append(Region("comment", at, end))
