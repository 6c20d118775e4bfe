"""Installs become layers: the large distributions alone, in the order that they have, the small ones on top."""

from __future__ import annotations

import pytest

from imagebuilder import Image
from imagebuilder.backends.dockerfile import lay_out, render
from imagebuilder.backends.dockerfile.layout import LARGE, MOST, groups
from imagebuilder.compiler import compile
from imagebuilder.ir.ops import BaseImage, CopyFrom, Run
from imagebuilder.ir.packages import Install, Layer, Python
from imagebuilder.ir.stage import Stage, Step, ordered
from tests.unit.resolve.making import distribution, python

BASE = BaseImage(ref="python:3.12-slim")


def install(sizes: dict[str, int], by: Python | None = None) -> Install:
    return Install(distributions=tuple(distribution(name, size=size) for name, size in sizes.items()), python=by)


def grouped(sizes: dict[str, int]) -> list[str]:
    return [" ".join(each.name for each in group) for group in groups(install(sizes))]


def test_the_large_ones_stand_alone_below_the_small_ones() -> None:
    sizes = {"b": LARGE * 9, "x": 5, "a": LARGE, "y": LARGE - 1, "c": LARGE * 2}
    assert grouped(sizes) == ["b", "a", "c", "x y"]
    assert grouped({"b": LARGE}) == ["b"] and grouped({"x": 1}) == ["x"] and grouped({}) == []


def test_a_package_that_is_added_leaves_those_below() -> None:
    before = grouped({"b": LARGE, "a": LARGE, "x": 1})
    assert grouped({"b": LARGE, "a": LARGE, "x": 1, "new": LARGE * 5})[: len(before) - 1] == before[:-1]


@pytest.mark.parametrize("count", [MOST - 1, MOST, MOST + 20])
def test_there_are_never_too_many(count: int) -> None:
    """An image holds 127 layers. The smallest of the large ones go with the small ones."""
    sizes = {f"p{n:03}": LARGE + n for n in range(count)} | {"x": 1}
    found = grouped(sizes)
    assert len(found) == min(count + 1, MOST)
    assert sorted(" ".join(found).split()) == sorted(sizes)
    assert found[:-1] == [f"p{n:03}" for n in range(max(0, count - MOST + 1), count)]


def test_an_install_becomes_layers_that_help_to_carry_it_out() -> None:
    intent, by = Run(command="pip"), python()
    step = Step(install({"b": LARGE, "z": 1, "a": 1}, by), None, "", intent)
    other = Step(Run(command="true"))
    found = lay_out(Stage(BASE, (step, other)))
    *layers, last = found.steps
    assert [[each.name for each in s.op.distributions] for s in layers if isinstance(s.op, Layer)] == [
        ["b"],
        ["a", "z"],
    ]
    assert all(s.planned is step and s.intent is intent for s in layers) and last is other


def test_without_a_python_it_is_a_command() -> None:
    """As where a Dockerfile has to stand alone. Only the very files are taken."""
    step = Step(install({"b": 1, "a": 1}))
    (found,) = lay_out(Stage(BASE, (step,))).steps
    assert isinstance(found.op, Run) and found.planned is step and isinstance(found.op.command, str)
    lines = found.op.command.splitlines()
    assert "--require-hashes" in lines[1] and "--no-deps" in lines[1]
    assert [line.partition(" ")[0] for line in lines[2:-1]] == ["a==1.0", "b==1.0"]
    assert all("--hash=sha256:" in line for line in lines[2:-1])


def test_a_stage_without_an_install_stays_itself() -> None:
    stage = Stage(Stage(BASE, (Step(Run(command="a")),)), (Step(Run(command="b")),))
    assert lay_out(stage) is stage


def test_all_stages_are_laid_out() -> None:
    by = python()
    inner = Stage(BASE, (Step(install({"a": 1}, by)),))
    copies = Step(CopyFrom(source=inner, src="/a", dest="/b"))
    found = lay_out(Stage(inner, (copies,)))
    assert not [s for stage in ordered(found) for s in stage.steps if isinstance(s.op, Install)]
    assert len(ordered(found)) == 2, "what was shared is shared"
    assert found.steps[0].planned is copies


# Layers ------------------------------------------------------------------------------------------------


def layer(by: Python | None = None, *names: str) -> Layer:
    return Layer(distributions=tuple(map(distribution, names or ("a", "b"))), python=by or python())


def test_a_layers_digest_is_of_what_decides_its_bytes() -> None:
    assert layer().digest == layer().digest and layer().digest.startswith("sha256:")
    assert layer(None, "b", "a").digest == layer().digest, "not their order"
    assert layer(python(there=(("pip", "24"),), glibc="2.41")).digest == layer().digest
    for changed in (
        {"purelib": "/x"},
        {"executable": "/x"},
        {"version": "3.12.5"},
        {"folders": ()},
        {"links": (("/a", "/b"),)},
    ):
        assert layer(python(**changed)).digest != layer().digest
    assert layer(None, "a").digest != layer().digest


def test_where_it_was_found_does_not_count() -> None:
    there = distribution("a").files[0]
    moved = distribution("a").model_copy(update={"files": (there.model_copy(update={"url": "https://mirror/a.whl"}),)})
    assert Layer(distributions=(moved,), python=python()).digest == layer(None, "a").digest


# Rendered ----------------------------------------------------------------------------------------------


def test_the_instructions_of_an_install_are_one_step() -> None:
    step = Step(install({"b": LARGE, "a": LARGE, "x": 1}, python()))
    other = Step(Run(command="true"))
    found = render(lay_out(Stage(BASE, (step, other))), {})
    counted = [each for each in found.instructions if each.step]
    assert [each.parts for each in counted] == [3, 3, 3, 1] and [each.position for each in counted] == [2, 3, 4, 5]
    assert [each.step for each in counted] == [step] * 3 + [other]
    assert all(isinstance(each.op, Layer) for each in counted[:3]) and counted[3].op is other.op
    assert {found.whole(each) for each in counted[:3]} == {counted[0]} and found.whole(counted[3]) is counted[3]


def test_one_layer_is_one_instruction() -> None:
    step = Step(install({"x": 1}, python()))
    (found,) = (each for each in render(lay_out(Stage(BASE, (step,))), {}).instructions if each.step)
    assert found.parts == 1 and found.step is step and found.op is not step.op


def test_what_nobody_laid_out_is_its_own_step() -> None:
    found = compile(Image.base(BASE.ref).run_commands("a").env({"B": "c"}), platform="linux/amd64").dockerfile()
    for each in found.instructions:
        assert each.parts == 1 and (each.op is each.step.op if each.step else each.op is None)
