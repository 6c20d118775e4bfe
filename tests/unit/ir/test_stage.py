"""Stages are values: compared by what they say, and walked once however often they are shared."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from imagebuilder.diagnostics import Span
from imagebuilder.ir import stage as module
from imagebuilder.ir.ops import BaseImage, Copy, CopyFrom, Mount, Op, Run, Scratch, User
from imagebuilder.ir.stage import Stage, Step, children, ordered, rewrite

BASE = BaseImage(ref="python:3.13")
PLACE = Span("image.py", 7, 3)
DEPTH = 40


def run(command: str) -> Step:
    return Step(Run(command=command))


def copying(source: Stage, dest: str = "/") -> Step:
    return Step(Copy(sources="/out", dest=dest, origin=source))


def mounting(*sources: Stage) -> Step:
    mounts = tuple(Mount(type="bind", target=f"/{n}", origin=source) for n, source in enumerate(sources))
    return Step(Run(command="make", mounts=mounts))


def diamond(depth: int = DEPTH, bottom: str = "make") -> Stage:
    """Each stage is the next one's base, and is copied from by it and mounted: more than 3 ** depth paths."""
    stage = Stage(BASE, (run(bottom),))
    for _ in range(depth):
        stage = Stage(stage, (copying(stage), mounting(stage, stage)))
    return stage


class Bounded:
    """Calls of a function, which fail when they are far more than a walk of each stage once can make."""

    def __init__(self, function: Callable[..., Any], limit: int = DEPTH * 40) -> None:
        self.function, self.limit, self.calls = function, limit, 0

    def method(self) -> Callable[..., Any]:
        return lambda *arguments: self(*arguments)

    def __call__(self, *arguments: Any) -> Any:
        self.calls += 1
        assert self.calls <= self.limit, "shared stages are walked once per path"
        return self.function(*arguments)


@pytest.fixture
def bounded(monkeypatch: pytest.MonkeyPatch) -> tuple[Bounded, Bounded]:
    """Comparisons and hashes of stages, counted."""
    compared, hashed = Bounded(Stage.__eq__), Bounded(Stage.__hash__)
    monkeypatch.setattr(Stage, "__eq__", compared.method())
    monkeypatch.setattr(Stage, "__hash__", hashed.method())
    return compared, hashed


# Equality --------------------------------------------------------------------------------------------


STAGE = Stage(BASE, (run("a"), run("b")))

SAME: dict[str, Stage] = {
    "built again": Stage(BaseImage(ref="python:3.13"), (run("a"), run("b"))),
    "with a name": replace(STAGE, name="builder"),
    "with a place": replace(STAGE, place=PLACE),
    "whose steps have places": Stage(BASE, tuple(replace(step, place=PLACE) for step in STAGE.steps)),
    "whose steps have intents": Stage(BASE, tuple(replace(step, intent=Run(command="c")) for step in STAGE.steps)),
    "grown step by step": Stage(BASE).then(run("a")).then(run("b")),
}

OTHER: dict[str, Stage] = {
    "with another base": replace(STAGE, base=BaseImage(ref="python:3.12")),
    "on a stage": replace(STAGE, base=Stage(BASE)),
    "with a step less": replace(STAGE, steps=STAGE.steps[:1]),
    "with a step more": STAGE.then(run("c")),
    "in another order": replace(STAGE, steps=STAGE.steps[::-1]),
    "with another step": Stage(BASE, (run("a"), run("c"))),
    "read in another folder": Stage(BASE, (run("a"), Step(Run(command="b"), root="/elsewhere"))),
    "of words": Stage(BASE, (run("a"), Step(Run(command=("b",))))),
}


@pytest.mark.parametrize("other", SAME.values(), ids=SAME)
def test_a_stage_is_equal_to_one(other: Stage) -> None:
    one = copy.copy(STAGE)
    assert one == other and other == one and hash(one) == hash(other)
    assert Stage(one) == Stage(other) and Stage(BASE, (copying(one),)) == Stage(BASE, (copying(other),))


