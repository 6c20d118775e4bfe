"""The wheel, installed where no source tree is, does what the source tree does."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import imagebuilder
from tests.conftest import ROOT, Cli


def run(*argv: str | Path, cwd: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        list(map(str, argv)), cwd=cwd, env=env, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    argv = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a virtual environment that has the wheel and what it depends on."""
    place = tmp_path_factory.mktemp("elsewhere") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, capture_output=True)
    argv = [place / "bin/pip", "install", "--quiet", "--disable-pip-version-check", wheel]
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return place / "bin"


@pytest.fixture
def outside(env: dict[str, str]) -> dict[str, str]:
    """An environment from which the source tree cannot be imported."""
    return {name: value for name, value in env.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


def test_what_is_in_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        text = archive.read(metadata).decode()
    packaged = {name for name in names if name.startswith("imagebuilder/")}
    here = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "imagebuilder").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packaged == here, "a file of the package is missing, or one too many is there"
    assert "imagebuilder/py.typed" in packaged
    assert {name.partition("/")[0] for name in names} == {"imagebuilder", metadata.partition("/")[0]}
    assert "License-Expression: Apache-2.0" in text and "Requires-Python: >=3.11" in text


def test_it_works_elsewhere(installed: Path, outside: dict[str, str], cli: Cli, tmp_path: Path, name: str) -> None:
    program = installed / "imagebuilder"
    where = run(
        installed / "python", "-c", "import imagebuilder; print(imagebuilder.__file__)", cwd=tmp_path, env=outside
    )
    assert Path(where.strip()).is_relative_to(installed.parent)
    assert run(program, "--version", cwd=tmp_path, env=outside) == f"imagebuilder {imagebuilder.__version__}\n"

    example = ROOT / "examples/multi_stage/multi_stage.py"
    for command in ("render", "hash"):
        assert run(program, command, example, cwd=tmp_path, env=outside) == cli(command, example).out

    text = f'from imagebuilder import Image\nimage = Image.debian_slim("3.13").env({{"ID": "{name}"}}).run_commands("true", "echo $ID >/id")\n'
    (tmp_path / "spec.py").write_text(text)
    built = json.loads(run(program, "build", "spec.py", "--name", name, "--json", cwd=tmp_path, env=outside))
    assert (built["state"], built["reused"]) == ("active", False)
    seen = run(outside["TEST_DOCKER"], "run", "--rm", built["image"], "cat", "/id", cwd=tmp_path, env=outside)
    assert seen == f"{name}\n"
    checks = {
        found["subject"]: found["status"]
        for found in json.loads(run(program, "doctor", "--json", cwd=tmp_path, env=outside))
    }
    assert checks["engine"] == checks["buildx"] == "ok"


def test_a_type_checker_sees_its_types(installed: Path, outside: dict[str, str], tmp_path: Path) -> None:
    """``py.typed`` and the lazy names of the package: mypy knows what ``Image`` is."""
    (tmp_path / "use.py").write_text("from imagebuilder import Image\nreveal_type(Image.scratch().key())\n")
    argv = [
        sys.executable,
        "-m",
        "mypy",
        "--python-executable",
        installed / "python",
        "--cache-dir",
        tmp_path / "mypy",
        "use.py",
    ]
    assert 'Revealed type is "str"' in run(*argv, cwd=tmp_path, env=outside).replace("builtins.", "")
