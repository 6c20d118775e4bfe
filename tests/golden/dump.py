"""A compiled image as JSON that a person can review: every stage, its core operations, and the key after each."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from imagebuilder.compiler import Plan
from imagebuilder.ir.ops import LocalSource
from imagebuilder.ir.stage import Stage, ordered


def dump(plan: Plan) -> dict[str, Any]:
    """Values at their default are left out, as they are of the key; a stage is named by its number."""
    stages = ordered(plan.stage)
    numbers = {stage: number for number, stage in enumerate(stages)}

    def value(found: Any, root: str) -> Any:
        match found:
            case Stage():
                return {"stage": numbers[found]}
            case LocalSource():
                # The path is where the files lie on one machine; the tree is what they are on all.
                rest = {k: v for k, v in fields(found, root).items() if k != "path"}
                return {**rest, "tree": plan.trees[root, found].digest}
            case BaseModel():
                return fields(found, root)
            case tuple():
                return [value(item, root) for item in found]
        return found

    def fields(model: BaseModel, root: str) -> dict[str, Any]:
        verb = getattr(model, "verb", "")
        shown = {"op": verb} if verb else {}
        for name, info in type(model).model_fields.items():
            held = getattr(model, name)
            if info.is_required() or held != info.default:
                shown[name] = value(held, root)
        return shown

    return {
        "key": plan.key,
        "stages": [
            {
                "base": value(stage.base, ""),
                "key": plan.keys[stage].base,
                "steps": [
                    {**value(step.op, step.root), "key": key}
                    for step, key in zip(stage.steps, plan.keys[stage].steps, strict=True)
                ],
            }
            for stage in stages
        ],
    }