@pytest.mark.parametrize("other", OTHER.values(), ids=OTHER)
def test_a_stage_is_not_equal_to_one(other: Stage) -> None:
    one = copy.copy(STAGE)
    assert one != other and other != one
    assert Stage(one) != Stage(other) and Stage(BASE, (copying(one),)) != Stage(BASE, (copying(other),))


def test_a_stage_is_equal_to_nothing_else() -> None:
    others: list[object] = [BASE, (BASE, STAGE.steps), STAGE.steps, None, "stage"]
    assert STAGE not in others
    assert all(STAGE.__eq__(other) is NotImplemented for other in others)


def test_equality_goes_on_from_one_to_the_next() -> None:
    """Whatever was compared before, and in whichever order."""
    stages = [Stage(BASE, (run("a"),), name=name) for name in "abcd"]
    other = Stage(BASE, (run("b"),))
    assert stages[0] == stages[1] and stages[2] == stages[3] and stages[3] == stages[1]
    assert all(one == another for one in stages for another in stages)
    assert all(one != other and other != one for one in stages)
    assert len({*stages, other}) == 2


def test_comparing_leaves_names_and_places_alone() -> None:
    one, other = replace(STAGE, name="one", place=PLACE), replace(STAGE, name="other")
    assert one == other and other == one
    assert (one.name, one.place, other.name, other.place) == ("one", PLACE, "other", None)
    assert [pickle.loads(pickle.dumps(stage)).name for stage in (one, other)] == ["one", "other"]


def test_stages_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        STAGE.name = "other"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        STAGE.steps[0].root = "/"  # type: ignore[misc]


def test_then_makes_another_stage() -> None:
    before = Stage(BASE, (run("a"),), PLACE, "name")
    after = before.then(run("b"), run("c"))
    assert [step.op for step in after.steps] == [Run(command=c) for c in "abc"] and len(before.steps) == 1
    assert (after.base, after.place, after.name) == (BASE, PLACE, "name")
    assert after != before and hash(after) == hash(Stage(BASE, (run("a"), run("b"), run("c"))))


def test_pickling_keeps_everything() -> None:
    stage = Stage(Stage(BASE, name="base"), (Step(Run(command="a"), PLACE, "/root", Run(command="b")),), PLACE, "name")
    for found in (pickle.loads(pickle.dumps(stage)), copy.deepcopy(stage), copy.copy(stage)):
        assert found == stage and hash(found) == hash(stage)
        assert (found.name, found.place, found.base.name) == ("name", PLACE, "base")
        step = found.steps[0]
        assert (step.place, step.root, step.intent) == (PLACE, "/root", Run(command="b"))


def test_a_hash_stays_in_its_process() -> None:
    """A stage that was hashed here is found by an equal one there, where strings hash otherwise."""
    stage = Stage(STAGE, (copying(STAGE),))
    hash(stage)
    code = (
        "import pickle, sys; from imagebuilder.ir.stage import Stage;"
        "found = pickle.load(sys.stdin.buffer); again = Stage(Stage(found.base.base, found.base.steps), found.steps);"
        "print(found == again, hash(found) == hash(again), again in {found}, hash(found))"
    )
    results = []
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(stage), env=env, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        results.append(done.stdout.split())
    assert [result[:3] for result in results] == [[b"True"] * 3] * 2
    assert results[0][3] != results[1][3]


# Shared stages ---------------------------------------------------------------------------------------


def test_comparing_equal_graphs_visits_each_stage_once(bounded: tuple[Bounded, Bounded]) -> None:
    one, other = diamond(), diamond()
    assert one == other and hash(one) == hash(other)
    assert all(counter.calls for counter in bounded)


def test_comparing_different_graphs_visits_each_stage_once(bounded: tuple[Bounded, Bounded]) -> None:
    assert diamond(bottom="a") != diamond(bottom="b")
    assert all(counter.calls for counter in bounded)


