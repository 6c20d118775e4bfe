"""What a stage has said before the operation that is being lowered."""

from __future__ import annotations

from collections.abc import Iterator

from imagebuilder.ir.ops import Base, Env, User, UvSync
from imagebuilder.ir.stage import Stage, Step
from imagebuilder.ir.words import Word


class Scope:
    """The base image, the user, and the variables set so far, earlier stages included.

    ``synced`` says that ``uv_sync`` was among them; ``path`` are the folders that PATH has besides the base's.
    """

    def __init__(self, base: Base | Stage) -> None:
        self.is_root = True
        self.synced = False
        self.path: list[str] = []
        self.variables: dict[str, Word] = {}
        chain: list[Stage] = []
        while isinstance(base, Stage):
            chain.append(base)
            base = base.base
        self.base_image = base
        for stage in reversed(chain):
            for step in stage.steps:
                self.note(step)

    def note(self, step: Step) -> None:
        """A core operation, with the intent that it came from."""
        op = step.op
        self.synced = self.synced or isinstance(step.intent, UvSync)
        if isinstance(op, User):
            self.is_root = op.name in ("root", "0", "root:root", "0:0")
        elif isinstance(op, Env):
            self.variables.update(op.variables)
            if (path := dict(op.variables).get("PATH")) is not None:
                self.path = list(self._folders(path))

    def _folders(self, path: Word) -> Iterator[str]:
        for part in (path,) if isinstance(path, str) else path.parts:
            if isinstance(part, str):
                yield from part.split(":")
            elif part.name == "PATH":
                yield from self.path
