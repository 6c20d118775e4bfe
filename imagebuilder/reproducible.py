"""What makes two builds of the same steps the same: a time that stands in for the clock's.

BuildKit gives it to the image and its files. Commands see it as
SOURCE_DATE_EPOCH, which tools write in place of today: `useradd` into
/etc/shadow, Python in its bytecode. It is no part of the plan, nor of its key.
"""

from __future__ import annotations

from dataclasses import replace

from imagebuilder.compiler import Plan
from imagebuilder.ir.ops import Arg, Run
from imagebuilder.ir.stage import Stage, Step, rewrite

EPOCH = 1735689600
"""In seconds since 1970: 2025 began."""
UNDATED = "2025-01-01T00:00:00Z"
"""The same as engines write it."""

# Without a default, so that it is nothing where no time is given.
_DECLARED = Step(Arg(name="SOURCE_DATE_EPOCH"))


def dated(plan: Plan) -> Plan:
    """The plan, its commands with the time in their environment."""

    def declare(stage: Stage) -> Stage:
        runs = any(isinstance(step.op, Run) for step in stage.steps)
        return replace(stage, steps=(_DECLARED, *stage.steps)) if runs else stage

    return replace(plan, stage=rewrite(plan.stage, declare))
