"""Whose layers a build reads, and where its own go."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from imagebuilder.cache.branches import Branches, branches, head, tag

TRUNKS = ("main", "master")


@pytest.mark.parametrize(
    ("env", "own", "others"),
    [
        ({"GITHUB_REF_NAME": "fix", "GITHUB_REF_TYPE": "branch"}, "fix", TRUNKS),
        (
            {"GITHUB_REF_NAME": "7/merge", "GITHUB_HEAD_REF": "main", "GITHUB_BASE_REF": "dev"},
            "7/merge",
            ("main", "dev", "main", "master"),
        ),
        ({"GITHUB_REF_NAME": "v1.0", "GITHUB_REF_TYPE": "tag"}, None, TRUNKS),
        ({"CI_COMMIT_REF_NAME": "fix", "CI_DEFAULT_BRANCH": "trunk"}, "fix", ("trunk", *TRUNKS)),
        ({"CI_COMMIT_REF_NAME": "v1", "CI_COMMIT_TAG": "v1"}, None, TRUNKS),
        ({"BUILDKITE_BRANCH": "fix"}, "fix", TRUNKS),
        ({"CIRCLE_BRANCH": "fix"}, "fix", TRUNKS),
        ({"BITBUCKET_BRANCH": "fix"}, "fix", TRUNKS),
        ({"BRANCH_NAME": "PR-7", "CHANGE_TARGET": "dev"}, "PR-7", ("dev", *TRUNKS)),
        ({"IMAGEBUILDER_CACHE_BRANCH": "mine", "GITHUB_REF_NAME": "fix"}, "mine", TRUNKS),
        ({"GITHUB_REF_NAME": ""}, None, TRUNKS),
    ],
)
def test_services(env: dict[str, str], own: str | None, others: tuple[str, ...], tmp_path: Path) -> None:
    """A fork's pull request cannot write where main's layers are, whatever its branch is called."""
    assert branches(env, tmp_path) == Branches(own, others)


def test_each_is_read_once_its_own_first() -> None:
    assert Branches("main", ("dev", "main", "master")).read == ("main", "dev", "master")
    assert Branches(None, TRUNKS).read == TRUNKS


def git(folder: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=folder, check=True, capture_output=True
    )


def test_elsewhere_gits_head_is_read(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    (repository / "deep/down").mkdir(parents=True)
    assert head(repository / "deep/down") is None
    git(repository, "init", "-q", "-b", "feature/x")
    assert head(repository / "deep/down") == "feature/x", "with no commit yet"
    git(repository, "commit", "-q", "--allow-empty", "-m", "x")
    git(repository, "worktree", "add", "-q", "-b", "other", str(tmp_path / "other"))
    assert head(tmp_path / "other") == "other"
    git(repository, "checkout", "-q", "--detach")
    assert head(repository) is None
    (repository / ".git/HEAD").write_bytes(b"\xff")
    assert head(repository) is None


NAMES = ("main", "feature/x", "feature-x", "Feature/X", "ü", "a b", "x" * 300, "x" * 301, "-", "..", "\udcff", "v1.0_a")


def test_an_images_layers_of_a_branch_have_a_tag_of_their_own() -> None:
    tags = [tag(branch, name) for branch in NAMES for name in ("app", "team/app", "feature", "n" * 200)]
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", each) for each in tags), tags
    assert len(set(tags)) == len(tags)
    assert tag("main", "app").startswith("cache-app-main-")
    assert tag("main", "app:1.0") == tag("main", "app:2.0"), "the next version begins with the layers of the last one"
