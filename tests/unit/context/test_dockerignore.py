"""Ignore files mean what they mean to BuildKit, and what they leave out is not even looked at."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path

import pytest

from imagebuilder.context import read_tree
from imagebuilder.context.patterns import IgnoreRules, ignore_lines
from imagebuilder.diagnostics import Invalid
from imagebuilder.ir.ops import LocalSource
from tests.unit.context.dockerignore_cases import CASES, REFUSED, Case

DECISIONS = [
    pytest.param(case.lines, path, ignored, id=f"{case.what}: {path} {'out' if ignored else 'in'}")
    for case in CASES
    for ignored, paths in ((True, case.ignored), (False, case.kept))
    for path in paths
]


def is_ignored(rules: IgnoreRules, path: str) -> bool:
    """As the walk decides: every folder on the way hands its matches down."""
    matched: tuple[bool, ...] = ()
    parts = path.split("/")
    for depth in range(1, len(parts)):
        matched = rules.matches("/".join(parts[:depth]), matched)
    return rules.ignores(path, matched)


def test_the_table_is_large_enough_to_mean_something() -> None:
    assert len(DECISIONS) >= 300


@pytest.mark.parametrize(("lines", "path", "ignored"), DECISIONS)
def test_decision(lines: str, path: str, ignored: bool) -> None:
    assert is_ignored(IgnoreRules(ignore_lines(lines)), path) is ignored


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_a_walk_finds_what_the_rules_keep(case: Case, tmp_path: Path) -> None:
    """Leaving folders out early must never lose a file that is taken back in."""
    for path in (*case.ignored, *case.kept):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (tmp_path / ".dockerignore").write_bytes(case.lines.encode())
    tree = read_tree(str(tmp_path), LocalSource(path=".", dockerignore=".dockerignore"))
    files = {entry.path for entry in tree.entries if entry.type != "dir"} - {".dockerignore"}
    assert files == set(case.kept) - {".dockerignore"}


@pytest.mark.parametrize(("what", "line"), REFUSED, ids=[what for what, _ in REFUSED])
def test_what_is_no_pattern_is_refused(what: str, line: str) -> None:
    with pytest.raises(Invalid) as caught:
        IgnoreRules([line])
    assert caught.value.code == "IB204" and caught.value.help


def test_a_refused_pattern_of_a_file_names_the_file(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("ok\n[a\n")
    with pytest.raises(Invalid, match=r"\.dockerignore: .*'\[a'"):
        read_tree(str(tmp_path), LocalSource(path=".", dockerignore=".dockerignore"))


def test_a_pattern_of_the_call_is_read_after_the_file(tmp_path: Path) -> None:
    for name in ("a.md", "b.md", "c.txt"):
        (tmp_path / name).touch()
    (tmp_path / ".dockerignore").write_text("*.md\n.dockerignore\n")
    source = LocalSource(path=".", dockerignore=".dockerignore", ignore=["!b.md", "c.*"])
    assert [entry.path for entry in read_tree(str(tmp_path), source).entries] == ["b.md"]


@pytest.mark.parametrize(
    ("rule", "folder", "below"),
    [
        ("!a/b/c", "a", True),
        ("!a/b/c", "a/b", True),
        ("!a/b/c", "b", False),
        ("!a/b/c", "a/x", False),
        ("!a*/keep", "abc", True),
        ("!a*/keep", "bcd", False),
        ("!**/keep", "anything/at/all", True),
        ("!a**b/c", "ax", True),
        ("!a[^x]b", "a", True),
        ("!a\\/b", "a", True),
        ("!x[a/]y", "x", True),
        ("a/b", "a", False),
    ],
)
def test_whether_an_ignored_folder_must_be_entered(rule: str, folder: str, below: bool) -> None:
    assert IgnoreRules([rule]).may_include_below(folder) is below


def test_ignored_folders_are_never_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("src/a.py", "node_modules/deep/deeper/x.js", "src/cache/y", "data/keep/z", "data/drop/w"):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (tmp_path / ".dockerignore").write_text("node_modules\n**/cache\ndata\n!data/keep\n.dockerignore\n")
    listed = []
    scandir = os.scandir

    def counted(folder: bytes) -> object:
        listed.append(posixpath.normpath(Path(os.fsdecode(folder)).relative_to(tmp_path).as_posix()))
        return scandir(folder)

    monkeypatch.setattr("imagebuilder.context.walk.os.scandir", counted)
    tree = read_tree(str(tmp_path), LocalSource(path=".", dockerignore=".dockerignore"))
    assert sorted(listed) == [".", "data", "data/keep", "src"]
    assert [entry.path for entry in tree.entries] == ["data", "data/keep", "data/keep/z", "src", "src/a.py"]


def test_what_is_ignored_may_be_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root reads everything, so the refusal is the test's own."""
    (tmp_path / "private").mkdir()
    (tmp_path / "a").touch()
    scandir = os.scandir

    def refusing(folder: bytes) -> object:
        if folder.endswith(b"/private"):
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr("imagebuilder.context.walk.os.scandir", refusing)
    tree = read_tree(str(tmp_path), LocalSource(path=".", ignore=["private"]))
    assert [entry.path for entry in tree.entries] == ["a"]
    with pytest.raises(Invalid, match=r"cannot read .*private'?: permission denied"):
        read_tree(str(tmp_path), LocalSource(path="."))
