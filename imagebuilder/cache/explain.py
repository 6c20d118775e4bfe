"""Why something is built again: what changed, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from imagebuilder.cache.changes import Change, changes
from imagebuilder.cache.history import History, Listing, packed
from imagebuilder.cache.record import At, Record, StepRecord, record
from imagebuilder.compiler import Plan
from imagebuilder.context import Entry

# Of one step; the rest is counted.
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Again:
    """A step that runs again, by its numbers in the record."""

    stage: int
    step: int
    verb: str
    shown: str
    at: At | None


@dataclass(frozen=True, slots=True)
class Cause:
    """What changed in one step, and the steps that run again because of it, its own included.

    ``known`` says that none does since what it leads to was built before.
    """

    changes: tuple[Change, ...]
    again: tuple[Again, ...]
    known: bool = False

    @property
    def at(self) -> At | None:
        return self.changes[0].at

    @property
    def said(self) -> str:
        """``src/app.py changed (sha256 ab12… → cd34…), so add_local_dir at app.snap:7 and the 3 steps after it run
        again``"""
        first = self.changes[0]
        shown = [change.said for change in self.changes[:_SHOWN]]
        if len(self.changes) > _SHOWN:
            rest = len(self.changes) - _SHOWN
            kinds = {change.kind for change in self.changes[_SHOWN:]}
            what = "file" if kinds == {"file"} else "change"
            shown.append(
                f"{rest:,} more {what}s{' changed' if what == 'file' else ''}".replace("1 more files", "1 more file")
            )
        told = shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
        return f"{told}, so {_consequence(first, self.again, self.known)}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """``again`` are the steps of ``after`` that run again, in their order."""

    before: Record
    after: Record
    causes: tuple[Cause, ...]
    again: tuple[Again, ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(change for cause in self.causes for change in cause.changes)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.after.name,
            "before": _build(self.before),
            "after": _build(self.after),
            "changed": [_changed(change, self.after) for change in self.changes],
            "runs_again": [
                {
                    "step": each.shown,
                    "op": each.verb,
                    "stage": self.after.stages[each.stage].name,
                    "span": each.at.as_json() if each.at else None,
                }
                for each in self.again
            ],
        }


def explain(
    before: Record, after: Record, listing: Callable[[str], Listing | None], made: Collection[str]
) -> Explanation:
    """Compare two builds.

    Args:
        listing: what a tree held, by its digest.
        made: the layers that are there already when ``after`` is built.
    """
    found = changes(before, after, listing)
    again = tuple(_again(after, made)) if found else ()
    causes = []
    for (stage, step, _), group in groupby(
        found, key=lambda change: (change.stage, change.step, change.kind == "base")
    ):
        same = tuple(group)
        everything = same[0].kind in ("platform", "imagebuilder") and step is None
        reach = _reach(after, stage, step or 0)
        because = [each for each in again if everything or reach.get(each.stage, each.step + 1) <= each.step]
        others = (
            layer
            for number, start in reach.items()
            for recorded in after.stages[number].steps[start:]
            for layer in recorded.layers
        )
        known = not because and any(layer not in before.layers for layer in others)
        causes.append(Cause(same, tuple(because), known))
    return Explanation(before, after, tuple(causes), again)


def explain_plan(plan: Plan, name: str, history: History, before: Record | None = None) -> Explanation | None:
    """A plan against the last build of its name, or against another; None where nothing is on record."""
    before = before or history.last(name)
    if before is None:
        return None
    return explain(before, record(plan, name), listing(history, plan), history.made() | before.layers)


def explain_records(before: Record, after: Record, history: History) -> Explanation:
    """Two builds that are on record, the later one as if nothing else had been built between."""
    return explain(before, after, history.listing, before.layers)


def listing(history: History, plan: Plan) -> Callable[[str], Listing | None]:
    """The files of trees, by digest: those of the plan, and those on record."""
    here = {tree.digest: tree for tree in plan.trees.values()}

    def found(digest: str) -> Listing | None:
        if tree := here.get(digest):
            return frozenset(packed(tree.entries))
        return history.listing(digest)

    return found


def entries(plan: Plan) -> Callable[[str], tuple[Entry, ...]]:
    """What :meth:`History.begin` asks for."""
    here = {tree.digest: tree for tree in plan.trees.values()}
    return lambda digest: here[digest].entries


def _again(after: Record, made: Collection[str]) -> list[Again]:
    return [
        Again(stage, number, step.verb, step.shown, step.at)
        for stage, recorded in enumerate(after.stages)
        for number, step in enumerate(recorded.steps)
        if runs(step, made)
    ]


def runs(step: StepRecord, made: Collection[str]) -> bool:
    """Whether a build does anything for the step, given the layers that are there."""
    return any(layer not in made for layer in step.layers)


def _reach(record: Record, stage: int, step: int) -> Mapping[int, int]:
    """What may be another because of a step: from which step on, by the stage."""
    found = {stage: step}
    for number in range(stage + 1, len(record.stages)):
        later = record.stages[number]
        if isinstance(later.base, int) and later.base in found:
            found[number] = 0
            continue
        reading = (n for n, each in enumerate(later.steps) for part in each.parts if found.keys() & set(part.reads))
        first = next(reading, None)
        if first is not None:
            found[number] = first
    return found


def _consequence(change: Change, again: tuple[Again, ...], known: bool) -> str:
    """The steps that run again, in words."""
    own = change.step is not None and not change.removed
    itself = own and any((each.stage, each.step) == (change.stage, change.step) for each in again)
    others = len(again) - itself
    place = f"{change.verb} at {change.at}" if change.at else change.verb
    anew = "" if change.kind == "step" and change.before is None and change.what != "order" else " again"
    where = "the base" if change.kind == "base" else "it" if own or change.removed else ""
    if not again:
        return "no step runs: what it leads to has been built before" if known else "no step runs again"
    if itself and not others:
        return f"{place} runs{anew}"
    if itself:
        return f"{place} and {_steps(others)} after it run{anew}"
    if not where:
        return f"{'every step runs' if others > 1 else 'the one step runs'} again"
    after = f" at {change.at}" if change.removed and change.at else ""
    return f"{_steps(others)} after {where}{after} run{'s' if others == 1 else ''} again"


def _steps(count: int) -> str:
    return "the step" if count == 1 else f"the {count:,} steps"


def _build(record: Record) -> dict[str, Any]:
    built = datetime.fromtimestamp(record.built, UTC).isoformat() if record.built else None
    return {"name": record.name, "id": record.id or None, "key": record.key, "built_at": built}


def _changed(change: Change, after: Record) -> dict[str, Any]:
    return {
        "step": change.shown or None,
        "op": change.verb or None,
        "stage": after.stages[change.stage].name,
        "kind": change.kind,
        "what": change.what,
        "before": change.before,
        "after": change.after,
        "span": change.at.as_json() if change.at else None,
        "message": change.said,
    }
