"""From the tokens of a file to what a formatter lays out: statements, blocks, lists, and the comments between them.

Nothing here knows what a statement means. Tokens of brackets become a
:class:`Group`, what is parted inside of one becomes its members, and each line
end becomes the :class:`Gap` that follows a member.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from lark import Token

from imagebuilder.diagnostics import CompileError, Diagnostic
from imagebuilder.frontends.snap.bounds import MAX_BRACKETS
from imagebuilder.frontends.snap.places import span

WIDTH = 100
"""The columns that a line has, a comment at its end aside."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A line end: the comment before it, and the lines after it, each a comment or, if empty, a blank line."""

    comment: str = ""
    lines: tuple[str, ...] = ()

    @property
    def says_something(self) -> bool:
        return bool(self.comment) or any(self.lines)


NO_GAP = Gap()


@dataclass(slots=True)
class Group:
    """A block or a list. ``flat`` is its text in one line; None where its author parted it, or it is too long."""

    begin: Token
    first: Gap = NO_GAP
    members: list[Member] = field(default_factory=list)
    parted: bool = False
    flat: str | None = None

    @property
    def is_list(self) -> bool:
        return self.begin.type == "LSQB"

    def close(self) -> None:
        if not self.members and not self.first.says_something:
            self.first, self.flat = NO_GAP, "[]" if self.is_list else "{}"
            return
        texts = [member.flat for member in self.members if member.flat is not None]
        if self.parted or len(texts) < len(self.members):
            return
        flat = f"[{', '.join(texts)}]" if self.is_list else f"{{ {'; '.join(texts)} }}"
        self.flat = flat if len(flat) <= WIDTH else None


Part: TypeAlias = "Token | Group | Gap"


@dataclass(slots=True)
class Member:
    """A statement, or an entry of a list. A gap among its parts is a line end inside of a condition."""

    parts: list[Part] = field(default_factory=list)
    gap: Gap = NO_GAP
    flat: str | None = ""
    parens: int = 0

    def add(self, part: Part) -> None:
        if self.flat is not None:
            text = _one_line(part)
            if text is not None and len(self.flat) + len(text) <= WIDTH:
                self.flat += text if not self.parts or glued(self.parts[-1], part) else f" {text}"
            else:
                self.flat = None
        self.parts.append(part)


def is_block_text(token: Token) -> bool:
    """Whether it is a string that has several lines."""
    return token.type in ("BLOCK", "RAWBLOCK") and "\n" in token


def _one_line(part: Part) -> str | None:
    if isinstance(part, Token):
        return None if is_block_text(part) else str(part)
    return part.flat if isinstance(part, Group) else None


def glued(before: Part, after: Part) -> bool:
    """Whether nothing stands between the two."""
    if isinstance(before, Gap) or isinstance(after, Gap):
        return True
    if isinstance(before, Token) and (before.type in ("KEY", "QKEY", "LPAR") or before == "["):
        return True
    return isinstance(after, Token) and (after.type in ("COLON", "RPAR") or after in ("[", "]"))


def laid_out(tokens: list[Token], file: str) -> Group:
    """The whole file as one group, with nothing between its members lost but what says nothing.

    Args:
        tokens: all of a valid file, those that the tree leaves out included.

    Raises:
        CompileError: brackets that nest deeper than the language allows.
    """
    group, member = Group(Token("LBRACE", "")), Member()
    stack: list[tuple[Group, Member]] = []
    for index, token in enumerate(tokens):
        match token.type:
            case "LBRACE" | "LSQB":
                if len(stack) >= MAX_BRACKETS:
                    message = f"brackets that nest deeper than {MAX_BRACKETS}"
                    raise CompileError(Diagnostic("IB852", message, span(file, token)))
                stack.append((group, member))
                group, member = Group(token), Member()
            case "RBRACE" | "RSQB":
                _finish(group, member)
                group.close()
                inner = group
                group, member = stack.pop()
                member.add(inner)
            case "_SEMI" | "COMMA":
                member = _finish(group, member)
            case "_NL" if _goes_on(member):
                gap = _gap(token)
                beside_paren = _is(member.parts[-1], "LPAR") or tokens[index + 1].type == "RPAR"
                if gap.says_something or not beside_paren:
                    member.add(gap)
            case "_NL":
                group.parted = True
                member = _finish(group, member)
                if group.members:
                    group.members[-1].gap = _gap(token)
                else:
                    group.first = _gap(token)
            case _:
                member.parens += (token.type == "LPAR") - (token.type == "RPAR")
                member.add(token)
    _finish(group, member)
    return group


def _finish(group: Group, member: Member) -> Member:
    """Where the next member of the group goes."""
    if not member.parts:
        return member
    group.members.append(member)
    return Member()


def _goes_on(member: Member) -> bool:
    """Whether a line end stands inside of a condition, and ends nothing."""
    return member.parens > 0 or (bool(member.parts) and _is(member.parts[-1], "_AND", "_OR"))


def _is(part: Part, *types: str) -> bool:
    return isinstance(part, Token) and part.type in types


def _gap(end: Token) -> Gap:
    if end == "\n":
        return NO_GAP
    comment, *lines = (line.strip(" \t").rstrip() for line in end.split("\n")[:-1])
    if end.start_pos == 0:
        comment, lines = "", [comment, *lines]
    kept = tuple(line for before, line in zip(["#", *lines], lines, strict=False) if line or before)
    return Gap(comment, kept)
