"""The revision of a source is told where Git knows it, and only as far as it is true."""

from __future__ import annotations

import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from imagebuilder import Image
from imagebuilder.compiler import compile
from imagebuilder.diagnostics import Span
from imagebuilder.publishing.annotations import KEY, LOCK, REVISION, revision, said_of


def git(folder: Path, *words: str) -> str:
    argv = ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@example.com", *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in a repository's folder, committed."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    folder = tmp_path / "repository/app"
    folder.mkdir(parents=True)
    git(tmp_path / "repository", "init", "-q")
    path = folder / "app.snap"
    path.write_text("snap 1\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "one")
    return path


def test_a_commit_is_named_and_changes_to_it_show(spec: Path) -> None:
    head = git(spec.parent, "rev-parse", "HEAD")
    assert revision(spec) == head
    (spec.parent.parent / "new").write_text("")
    assert revision(spec) == f"{head}-dirty", "an image may hold what is not committed"


def test_a_file_that_git_does_not_know_has_no_revision(spec: Path, tmp_path: Path) -> None:
    other = spec.with_name("other.snap")
    other.write_text("snap 1\n")
    outside = tmp_path / "outside.snap"
    outside.write_text("snap 1\n")
    assert [revision(path) for path in (other, outside, tmp_path / "absent")] == ["", "", ""]


def test_a_hooks_environment_does_not_lead_elsewhere(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert len(revision(spec)) == 40


def test_no_git_is_no_revision(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert revision(spec) == ""


def test_all_that_is_said(spec: Path, tmp_path: Path) -> None:
    image = Image.base("debian")
    plan = compile(image, platform="linux/amd64")
    object.__setattr__(plan.stage, "place", Span(str(spec), 1))
    lock = tmp_path / "app.lock"
    lock.write_text("version = 1\n")
    assert said_of(plan, lock, "") == {
        KEY: plan.key,
        LOCK: "sha256:" + sha256(b"version = 1\n").hexdigest(),
        REVISION: revision(spec),
    }
