"""Every case goes through every form and back, and is what it was: equal operations, equal key."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from imagebuilder import CompileError, Image
from imagebuilder.compiler import compile
from imagebuilder.convert import convert
from imagebuilder.frontends import dockerfile, json_document, python_source, snap
from imagebuilder.ir.stage import Stage, ordered
from tests.golden.cases import CASES, EXAMPLES, FILES

FOLDER = Path(__file__).parent
SCHEMA = Path(__file__).parents[2] / "grammars/image.schema.json"
PLATFORM = "linux/amd64"


def folder_of(name: str) -> Path:
    """Where the case's own file lies, so that every root is the written file's folder."""
    return EXAMPLES / name.removeprefix("example_") if name.startswith("example_") else FOLDER


def key(stage: Stage) -> str:
    return compile(Image(stage), platform=PLATFORM).key


@pytest.mark.parametrize("name", CASES)
def test_python(name: str) -> None:
    stage = CASES[name].make().stage
    text = convert(Image(stage), "python", folder_of(name) / "x.py")
    found = python_source.read_source(text, folder_of(name))
    assert found == stage
    assert key(found) == key(stage)


@pytest.mark.parametrize("name", CASES)
def test_snap(name: str) -> None:
    stage = CASES[name].make().stage
    text = convert(Image(stage), "snap", folder_of(name) / "x.snap")
    found = snap.load(folder_of(name) / "x.snap", source=text).snapshots[-1].image.stage
    assert found == stage
    assert key(found) == key(stage)


@pytest.mark.parametrize("name", CASES)
def test_json(name: str) -> None:
    stage = CASES[name].make().stage
    text = convert(Image(stage), "json", folder_of(name) / "x.json")
    found = json_document.read(text, folder_of(name))
    assert found == stage
    assert key(found) == key(stage)


@pytest.mark.parametrize("name", CASES)
def test_a_file_in_another_folder_is_equal_too(name: str, tmp_path: Path) -> None:
    stage = CASES[name].make().stage
    beside_its_modules = name in ("python_source", "python_source_beside_another_path")
    for form in ("json",) if beside_its_modules else ("json", "python", "snap"):
        convert(Image(stage), form, tmp_path / "x")


# What a Dockerfile that stands alone cannot say, and why.
WITHOUT_EQUAL = {
    "env_of_several_lines": "cannot be written here",
    "entrypoint_of_several_lines": "no line holds",
    "folder_ignoring": "add_local_dir",
    "folder_linked": "add_local_dir",
    "labels": "cannot be written here",
    "names_that_are_patterns": "cannot be written here",
    "pip_requirements": "pip_install_from_requirements",
    "python_source": "add_local_python_source",
    "python_source_beside_another_path": "add_local_python_source",
    "stages": "add_local_dir",
    "text_files": "without a line end",
    "uv_few": "uv_pip_install",
    "example_web_service": "add_local_dir",
}


def context_of(name: str) -> Path:
    return FILES / "docker" if name.startswith("dockerfile_") else folder_of(name)


@pytest.mark.parametrize("name", [name for name in CASES if name not in WITHOUT_EQUAL])
def test_dockerfile(name: str) -> None:
    stage, file = CASES[name].make().stage, context_of(name) / "x.Dockerfile"
    text = convert(Image(stage), "dockerfile", file)
    assert key(dockerfile.read(text, file)) == key(stage)
    # Text that was written so is read and written as the same text.
    assert convert(Image(dockerfile.read(text, file)), "dockerfile", file) == text


@pytest.mark.parametrize("name", WITHOUT_EQUAL)
def test_what_no_dockerfile_says_is_named(name: str) -> None:
    image = CASES[name].make()
    with pytest.raises(CompileError) as error:
        convert(image, "dockerfile", context_of(name) / "x.Dockerfile")
    places = {step.place for stage in ordered(image.stage) for step in stage.steps}
    for found in error.value.diagnostics:
        assert WITHOUT_EQUAL[name] in found.message
        assert found.place in places and found.help


def test_json_is_valid_by_the_published_schema() -> None:
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    for name, case in CASES.items():
        text = convert(case.make(), "json", folder_of(name) / "x.json")
        assert not [error.message for error in validator.iter_errors(json.loads(text))], name


def test_python_is_formatted_already(tmp_path: Path) -> None:
    """By the rules of a formatter at its defaults: a person who runs one over the file sees no change."""
    for name, case in CASES.items():
        text = convert(case.make(), "python", folder_of(name) / "x.py")
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    command = [Path(sys.executable).parent / "ruff", "format", "--isolated", "--diff", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
