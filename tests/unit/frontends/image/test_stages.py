"""Images as stages and as bases of others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from imagebuilder import CompileError, Image, expand
from imagebuilder.diagnostics import CallSite
from imagebuilder.ir import ops
from tests.unit.frontends.image.calls import START


def test_instructions_take_from_the_images_that_are_named() -> None:
    build, tools = Image.base("golang:1"), Image.scratch().env(A="1")
    lines = ("COPY --from=Build /app /app", "RUN --mount=type=bind,from=tools,target=/t x", "COPY --from=alpine /a /a")
    found = START.dockerfile_commands(*lines, stages={"build": build, "TOOLS": tools})
    copy, run, other = (step.op for step in found.stage.steps)
    assert isinstance(copy, ops.Copy) and copy.origin == build.stage
    assert isinstance(run, ops.Run) and run.mounts[0].origin == tools.stage
    assert isinstance(other, ops.Copy) and other.origin == ops.ImageSource(ref="alpine")


@pytest.mark.parametrize(
    ("stages", "lines", "code"),
    [
        ({"build": START}, ["RUN x"], "IB339"),
        ({"1": START}, ["COPY --from=1 /a /a"], "IB319"),
        ({1: START}, ["RUN x"], "IB319"),
        ({"scratch": START}, ["COPY --from=scratch /a /a"], "IB319"),
        ({"a b": START}, ["RUN x"], "IB319"),
        ({"a": START, "A": START}, ["COPY --from=a /a /a"], "IB320"),
        ({"a": "python"}, ["COPY --from=a /a /a"], "IB100"),
    ],
)
def test_stages_that_cannot_be(stages: dict[str, Image], lines: list[str], code: str) -> None:
    with pytest.raises(CompileError) as error:
        START.dockerfile_commands(*lines, stages=stages)
    assert code in [found.code for found in error.value.diagnostics]
    assert all(isinstance(found.place, CallSite) for found in error.value.diagnostics)


def test_a_wrong_line_is_not_blamed_on_a_stage_as_well() -> None:
    with pytest.raises(CompileError) as error:
        START.dockerfile_commands("COPY --form=build /a /a", stages={"build": START})
    assert [found.code for found in error.value.diagnostics] == ["IB308"]


def test_a_base_of_another_platform() -> None:
    assert Image.base("a", platform="linux/arm64").stage.base == ops.BaseImage(ref="a", platform="linux/arm64")
    automatic = expand("$BUILDPLATFORM")
    assert Image.base("a", platform=automatic).stage.base == ops.BaseImage(ref="a", platform=automatic)
    with pytest.raises(CompileError) as error:
        Image.base("a", platform="arm64")
    assert error.value.diagnostics[0].code == "IB114"


def test_an_image_as_a_base_is_a_stage_of_its_own() -> None:
    found = Image.base(START.env(A="1")).env(B="2").stage
    assert found.base == START.env(A="1").stage and len(found.steps) == 1
    assert "FROM python:3.13 AS build" in Image(found).dockerfile()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Image.base(START, platform="linux/arm64"),
        lambda: Image.base(START.dockerfile_commands("ONBUILD RUN x")),
    ],
)
def test_an_image_that_cannot_be_a_base(make: Callable[[], Image]) -> None:
    with pytest.raises(CompileError) as error:
        make()
    assert error.value.diagnostics[0].code == "IB125"
