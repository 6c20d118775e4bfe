"""From tokens to places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lark import Token

from imagebuilder.diagnostics import Span
from imagebuilder.frontends.snap.nodes import Argument, Call, ListNode, Pair, Source


def span(file: str, first: Token, last: Token | None = None) -> Span:
    """From the first token to the end of the last."""
    last = first if last is None else last
    return Span(file, first.line or 1, first.column or 1, last.end_line or 0, last.end_column or 0)


def within(file: str, token: Token, begin: int, end: int) -> Span:
    """The characters ``token[begin:end]``."""
    if token.line == token.end_line:
        # A long text of one line may hold many; looking for line ends before each of them would be quadratic.
        column = (token.column or 1) + begin
        return Span(file, token.line or 1, column, token.line or 1, column + max(1, end - begin))
    before = token[:begin]
    line = (token.line or 1) + before.count("\n")
    column = begin - before.rfind("\n") if "\n" in before else (token.column or 1) + begin
    inside = token[begin:end]
    if "\n" in inside:
        return Span(file, line, column, line + inside.count("\n"), len(inside) - inside.rfind("\n"))
    return Span(file, line, column, line, column + max(1, end - begin))


def span_of(file: str, node: Argument) -> Span:
    match node:
        case Pair():
            return span(file, node.key, last_token(node))
        case ListNode():
            return span(file, node.begin, node.end)
    return span(file, node)


def first_token(node: Argument) -> Token:
    return node.key if isinstance(node, Pair) else node.begin if isinstance(node, ListNode) else node


def last_token(node: Argument) -> Token:
    return last_token(node.value) if isinstance(node, Pair) else node.end if isinstance(node, ListNode) else node


@dataclass(frozen=True, slots=True)
class StatementSpan(Span):
    """A statement, and where each of its arguments stands, by the name that the operation gives it."""

    parts: Mapping[str, tuple[Span, ...]] = field(default_factory=dict, compare=False, hash=False, repr=False)

    def part(self, name: str, index: int | None) -> Span:
        places = self.parts.get(name, ())
        if index is not None and len(places) > 1 and index < len(places):
            return places[index]
        return places[0] if len(places) == 1 else self


def statement_span(file: str, call: Call | Source) -> Span:
    first = call.verb if isinstance(call, Call) else call.name
    return span(file, first, last_token(call.arguments[-1]) if call.arguments else first)
