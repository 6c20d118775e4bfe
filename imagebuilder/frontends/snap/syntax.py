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

from imagebuilder.diagnostics import CompileError, Diagnostic, Span
from imagebuilder.frontends.snap import complaints
from imagebuilder.frontends.snap.grammar import parse
from imagebuilder.frontends.snap.nodes import File, Image, Item, Matrix, Snapshot, Statement, When, deepest
from imagebuilder.frontends.snap.structure import Chunk, Lines, Structure
from imagebuilder.frontends.snap.verbs import verbs

ITEMS = ("snap", "use", "param", "secret", "image", "snapshot", "matrix", "when")
MAX_ERRORS = 50
_ODD = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff]")


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
            reader.errors.append(
                complaints.at(path, text, Lines(path, text), at, at + 1, _expected(error), "statement")
            )
        return File(path, text, items), sorted(reader.errors, key=_position)[:MAX_ERRORS]


def _position(error: Diagnostic) -> tuple[int, int]:
    place = error.place
    return (place.line, place.column) if isinstance(place, Span) else (0, 0)


def readable(path: str, text: str) -> str:
    """The text as the parser takes it: normalised, with a line end at its end.

    Raises:
        CompileError: a character that no text file holds.
    """
    text = normalised(text)
    if match := _ODD.search(text):
        char = match[0]
        what = "a lone surrogate" if char >= "\ud800" else f"a control character (U+{ord(char):04X})"
        place = Lines(path, text).span(match.start(), match.end())
        raise CompileError(Diagnostic("IB802", what, place, help=f"in a string it is written \\u{{{ord(char):x}}}"))
    return text if text.endswith("\n") else text + "\n"


class _Reader:
    """Statement by statement."""

    def __init__(self, path: str, text: str) -> None:
        self._path, self._text = path, text
        self._lines = Lines(path, text)
        structure = Structure(path, text, frozenset((*ITEMS, *verbs())))
        self.errors = list(structure.errors)
        self._chunks = structure.chunks

    def items(self) -> list[Item]:
        return self._read(self._chunks, "head_item")

    def _read(self, chunks: list[Chunk], start: str, depth: int = 0) -> list[Any]:
        found: list[Any] = []
        open_when: When | None = None
        for chunk in chunks:
            if len(self.errors) >= MAX_ERRORS:
                break
            head = self._text[chunk.begin : chunk.end]
            word = head.split(None, 1)[0] if head.split() else ""
            node = None if chunk.damaged else self._parse(chunk, start)
            inner = self._inner(node, word, start)
            if chunk.body is not None and not chunk.damaged and node is not None and inner is None:
                place = self._lines.span(chunk.begin, chunk.end)
                self.errors.append(
                    Diagnostic(
                        "IB808", f"a block after {word!r}", place, help="image, snapshot, matrix and when have one"
                    )
                )
            body = (
                self._read(chunk.body, inner or "head_stmt", depth + 1)
                if chunk.body is not None and depth < 100
                else []
            )
            if word == "else":
                if open_when is None and not chunk.damaged:
                    place = self._lines.span(chunk.begin, chunk.begin + 4)
                    self.errors.append(
                        Diagnostic(
                            "IB808", "an `else` without a `when`", place, help="it follows the '}' on the same line"
                        )
                    )
                elif open_when is not None:
                    if isinstance(node, When):
                        node.body = body
                        open_when.otherwise = [node]
                        open_when = node
                    else:
                        open_when.otherwise = body
                        open_when = None
                continue
            open_when = None
            if node is None:
                continue
            if isinstance(node, When):
                if chunk.body is None:
                    self._blockless(chunk, "when")
                node.body = body
                open_when = node
            elif isinstance(node, Image | Snapshot | Matrix):
                if isinstance(node, Matrix) and chunk.body is None:
                    self._blockless(chunk, "matrix")
                node.body = body
            if hasattr(node, "body"):
                node.depth = deepest(node.body) + 1
            found.append(node)
        return found

    def _blockless(self, chunk: Chunk, word: str) -> None:
        place = self._lines.span(chunk.begin, chunk.end)
        self.errors.append(Diagnostic("IB808", f"{word} without a block", place, help="{ … } on the same line"))

    def _inner(self, node: Item | Statement | None, word: str, start: str) -> str | None:
        """How the statements of a block are read."""
        if isinstance(node, Image | Snapshot) or (node is None and word in ("image", "snapshot")):
            return "head_stmt"
        if isinstance(node, Matrix) or (node is None and word == "matrix"):
            return "head_item"
        return start if isinstance(node, When) or word in ("when", "else") else None

    def _parse(self, chunk: Chunk, start: str) -> Any:
        try:
            return parse(self._text, start, chunk.begin, chunk.end)
        except UnexpectedInput as error:
            at, end = _where(error, chunk)
            kind = "item" if start == "head_item" else "statement"
            self.errors.append(
                complaints.at(
                    self._path, self._text, self._lines, at, end, _expected(error), kind, chunk.begin, chunk.end
                )
            )
            return None


def _where(error: UnexpectedInput, chunk: Chunk) -> tuple[int, int]:
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return chunk.end, chunk.end
    at = error.pos_in_stream if error.pos_in_stream is not None else chunk.begin
    if isinstance(error, UnexpectedToken) and error.token.end_pos is not None:
        return at, error.token.end_pos
    return at, at + 1


def _expected(error: UnexpectedInput) -> frozenset[str]:
    if isinstance(error, UnexpectedToken):
        return frozenset(error.accepts or error.expected or ())
    if isinstance(error, UnexpectedCharacters):
        return frozenset(error.allowed or ())
    return frozenset()
