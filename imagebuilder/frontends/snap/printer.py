"""What :mod:`~imagebuilder.frontends.snap.layout` found, written in the one form that a file has."""

from __future__ import annotations

import textwrap

from lark import Token

from imagebuilder.frontends.snap.layout import WIDTH, Gap, Group, Member, Part, glued, is_block_text
from imagebuilder.frontends.snap.text import dedented

_BLANKS = "    "
_SET_APART = ("_IMAGE", "_SNAPSHOT", "_MATRIX")
# What goes on in a further line stands out from the block that follows it.
_GOES_ON = 2


def printed(file: Group) -> str:
    printer = _Printer()
    printer.members(file, 0)
    return printer.text()


class _Printer:
    """Depths are counted in blocks and lists. Every line begins with its line end."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._column = 0

    def text(self) -> str:
        text = "".join(self._out).removeprefix("\n")
        return text + "\n" if text else ""

    def members(self, group: Group, depth: int) -> None:
        after = "," if group.is_list else ""
        self._comment(group.first)
        lines, apart_before = list(group.first.lines), False
        for index, member in enumerate(group.members):
            fits = _fits(member, depth, after)
            apart = not fits and isinstance(member.parts[0], Token) and member.parts[0].type in _SET_APART
            self._lines(_parted(lines, apart_before, apart and index > 0, index == 0), depth)
            self._newline(depth)
            self._member(member, depth, after, fits)
            self._put(after)
            self._comment(member.gap)
            lines, apart_before = list(member.gap.lines), apart
        while lines and not lines[-1]:
            lines.pop()
        if lines:
            self._lines(_parted(lines, apart_before, False, not group.members), depth)

    def _member(self, member: Member, depth: int, after: str, fits: bool) -> None:
        if fits:
            assert member.flat is not None
            self._put(member.flat)
            return
        here = depth
        for index, part in enumerate(member.parts):
            if index and not glued(member.parts[index - 1], part):
                self._put(" ")
            if isinstance(part, Gap):
                here = depth + _GOES_ON
                self._comment(part)
                self._lines([line for line in part.lines if line], here)
                self._newline(here)
            elif isinstance(part, Group):
                self._group(part, here if part.is_list else depth, _width(member.parts, index + 1) + len(after))
            elif is_block_text(part):
                self._put(_reindented(part, here))
            else:
                self._put(part)

    def _group(self, group: Group, depth: int, rest: int) -> None:
        fits = group.flat is not None and self._column + len(group.flat) + rest <= WIDTH
        nothing_inside = not group.members and group.flat is not None
        if nothing_inside or (fits and group.is_list):
            assert group.flat is not None
            self._put(group.flat)
            return
        self._put(group.begin)
        self.members(group, depth + 1)
        self._newline(depth)
        self._put("]" if group.is_list else "}")

    def _lines(self, lines: list[str], depth: int) -> None:
        for line in lines:
            if line:
                self._newline(depth)
                self._put(line)
            else:
                self._out.append("\n")

    def _comment(self, gap: Gap) -> None:
        if gap.comment:
            self._put(f"  {gap.comment}")

    def _newline(self, depth: int) -> None:
        self._out.append("\n" + _BLANKS * depth)
        self._column = len(_BLANKS) * depth

    def _put(self, text: str) -> None:
        self._out.append(text)
        self._column = len(text) - text.rfind("\n") - 1 if "\n" in text else self._column + len(text)


def _fits(member: Member, depth: int, after: str) -> bool:
    return member.flat is not None and len(_BLANKS) * depth + len(member.flat) + len(after) <= WIDTH


def _parted(lines: list[str], apart_before: bool, apart_after: bool, first: bool) -> list[str]:
    """The lines between two members, with the blank ones that stand around what is set apart."""
    if first:
        return lines[1:] if lines[:1] == [""] else lines
    if apart_before and lines[:1] != [""]:
        lines = ["", *lines]
    if apart_after and "" not in lines:
        # Comments right above a block belong to it.
        lines = ["", *lines]
    return lines


def _width(parts: list[Part], begin: int) -> int:
    """How much must stand behind a list in its line: up to what can be parted, at most to its opening bracket."""
    width = 0
    for index in range(begin, len(parts)):
        part = parts[index]
        width += not glued(parts[index - 1], part)
        if isinstance(part, Gap):
            break
        if isinstance(part, Group):
            return width + 1
        if is_block_text(part):
            return width + 3
        width += len(part)
    return width


def _reindented(token: Token, depth: int) -> str:
    """A text of several lines below its statement, if it stays the same text; else as it was."""
    quotes, body = token[:3], token[3:-3]
    first, _, rest = body.partition("\n")
    *lines, last = textwrap.dedent(rest).split("\n")
    outer, inner = _BLANKS * depth, _BLANKS * (depth + 1)
    made = [first if first.strip(" \t") else "", *(inner + line if line else "" for line in lines)]
    made.append(inner + last if last else outer)
    text = "\n".join(made)
    return f"{quotes}{text}{quotes}" if dedented(text) == dedented(body) else str(token)
