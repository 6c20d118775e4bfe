"""Putting a build on record while it runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from imagebuilder.cache.explain import entries, explain, listing
from imagebuilder.cache.history import History, Kept
from imagebuilder.cache.record import Record, record
from imagebuilder.compiler import Plan
from imagebuilder.ir.stage import Step, ordered
from imagebuilder.store import Snapshot

# Of the causes that a build tells of; `explain` has them all.
_MOST_LINES = 3


class Recorder:
    """One build of a plan."""

    def __init__(self, plan: Plan, snapshot: Snapshot, history: History) -> None:
        self._plan = plan
        self._snapshot = snapshot
        self._history = history
        self._ended: set[int] = set()
        self.why: list[str] = []
        """Why this has to be built, in lines for a person, once that is found out while :meth:`recording`."""

    @cached_property
    def _record(self) -> Record:
        return record(self._plan, self._snapshot.name, id=self._snapshot.id, built=time.time())

    def reused(self) -> None:
        """The image was there already; so its name says now what this plan says."""
        if kept := self._history.begin(self._record, entries(self._plan)):
            self._history.reused(kept)

    def _why(self) -> list[str]:
        """Why this has to be built, against the last build of the name; nothing of the first one."""
        before = self._history.last(self._snapshot.name)
        if before is None:
            return []
        if before.key == self._plan.key:
            return ["nothing changed; the engine does not have the image any more"]
        found = explain(before, self._record, listing(self._history, self._plan), self._history.made() | before.layers)
        lines = [cause.said for cause in found.causes]
        if len(lines) > _MOST_LINES:
            more = f"{len(lines) - _MOST_LINES + 1} more causes: `imagebuilder explain {self._snapshot.name}` has them"
            lines[_MOST_LINES - 1 :] = [more]
        return lines

    def ended(self, step: Step) -> None:
        """The builder has done with the step."""
        self._ended.add(id(step))

    @contextmanager
    def recording(self, *, explained: bool) -> Iterator[None]:
        """Keep the record while the block runs, and how far it came; find out why it is built, if that is wanted.

        In a thread, since the listing of a large tree takes a while and the builder is waited for anyway.
        """
        kept: list[Kept | None] = []
        whole = self._record

        def write() -> None:
            if explained:
                self.why = self._why()
            kept.append(self._history.begin(whole, entries(self._plan)))

        thread = threading.Thread(target=write, daemon=True)
        thread.start()
        try:
            yield
        except BaseException:
            thread.join()
            if kept and kept[0]:
                self._history.ended(kept[0], self._made(whole=False), well=False)
            raise
        thread.join()
        if kept and kept[0]:
            self._history.ended(kept[0], self._made(whole=True), well=True)

    def _made(self, *, whole: bool) -> list[str]:
        """The layers and keys of the steps that ended; what stands before such a step has ended as well."""
        found: list[str] = []
        for stage, recorded in zip(ordered(self._plan.stage), self._record.stages, strict=True):
            parts = [part for step in recorded.steps for part in step.parts]
            last = max((n for n, step in enumerate(stage.steps) if id(step) in self._ended), default=-1)
            for part in parts if whole else parts[: last + 1]:
                found += (part.layer, part.key)
        return found
