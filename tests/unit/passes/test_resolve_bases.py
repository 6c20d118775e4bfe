"""``debian_slim`` becomes the name of an image, in every stage; other bases stay as they are."""

from __future__ import annotations

import pytest

from imagebuilder.diagnostics import Span
from imagebuilder.ir.checks import DEBIAN_OF_PYTHON
from imagebuilder.ir.ops import BaseImage, Copy, DebianSlim, Run, Scratch
from imagebuilder.ir.stage import Stage, Step, ordered
from imagebuilder.passes import Options
from imagebuilder.passes.resolve_bases import resolve_bases


def resolved(stage: Stage) -> Stage:
    return resolve_bases(stage, Options())


@pytest.mark.parametrize(
    ("version", "debian", "ref"),
    [
        ("3.9", "", "python:3.9-slim-bookworm"),
        ("3.12", "", "python:3.12-slim-bookworm"),
        ("3.13", "", "python:3.13-slim-trixie"),
        ("3.13.2", "", "python:3.13.2-slim-trixie"),
        ("3.11.9", "", "python:3.11.9-slim-bookworm"),
        ("3.12", "trixie", "python:3.12-slim-trixie"),
        ("3.13.2", "bookworm", "python:3.13.2-slim-bookworm"),
        ("3.12", "buster", "python:3.12-slim-buster"),
    ],
)
def test_the_image_of_a_python(version: str, debian: str, ref: str) -> None:
    found = resolved(Stage(DebianSlim(python_version=version, debian=debian)))
    assert found == Stage(BaseImage(ref=ref))


@pytest.mark.parametrize("version", DEBIAN_OF_PYTHON)
def test_every_known_python_has_an_image(version: str) -> None:
    for release in (version, f"{version}.1"):
        base = resolved(Stage(DebianSlim(python_version=release))).base
        assert base == BaseImage(ref=f"python:{release}-slim-{DEBIAN_OF_PYTHON[version]}")


@pytest.mark.parametrize("base", [Scratch(), BaseImage(ref="python:3.12"), BaseImage(ref="a", platform="linux/arm64")])
def test_other_bases_are_left_alone(base: Scratch | BaseImage) -> None:
    stage = Stage(base, (Step(Run(command="make")),))
    assert resolved(stage) == stage


def test_a_stage_keeps_all_but_its_base() -> None:
    step = Step(Run(command="make"), Span("image.py", 2), "/root", Run(command="intent"))
    found = resolved(Stage(DebianSlim(python_version="3.13"), (step,), Span("image.py", 1), "name"))
    assert (found.place, found.name, found.steps) == (Span("image.py", 1), "name", (step,))
    assert (found.steps[0].place, found.steps[0].intent) == (step.place, step.intent)


def test_every_stage_is_resolved() -> None:
    slim = DebianSlim(python_version="3.13")
    tool = Stage(slim, (Step(Run(command="make")),))
    found = resolved(Stage(Stage(slim), (Step(Copy(sources="/a", dest="/a", origin=tool)),)))
    bases = [stage.base for stage in ordered(found) if not isinstance(stage.base, Stage)]
    assert bases == [BaseImage(ref="python:3.13-slim-trixie")] * 2
