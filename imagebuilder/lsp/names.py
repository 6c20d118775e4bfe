"""What a file declares, and what it imports: also of a text that does not parse as a whole."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from lark import Token
from lark.exceptions import UnexpectedInput

from imagebuilder.diagnostics import CompileError
from imagebuilder.frontends.snap.complaints import ITEMS
from imagebuilder.frontends.snap.files import project_of, read
from imagebuilder.frontends.snap.grammar import parse
from imagebuilder.frontends.snap.nodes import Image, ListNode, Matrix, Param, Secret, Snapshot, Use
from imagebuilder.frontends.snap.syntax import normalised
from imagebuilder.frontends.snap.text import holes
from imagebuilder.lsp.cursor import Head, Scan


@dataclass(frozen=True, slots=True)
class Document:
    """A file as the editor has it. ``unsaved`` are the texts of all that are open, by their real paths."""

    path: Path
    text: str
    unsaved: Mapping[Path, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Name:
    """A declaration. ``begin`` and ``end`` are the name's own; ``head`` is the statement, or the part before its block.

    ``kind`` is ``param``, ``axis``, ``secret``, ``image``, ``snapshot`` or ``use``. ``type`` and ``choices`` are a
    parameter's; ``source`` is what an image starts from, or the path that is used. It is visible between ``shown``.
    """

    kind: str
    name: str
    begin: int
    end: int
    head: str
    at: int
    close: int
    shown: tuple[int, int]
    type: str = ""
    choices: tuple[str, ...] = ()
    source: str = ""
    source_begin: int = 0
    source_end: int = 0
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Names:
    """The declarations of a text, in order."""

    all: tuple[Name, ...]
    scan: Scan

    def visible(self, at: int, *kinds: str) -> dict[str, Name]:
        found: dict[str, Name] = {}
        for name in self.all:
            if name.kind in kinds and name.shown[0] <= at <= name.shown[1]:
                found.setdefault(name.name, name)
        return found

    def params(self, at: int) -> dict[str, Name]:
        return self.visible(at, "param", "axis")

    def images(self, at: int) -> dict[str, Name]:
        return self.visible(at, "image")

    def uses(self) -> dict[str, Name]:
        return self.visible(0, "use")


@lru_cache(maxsize=16)
def names_of(text: str) -> Names:
    """The declarations of a normalised text. Statements that do not parse declare nothing."""
    scan = Scan(text)
    found: list[Name] = []
    matrices: list[Head] = []
    for head in scan.heads:
        if head.level != "file" or head.word not in ITEMS:
            continue
        while matrices and matrices[-1].close <= head.begin:
            matrices.pop()
        around = matrices[-1] if matrices else None
        shown = (around.begin, around.close) if around else (0, len(text) + 1)
        try:
            node = parse(text, "head_item", head.begin, head.end)
        except UnexpectedInput:
            continue
        found += _declared(node, text, head, shown)
        if isinstance(node, Matrix) and head.close >= 0:
            matrices.append(head)
    return Names(tuple(found), scan)


def _declared(node: object, text: str, head: Head, shown: tuple[int, int]) -> Iterator[Name]:
    written = text[head.begin : head.end]
    doc = _comment_above(text, head.begin)

    def name(kind: str, token: Token, shown: tuple[int, int] = shown, **more: Any) -> Name:
        begin, end = _range(token)
        plain = str(token).strip("\"'")
        return Name(kind, plain, begin, end, written, head.begin, head.close, shown, doc=doc, **more)

    match node:
        case Param():
            kind = str(node.type.name)
            choices: tuple[str, ...] = ()
            if node.type.choices is not None:
                kind, choices = "one of", _literals(node.type.choices)
            elif node.type.item is not None or kind == "list":
                kind = f"list[{node.type.item or 'string'}]"
            yield name("param", node.name, type=kind, choices=choices)
        case Secret():
            for token in node.names:
                yield name("secret", token)
        case Image() | Snapshot():
            begin, end = _range(node.source.name)
            kind = "image" if isinstance(node, Image) else "snapshot"
            source = text[begin : head.end].rstrip()
            yield name(kind, node.name, source=source, source_begin=begin, source_end=end)
        case Use():
            begin, end = _range(node.path)
            literal = "" if holes(node.path) else str(node.path).strip("\"'")
            yield name("use", node.alias, source=literal, source_begin=begin, source_end=end)
        case Matrix():
            for pair in node.axes:
                begin, _ = _range(pair.key)
                end = begin + len(pair.key) - 1
                token = Token("NAME", str(pair.key)[:-1], start_pos=begin, end_pos=end)
                inside = (head.begin, head.close if head.close >= 0 else len(text) + 1)
                yield name("axis", token, type="string", shown=inside, choices=_literals(pair.value))


def _literals(node: object) -> tuple[str, ...]:
    """The texts of a list, as far as they stand there."""
    entries = node.entries if isinstance(node, ListNode) else []
    return tuple(str(entry).strip("\"'") for entry in entries if isinstance(entry, Token) and not holes(entry))


def _range(token: Token) -> tuple[int, int]:
    begin = token.start_pos or 0
    return begin, begin + len(token)


def _comment_above(text: str, at: int) -> str:
    """The lines of comment that stand right above a statement."""
    lines: list[str] = []
    end = text.rfind("\n", 0, at)
    while end > 0:
        begin = text.rfind("\n", 0, end) + 1
        line = text[begin:end].strip()
        if not line.startswith("#"):
            break
        lines.append(re.sub(r"^#+ ?", "", line))
        end = begin - 1
    return "\n".join(reversed(lines))


def imported(document: Document, written: str) -> Document | None:
    """The file that ``use`` names with the path ``written``; None where the project has no such file."""
    if not written or "\0" in written or Path(written).is_absolute():
        return None
    target = Path(os.path.normpath(document.path.parent / written))
    real = Path(os.path.realpath(target))
    if not real.is_relative_to(os.path.realpath(project_of(document.path))):
        return None
    text = document.unsaved.get(real)
    if text is None:
        try:
            text = read(str(target))
        except CompileError:
            return None
    return Document(target, normalised(text), document.unsaved)
