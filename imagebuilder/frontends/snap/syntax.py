"""From text to a tree, or to one diagnostic for each statement that cannot be read.

A file that parses takes one pass of the parser. One that does not is parted into
statements (see ``structure``), and each is parsed alone: a mistake is reported
once, in its own statement, and all other statements are still there, which is
also what an editor needs while somebody types.
"""

from __future__ import annotations

import re
from typing import Any

from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from imagebuilder.diagnostics import CompileError, Diagnostic, Span, did_you_mean
from imagebuilder.frontends.snap import complaints
from imagebuilder.frontends.snap.bounds import MAX_ERRORS
from imagebuilder.frontends.snap.complaints import FOREIGN, ITEMS, OPERATIONS, Stuck
from imagebuilder.frontends.snap.grammar import parse
from imagebuilder.frontends.snap.nodes import (
    Call,
    File,
    Header,
    Image,
    Item,
    Matrix,
    Param,
    Secret,
    Snapshot,
    Use,
    When,
    deepest,
)
from imagebuilder.frontends.snap.structure import Chunk, Lines, Structure

WHENS = ("when", "else")
ELSE = "it follows the '}' on the same line: } else {"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff]")


def normalised(text: str) -> str:
    """Line ends as on Unix, without a byte order mark: how a checkout writes them means nothing."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.removeprefix("\ufeff")


def parse_file(path: str, text: str) -> tuple[File, list[Diagnostic]]:
    """The tree, and what is wrong with the text; where something is, the tree holds the rest.

    Raises:
        CompileError: a character that no text file holds.
    """
    text = readable(path, text)
    try:
        return File(path, text, parse(text)), []
    except UnexpectedInput as error:
        reader = _Reader(path, text)
        items = reader.items()
        if not reader.errors:
            # The two readings disagree; the parser is right.
            at = error.pos_in_stream if error.pos_in_stream is not None else len(text) - 1
            place = Lines(path, text).span(at, at + 1)
            reader.errors.append(Diagnostic("IB808", "what stands here does not fit", place))
        return File(path, text, items, lost=reader.lost), sorted(reader.errors[:MAX_ERRORS], key=_position)


def _position(error: Diagnostic) -> tuple[int, int]:
    return (error.place.line, error.place.column) if isinstance(error.place, Span) else (0, 0)


def readable(path: str, text: str) -> str:
    """The text as the parser takes it: normalised, with a line end at its end.

    Raises:
        CompileError: a character that no text file holds.
    """
    text = normalised(text)
    if (match := _CONTROL.search(text)) is not None:
        point = ord(match[0])
        what = "a lone surrogate" if point >= 0xD800 else f"a control character (U+{point:04X})"
        help = "" if point >= 0xD800 else f"in a string it is written \\u{{{point:x}}}"
        place = Lines(path, text).span(match.start(), match.end())
        raise CompileError(Diagnostic("IB802", what, place, help=help))
    return text if text.endswith("\n") else text + "\n"


class _Reader:
    """Statement by statement."""

    def __init__(self, path: str, text: str) -> None:
        self._path, self._text = path, text
        self._lines = Lines(path, text)
        self._structure = Structure(path, text, frozenset(ITEMS), OPERATIONS)
        self.errors = list(self._structure.errors)
        self.lost = self._structure.stopped

    def items(self) -> list[Item]:
        return self._read(self._structure.chunks, "head_item")

    def _read(self, chunks: list[Chunk], start: str, depth: int = 0) -> list[Any]:
        found: list[Any] = []
        open_when: When | None = None
        before: Chunk | None = None
        strange = closed = False
        index = 0
        while index < len(chunks) and len(self.errors) < MAX_ERRORS:
            chunk = chunks[index]
            word = chunk.word(self._text)
            if start == "head_item" and word in OPERATIONS and not chunk.damaged:
                index = self._astray(chunks, index)
                continue
            index += 1
            if strange and start == "head_item" and word not in ITEMS and not did_you_mean(word, ITEMS):
                continue
            strange = False
            mistakes = len(self.errors)
            if start == "head_stmt" and not chunk.damaged:
                if chunk.body is not None and word in FOREIGN:
                    self._no_block(chunk, word)
                    chunk.damaged = True
                elif word in ITEMS and word != "when" and chunk.word_end(self._text).isspace():
                    self.errors.append(complaints.inside(word, self._lines, chunk.begin))
                    chunk.damaged = True
            node = None if chunk.damaged else self._parse(chunk, start)
            strange = len(self.errors) > mistakes and self.errors[-1].code == "IB809"
            if chunk.body is not None and isinstance(node, Call | Header | Use | Param | Secret):
                self._no_block(chunk, word)
                node = None if isinstance(node, Call) else node
            self.lost = self.lost or (node is None and start == "head_item" and word != "else")
            if word == "else" and open_when is None and (before is None or before.word(self._text) not in WHENS):
                if not chunk.damaged:
                    del self.errors[mistakes:]
                    place = self._lines.span(chunk.begin, chunk.begin + len(word))
                    self.errors.append(Diagnostic("IB808", "an `else` without a `when`", place, help=ELSE))
                before = chunk
                continue
            if word == "else" and open_when is None and len(self.errors) == mistakes and closed:
                place = self._lines.span(chunk.begin, chunk.begin + len(word))
                self.errors.append(Diagnostic("IB808", "a second `else`", place, help="a `when` has one"))
            inner = "head_stmt" if start == "head_stmt" or word in ("image", "snapshot") else "head_item"
            if word not in ITEMS and chunk.body and chunk.body[0].word(self._text) in OPERATIONS:
                inner = "head_stmt"
            body = self._read(chunk.body, inner, depth + 1) if chunk.body is not None and depth < 100 else []
            if word == "else":
                if len(self.errors) == mistakes and before is not None and not chunk.damaged:
                    self._check_else(chunk, before)
                closed = len(self.errors) == mistakes and not isinstance(node, When)
                open_when = self._add_branch(node, body, open_when)
                before = chunk
                continue
            open_when, before, closed = None, chunk, False
            if node is None:
                continue
            if isinstance(node, When | Matrix) and chunk.body is None:
                following = chunks[index].word(self._text) if index < len(chunks) else ""
                if start == "head_stmt" or following not in OPERATIONS:
                    self._blockless(chunk, word)
            if isinstance(node, When):
                open_when = node
            if isinstance(node, Image | Snapshot | Matrix | When):
                node.body = body
                node.depth = deepest(body) + 1
            found.append(node)
        self.lost = self.lost or index < len(chunks)
        return found

    def _astray(self, chunks: list[Chunk], index: int) -> int:
        """Operations among a file's items: one diagnostic for all that stand together. The index of what follows."""
        first, head = chunks[index], chunks[index - 1] if index else None
        if head is not None and head.body is None and head.word(self._text) in ("image", "snapshot", "matrix", "when"):
            if not head.damaged:
                self.errors.append(self._structure.missing_brace(head))
        else:
            self.errors.append(complaints.outside(first.word(self._text), self._lines, first.begin))
        while index < len(chunks) and (chunks[index].word(self._text) in (*OPERATIONS, "when", "else")):
            index += 1
        return index

    def _check_else(self, chunk: Chunk, before: Chunk) -> None:
        if before.close >= 0 and "\n" in self._text[before.close : chunk.begin]:
            place = self._lines.span(chunk.begin, chunk.begin + len("else"))
            self.errors.append(Diagnostic("IB808", "an `else` that begins a line", place, help=ELSE))
        elif chunk.body is None:
            self._blockless(chunk, "else")

    def _add_branch(self, node: Any, body: Any, when: When | None) -> When | None:
        """Adds what follows `else`; the `when` that a further branch belongs to."""
        if when is None:
            return None
        when.otherwise = [node] if isinstance(node, When) else body
        if not isinstance(node, When):
            return None
        node.body = body
        node.depth = deepest(body) + 1
        return node

    def _no_block(self, chunk: Chunk, word: str) -> None:
        place = self._lines.span(chunk.begin, chunk.end)
        help = "image, snapshot, matrix and when have one"
        if word in FOREIGN:
            place = self._lines.span(chunk.begin, chunk.begin + len(word))
            help = FOREIGN[word]
        self.errors.append(Diagnostic("IB808", f"a block after {word!r}", place, help=help))

    def _blockless(self, chunk: Chunk, word: str) -> None:
        place = self._lines.span(chunk.begin, chunk.end)
        help = "a block in braces follows on the same line: { … }"
        self.errors.append(Diagnostic("IB808", f"{word} without a block", place, help=help))

    def _parse(self, chunk: Chunk, start: str) -> Any:
        try:
            return parse(self._text, start, chunk.begin, chunk.end, self._lines.at(chunk.begin))
        except UnexpectedInput as error:
            stuck = Stuck(chunk.begin, _where(error, chunk), chunk.end, _expected(error))
            self.errors.append(complaints.about(self._text, self._lines, stuck, start))
            return None


def _where(error: UnexpectedInput, chunk: Chunk) -> int:
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return chunk.end
    return error.pos_in_stream if error.pos_in_stream is not None else chunk.begin


def _expected(error: UnexpectedInput) -> frozenset[str]:
    if isinstance(error, UnexpectedToken):
        return frozenset(error.accepts or error.expected or ())
    if isinstance(error, UnexpectedCharacters):
        return frozenset(error.allowed or ())
    return frozenset()
