"""What differs between two records: the causes, first things first.

Stages are compared with those that stand in the same place: the image with the
image, a step's stage with that step's. Steps are laid side by side like the
lines of two texts, so that one that was put between others is one change and
not the change of all that follow. What is merely said otherwise (``COPY src
/app`` and ``add_local_dir("src", "/app")``) is no change, as it is none for the
key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any, Literal

from imagebuilder.cache.arguments import Difference, differences
from imagebuilder.cache.files import file_changes
from imagebuilder.cache.history import Listing
from imagebuilder.cache.record import HIDDEN, LOCK, At, Record, StageRecord, StepRecord

Kind = Literal["argument", "base", "file", "imagebuilder", "package", "platform", "step"]
ListingOf = Callable[[str], Listing | None]
"""What a tree held, by its digest; None where it is not on record."""


@dataclass(frozen=True, slots=True)
class Change:
    """One cause.

    ``what`` names what changed: a file's path, an argument, a package. ``before`` and ``after`` are None where it was
    not there. ``said`` is the change in a person's words. ``stage`` and ``step`` are numbers in the record of
    afterwards; ``step`` is that of the step that changed, or of the one before which another was removed; None is
    the whole stage.
    """

    kind: Kind
    what: str
    before: str | None
    after: str | None
    said: str
    stage: int
    step: int | None = None
    verb: str = ""
    shown: str = ""
    at: At | None = None
    removed: bool = False


def changes(before: Record, after: Record, listing: ListingOf) -> list[Change]:
    """Every cause for which ``after`` has another key; none where the keys are equal."""
    return list(_Comparison(before, after, listing).changes())


class _Comparison:
    def __init__(self, before: Record, after: Record, listing: ListingOf) -> None:
        self._before = before
        self._after = after
        self._listing = listing

    def changes(self) -> Iterator[Change]:
        before, after = self._before, self._after
        if before.key == after.key:
            return
        told = False
        if before.platform != after.platform:
            told = True
            said = f"the platform changed ({before.platform} → {after.platform})"
            yield Change("platform", "platform", before.platform, after.platform, said, 0)
        if before.schema != after.schema:
            told = True
            yield self._rules(f"schema {before.schema}", f"schema {after.schema}")
        pairs = self._pairs()
        for number, stage in enumerate(after.stages):
            if number in pairs:
                for change in self._of_stage(number, before.stages[pairs[number]], stage):
                    told = True
                    yield change
        if not told:
            yield self._rules(before.version, after.version)

    def _rules(self, was: str, now: str) -> Change:
        versions = (
            f"{self._before.version} → {self._after.version}, " if self._before.version != self._after.version else ""
        )
        said = f"imagebuilder itself changed what this description stands for ({versions}{was} → {now})"
        return Change("imagebuilder", "schema", was, now, said, 0)

    def _pairs(self) -> dict[int, int]:
        """The stages that stand in the same place, by their numbers in both."""
        found: dict[int, int] = {}
        waiting = [(len(self._before.stages) - 1, len(self._after.stages) - 1)]
        while waiting:
            old, new = waiting.pop()
            if new in found:
                continue
            found[new] = old
            before, after = self._before.stages[old], self._after.stages[new]
            if isinstance(before.base, int) and isinstance(after.base, int):
                waiting.append((before.base, after.base))
            for one, other in self._aligned(before, after):
                if one is not None and other is not None:
                    waiting += zip(_reads(before.steps[one]), _reads(after.steps[other]), strict=False)
        return found

    def _of_stage(self, number: int, before: StageRecord, after: StageRecord) -> Iterator[Change]:
        if not (isinstance(before.base, int) and isinstance(after.base, int)) and before.base != after.base:
            was, now = self._base(self._before, before.base), self._base(self._after, after.base)
            yield Change("base", "base", was, now, f"the base changed ({was} → {now})", number, at=after.at)
        rows = self._aligned(before, after)
        gone = {_token(before.steps[old]) for old, new in rows if old is not None and new is None}
        come = {_token(after.steps[new]) for old, new in rows if new is not None and old is None}
        ahead = len(after.steps)
        following: list[int] = []
        for _, new in reversed(rows):
            ahead = new if new is not None else ahead
            following.append(ahead)
        for (old, new), next_step in zip(rows, reversed(following), strict=True):
            if old is None and new is not None:
                step = after.steps[new]
                moved = _token(step) in gone
                said = f"{step.shown} stands elsewhere now" if moved else f"{step.shown} is new"
                what = "order" if moved else step.verb
                yield self._of_step(Change("step", what, None, step.shown, said, number, new), step)
            elif new is None and old is not None:
                step = before.steps[old]
                if _token(step) not in come:
                    said = f"{step.shown} was removed"
                    place = min(next_step, len(after.steps))
                    change = Change("step", step.verb, step.shown, None, said, number, place, removed=True)
                    yield self._of_step(change, step)
            elif old is not None and new is not None:
                yield from self._of_pair(number, new, before.steps[old], after.steps[new])

    def _of_step(self, change: Change, step: StepRecord) -> Change:
        return _with(change, verb=step.verb, shown=step.shown, at=step.at)

    def _base(self, record: Record, base: Any) -> str:
        if isinstance(base, int):
            return record.stages[base].name or "another image"
        platform = f" for {base['platform']}" if base.get("platform") else ""
        return f"{base.get('ref') or base['op']}{platform}"

    def _of_pair(self, stage: int, number: int, before: StepRecord, after: StepRecord) -> Iterator[Change]:
        if before.own == after.own:
            return
        found = [*self._files(before, after), *map(_argument, differences(before, after))]
        if not found:
            found = list(self._unseen(before, after))
        for change in found:
            yield self._of_step(_with(change, stage=stage, step=number), after)

    def _files(self, before: StepRecord, after: StepRecord) -> Iterator[Change]:
        old, new = before.trees, after.trees
        same_names = old.keys() == new.keys()
        by_place = zip(old.items(), new.items(), strict=False)
        pairs = (
            ((name, old[name], new[name]) for name in new) if same_names else ((n, o, d) for (_, o), (n, d) in by_place)
        )
        told = {path for path in after.packages if before.packages.get(path, {}) != after.packages[path]}
        for name, was, now in pairs:
            if was == now:
                continue
            one, other = self._listing(was), self._listing(now)
            if one is None or other is None:
                what = "the files" if name == "." else f"{name}"
                said = f"{what} changed (which of them is no longer on record)"
                yield Change("file", name, was, now, said, 0)
                continue
            for each in file_changes(name, one, other):
                if not any(each.path == path or each.path.endswith("/" + path) for path in told):
                    yield Change("file", each.path, each.before, each.after, each.said, 0)

    def _unseen(self, before: StepRecord, after: StepRecord) -> Iterator[Change]:
        """A cause that the data does not show; nothing where it lies in another step."""
        if HIDDEN in json.dumps(before.data) + json.dumps(after.data):
            said = f"a value of {after.verb} changed that is not shown, since it looks like a secret"
            yield Change("argument", "a hidden value", HIDDEN, HIDDEN, said, 0)
        elif (LOCK in before.packages) != (LOCK in after.packages):
            said = f"{after.verb} installs {'what a lock says' if LOCK in after.packages else 'what no lock says'} now"
            yield Change("argument", "lock", None, None, said, 0)
        elif _what_it_became(before) != _what_it_became(after):
            if self._before.version != self._after.version:
                said = (
                    f"imagebuilder {self._after.version} carries out {after.verb} otherwise than {self._before.version}"
                )
                yield Change("imagebuilder", "version", self._before.version, self._after.version, said, 0)
        elif not _reads(after):
            yield Change("argument", "a long value", None, None, f"a long text of {after.verb} changed", 0)

    def _aligned(self, before: StageRecord, after: StageRecord) -> list[tuple[int | None, int | None]]:
        """The steps of both side by side, by their numbers; None where the other has no equal."""
        old, new = list(map(_token, before.steps)), list(map(_token, after.steps))
        rows: list[tuple[int | None, int | None]] = []
        for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if tag == "equal":
                rows += zip(range(i, j), range(k, m), strict=True)
            else:
                rows += _by_verb(before.steps, after.steps, range(i, j), range(k, m))
        return rows


def _by_verb(
    before: tuple[StepRecord, ...], after: tuple[StepRecord, ...], old: range, new: range
) -> Iterator[tuple[int | None, int | None]]:
    """Steps that differ, those of one verb side by side."""
    verbs = [before[number].verb for number in old], [after[number].verb for number in new]
    for tag, i, j, k, m in SequenceMatcher(None, *verbs, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from zip(old[i:j], new[k:m], strict=True)
        else:
            yield from ((number, None) for number in old[i:j])
            yield from ((None, number) for number in new[k:m])


def _token(step: StepRecord) -> str:
    """Equal where the steps are. One that reads a stage is itself when that has changed."""
    if not _reads(step):
        return " ".join(step.own)
    said = json.dumps({"data": _without_numbers(step.data), "trees": step.trees}, sort_keys=True)
    return said if HIDDEN not in said else said + " ".join(step.own)


def _without_numbers(value: Any) -> Any:
    match value:
        case {"stage": int()}:
            return {"stage": ""}
        case dict():
            return {name: _without_numbers(each) for name, each in value.items()}
        case list() | tuple():
            return [_without_numbers(each) for each in value]
    return value


def _reads(step: StepRecord) -> list[int]:
    return [number for part in step.parts for number in part.reads]


def _what_it_became(step: StepRecord) -> str:
    return json.dumps([_without_numbers(part.data) for part in step.parts], sort_keys=True)


def _argument(found: Difference) -> Change:
    return Change(found.kind, found.what, found.before, found.after, found.said, 0)


def _with(change: Change, **values: Any) -> Change:
    return replace(change, **values)
