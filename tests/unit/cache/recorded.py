"""Plans that are put on record without being built."""

from __future__ import annotations

import uuid
from pathlib import Path

from imagebuilder import Image
from imagebuilder.cache.explain import Explanation, entries, explain_plan
from imagebuilder.cache.history import History
from imagebuilder.cache.record import Record, record
from imagebuilder.compiler import Plan, compile


class Past:
    """A home in which things were built. Time is counted in builds."""

    def __init__(self, home: Path) -> None:
        self.history = History(home)
        self.time = 1_700_000_000.0

    def built(self, image: Image | Plan, name: str = "app", *, well: bool = True, steps: int | None = None) -> Record:
        plan = planned(image)
        self.time += 60
        made = record(plan, name, id=uuid.uuid4().hex, built=self.time)
        kept = self.history.begin(made, entries(plan))
        assert kept is not None
        parts = [part for stage in made.stages for step in stage.steps for part in step.parts]
        self.history.ended(kept, [each for part in parts[:steps] for each in (part.layer, part.key)], well=well)
        return made

    def explained(self, image: Image | Plan, name: str = "app") -> Explanation:
        found = explain_plan(planned(image), name, self.history)
        assert found is not None
        return found

    def between(self, before: Image, after: Image) -> Explanation:
        self.built(before)
        return self.explained(after)


def planned(image: Image | Plan) -> Plan:
    return image if isinstance(image, Plan) else compile(image, platform="linux/amd64")


def said(found: Explanation) -> list[str]:
    return [change.said for change in found.changes]


def again(found: Explanation) -> list[str]:
    return [each.shown for each in found.again]
