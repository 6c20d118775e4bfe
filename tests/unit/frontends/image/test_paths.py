"""Relative paths start at the file that names them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagebuilder import CompileError, Image
from tests.unit.frontends.image.calls import CALLS, START
from tests.unit.frontends.image.spec import module


def test_paths_start_at_the_calling_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one/data").write_text("one")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "data").write_text("another")
    text = 'from imagebuilder import Image\nimage = Image.scratch().add_local_file("data", "/x")\n'
    monkeypatch.chdir(tmp_path / "one")
    here = module(tmp_path / "one", text).image
    key = here.key()
    monkeypatch.chdir(elsewhere)
    again = module(tmp_path / "one", text).image
    assert again == here and again.key() == key
    assert Image.scratch().add_local_file(elsewhere / "data", "/x").key() != key


def test_paths_of_a_helper_start_at_the_helpers_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a function in another file names lies beside that file, whoever calls it."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/data").write_text("the library's")
    (tmp_path / "data").write_text("the caller's")
    helper = module(tmp_path / "lib", 'def add(image):\n    return image.add_local_file("data", "/x")\n', "helper.py")
    image = helper.add(START)
    assert image.stage.steps[0].root == str(tmp_path / "lib")


def test_paths_of_code_without_a_file_start_at_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").touch()
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {}
    exec("from imagebuilder import Image\nimage = Image.scratch().add_local_file('data', '/x')", scope)
    monkeypatch.chdir("/")
    assert scope["image"].stage.steps[0].root == str(tmp_path)
    assert scope["image"].key().startswith("sha256:")


def test_only_what_reads_files_knows_a_folder() -> None:
    """Two projects that say the same without files are the same."""
    for name, call in CALLS.items():
        (step, *_) = call(START).stage.steps
        assert bool(step.root) is type(step.op).reads_files, name


@pytest.mark.parametrize(
    "call",
    [
        lambda image: image.pip_install_from_requirements("gone.txt"),
        lambda image: image.pip_install_from_pyproject("gone"),
        lambda image: Image.from_dockerfile("gone/Dockerfile"),
    ],
)
def test_what_is_read_at_once_is_missed_at_once(call: Callable[[Image], Image]) -> None:
    with pytest.raises(CompileError) as caught:
        call(START)
    assert "gone" in caught.value.diagnostics[0].message


@pytest.mark.parametrize("call", [lambda i: i.add_local_file("gone", "/x"), lambda i: i.add_local_dir("gone", "/x")])
def test_what_is_read_later_is_missed_later(call: Callable[[Image], Image]) -> None:
    image = call(START)
    with pytest.raises(CompileError) as caught:
        image.key()
    place = caught.value.diagnostics[0].place
    assert place is not None and place.resolve().file == __file__
