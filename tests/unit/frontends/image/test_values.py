"""Images are values."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from imagebuilder import Image
from tests.unit.frontends.image.calls import CALLS, START


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_methods_leave_the_image_alone(call: Callable[[Image], Image]) -> None:
    before = Image(START.stage)
    made = call(START)
    assert made != START and made is not START
    assert before == START and START.stage.steps == ()


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_equal_calls_make_equal_images(call: Callable[[Image], Image]) -> None:
    assert call(START) == call(START) and hash(call(START)) == hash(call(START))
    assert len({call(START), call(START), START}) == 2


def test_branching_from_a_shared_base() -> None:
    shared = START.run_commands("shared")
    left, right = shared.env(A="left"), shared.env(A="right")
    assert left != right
    assert [image.stage.steps[0] for image in (left, right)] == [shared.stage.steps[0]] * 2
    assert len(shared.stage.steps) == 1
    assert left.env(B="1") == START.run_commands("shared").env(A="left").env(B="1")


def test_what_was_passed_in_may_change_later() -> None:
    variables, words, packages = {"A": "b"}, ["echo", "a"], ["six"]
    image = START.env(variables).cmd(words).pip_install(packages).run_commands(words)
    variables["A"], words[0] = "changed", "changed"
    packages.append("changed")
    assert image == START.env(A="b").cmd(["echo", "a"]).pip_install("six").run_commands(["echo", "a"])


@pytest.mark.parametrize("name", ["stage", "other"])
def test_attributes_cannot_be_set(name: str) -> None:
    with pytest.raises(AttributeError, match="never changes"):
        setattr(START, name, START.stage)
    with pytest.raises((AttributeError, TypeError)):
        setattr(START.stage, name, ())


def test_operations_cannot_be_changed() -> None:
    step = START.env(A="b").stage.steps[0]
    with pytest.raises((AttributeError, TypeError, ValueError)):
        step.op.variables = ()  # type: ignore[attr-defined]
    with pytest.raises((AttributeError, TypeError)):
        step.root = "/"  # type: ignore[misc]


def test_an_image_is_not_its_stage() -> None:
    assert START.stage != START and START != "python:3.13"
    assert (object() == START) is False


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_pickling_and_copying(call: Callable[[Image], Image]) -> None:
    image = call(START)
    for same in (pickle.loads(pickle.dumps(image)), copy.copy(image), copy.deepcopy(image)):
        assert same == image and hash(same) == hash(image)
        place, before = same.stage.steps[0].place, image.stage.steps[0].place
        assert (place and place.resolve()) == (before and before.resolve())


def test_a_pickled_image_is_equal_in_another_process(tmp_path: Path) -> None:
    """Python's hashes of texts differ from process to process; one that was kept must not travel."""
    code = f"""
import pickle, sys
from pathlib import Path
from imagebuilder import Image
image = Image.base("a").run_commands("x").copy_from(Image.base("b"), "/a", "/b")
path = Path({str(tmp_path / "pickle")!r})
if path.exists():
    other = pickle.loads(path.read_bytes())
    assert other == image and hash(other) == hash(image) and len({{other, image}}) == 1
else:
    assert len({{image, image}}) == 1
    path.write_bytes(pickle.dumps(image))
"""
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("image", "text"),
    [
        (Image.scratch(), "<Image scratch(…)>"),
        (Image.debian_slim().env(A="b"), "<Image debian_slim(…).env(…)>"),
        (Image.base("x").env(A="b").workdir("/x").user("y"), "<Image base(…).env(…).workdir(…).user(…)>"),
        (Image.base("x").arg("A").env(A="b").workdir("/x").user("y"), "<Image base(…)….env(…).workdir(…).user(…)>"),
    ],
)
def test_repr(image: Image, text: str) -> None:
    assert repr(image) == text


def test_repr_shows_no_values() -> None:
    assert "hunter2" not in repr(START.env(PASSWORD="hunter2").run_commands("login hunter2"))