def test_pickling_keeps_what_is_shared(bounded: tuple[Bounded, Bounded]) -> None:
    stage = diamond()
    data = pickle.dumps(stage)
    assert len(data) < 1000 * DEPTH
    found = pickle.loads(data)
    assert found == stage and len(ordered(found)) == DEPTH + 1
    assert found.base is found.steps[0].op.origin is found.steps[1].op.mounts[1].origin


def test_ordering_visits_each_stage_once(bounded: tuple[Bounded, Bounded], monkeypatch: pytest.MonkeyPatch) -> None:
    # Once for the order, once for the hash by which equal stages are found.
    monkeypatch.setattr(module, "children", Bounded(children, 2 * (DEPTH + 1)))
    assert len(ordered(diamond())) == DEPTH + 1


def test_rewriting_visits_each_stage_once(bounded: tuple[Bounded, Bounded]) -> None:
    stage = diamond()
    change = Bounded(lambda found: found.then(run("more")), DEPTH + 1)
    found = rewrite(stage, change)
    assert change.calls == len(ordered(found)) == DEPTH + 1
    assert isinstance(copied := found.steps[0].op, Copy) and copied.origin is found.base


def test_a_chain_may_be_longer_than_the_stack() -> None:
    depth = 3 * sys.getrecursionlimit()
    stage = Stage(BASE)
    for _ in range(depth):
        stage = Stage(BASE, (copying(stage),))
    assert isinstance(hash(stage), int)
    assert len(ordered(rewrite(stage, lambda found: found))) == depth + 1


# Walking ---------------------------------------------------------------------------------------------


A, B, C, D = (Stage(BASE, (run(name),), name=name) for name in "abcd")


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        (Stage(BASE, (run("x"),)), []),
        (Stage(A), [A]),
        (Stage(BASE, (copying(A), run("x"), copying(B))), [A, B]),
        (Stage(BASE, (mounting(B, A),)), [B, A]),
        (Stage(A, (mounting(B), copying(C), copying(A))), [A, B, C, A]),
        (Stage(BASE, (Step(CopyFrom(source=A, src="/a", dest="/a")),)), [A]),
        (Stage(BASE, (Step(CopyFrom(source="python", src="/a", dest="/a")),)), []),
    ],
)
def test_children(stage: Stage, expected: list[Stage]) -> None:
    assert list(children(stage)) == expected


MIDDLE = Stage(A, (copying(B), mounting(C, A)), name="middle")

GRAPHS: dict[str, tuple[Stage, list[Stage]]] = {
    "alone": (A, [A]),
    "a chain": (Stage(MIDDLE, name="end"), [A, B, C, MIDDLE]),
    "the base first": (Stage(B, (copying(A),)), [B, A]),
    "shared at two depths": (Stage(BASE, (copying(MIDDLE), copying(D), copying(A))), [A, B, C, MIDDLE, D]),
    "copied twice": (Stage(BASE, (copying(A, "/a"), copying(A, "/b"))), [A]),
    "written twice": (Stage(BASE, (copying(A), copying(Stage(BASE, (run("a"),), name="again")), copying(B))), [A, B]),
}


@pytest.mark.parametrize(("target", "before"), GRAPHS.values(), ids=GRAPHS)
def test_ordered_puts_dependencies_first_and_each_once(target: Stage, before: list[Stage]) -> None:
    found = ordered(target)
    assert found[-1] is target
    assert [stage.name for stage in found if stage is not target] == [stage.name for stage in before if stage != target]
    assert len(set(found)) == len(found)
    for number, stage in enumerate(found):
        assert set(children(stage)) <= set(found[:number])


# Rewriting -------------------------------------------------------------------------------------------


