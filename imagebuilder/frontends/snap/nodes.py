"""What a ``.snap`` file says, before anything is known about it.

Leaves are the lexer's own tokens: text that knows where it stands. ``depth`` is
how far things nest, counted while the tree is built, so that whoever walks it
can refuse what is too deep before Python's stack does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from lark import Token


@dataclass(slots=True)
class ListNode:
    """``[a, b, c=d]``; ``begin`` and ``end`` are its brackets."""

    begin: Token
    entries: list[Value | Pair]
    end: Token
    depth: int = 1


Value: TypeAlias = "Token | ListNode"


@dataclass(slots=True)
class Pair:
    """``key=value``; the key's token ends in ``=``."""

    key: Token
    value: Value


Argument: TypeAlias = "Token | ListNode | Pair"


@dataclass(slots=True)
class Call:
    """A statement: a verb and its arguments, in order."""

    verb: Token
    arguments: list[Argument]
    depth: int = 0


@dataclass(slots=True)
class Source:
    """What stands after ``from``: a factory with its arguments, or an image's name."""

    name: Token
    arguments: list[Argument]


@dataclass(slots=True)
class Test:
    """``name``, ``name == literal``, ``name in [literals]``; ``operator`` is empty for a name alone."""

    name: Token
    operator: str
    literals: list[Token]
    depth: int = 0


@dataclass(slots=True)
class Logic:
    """``and``, ``or`` or ``not`` of conditions."""

    operator: str
    operands: list[Condition]
    depth: int = 0


Condition: TypeAlias = "Test | Logic"


@dataclass(slots=True)
class When:
    """``when condition { … } else …``: of statements in an image, or of items in a file."""

    condition: Condition
    body: list[Any]
    otherwise: list[Any]
    depth: int = 0


Statement: TypeAlias = "Call | When"


@dataclass(slots=True)
class Header:
    version: Token


@dataclass(slots=True)
class Use:
    path: Token
    alias: Token
    values: list[Pair]


@dataclass(slots=True)
class Type:
    """``name`` is a type's name, ``list`` or ``one of``; ``item`` is a list's, ``choices`` those of ``one of``."""

    name: Token
    item: Token | None = None
    choices: ListNode | None = None


@dataclass(slots=True)
class Param:
    name: Token
    type: Type
    default: Value | None


@dataclass(slots=True)
class Secret:
    names: list[Token]


@dataclass(slots=True)
class Image:
    name: Token
    source: Source
    body: list[Statement]
    depth: int = 0


@dataclass(slots=True)
class Snapshot:
    name: Token
    source: Source
    body: list[Statement]
    depth: int = 0


@dataclass(slots=True)
class Matrix:
    axes: list[Pair]
    body: list[Item]
    depth: int = 0


Item: TypeAlias = "Header | Use | Param | Secret | Image | Snapshot | Matrix | When"


@dataclass(slots=True)
class File:
    """``text`` is the normalised source; places in the tree are places in it.

    ``damaged`` says that something could not be read, ``lost`` that whole items could not, so that any
    name may be missing.
    """

    path: str
    text: str
    items: list[Item] = field(default_factory=list)
    damaged: bool = False
    lost: bool = False


def deepest(parts: list[Statement] | list[Item]) -> int:
    return max((getattr(part, "depth", 0) for part in parts), default=0)
