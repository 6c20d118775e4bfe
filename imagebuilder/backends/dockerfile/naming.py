"""Names of stages: the author's where they can stay, unique in any case."""

from __future__ import annotations

import re
from collections.abc import Sequence

from imagebuilder.ir.ops import BaseImage, Copy, ImageSource, Run
from imagebuilder.ir.stage import Stage

# BuildKit keeps these for itself.
_RESERVED = frozenset({"scratch", "context"})


class StageNames:
    """A name for every stage but the last, which others never refer to."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        taken = set(_RESERVED) | {ref.lower() for stage in stages for ref in references(stage)}
        self._names: dict[Stage, str] = {}
        for stage in stages:
            if stage is stages[-1] and not stage.name:
                break
            wanted = re.sub(r"[^a-z0-9_.\-]+", "-", stage.name.lower()).strip("-.") or "build"
            if not wanted[0].isalpha():
                wanted = f"stage-{wanted}"
            name, number = wanted, 1
            while name in taken:
                number += 1
                name = f"{wanted}-{number}"
            taken.add(name)
            self._names[stage] = name

    def name(self, stage: Stage) -> str:
        return self._names.get(stage, "")


def references(stage: Stage) -> list[str]:
    """Image names in a stage; a stage of the same name would hide the image."""
    found = [stage.base.ref] if isinstance(stage.base, BaseImage) else []
    for step in stage.steps:
        if isinstance(step.op, Copy) and isinstance(step.op.origin, ImageSource):
            found.append(step.op.origin.ref)
        elif isinstance(step.op, Run):
            found += [mount.origin.ref for mount in step.op.mounts if isinstance(mount.origin, ImageSource)]
    return found
