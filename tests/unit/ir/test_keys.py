"""A key covers everything up to its step and nothing after it, and never where anything lies or stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from imagebuilder.diagnostics import Span
from imagebuilder.ir import keys as module
from imagebuilder.ir import ops
from imagebuilder.ir.keys import StageKeys, keys
from imagebuilder.ir.ops import Add, Arg, BaseImage, Copy, Env, LocalSource, Mount, Op, Run, Scratch, Workdir
from imagebuilder.ir.stage import Stage, Step, ordered

PLATFORM = "linux/amd64"
DEPTH = 10
BASE = BaseImage(ref="python:3.13-slim-trixie")
OPS: tuple[Op, ...] = (
    Env(variables={"A": "1"}),
    Run(command="make"),
    Arg(name="VERSION", default="1"),
    Workdir(path="/srv"),
    Run(command=("make", "install")),
)


def stage(*operations: Op, base: ops.Base | Stage = BASE, **options: Any) -> Stage:
    return Stage(base, tuple(Step(op) for op in operations), **options)


def keys_of(
    target: Stage, trees: Mapping[tuple[str, LocalSource], str] | None = None, platform: str = PLATFORM
) -> StageKeys:
    return keys(target, trees or {}, platform)[target]


def all_of(found: StageKeys) -> tuple[str, ...]:
    return (found.base, *found.steps)


def first_difference(one: StageKeys, other: StageKeys) -> int:
    """The number of the first step whose key differs; -1 is the base. From there on every one has to."""
    differ = [a != b for a, b in zip(all_of(one), all_of(other), strict=False)]
    first = differ.index(True)
    assert all(differ[first:]), "a key depends on all that was before it"
    return first - 1


def test_a_key_for_the_base_and_for_each_step() -> None:
    found = keys_of(stage(*OPS))
    assert len(found.steps) == len(OPS) and found.last == found.steps[-1]
    assert len(set(all_of(found))) == len(OPS) + 1
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", key) for key in all_of(found))


def test_a_stage_without_steps_has_the_key_of_its_base() -> None:
    found = keys_of(stage())
    assert found.steps == () and found.last == found.base == keys_of(stage(*OPS)).base


def test_equal_descriptions_have_equal_keys() -> None:
    assert keys_of(stage(*OPS)) == keys_of(stage(*(op.model_copy() for op in OPS), base=BASE.model_copy()))


def test_the_same_operation_twice_has_two_keys() -> None:
    found = keys_of(stage(OPS[1], OPS[1]))
    assert found.steps[0] != found.steps[1]


@pytest.mark.parametrize("number", range(len(OPS)))
def test_the_first_key_that_differs_is_that_of_the_changed_step(number: int) -> None:
    changed = [*OPS]
    changed[number] = Run(command="something else")
    assert first_difference(keys_of(stage(*OPS)), keys_of(stage(*changed))) == number


@pytest.mark.parametrize("number", range(len(OPS) - 1))
def test_the_order_of_two_steps_is_part_of_the_key(number: int) -> None:
    swapped = [*OPS]
    swapped[number : number + 2] = reversed(swapped[number : number + 2])
    assert first_difference(keys_of(stage(*OPS)), keys_of(stage(*swapped))) == number


@pytest.mark.parametrize("number", range(len(OPS) - 1))
def test_a_step_less_is_another_key(number: int) -> None:
    fewer = OPS[:number] + OPS[number + 1 :]
    assert first_difference(keys_of(stage(*OPS)), keys_of(stage(*fewer))) == number


@pytest.mark.parametrize("count", range(len(OPS)))
def test_a_key_depends_on_nothing_after_its_step(count: int) -> None:
    assert all_of(keys_of(stage(*OPS[:count]))) == all_of(keys_of(stage(*OPS)))[: count + 1]


@pytest.mark.parametrize(
    ("number", "changed"),
    [
        (0, Env(variables={"A": "2"})),
        (0, Env(variables={"B": "1"})),
        (1, Run(command="make ")),
        (1, Run(command=("make",))),
        (1, Run(command="make", network="none")),
        (1, Run(command="make", mounts=(Mount(type="cache", target="/c"),))),
        (2, Arg(name="VERSION", default="2")),
        (2, Arg(name="VERSION", default="")),
        (2, Arg(name="VERSION")),
        (4, Run(command=("make install",))),
    ],
)
def test_one_argument_is_part_of_the_key(number: int, changed: Op) -> None:
    other = [*OPS]
    other[number] = changed
    assert first_difference(keys_of(stage(*OPS)), keys_of(stage(*other))) == number


@pytest.mark.parametrize(
    "base",
    [
        BaseImage(ref="python:3.12-slim-bookworm"),
        BaseImage(ref=BASE.ref, platform="linux/arm64"),
        BaseImage(ref=f"{BASE.ref}@sha256:{'0' * 64}"),
        Scratch(),
        stage(),
    ],
)
def test_the_base_moves_every_key(base: ops.Base | Stage) -> None:
    assert first_difference(keys_of(stage(*OPS)), keys_of(stage(*OPS, base=base))) == -1


@pytest.mark.parametrize("platform", ["linux/arm64", "linux/amd64/v2", ""])
def test_the_platform_moves_every_key(platform: str) -> None:
    assert first_difference(keys_of(stage(*OPS)), keys_of(stage(*OPS), platform=platform)) == -1


def test_the_schema_moves_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = keys_of(stage(*OPS))
    monkeypatch.setattr(module, "SCHEMA", module.SCHEMA + 1)
    assert first_difference(before, keys_of(stage(*OPS))) == -1


# Places and names ------------------------------------------------------------------------------------


def test_neither_places_nor_names_nor_intents_are_in_a_key() -> None:
    steps = tuple(Step(op, Span("image.py", n, 1, n, 9), "", Run(command="intent")) for n, op in enumerate(OPS, 1))
    placed = Stage(BASE, steps, Span("image.py", 1), "builder")
    assert keys_of(placed) == keys_of(stage(*OPS))


# Local files -----------------------------------------------------------------------------------------


def copy(source: LocalSource) -> Op:
    return Copy(sources=".", dest="/srv", origin=source)


def add(source: LocalSource) -> Op:
    return Add(sources="a.tar", dest="/srv", origin=source)


def bind(source: LocalSource) -> Op:
    return Run(command="make", mounts=(Mount(type="bind", target="/srv", origin=source),))


READERS = pytest.mark.parametrize("reader", [copy, add, bind], ids=lambda reader: reader.__name__)


def keys_reading(reader: Any, root: str, source: LocalSource, digest: str) -> StageKeys:
    target = Stage(BASE, (Step(OPS[0]), Step(reader(source), root=root), Step(OPS[1])))
    return keys_of(target, {(root, source): digest})


@READERS
@pytest.mark.parametrize(
    ("root", "source"),
    [
        ("/home/b", LocalSource(path="src")),
        ("/home/a", LocalSource(path="./src")),
        ("", LocalSource(path="/home/a/src")),
        ("/home/a", LocalSource(path="src", kind="file")),
        ("/home/a", LocalSource(path="src", literal=True, include=(("a",),))),
        ("/home/a", LocalSource(path="src", ignore=("*.pyc",), dockerignore=".dockerignore")),
    ],
)
def test_a_path_is_never_in_a_key(reader: Any, root: str, source: LocalSource) -> None:
    """Only what was found there is: neither the folder, nor how its files were chosen."""
    expected = keys_reading(reader, "/home/a", LocalSource(path="src"), "sha256:1")
    assert keys_reading(reader, root, source, "sha256:1") == expected


@READERS
def test_the_digest_of_the_tree_is(reader: Any) -> None:
    source = LocalSource(path="src")
    one, other = (keys_reading(reader, "/home/a", source, digest) for digest in ("sha256:1", "sha256:2"))
    assert first_difference(one, other) == 1


def test_one_path_in_two_folders_is_two_trees() -> None:
    source = LocalSource(path="src")
    target = Stage(BASE, (Step(copy(source), root="/a"), Step(copy(source), root="/b")))
    same, differ = (
        keys_of(target, {("/a", source): "sha256:1", ("/b", source): second}) for second in ("sha256:1", "sha256:2")
    )
    assert first_difference(same, differ) == 1


# Several stages --------------------------------------------------------------------------------------


def based(built: Stage) -> Stage:
    return stage(OPS[0], OPS[1], base=built)


def copying(built: Stage) -> Stage:
    return stage(OPS[0], Copy(sources="/out", dest="/", origin=built))


def mounting(built: Stage) -> Stage:
    return stage(OPS[0], Run(command="make", mounts=(Mount(type="bind", target="/out", origin=built),)))


@pytest.mark.parametrize(("use", "number"), [(based, -1), (copying, 1), (mounting, 1)])
def test_a_stage_counts_by_its_key(use: Any, number: int) -> None:
    one, other = use(stage(*OPS[:2])), use(stage(*OPS[:3]))
    assert first_difference(keys_of(one), keys_of(other)) == number
    renamed = use(stage(*OPS[:2], name="tool", place=Span("Dockerfile", 3)))
    assert keys_of(renamed) == keys_of(one)


def test_every_stage_that_is_needed_has_its_keys() -> None:
    target = copying(mounting(based(stage(OPS[0]))))
    found = keys(target, {}, PLATFORM)
    assert tuple(found) == ordered(target)
    assert all(found[needed] == keys_of(needed) for needed in found)
    assert len({needed.last for needed in found.values()}) == 4


def test_the_platform_reaches_the_stages_that_are_needed() -> None:
    built = stage(OPS[0])
    one, other = (keys(copying(built), {}, platform)[built] for platform in (PLATFORM, "linux/arm64"))
    assert first_difference(one, other) == -1


def test_each_stage_is_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many paths lead to it: a diamond of this depth has tens of thousands."""
    target = stage(OPS[0])
    for _ in range(DEPTH):
        target = stage(*(Copy(sources=name, dest="/", origin=target) for name in ("/a", "/b")), base=target)
    hashed: list[object] = []
    canonical = module.canonical

    def counting(value: Any, substitute: Any) -> bytes:
        hashed.append(value)
        assert len(hashed) <= (DEPTH + 1) * 3
        return canonical(value, substitute)

    monkeypatch.setattr(module, "canonical", counting)
    assert len(keys(target, {}, PLATFORM)) == DEPTH + 1