def test_rewriting_with_no_change_keeps_everything() -> None:
    stage = Stage(A, (replace(copying(B), place=PLACE, root="/r", intent=Run(command="i")), mounting(C)), PLACE, "name")
    found = rewrite(stage, lambda each: each)
    assert found == stage and (found.name, found.place) == ("name", PLACE)
    assert [(s.place, s.root, s.intent) for s in found.steps] == [(s.place, s.root, s.intent) for s in stage.steps]
    assert [each.name for each in ordered(found)] == ["a", "b", "c", "name"]


def test_rewriting_changes_children_before_parents() -> None:
    met: list[str] = []

    def change(stage: Stage) -> Stage:
        met.append(stage.name)
        assert all(child.name.isupper() for child in children(stage))
        return replace(stage, name=stage.name.upper())

    found = rewrite(Stage(BASE, (copying(MIDDLE), copying(D)), name="end"), change)
    assert met == ["a", "b", "c", "middle", "d", "end"]
    assert [stage.name for stage in ordered(found)] == [name.upper() for name in met]


@pytest.mark.parametrize("make", [Stage, lambda s: Stage(BASE, (copying(s),)), lambda s: Stage(BASE, (mounting(s),))])
def test_rewriting_reaches_every_reference(make: Callable[[Stage], Stage]) -> None:
    found = rewrite(make(A), lambda stage: replace(stage, base=Scratch()) if stage.base == BASE else stage)
    assert len(ordered(found)) == 2 and BASE not in [stage.base for stage in ordered(found)]


def test_rewriting_leaves_the_original_alone() -> None:
    stage = Stage(A, (copying(B), Step(CopyFrom(source=C, src="/c", dest="/c"))))
    before = pickle.dumps(stage)
    rewrite(stage, lambda each: each.then(run("more")))
    assert pickle.loads(before) == stage


def test_an_operation_without_stages_is_its_own_image() -> None:
    def refuse(stage: Stage) -> Stage:
        raise AssertionError(stage)

    found: Iterator[Op] = (op.map_stages(refuse) for op in (Run(command="a"), CopyFrom(source="a", src="/", dest="/")))
    assert list(found) == [Run(command="a"), CopyFrom(source="a", src="/", dest="/")]


def test_deep_graphs_are_compared_without_recursion() -> None:
    def chain(last: str) -> Stage:
        stage = Stage(Scratch())
        for _ in range(2000):
            stage = Stage(Scratch(), (Step(CopyFrom(source=stage, src="/a", dest="/b")),))
        return stage.then(Step(User(name=last)))

    assert chain("a") == chain("a")
    assert chain("a") != chain("b")


def test_rewriting_keeps_what_nothing_changed() -> None:
    """The very objects: what is known of a step by its identity stays known."""
    plain, copies, mounts = run("plain"), copying(A), mounting(B)
    stage = Stage(MIDDLE, (plain, copies, mounts, copying(D)))
    assert rewrite(stage, lambda each: each) is stage
    found = rewrite(stage, lambda each: replace(each, base=Scratch()) if each is A else each)
    assert found is not stage and found.steps[0] is plain and found.steps[2] is mounts
    assert found.steps[1] is not copies and found.steps[3] is stage.steps[3]
    assert found.base is not stage.base if A in ordered(MIDDLE) else found.base is stage.base


def test_a_step_that_was_moved_helps_to_carry_out_its_own() -> None:
    copies = copying(A)
    once = rewrite(Stage(BASE, (copies,)), lambda each: each.then(run("more")) if each is A else each)
    assert once.steps[0].part_of is copies and once.steps[0].planned is copies
    twice = rewrite(once, lambda each: each.then(run("yet more")) if each is not once else each)
    assert twice.steps[0] is not once.steps[0] and twice.steps[0].planned is copies, "the plan's own, however often"


def test_a_step_that_carries_out_itself() -> None:
    step = run("a")
    assert step.planned is step and step.part_of is None


def test_what_a_step_is_part_of_is_never_compared() -> None:
    one, other = run("a"), Step(Run(command="a"), part_of=run("b"))
    assert one == other and hash(one) == hash(other) and "part_of" not in repr(other)
