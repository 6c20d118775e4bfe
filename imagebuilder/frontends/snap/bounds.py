"""How much a file may ask for, so that no input costs more than its size is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lark import Token

from imagebuilder.diagnostics import CompileError, Diagnostic, Span
from imagebuilder.frontends.snap.nodes import Condition, ListNode, Logic, Matrix, When
from imagebuilder.frontends.snap.places import span

MAX_SIZE = 1024 * 1024
MAX_FILES = 256
MAX_CELLS = 256
MAX_DEPTH = 32
MAX_BRACKETS = 64
MAX_CONDITION_DEPTH = 64
# So much a small file may repeat and interpolate, and so many times its size any file.
MAX_REPEATED = 128 * 1024, 4
MAX_INTERPOLATED = 1024 * 1024, 64
# An item of a list is checked as a word of its own.
ITEM = 128
MAX_STEPS = 1_000_000
# Of a file that does not parse: how many mistakes of form are reported, and how far brackets nest.
MAX_ERRORS = 50
MAX_OPEN = 256


def too_deep(file: str, item: When | Matrix) -> Diagnostic:
    token = item.axes[0].key if isinstance(item, Matrix) else first_name(item.condition)
    return Diagnostic("IB852", f"blocks that nest deeper than {MAX_DEPTH}", span(file, token))


def lists_too_deep(file: str, node: ListNode) -> Diagnostic:
    return Diagnostic("IB852", f"lists that nest deeper than {MAX_DEPTH}", span(file, node.begin))


def first_name(condition: Condition) -> Token:
    while isinstance(condition, Logic):
        condition = condition.operands[0]
    return condition.name


@dataclass(slots=True)
class Budget:
    """What has been used up of the bounds that hold for all files of a target together.

    A small file can say little twice, but much many times: by the cells of a matrix, by the values that a file is
    used with, by parameters and lists that hold one another, by images that start from one another.
    """

    _size: int = 0
    _repeated: int = 0
    _interpolated: int = 0
    _steps: int = 0

    def read(self, characters: int) -> None:
        """A file is read, which is worth its size."""
        self._size += characters

    def repeat(self, characters: int, place: Span | None) -> None:
        """A part of the source is evaluated again.

        Raises:
            CompileError: the bound is passed; so do the others.
        """
        self._repeated += characters
        most = self._most(*MAX_REPEATED)
        if self._repeated > most:
            raise CompileError(
                Diagnostic("IB852", f"matrices and uses that repeat more than {most:,} characters", place)
            )

    def interpolate(self, characters: int, items: int, place: Span) -> None:
        """A parameter stands for so many characters, and items."""
        self._interpolated += characters + ITEM * items
        most = self._most(*MAX_INTERPOLATED)
        if self._interpolated > most:
            raise CompileError(Diagnostic("IB852", f"parameters that put in more than {most:,} characters", place))

    def _most(self, small: int, times: int) -> int:
        return small + times * self._size

    def start(self, steps: int, place: Span) -> None:
        """An image starts from one of so many steps."""
        self._steps += steps
        if self._steps > MAX_STEPS:
            raise CompileError(
                Diagnostic("IB852", f"images that take over more than {MAX_STEPS:,} steps of one another", place)
            )


def length(nodes: Any) -> int:
    """About how many characters of the source some nodes stand for."""
    found = 0
    waiting = [nodes]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Token):
            found += len(node) + 1
        elif isinstance(node, list):
            waiting += node
        elif hasattr(node, "__slots__"):
            waiting += [getattr(node, name) for name in node.__slots__]
    return found
