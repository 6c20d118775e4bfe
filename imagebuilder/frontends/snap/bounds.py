"""How much a file may ask for, so that no input costs more than its size is worth."""

from __future__ import annotations

from lark import Token

from imagebuilder.diagnostics import Diagnostic
from imagebuilder.frontends.snap.nodes import Condition, Logic, Matrix, When
from imagebuilder.frontends.snap.places import span

MAX_SIZE = 1024 * 1024
MAX_FILES = 256
MAX_CELLS = 256
MAX_DEPTH = 32
MAX_BRACKETS = 64
MAX_CONDITION_DEPTH = 64


def too_deep(file: str, item: When | Matrix) -> Diagnostic:
    token = item.axes[0].key if isinstance(item, Matrix) else first_name(item.condition)
    return Diagnostic("IB852", f"blocks that nest deeper than {MAX_DEPTH}", span(file, token))


def first_name(condition: Condition) -> Token:
    while isinstance(condition, Logic):
        condition = condition.operands[0]
    return condition.name
