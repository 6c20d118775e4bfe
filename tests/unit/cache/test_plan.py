"""What a build would do, and what stands in its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder import Image
from imagebuilder.cache.advice import ignorable, suspects
from imagebuilder.cache.plan import Report, foretell
from imagebuilder.context import read_tree
from imagebuilder.ir.ops import LocalSource
from imagebuilder.store import Store
from tests.unit.cache.recorded import Past, planned

BASE = Image.base("debian:12")
TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return Past(tmp_path / "home")


def plan(past: Past, image: Image, tmp_path: Path) -> Report:
    return foretell(planned(image), "app", past.history, Store(tmp_path / "home"))


def states(report: Report) -> list[tuple[str, str]]:
    return [(step.state, step.step.verb) for step in report.steps]


def test_all_of_it_runs_at_first(past: Past, tmp_path: Path) -> None:
    report = plan(past, BASE.env(A="1").run_commands("x").add_text("y", "/y"), tmp_path)
    assert states(report) == [("sets", "env"), ("runs", "run_commands"), ("runs", "add_text")]
    assert (report.running, report.working, report.built, report.why) == (2, 2, None, None)
    assert [step["hit"] for step in report.as_json()["steps"]] == [False, False, False]


def test_what_another_image_has_made_is_there(past: Past, tmp_path: Path) -> None:
    past.built(BASE.run_commands("x").run_commands("y"), name="other")
    report = plan(past, BASE.run_commands("x").run_commands("z"), tmp_path)
    assert states(report) == [("cached", "run_commands"), ("runs", "run_commands")]


def test_what_a_failed_build_has_made_is_there(past: Past, tmp_path: Path) -> None:
    past.built(BASE.run_commands("x").run_commands("y"), well=False, steps=1)
    report = plan(past, BASE.run_commands("x").run_commands("y"), tmp_path)
    assert states(report) == [("cached", "run_commands"), ("runs", "run_commands")]


def test_downloads_may_have_changed(past: Past, tmp_path: Path) -> None:
    sure = BASE.add_url("https://e.org/a", "/a", checksum="sha256:" + "0" * 64)
    image = sure.add_url("https://e.org/b", "/b").git_clone("https://e.org/c.git", "/c")
    past.built(image)
    assert [step.downloads for step in plan(past, image, tmp_path).steps] == [False, True, True]


def test_the_bytes_of_each_step(past: Past, tmp_path: Path) -> None:
    src = tmp_path / "src"
    src.mkdir()
    (src / "a").write_text("x" * 100)
    (src / "b").write_text("x" * 23)
    report = plan(past, BASE.add_local_dir(src, "/app").add_local_file(src / "b", "/b").run_commands("x"), tmp_path)
    assert [step["context_bytes"] for step in report.as_json()["steps"]] == [123, 23, 0]
    assert report.as_json()["largest"][0] == {"path": f"{src}/a", "bytes": 100}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    return root


def put(root: Path, **sizes: int | str) -> None:
    for path, content in sizes.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else "x" * content)


def found(root: Path) -> list[tuple[str, int, int]]:
    entries = read_tree(str(root), LocalSource(path=".")).entries
    return [(each.pattern, each.files, each.bytes) for each in ignorable(entries)]


def test_what_no_image_needs(tree: Path) -> None:
    put(tree, **{
        ".git/HEAD": 5, ".git/objects/ab/cd": 500, "app.py": 7, "__pycache__/app.cpython-313.pyc": 20,
        "pkg/__pycache__/x.pyc": 30, "web/node_modules/a/b.js": 100, "web/node_modules/a/node_modules/c/d.js": 50,
        ".venv/lib/x.py": 300, "env/pyvenv.cfg": 10, "env/lib/y.py": 15, "stray.pyc": 1, "sub/.DS_Store": 2,
    })  # fmt: skip
    assert found(tree) == [
        (".git", 2, 505), (".venv", 1, 300), ("**/node_modules", 2, 150), ("**/__pycache__", 2, 50), ("env", 2, 25),
        ("**/.DS_Store", 1, 2), ("**/*.py[co]", 1, 1),
    ]  # fmt: skip


def test_what_may_well_be_meant(tree: Path) -> None:
    put(tree, **{"build/x": 10, "dist/app.js": 10, "target/y": 10, "env/config": 5, "coverage/z": 1, ".env.example": 3})
    assert found(tree) == []


def test_what_a_tool_made(tree: Path) -> None:
    put(tree, **{
        "py/pyproject.toml": 1, "py/build/x": 10, "py/dist/x.whl": 20, "rust/Cargo.toml": 1, "rust/target/debug/a": 400,
        "py/src/a.egg-info/PKG-INFO": 3,
    })  # fmt: skip
    assert [row[0] for row in found(tree)] == ["rust/target", "py/dist", "py/build", "py/src/a.egg-info"]


def test_the_patterns_leave_it_out(tree: Path) -> None:
    """What is told to be written does what it says."""
    put(tree, **{".git/HEAD": 5, "a/__pycache__/x.pyc": 1, "__pycache__/y.pyc": 1, "w/node_modules/m": 2, "py/setup.py": 1,
                 "py/build/x": 3, "keep": 1, "a/keep": 1, "x.pyc": 1})  # fmt: skip
    entries = read_tree(str(tree), LocalSource(path=".")).entries
    patterns = tuple(each.pattern for each in ignorable(entries))
    left = read_tree(str(tree), LocalSource(path=".", ignore=patterns)).entries
    assert [e.path for e in left if e.type == "file"] == ["a/keep", "keep", "py/setup.py"]


def secrets(root: Path) -> list[tuple[str, str, int]]:
    read = read_tree(str(root), LocalSource(path="."))
    rows, _ = suspects(read, read.entries)
    return [(each.path, each.why, each.line) for each in rows]


KEY = "-----BEGIN RSA PRIVATE KEY-----\n" + "Ab1" * 20 + "\n-----END RSA PRIVATE KEY-----\n"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\n" + "Ab1" * 20 + "\n-----END CERTIFICATE-----\n"


def test_what_may_be_secret(tree: Path) -> None:
    put(tree, **{
        ".env": "A=1", "conf/credentials.json": "{}", ".ssh/id_ed25519": "x", "server.key": KEY, "home/.aws/credentials": "x",
        ".npmrc": "//r/:_authToken=x", "code.py": f"x = 1\ny = '{TOKEN}'\n", "deploy.txt": f"\n\n{KEY}",
    })  # fmt: skip
    assert secrets(tree) == [
        (".env", "named like a file of secrets", 0),
        (".npmrc", "named like a file of secrets", 0),
        (".ssh/id_ed25519", "a private key", 0),
        ("code.py", "holds what has the form of a GitHub token", 2),
        ("conf/credentials.json", "named like a file of secrets", 0),
        ("deploy.txt", "holds what has the form of a private key", 3),
        ("home/.aws/credentials", "named like a file of secrets", 0),
        ("server.key", "a private key", 0),
    ]


def test_what_is_none(tree: Path) -> None:
    put(tree, **{
        ".env.example": "A=1", ".env": "", "ca.pem": CERTIFICATE, "translations.key": "a word", ".npmrc": "fund=false",
        "credentials.sample.json": "{}", "id_rsa.pub": "ssh-rsa AAAA", "token.py": "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "image.bin": "\0" + TOKEN, "node_modules/x/readme.md": TOKEN,
    })  # fmt: skip
    assert secrets(tree) == []


def test_no_secret_is_printed(past: Past, tree: Path, tmp_path: Path) -> None:
    put(tree, **{"code.py": TOKEN, "k.pem": KEY})
    report = plan(past, BASE.add_local_dir(tree, "/app"), tmp_path)
    assert len(report.local[0].suspects) == 2
    assert TOKEN not in str(report.as_json()) and "Ab1Ab1" not in str(report.as_json())


def test_what_was_not_searched_is_counted(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagebuilder.cache.advice._MOST_FILES", 2)
    put(tree, a="1", b="2", c="3", d="4")
    read = read_tree(str(tree), LocalSource(path="."))
    assert suspects(read, read.entries)[1] == 2
