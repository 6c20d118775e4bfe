"""Stages: a base and the steps on top of it.

A stage is a value. It may contain other stages (as its base, or inside a step
that copies from one), so an image is a graph of stages that ends in one; there
is no table of names to keep in step with it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from imagebuilder.diagnostics import Place

if TYPE_CHECKING:
    from imagebuilder.ir.ops import Base, Op


@dataclass(frozen=True, slots=True)
class Step:
    """An operation, and the place that asked for it.

    ``root`` is the absolute folder from which the operation's relative local
    paths are read, empty where it has none. The place is never compared and
    never hashed; the root is compared, since the same words in two folders name
    two different trees. ``intent`` is what a lowered operation was lowered from.
    ``part_of`` is the step of a plan that this one helps to carry out.
    """

    op: Op
    place: Place | None = field(default=None, compare=False)
    root: str = ""
    intent: Op | None = field(default=None, compare=False)
    part_of: Step | None = field(default=None, compare=False, repr=False)

    @property
    def planned(self) -> Step:
        """The step of the plan: this one, where it carries out no other."""
        return self.part_of or self


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. ``name`` is what the author called it: shown, never compared or hashed."""

    base: Base | Stage
    steps: tuple[Step, ...] = ()
    place: Place | None = field(default=None, compare=False)
    name: str = field(default="", compare=False)
    _hash: int = field(default=0, init=False, compare=False, repr=False)
    _twin: Stage | None = field(default=None, init=False, compare=False, repr=False)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Stage):
            return NotImplemented
        if self._first() is other._first():
            return True
        if hash(self) != hash(other):
            return False
        _unify(self, other)
        return self._first() is other._first()

    def __hash__(self) -> int:
        # Kept, since a graph in which stages are shared would otherwise be walked once per path.
        if not self._hash:
            for stage in _children_first(self, lambda child: child._hash == 0):
                object.__setattr__(stage, "_hash", hash((stage.base, stage.steps)) or 1)
        return self._hash

    def _first(self) -> Stage:
        """The one that stands for all stages that were found to be equal."""
        found = self
        while found._twin is not None:
            found = found._twin
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        # Without the hash, which is another one in another process.
        return (Stage, (self.base, self.steps, self.place, self.name))

    def then(self, *steps: Step) -> Stage:
        return replace(self, steps=self.steps + steps)


def children(stage: Stage) -> Iterator[Stage]:
    """The stages that this one needs first: its base, then those its steps copy or mount from."""
    if isinstance(stage.base, Stage):
        yield stage.base
    for step in stage.steps:
        yield from step.op.stages()


def ordered(target: Stage) -> tuple[Stage, ...]:
    """All stages that the target needs, each once, dependencies first, the target last.

    Two stages that are equal are one: whoever wrote them twice meant the same.
    """
    found: dict[Stage, None] = {}
    for stage in _children_first(target):
        found.setdefault(stage)
    # An equal twin of the target that was met first must not end up last-but-one.
    found.pop(target)
    return (*found, target)


def _unify(one: Stage, other: Stage) -> None:
    """Let all stages of both graphs that are equal have one that stands for them.

    Children first, so that no comparison goes deeper than one stage; remembered
    for the same reason as the hash: equal graphs would be compared once per path.
    """
    found: dict[int, list[Stage]] = {}
    for stage in (*_children_first(one), *_children_first(other)):
        first = stage._first()
        alike = found.setdefault(hash(first), [])
        for known in alike:
            if known is first:
                break
            if (known.base, known.steps) == (first.base, first.steps):
                object.__setattr__(first, "_twin", known)
                break
        else:
            alike.append(first)


def rewrite(target: Stage, change: Callable[[Stage], Stage]) -> Stage:
    """The graph with every stage changed, children before parents, each once.

    Stages and steps that nothing changed are the same objects as before.
    """
    done: dict[int, Stage] = {}

    def changed(stage: Stage) -> Stage:
        return done[id(stage)]

    for stage in _children_first(target):
        moved = {id(child) for child in children(stage) if changed(child) is not child}
        base = changed(stage.base) if isinstance(stage.base, Stage) else stage.base
        steps = tuple(_with_stages(step, changed, moved) for step in stage.steps)
        done[id(stage)] = change(replace(stage, base=base, steps=steps) if moved else stage)
    return done[id(target)]


def _children_first(target: Stage, wanted: Callable[[Stage], bool] = lambda stage: True) -> Iterator[Stage]:
    """Every stage object of the graph, after those that it needs; without those that are not wanted.

    Without recursion, since a chain of stages may be longer than Python's stack.
    """
    seen = {id(target)}
    waiting = [(target, children(target))]
    while waiting:
        stage, rest = waiting[-1]
        for child in rest:
            if id(child) not in seen and wanted(child):
                seen.add(id(child))
                waiting.append((child, children(child)))
                break
        else:
            waiting.pop()
            yield stage


def _with_stages(step: Step, visit: Callable[[Stage], Stage], moved: Container[int]) -> Step:
    if not any(id(stage) in moved for stage in step.op.stages()):
        return step
    return replace(step, op=step.op.map_stages(visit), part_of=step.planned)
