"""An image as JSON: every operation as it is held, for other programs; see ``ir/document.py``."""

from __future__ import annotations

import json
import posixpath
from typing import Any

from pydantic import BaseModel

from imagebuilder.backends.calls import relative
from imagebuilder.diagnostics import CompileError, Diagnostic
from imagebuilder.ir.document import MAX_STAGES, VERSION
from imagebuilder.ir.ops import LocalSource, Op
from imagebuilder.ir.stage import Stage, Step, ordered

_WIDTH = 100


def write(target: Stage, folder: str) -> str:
    """The document of a stage and all it needs.

    Args:
        target: as a front end makes it, not lowered.
        folder: the absolute folder of the document; local paths are told from there.

    Raises:
        CompileError: more stages than a document holds.
    """
    stages = ordered(target)
    if len(stages) > MAX_STAGES:
        message = f"an image of {len(stages)} stages; a document holds {MAX_STAGES}"
        raise CompileError(Diagnostic("IB410", message, target.place, help="build some of them as images of their own"))
    writer = _Writer({stage: number for number, stage in enumerate(stages)}, folder)
    document = {"version": VERSION, "stages": [writer.stage(stage) for stage in stages]}
    return _laid_out(document, "") + "\n"


def _laid_out(value: Any, indent: str) -> str:
    """With what is short on one line, so that a person can read it too."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(flat) <= _WIDTH or not isinstance(value, dict | list) or not value:
        return flat
    inner = indent + "  "
    if isinstance(value, list):
        lines, brackets = [_laid_out(each, inner) for each in value], "[]"
    else:
        lines = [f"{json.dumps(name)}: {_laid_out(each, inner)}" for name, each in value.items()]
        brackets = "{}"
    return brackets[0] + ",".join(f"\n{inner}{line}" for line in lines) + f"\n{indent}{brackets[1]}"


class _Writer:
    def __init__(self, numbers: dict[Stage, int], folder: str) -> None:
        self._numbers = numbers
        self._folder = folder

    def stage(self, stage: Stage) -> dict[str, Any]:
        base = self._value(stage.base, "")
        found = {"name": stage.name} if stage.name else {}
        return {**found, "base": base, "steps": [self._step(step) for step in stage.steps]}

    def _step(self, step: Step) -> dict[str, Any]:
        found: dict[str, Any] = self._value(step.op, step.root)
        if step.root and step.root != self._folder:
            found["root"] = relative(step.root, self._folder)
        return found

    def _value(self, value: Any, root: str) -> Any:
        if isinstance(value, Stage):
            return {"stage": self._numbers[value]}
        if isinstance(value, LocalSource) and posixpath.isabs(value.dockerignore):
            within = relative(value.dockerignore, posixpath.join(root, value.path))
            value = value.model_copy(update={"dockerignore": within})
        if isinstance(value, BaseModel):
            return self._model(value, root)
        if isinstance(value, tuple):
            return [self._value(item, root) for item in value]
        return value

    def _model(self, model: BaseModel, root: str) -> dict[str, Any]:
        verb = getattr(model, "verb", "")
        derived = model.derived if isinstance(model, Op) else frozenset()
        found = {"op": verb} if verb else {}
        for name, info in type(model).model_fields.items():
            value = getattr(model, name)
            if name not in derived and (info.is_required() or value != info.default):
                found[name] = self._value(value, root)
        return found
