"""What explain and plan print for people, word for word: `pytest tests/golden --update` writes it anew, to be read."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from imagebuilder.cli.main import run
from imagebuilder.engine.fake import FakeEngine

EXPECTED = Path(__file__).parent / "explained"

SNAP = """\
snap 1

param level: string = info

image tool from debian_slim 3.13 {
    run_commands "make -C /src tool"
}

snapshot "app:1.0" from debian_slim 3.13 {
    env LEVEL="{level}"
    pip_install six==1.16 idna
    pip_install_from_requirements requirements.txt
    add_local_dir src /app/src ignore=[**/*.log]
    run_commands "python -m compileall -q /app/src"
    copy_from tool /out/tool /usr/local/bin/tool
    label version=1
    cmd [python, -m, src.app]
}
"""
PYTHON = """\
from imagebuilder import Image

base = Image.debian_slim("3.13").apt_install("git")
image = (
    base.add_local_dir("src", "/app/src")
    .run_commands("make")
    .env({"API_KEY": "s3cr3t-Value-1"})
    .cmd(["python"])
)
"""
MATRIX = """\
snap 1

matrix size=[small, large] {
    snapshot "{size}" from debian_slim 3.13 {
        run_commands "make {size}"
        add_local_file requirements.txt /r.txt
    }
}
"""


def edit(name: str, old: str, new: str) -> Callable[[], object]:
    def change() -> None:
        text = Path(name).read_text()
        assert old in text
        Path(name).write_text(text.replace(old, new))

    return change


def many_files() -> None:
    Path("src/app.py").rename("src/main.py")
    Path("src/run.sh").chmod(0o755)
    Path("src/.env").write_text("TOKEN=1")
    Path("src/__pycache__").mkdir()
    Path("src/__pycache__/main.cpython-313.pyc").write_bytes(b"x" * 2000)


def all_at_once() -> None:
    edit("app.snap", "six==1.16 idna", "six==1.17 urllib3")()
    edit("app.snap", "-C /src tool", "-C /src tool install")()
    edit("requirements.txt", "click==8.1", "click==8.2")()
    edit("app.snap", "version=1", "version=2")()


Case = tuple[str, Callable[[], object], list[str]]
CASES: dict[str, Case] = {
    "a_file": ("app.snap", edit("src/app.py", "1", "2"), ["explain", "app.snap"]),
    "a_file_planned": ("app.snap", edit("src/app.py", "1", "2"), ["plan", "app.snap"]),
    "many_files": ("app.snap", many_files, ["explain", "app.snap"]),
    "many_files_planned": ("app.snap", many_files, ["plan", "app.snap"]),
    "all_at_once": ("app.snap", all_at_once, ["explain", "app.snap"]),
    "a_parameter": ("app.snap", lambda: None, ["explain", "app.snap", "--param", "level=debug"]),
    "a_label": ("app.snap", edit("app.snap", "version=1", "version=2"), ["explain", "app.snap"]),
    "a_base": ("app.snap", edit("app.snap", '"app:1.0" from debian_slim 3.13', '"app:1.0" from debian_slim 3.12'),
               ["explain", "app.snap"]),
    "a_new_step": ("app.snap", edit("app.snap", "    label", "    workdir /app\n    label"), ["explain", "app.snap"]),
    "a_removed_step": ("app.snap", edit("app.snap", "    copy_from tool /out/tool /usr/local/bin/tool\n", ""),
                       ["explain", "app.snap"]),
    "a_platform": ("app.snap", lambda: None, ["explain", "app.snap", "--platform", "linux/arm64"]),
    "nothing": ("app.snap", lambda: None, ["explain", "app.snap"]),
    "nothing_planned": ("app.snap", lambda: None, ["plan", "app.snap"]),
    "python": ("app.py", edit("app.py", '"make"', '"make install"'), ["explain", "app.py"]),
    "a_hidden_value": ("app.py", edit("app.py", "Value-1", "Value-2"), ["explain", "app.py"]),
    "a_matrix": ("matrix.snap", edit("requirements.txt", "8.1", "8.2"), ["explain", "matrix.snap"]),
    "one_of_a_matrix": ("matrix.snap", edit("matrix.snap", "small, large", "small, huge"), ["explain", "matrix.snap"]),
    "a_dockerfile": ("Dockerfile", edit("Dockerfile", "RUN make", "RUN make all"), ["explain", "Dockerfile"]),
}  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "app.snap").write_text(SNAP)
    (folder / "matrix.snap").write_text(MATRIX)
    (folder / "app.py").write_text(PYTHON)
    (folder / "Dockerfile").write_text('FROM debian:12\nCOPY src /app\nRUN make\nCMD ["app"]\n')
    (folder / "requirements.txt").write_text("requests==2.31\nclick==8.1\n")
    (folder / "src/app.py").write_text("print(1)\n")
    (folder / "src/run.sh").write_text("#!/bin/sh\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("IMAGEBUILDER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    engine = FakeEngine()
    monkeypatch.setattr("imagebuilder.client.connect", lambda home: engine)
    return folder


@pytest.mark.parametrize("name", CASES)
def test_explained(name: str, project: Path, capsys: pytest.CaptureFixture[str], update: bool) -> None:
    target, change, words = CASES[name]
    platform = [] if "--platform" in words else ["--platform", "linux/amd64"]
    assert run(["build", target, "--platform", "linux/amd64"]) == 0
    change()
    capsys.readouterr()
    assert run([*words, *platform]) == 0
    out, err = capsys.readouterr()
    text = re.sub(r"sha256:[0-9a-f]{64}", "sha256:…", f"$ imagebuilder {' '.join(words)}\n{out}{err}")
    assert "s3cr3t" not in text and str(project) not in text
    file = EXPECTED / f"{name}.txt"
    if update:
        file.write_text(text)
    assert text == file.read_text()


def test_no_file_is_left_over() -> None:
    assert {path.stem for path in EXPECTED.iterdir()} == set(CASES)
