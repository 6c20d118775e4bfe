"""Names of stages: the author's where BuildKit can take them, and never one that hides an image or another stage."""

from __future__ import annotations

import re

import pytest

from imagebuilder.backends.dockerfile.naming import StageNames
from imagebuilder.ir.ops import BaseImage, Copy, Env, ImageSource, Mount, Run
from imagebuilder.ir.stage import Stage, Step


def stage(name: str, number: int = 0, ref: str = "python:3.13") -> Stage:
    """Stages of different numbers are different: equal ones are one stage."""
    return Stage(BaseImage(ref=ref), (Step(Env(variables={"N": str(number)})),), name=name)


def names(*stages: Stage) -> list[str]:
    """The names of the stages, of which the last has none."""
    last = Stage(BaseImage(ref="debian"))
    found = StageNames([*stages, last])
    assert found.name(last) == ""
    return [found.name(each) for each in stages]


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("build", "build"),
        ("Build", "build"),
        ("a_b-c.d", "a_b-c.d"),
        ("my stage!", "my-stage"),
        ("-a-", "a"),
        ("..a", "a"),
        ("0", "stage-0"),
        ("_x", "stage-_x"),
        ("", "build"),
        ("日本", "build"),
        ("a\nFROM b", "a-from-b"),
        ("scratch", "scratch-2"),
        ("Context", "context-2"),
    ],
)
def test_a_name(wanted: str, name: str) -> None:
    assert names(stage(wanted)) == [name]
    assert re.fullmatch(r"[a-z][a-z0-9_.\-]*", name)


def test_names_are_unique_in_any_case() -> None:
    found = names(*(stage(name, n) for n, name in enumerate(["a", "A", "a", "a-2", "", ""])))
    assert found == ["a", "a-2", "a-3", "a-2-2", "build", "build-2"]


def test_the_last_stage_has_a_name_where_the_author_gave_one() -> None:
    last = stage("app", 1)
    assert StageNames([stage("app"), last]).name(last) == "app-2"


def test_a_stage_does_not_hide_the_image_that_a_stage_starts_from() -> None:
    assert names(stage("Python", ref="python"), stage("python", 1)) == ["python-2", "python-3"]


@pytest.mark.parametrize(
    "op",
    [
        Copy(sources=["/bin/uv"], dest="/bin/uv", origin=ImageSource(ref="uv")),
        Run(command="true", mounts=(Mount(type="bind", target="/uv", origin=ImageSource(ref="UV")),)),
    ],
    ids=["copy", "mount"],
)
def test_a_stage_does_not_hide_the_image_that_is_read_from(op: Copy | Run) -> None:
    reader = Stage(BaseImage(ref="debian"), (Step(op),), name="reader")
    assert names(stage("uv"), reader) == ["uv-2", "reader"]


def test_a_stage_that_nobody_knows_has_no_name() -> None:
    assert StageNames([stage("a")]).name(stage("b", 1)) == ""
