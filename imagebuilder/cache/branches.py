"""Which branch is built: it decides whose layers are read, and where this build's go. Never part of a key.

A CI service says it in its variables; elsewhere Git's HEAD is read, as a file.
Of a tag's build nothing is written: its layers would be read by nobody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

# Read besides the branch's own, since a new branch begins at one of them.
_TRUNKS = ("main", "master")
_LONGEST = 40

# Of one service each: what is set in a tag's build; the branch's own; others worth reading.
# A pull request is told apart by its number where there is one: the name of its branch is a stranger's to choose.
_SERVICES: tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    ((), ("GITHUB_REF_NAME",), ("GITHUB_HEAD_REF", "GITHUB_BASE_REF")),
    (("CI_COMMIT_TAG",), ("CI_COMMIT_REF_NAME",), ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "CI_DEFAULT_BRANCH")),
    (("BUILDKITE_TAG",), ("BUILDKITE_BRANCH",), ("BUILDKITE_PULL_REQUEST_BASE_BRANCH",)),
    (("CIRCLE_TAG",), ("CIRCLE_BRANCH",), ()),
    (("BITBUCKET_TAG",), ("BITBUCKET_BRANCH",), ("BITBUCKET_PR_DESTINATION_BRANCH",)),
    (("TAG_NAME",), ("BRANCH_NAME",), ("CHANGE_TARGET",)),
)
OVERRIDE = "IMAGEBUILDER_CACHE_BRANCH"


@dataclass(frozen=True, slots=True)
class Branches:
    """``own`` is written to and read, None where nothing shall be written; ``others`` are read."""

    own: str | None
    others: tuple[str, ...] = ()

    @property
    def read(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*((self.own,) if self.own else ()), *self.others)))


def branches(env: Mapping[str, str], folder: Path) -> Branches:
    """The branches of a build.

    Args:
        env: the environment.
        folder: somewhere in the repository.
    """
    if chosen := env.get(OVERRIDE):
        return Branches(chosen, _TRUNKS)
    for tags, owns, others in _SERVICES:
        own = next((env[name] for name in owns if env.get(name)), "")
        if own:
            a_tag = any(env.get(name) for name in tags) or env.get("GITHUB_REF_TYPE") == "tag"
            more = tuple(env[name] for name in others if env.get(name))
            return Branches(None if a_tag else own, (*more, *_TRUNKS))
    return Branches(head(folder), _TRUNKS)


def head(folder: Path) -> str | None:
    """The branch that is checked out there, or None."""
    for parent in (folder, *folder.parents):
        git = parent / ".git"
        try:
            if git.is_file():  # A worktree, or a submodule.
                text = git.read_text(encoding="utf-8").strip()
                git = parent / text.removeprefix("gitdir:").strip()
            if not git.is_dir():
                continue
            text = (git / "HEAD").read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return None
        reference = text.removeprefix("ref: refs/heads/")
        return reference if reference != text and reference else None
    return None


def tag(branch: str, name: str) -> str:
    """A tag for the layers of the images of that name on that branch; no two share one.

    >>> tag("feature/x", "web:1.0")
    'cache-web-feature-x-d695a094'
    """
    name = name.partition(":")[0]
    hash = sha256(f"{branch}\0{name}".encode(errors="surrogateescape")).hexdigest()[:8]
    return "-".join(("cache", *filter(None, (_kept(name), _kept(branch))), hash))


def _kept(text: str) -> str:
    """What a tag can hold of it."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", text)[:_LONGEST].strip("-")
