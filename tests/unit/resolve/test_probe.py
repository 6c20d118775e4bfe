"""The probe, run by this machine's Python as a base's would run it."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from imagebuilder.resolve import probe
from imagebuilder.resolve.uv import normalized

SOURCE = Path(probe.__file__)
SYSTEM = getattr(sys, "_base_executable", sys.executable)


def said(python: str | Path = SYSTEM, **env: str) -> dict[str, Any]:
    argv = [str(python), "-IS", "-c", SOURCE.read_text()]
    found: dict[str, Any] = json.loads(subprocess.run(argv, env=env, capture_output=True, check=True).stdout)
    return found


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    made = tmp_path / "venv"
    subprocess.run([SYSTEM, "-m", "venv", "--without-pip", made], check=True)
    return made


def test_it_says_what_this_python_is() -> None:
    found = said()
    assert found["version"] == ".".join(map(str, sys.version_info[:3]))
    assert found["implementation"] == sys.implementation.name and found["uid"] == os.getuid()
    assert found["executable"] == SYSTEM and found["data"] == sys.base_prefix and not found["in_venv"]
    code = "import json, sysconfig; print(json.dumps(sysconfig.get_paths()))"
    paths = json.loads(subprocess.run([SYSTEM, "-I", "-c", code], capture_output=True, check=True).stdout)
    assert {name: found[name] for name in ("purelib", "platlib", "scripts", "data")} == {
        name: paths[name] for name in ("purelib", "platlib", "scripts", "data")
    }


def test_it_says_what_is_installed() -> None:
    """Also without the module site, which would run what the base has put there."""
    code = "import importlib.metadata as m, json; print(json.dumps([[d.name, d.version] for d in m.distributions()]))"
    there = json.loads(subprocess.run([SYSTEM, "-I", "-c", code], capture_output=True, check=True).stdout)
    assert there, "this Python has pip, at least"
    assert {(normalized(name), version) for name, version in said()["there"]} == {
        (normalized(name), version) for name, version in there
    }


def test_it_tells_of_a_virtual_environment(venv: Path) -> None:
    assert said(venv / "bin/python")["in_venv"] is True


def test_it_tells_of_settings_for_installers(tmp_path: Path) -> None:
    """An index that a base sets would be asked there, and not here."""
    (tmp_path / ".config/uv").mkdir(parents=True)
    (tmp_path / ".config/uv/uv.toml").write_text("")
    before = said(HOME="/nowhere")["settings"]
    found = said(HOME=str(tmp_path), PIP_INDEX_URL="https://x", UV_TARGET="/x", PYTHON_PIP_VERSION="24", OTHER="1")[
        "settings"
    ]
    assert set(found) - set(before) == {"PIP_INDEX_URL", "UV_TARGET", f"{tmp_path}/.config/uv/uv.toml"}
    assert found == sorted(found)


@pytest.mark.parametrize(
    "text",
    ["[tool.uv]\n", '[tool."uv".pip]\n', "[[ tool . uv . index ]]\n", "[tool]\nuv = {}\n", "tool.uv.offline = true\n"],
)
def test_it_tells_of_settings_where_uv_would_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Of that folder, and of those above, as a base's working folder is where an install runs."""
    here = tmp_path / "app/src"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    (here / "pyproject.toml").write_text("[project]\nname = 'app'\n[build-system]\nrequires = ['uv_build']\n")
    before = probe.uv_settings()
    assert not before.startswith(str(tmp_path))
    (tmp_path / "app/pyproject.toml").write_text(f"[project]\nname = 'é'\n{text}", encoding="latin-1")
    assert probe.uv_settings() == str(tmp_path / "app/pyproject.toml")
    (here / "uv.toml").write_text("")
    assert probe.uv_settings() == str(here / "uv.toml")
    (here / "uv.toml").unlink()
    (here / "uv.toml").mkdir()
    assert probe.uv_settings() == str(here / "uv.toml"), "it cannot be read here"


def test_it_lists_folders_and_links(tmp_path: Path) -> None:
    top = tmp_path / "usr"
    (top / "lib/python3/site-packages/pkg").mkdir(parents=True)
    (top / "bin").mkdir(mode=0o700)
    (top / "bin/tool").write_text("")
    (top / "bin/python").symlink_to("tool")
    (top / "lib64").symlink_to("lib")
    deep = top.joinpath(*"abcdefgh")
    deep.mkdir(parents=True)
    found, links = probe.folders(str(top))
    paths = {path: mode for path, mode, _, _ in found}
    assert paths[str(top / "bin")] == 0o700 and str(tmp_path) in paths and "/" not in paths
    assert str(top / "lib/python3/site-packages") in paths
    assert str(top / "lib/python3/site-packages/pkg") not in paths, "packages are not looked into"
    assert not [path for path in paths if "tool" in path or "lib64" in path]
    assert links == [(str(top / "lib64"), str(top / "lib"))], "links among folders; those to files are replaced"
    assert str(deep) not in paths and str(top / "a/b/c/d/e") in paths
    assert found == sorted(found)


def test_links_on_the_way_are_told(tmp_path: Path) -> None:
    (tmp_path / "3.12/lib").mkdir(parents=True)
    (tmp_path / "current").symlink_to("3.12")
    found, links = probe.folders(str(tmp_path / "current"))
    assert links == [(str(tmp_path / "current"), str(tmp_path / "3.12"))]
    assert str(tmp_path) in {path for path, *_ in found}


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(".")
    (tmp_path / "b").symlink_to("c")
    (tmp_path / "c").symlink_to("b")
    _, links = probe.folders(str(tmp_path))
    assert links == [(str(tmp_path / "a"), str(tmp_path))]


def test_where_a_virtual_environment_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in any other base: in a plain folder, where nothing is, and of the Python that uv would find."""
    bin, opt = tmp_path / "bin", tmp_path / "opt"
    bin.mkdir()
    for name in ("python", "python3", "python3.12"):
        (bin / name).symlink_to(sys.executable)
    (bin / "python3.12-config").write_text("")
    monkeypatch.setenv("PATH", f"{tmp_path}/none:{bin}")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(probe, "_VENV", str(opt / "venv"))
    assert probe.takes_venv()
    opt.mkdir(mode=0o777)
    opt.chmod(0o777)
    assert not probe.takes_venv(), "a folder that anybody may write to"
    opt.chmod(0o755)
    assert probe.takes_venv() == (os.getuid() == 0)
    (opt / "venv").symlink_to("nowhere")
    assert not probe.takes_venv(), "there is something"
    (opt / "venv").unlink()
    (tmp_path / "home/.local/share/uv").mkdir(parents=True)
    assert not probe.takes_venv(), "uv has Pythons of its own"
    (tmp_path / "home/.local/share/uv").rmdir()
    (bin / "python3.11").write_text("")
    assert not probe.takes_venv(), "there are several Pythons"
    monkeypatch.setenv("PATH", "")
    assert not probe.takes_venv(), "there is none on the PATH"


def test_an_old_python_understands_it() -> None:
    ast.parse(SOURCE.read_text(), feature_version=(3, 9))


def test_it_imports_nothing_of_the_package() -> None:
    """It is sent to a base as its text."""
    tree = ast.walk(ast.parse(SOURCE.read_text()))
    names = {each.module or "" for each in tree if isinstance(each, ast.ImportFrom)}
    assert not [name for name in names if name.startswith("imagebuilder")]
