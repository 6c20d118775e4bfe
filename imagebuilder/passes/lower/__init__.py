"""Turn every intent into core operations.

``LOWERING`` holds one function per intent, by verb; a core operation is its own
lowering. A function sees the operation and its :class:`Scope`, what the stage
has said so far, and yields core operations that keep the intent's place.

>>> from imagebuilder.ir.ops import BaseImage, PipInstall
>>> from imagebuilder.ir.stage import Stage, Step
>>> from imagebuilder.passes.options import Options
>>> stage = Stage(BaseImage(ref="python:3.13"), (Step(PipInstall(packages=["six"])),))
>>> [step.op.verb for step in lower(stage, Options()).steps]
['run']
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from imagebuilder.diagnostics import CompileError, Invalid
from imagebuilder.ir.ops import Op, reads_local
from imagebuilder.ir.stage import Stage, Step, rewrite
from imagebuilder.passes.lower import commands, files, packages
from imagebuilder.passes.lower.scope import Scope
from imagebuilder.passes.options import Options

LOWERING: dict[str, Callable[[Any, Scope], Iterable[Op]]] = {
    "apt_install": packages.apt_install,
    "pip_install": packages.pip_install,
    "pip_install_from_requirements": packages.pip_install_from_requirements,
    "pip_install_from_pyproject": packages.pip_install,
    "uv_pip_install": packages.uv_pip_install,
    "uv_sync": packages.uv_sync,
    "npm_install": packages.npm_install,
    "add_local_file": files.add_local_file,
    "add_local_dir": files.add_local_dir,
    "add_local_python_source": files.add_local_python_source,
    "add_text": files.add_text,
    "add_url": files.add_url,
    "git_clone": files.git_clone,
    "copy_from": files.copy_from,
    "run_commands": commands.run_commands,
}


def lower(target: Stage, options: Options) -> Stage:
    def change(stage: Stage) -> Stage:
        scope = Scope(stage.base)
        steps: list[Step] = []
        for step in stage.steps:
            for op in _lowered(step, scope):
                steps.append(Step(op, step.place, step.root if reads_local(op) else "", step.op))
                scope.note(steps[-1])
        return replace(stage, steps=tuple(steps))

    return rewrite(target, change)


def _lowered(step: Step, scope: Scope) -> Iterator[Op]:
    if step.op.core:
        yield step.op
        return
    try:
        yield from LOWERING[step.op.verb](step.op, scope)
    except ValidationError as error:
        # Each value was fine by itself; what was made of them is not, such as a script of many commands.
        causes = [
            cause for detail in error.errors() if isinstance(cause := detail.get("ctx", {}).get("error"), Invalid)
        ]
        if not causes:
            raise
        raise CompileError(causes[0].at(step.place)) from None
