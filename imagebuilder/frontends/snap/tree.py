"""The parser's callbacks: one per rule of the grammar, from what was matched to a node."""

from __future__ import annotations

from typing import Any

from lark import Token, Transformer, v_args

from imagebuilder.frontends.snap import nodes
from imagebuilder.frontends.snap.nodes import (
    Call,
    Header,
    Image,
    ListNode,
    Logic,
    Matrix,
    Pair,
    Param,
    Secret,
    Snapshot,
    Source,
    Test,
    Type,
    Use,
    When,
    deepest,
)


@v_args(inline=True)
class Build(Transformer[Token, Any]):
    """Called while the parser reduces, so that no second tree is made."""

    def start(self, *items: nodes.Item) -> list[nodes.Item]:
        return list(items)

    block = top = start

    def header(self, version: Token) -> Header:
        return Header(version)

    def use(self, path: Token, alias: Token, *values: Pair) -> Use:
        return Use(path, alias, list(values))

    def param(self, name: Token, type: Type, default: nodes.Value | None = None) -> Param:
        return Param(name, type, default)

    def type(self, name: Token) -> Type:
        return Type(name)

    def type_list(self, name: Token, item: Token) -> Type:
        return Type(name, item=item)

    def type_choice(self, one: Token, choices: ListNode) -> Type:
        return Type(one, choices=choices)

    def secret(self, *names: Token) -> Secret:
        return Secret(list(names))

    def source(self, name: Token, *arguments: nodes.Argument) -> Source:
        return Source(name, list(arguments))

    def image(self, name: Token, source: Source, body: list[nodes.Statement] | None = None) -> Image:
        return Image(name, source, body or [], deepest(body or []) + 1)

    def snapshot(self, name: Token, source: Source, body: list[nodes.Statement] | None = None) -> Snapshot:
        return Snapshot(name, source, body or [], deepest(body or []) + 1)

    def matrix(self, *parts: Any) -> Matrix:
        return Matrix(list(parts[:-1]), parts[-1], deepest(parts[-1]) + 1)

    def when(self, condition: nodes.Condition, body: Any, otherwise: Any = ()) -> When:
        otherwise = [otherwise] if isinstance(otherwise, When) else list(otherwise)
        # `else when` is no level of its own: a chain of them is as long as its author likes.
        chained = len(otherwise) == 1 and isinstance(otherwise[0], When)
        below = max(deepest(body), otherwise[0].depth - 1 if chained else deepest(otherwise))
        return When(condition, body, otherwise, below + 1)

    when_top = when

    def call(self, verb: Token, *arguments: nodes.Argument) -> Call:
        return Call(verb, list(arguments))

    def pair(self, key: Token, value: nodes.Value) -> Pair:
        return Pair(key, value)

    entry = pair

    def list(self, begin: Token, *entries: Any) -> ListNode:
        inner = [entry.value if isinstance(entry, Pair) else entry for entry in entries[:-1]]
        depth = max((entry.depth for entry in inner if isinstance(entry, ListNode)), default=0)
        return ListNode(begin, [*entries[:-1]], entries[-1], depth + 1)

    def or_(self, *operands: nodes.Condition) -> Logic:
        return Logic("or", [*operands], max(operand.depth for operand in operands) + 1)

    def and_(self, *operands: nodes.Condition) -> Logic:
        return Logic("and", [*operands], max(operand.depth for operand in operands) + 1)

    def not_(self, operand: nodes.Condition) -> Logic:
        return Logic("not", [operand], operand.depth + 1)

    def name(self, name: Token) -> Test:
        return Test(name, "", [])

    def eq(self, test: Test, literal: Token) -> Test:
        return Test(test.name, "==", [literal])

    def ne(self, test: Test, literal: Token) -> Test:
        return Test(test.name, "!=", [literal])

    def in_(self, test: Test, *literals: Token) -> Test:
        return Test(test.name, "in", [t for t in literals if t.type not in ("LSQB", "RSQB")])

    def not_in(self, test: Test, *literals: Token) -> Test:
        return Test(test.name, "not in", [t for t in literals if t.type not in ("LSQB", "RSQB")])

    # Heads: what a damaged file is read by, statement for statement.

    def head_item(self, item: Any) -> Any:
        return item

    head_stmt = head_item

    def image_head(self, name: Token, source: Source) -> Image:
        return Image(name, source, [])

    def snapshot_head(self, name: Token, source: Source) -> Snapshot:
        return Snapshot(name, source, [])

    def matrix_head(self, *axes: Pair) -> Matrix:
        return Matrix(list(axes), [])

    def when_head(self, condition: nodes.Condition) -> When:
        return When(condition, [], [])

    def else_head(self, condition: nodes.Condition | None = None) -> When | None:
        return When(condition, [], []) if condition is not None else None
