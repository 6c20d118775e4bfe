"""The builder's own checks that the author of an image has answered already.

``buildx build --call=check`` advises against forms that somebody may have
chosen on purpose. Where the IR shows that they did, the Dockerfile says so in
its first line; every other check stays on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from imagebuilder.backends.dockerfile.quote import is_one_line
from imagebuilder.ir.ops import Arg, Cmd, Entrypoint, Env, Maintainer, Op
from imagebuilder.ir.stage import Stage, Step
from imagebuilder.ir.words import Var


def skipped(stages: Mapping[Stage, Sequence[Step]]) -> list[str]:
    """The names of the checks to skip, sorted.

    Args:
        stages: with the steps that are written of each; they come after those that they stand on.
    """
    found: set[str] = set()
    defined: dict[Stage, set[str]] = {}
    for stage, steps in stages.items():
        names = set(defined[stage.base]) if isinstance(stage.base, Stage) else set()
        for step in steps:
            found.update(_answered(step.op, names))
            match step.op:
                case Env():
                    names.update(name for name, _ in step.op.variables)
                case Arg():
                    names.add(step.op.name)
        defined[stage] = names
    return sorted(found)


def _answered(op: Op, defined: set[str]) -> Iterator[str]:
    if isinstance(op, Cmd | Entrypoint) and isinstance(op.command, str) and is_one_line(op.command):
        yield "JSONArgsRecommended"
    if isinstance(op, Maintainer):
        yield "MaintainerDeprecated"
    if any(var.modifier and var.name not in defined for var in _variables(op)):
        # ${NAME:-default} says what to do where NAME is not defined.
        yield "UndefinedVar"


def _variables(value: Any) -> Iterator[Var]:
    match value:
        case tuple():
            for item in value:
                yield from _variables(item)
        case BaseModel():
            if isinstance(value, Var):
                yield value
            for name in type(value).model_fields:
                yield from _variables(getattr(value, name))
