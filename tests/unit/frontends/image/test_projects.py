"""Files that Python projects have."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder import CompileError
from tests.unit.frontends.image.calls import START


@pytest.mark.parametrize(
    ("text", "includes"),
    [
        ("six\n", ()),
        ("-r more.txt\n", ("more.txt",)),
        ("--requirement more.txt\n-c deep/limits.txt # why\n", ("more.txt", "deep/limits.txt")),
        ("--requirement=more.txt\n", ("more.txt",)),
        ("# -r gone.txt\n", ()),
        ("-r requirements.txt\n", ()),
        ("-r deep/chain.txt\n", ("deep/chain.txt", "deep/limits.txt")),
        ("-r deep/../more.txt\n", ("more.txt",)),
    ],
)
def test_requirements_bring_the_files_they_name(files: Path, text: str, includes: tuple[str, ...]) -> None:
    (files / "deep").mkdir()
    (files / "more.txt").write_text("numpy\n")
    (files / "deep/limits.txt").write_text("numpy<3\n")
    (files / "deep/chain.txt").write_text("-c limits.txt\n")
    (files / "requirements.txt").write_text(text)
    op = START.pip_install_from_requirements("files/requirements.txt").stage.steps[0].op
    assert op.includes == includes


def test_a_chain_of_requirements_may_be_long(files: Path) -> None:
    names = [f"{number}.txt" for number in range(1500)]
    for name, other in zip(["requirements.txt", *names], [*names, "requirements.txt"], strict=True):
        (files / name).write_text(f"six\n-r {other}\n")
    op = START.pip_install_from_requirements("files/requirements.txt").stage.steps[0].op
    assert op.includes == tuple(names)


def test_a_text_without_an_end_is_not_read(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as /proc/kcore, which a stranger's .snap file may name."""
    monkeypatch.setattr("imagebuilder.files.MAX_TEXT", 10)
    (files / "requirements.txt").write_text("x" * 11)
    with pytest.raises(CompileError, match=r"IB201.*file too large"):
        START.pip_install_from_requirements("files/requirements.txt")


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("-r gone.txt\n", "IB201", "gone.txt"),
        ("six\n-r ../outside.txt\n", "IB127", "requirements.txt:2"),
        ("-e .\n", "IB127", "requirements.txt:1"),
        ("six\n\n./local\n", "IB127", "requirements.txt:3"),
        ("file:///x\n", "IB127", "local code"),
        ("six\n--index-url https://me:hunter2@host/simple\n", "IB107", "requirements.txt:2"),
        ("\xff", "IB202", "UTF-8"),
    ],
)
def test_requirements_that_are_refused(files: Path, text: str, code: str, says: str) -> None:
    (files / "requirements.txt").write_bytes(text.encode("latin-1"))
    with pytest.raises(CompileError) as caught:
        START.pip_install_from_requirements("files/requirements.txt")
    (found,) = caught.value.diagnostics
    assert found.code == code and says in found.message and "hunter2" not in str(caught.value)
    assert found.place is not None and found.place.resolve().file == __file__


def test_pyproject_dependencies() -> None:
    for path in ("files", "files/pyproject.toml"):
        assert START.pip_install_from_pyproject(path).stage.steps[0].op.packages == ("six",)
    assert START.pip_install_from_pyproject("files", ["dev"]).stage.steps[0].op.packages == ("pytest", "six")


def test_extras_of_the_project_itself_are_those_of_the_file(files: Path) -> None:
    """An index is not asked for them: what it has under that name is another project."""
    (files / "pyproject.toml").write_text(
        "[project]\nname = 'My_App'\ndependencies = ['six', 'my-apps[web]']\n[project.optional-dependencies]\n"
        "all = ['my.app[web, dev-tools]', ' MY-APP[all] ']\nweb = ['flask', 'my-app[all]']\nDev_Tools = ['pytest']\n"
    )
    found = START.pip_install_from_pyproject("files", ["all"]).stage.steps[0].op.packages
    assert found == ("flask", "my-apps[web]", "pytest", "six")


@pytest.mark.parametrize(
    ("text", "extras", "code", "hint"),
    [
        ("[project]\nname='x'\n", "dev", "IB129", "no optional dependencies"),
        ("[project]\n[project.optional-dependencies]\ndevel=[]\n", "devl", "IB129", "did you mean 'devel'?"),
        (
            "[project]\nname='x'\ndependencies=['X[de]']\noptional-dependencies.dev=[]\n",
            "",
            "IB129",
            "did you mean 'dev'?",
        ),
        ("[project\n", "", "IB128", ""),
        ("project = 3\n", "", "IB128", ""),
        ("[project]\ndependencies = 'six'\n", "", "IB128", ""),
        ("[project]\ndependencies = [3]\n", "", "IB128", ""),
        ("[project]\noptional-dependencies = []\n", "dev", "IB128", "PEP 621"),
        ("[project.optional-dependencies]\ndev = 'six'\n", "dev", "IB128", "PEP 621"),
        ("[tool.poetry.dependencies]\nsix = '*'\n", "", "IB128", "PEP 621"),
        ("[project]\ndynamic = ['dependencies']\n", "", "IB128", "write them into the file"),
        ("[project]\ndynamic = 5\n", "", "IB128", "PEP 621"),
        ("[project]\ndynamic = [[]]\n", "", "IB128", "PEP 621"),
        (f"x = {'[' * 9999}", "", "IB128", ""),
    ],
)
def test_a_pyproject_that_is_refused(files: Path, text: str, extras: str, code: str, hint: str) -> None:
    (files / "pyproject.toml").write_text(text)
    with pytest.raises(CompileError) as caught:
        START.pip_install_from_pyproject("files", extras or ())
    (found,) = caught.value.diagnostics
    assert found.code == code and hint in found.help
    assert found.place is not None and found.place.resolve().file == __file__
