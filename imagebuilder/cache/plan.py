"""What a build would do, told without the engine: from what this home has built, and from the local files.

A layer that was made here counts as there. The builder may have dropped it
since, and a download may have changed: only building shows that.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from imagebuilder.cache.advice import Ignorable, Suspect, ignorable, largest, suspects
from imagebuilder.cache.explain import Explanation, explain_plan, runs
from imagebuilder.cache.history import History
from imagebuilder.cache.record import At, Record, StepRecord, record, source_name
from imagebuilder.compiler import Plan
from imagebuilder.context import Tree
from imagebuilder.ir.ops import Add, AddLocalDir, AddLocalPythonSource, LocalSource
from imagebuilder.ir.stage import ordered
from imagebuilder.resolve.resolver import LeftOut, left_out
from imagebuilder.store import Store

_LARGEST = 5


@dataclass(frozen=True, slots=True)
class Local:
    """The files of one source. ``ignore_in`` is where the patterns are to be written."""

    source: str
    files: int
    bytes: int
    largest: tuple[tuple[str, int], ...]
    ignorable: tuple[Ignorable, ...]
    ignore_in: str
    suspects: tuple[Suspect, ...]
    skipped: int


@dataclass(frozen=True, slots=True)
class Planned:
    """One statement. ``state`` is what a build does for it: ``sets`` is for what takes no time in any case.

    ``stage`` and ``number`` are its stage's. ``bytes`` are those of its local files.
    ``downloads`` says that it fetches something that may be another by now.
    """

    stage: str
    number: int
    state: str
    bytes: int
    downloads: bool
    step: StepRecord
    hits: tuple[bool, ...]
    sizes: tuple[int, ...]

    @property
    def at(self) -> At | None:
        return self.step.at


@dataclass(frozen=True, slots=True)
class Report:
    """``built`` is the snapshot that has this key already, and when it was made.

    ``left`` are the requests for packages that are not laid out in layers.
    """

    name: str
    key: str
    platform: str
    built: tuple[str, datetime | None] | None
    steps: tuple[Planned, ...]
    local: tuple[Local, ...]
    why: Explanation | None
    left: tuple[LeftOut, ...] = ()

    @property
    def running(self) -> int:
        return sum(step.state == "runs" for step in self.steps)

    @property
    def working(self) -> int:
        return sum(step.state != "sets" for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "key": self.key,
            "platform": self.platform,
            "hit": self.built is not None,
            "steps": [row for step in self.steps for row in _rows(step)],
            "context_bytes": sum(local.bytes for local in self.local),
            "largest": [
                {"path": path, "bytes": size}
                for path, size in sorted((each for local in self.local for each in local.largest), key=lambda e: -e[1])
            ],
            "ignore": [
                {
                    "file": local.ignore_in,
                    "pattern": each.pattern,
                    "why": each.why,
                    "files": each.files,
                    "bytes": each.bytes,
                }
                for local in self.local
                for each in local.ignorable
            ],
            "secrets": [
                {"path": each.path, "line": each.line or None, "why": each.why}
                for local in self.local
                for each in local.suspects
            ],
            "not_in_layers": [{"op": each.verb, "reason": each.reason, "span": each.span} for each in self.left],
            "not_searched": sum(local.skipped for local in self.local),
            "changed": self.why.as_json()["changed"] if self.why else [],
        }


def _rows(planned: Planned) -> Iterator[dict[str, Any]]:
    step = planned.step
    for part, hit, size in zip(step.parts, planned.hits, planned.sizes, strict=True):
        yield {
            "op": step.verb,
            "step": step.shown,
            "stage": planned.stage,
            "key": part.key,
            "hit": hit,
            "context_bytes": size,
            "span": step.at.as_json() if step.at else None,
        }


def foretell(plan: Plan, name: str, history: History, store: Store) -> Report:
    """What a build of the plan under that name would do."""
    wanted = record(plan, name)
    made = history.made()
    there = next(iter(store.built(plan.key, plan.platform)), None)
    steps = tuple(_steps(plan, wanted, made, whole=there is not None))
    built = (there.name, there.created_at) if there is not None else None
    why = explain_plan(plan, name, history) if there is None else None
    return Report(name, plan.key, plan.platform, built, steps, tuple(_local(plan)), why, tuple(left_out(plan)))


def _steps(plan: Plan, wanted: Record, made: set[str], *, whole: bool) -> Iterator[Planned]:
    for number, (stage, recorded) in enumerate(zip(ordered(plan.stage), wanted.stages, strict=True)):
        ops = iter(stage.steps)
        for step in recorded.steps:
            core = [next(ops) for _ in step.parts]
            sizes = tuple(sum(plan.trees[each.root, source].size for source in each.op.locals()) for each in core)
            state = "sets" if not step.works else "runs" if not whole and runs(step, made) else "cached"
            downloads = any(
                isinstance(each.op, Add) and each.op.origin is None and not each.op.checksum for each in core
            )
            hits = tuple(whole or (part.layer if part.works else part.key) in made for part in step.parts)
            yield Planned(recorded.name, number, state, sum(sizes), downloads, step, hits, sizes)


def _local(plan: Plan) -> Iterator[Local]:
    told: set[str] = set()
    for stage in ordered(plan.stage):
        for step in stage.steps:
            for source in step.op.locals():
                tree = plan.trees[step.root, source]
                if tree.digest in told:
                    continue
                told.add(tree.digest)
                name = source_name(source)
                yield _of_tree(tree, source, name, step.intent)


def _of_tree(tree: Tree, source: LocalSource, name: str, intent: object) -> Local:
    entries = tree.entries
    # Of some sources nothing can be left out by the person who writes the spec.
    found: Sequence[Ignorable] = (
        ignorable(entries) if isinstance(intent, AddLocalDir | AddLocalPythonSource | None) else ()
    )
    where = f"ignore=[…] of {intent.verb}" if isinstance(intent, AddLocalPythonSource) else _ignore_file(source, name)
    suspected, skipped = suspects(tree, entries)
    return Local(
        name,
        sum(entry.type in ("file", "program") for entry in entries),
        tree.size,
        tuple((_joined(name, entry.path), entry.size) for entry in largest(entries, _LARGEST)),
        tuple(found),
        where,
        tuple(Suspect(_joined(name, each.path), each.why, each.line) for each in suspected),
        skipped,
    )


def _ignore_file(source: LocalSource, name: str) -> str:
    if posixpath.isabs(source.dockerignore):
        return source.dockerignore
    return _joined(name, source.dockerignore or ".dockerignore")


def _joined(folder: str, path: str) -> str:
    return path if folder in ("", ".") else posixpath.join(folder, path)
