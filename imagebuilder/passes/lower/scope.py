"""What a stage has said before the operation that is being lowered."""

from __future__ import annotations

from imagebuilder.ir.ops import Base, Env, Op, User
from imagebuilder.ir.stage import Stage
from imagebuilder.ir.words import Word


class Scope:
    """The base image, the user, and the variables set so far, earlier stages included."""

    def __init__(self, base: Base | Stage) -> None:
        self.is_root = True
        self.variables: dict[str, Word] = {}
        chain: list[Stage] = []
        while isinstance(base, Stage):
            chain.append(base)
            base = base.base
        self.base_image = base
        for stage in reversed(chain):
            for step in stage.steps:
                self.note(step.op)

    def note(self, op: Op) -> None:
        if isinstance(op, User):
            self.is_root = op.name in ("root", "0", "root:root", "0:0")
        elif isinstance(op, Env):
            self.variables.update(op.variables)
