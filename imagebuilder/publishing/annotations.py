"""What a pushed image's index says of where it comes from.

Never the address of the repository: it may hold a password, and is nobody's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from subprocess import TimeoutExpired

from imagebuilder import command
from imagebuilder.compiler import Plan
from imagebuilder.diagnostics import EngineError

KEY = "io.imagebuilder.key"
LOCK = "io.imagebuilder.lock"
REVISION = "org.opencontainers.image.revision"
CREATED = "org.opencontainers.image.created"

_TIMEOUT = 20.0
# A hook of Git's runs with these, and they would decide which repository is asked.
_OF_A_HOOK = {"GIT_DIR": None, "GIT_WORK_TREE": None, "GIT_INDEX_FILE": None}


def said_of(plan: Plan, lock: Path | None, created: str) -> Mapping[str, str]:
    """By their names.

    Args:
        lock: the file that answered the description, if any.
        created: when the image was made; empty where nothing in it tells that.
    """
    told = {KEY: plan.key}
    if lock is not None:
        told[LOCK] = "sha256:" + sha256(lock.read_bytes()).hexdigest()
    if found := _revision_of(plan):
        told[REVISION] = found
    if created:
        told[CREATED] = created
    return told


def _revision_of(plan: Plan) -> str:
    places = [*(step.place for step in plan.stage.steps[-1:]), plan.stage.place]
    files = (Path(place.resolve().file).absolute() for place in places if place is not None)
    return next((found for file in dict.fromkeys(files) if (found := revision(file))), "")


def revision(file: Path) -> str:
    """The commit that is checked out where a file lies, with ``-dirty`` where anything in its repository is changed or
    not committed; empty where the file is in no repository, or not known to it."""
    if not file.is_file() or not _git(file, "ls-files", "--error-unmatch", "--", file.name):
        return ""
    head, changed = _git(file, "rev-parse", "--verify", "HEAD"), _git(file, "status", "--porcelain")
    return f"{head}-dirty" if head and changed != "" else head or ""


def _git(file: Path, *words: str) -> str | None:
    """What Git said, or None where it would not."""
    try:
        done = command.run(["git", "--no-optional-locks", *words], env=_OF_A_HOOK, timeout=_TIMEOUT, cwd=file.parent)
    except (EngineError, TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None
