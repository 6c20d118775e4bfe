"""What is said of a command that the engine could not start: its runtime says it in the place of output."""

from __future__ import annotations

import re
from collections.abc import Sequence

BEGIN = b"OCI runtime exec failed: "
EXIT_CODES = (126, 127, 128)
_CAUSE = re.compile(r"unable to start container process: (?:exec: )?(?P<cause>.*)", re.DOTALL)


def not_started(said: str, words: Sequence[str], cwd: str | None) -> str:
    """One line in the place of what the runtime said, as a shell would put it."""
    match = _CAUSE.search(said)
    cause = (match["cause"] if match else said.removeprefix(BEGIN.decode())).strip()
    if cwd is not None and "Cwd must be an absolute path" in cause:
        return f"the folder to run in has to start with a slash: {cwd!r}"
    if cwd is not None and "chdir to cwd" in cause:
        what = "is no folder" if "not a directory" in cause else "is not in the sandbox"
        what = "may not be entered" if "permission denied" in cause else what
        return f"the folder to run in {what}: {cwd!r}"
    if "not found" in cause or "no such file" in cause:
        return f"the sandbox has no command {words[0]!r}{_meant(words)}"
    if "permission denied" in cause:
        return f"{words[0]!r} is {'a folder' if 'is a directory' in cause else 'no program that may be run'}"
    return cause


def _meant(words: Sequence[str]) -> str:
    first = words[0]
    if first.startswith("-"):
        return "; options stand before the sandbox's name"
    if len(words) == 1 and re.search(r"[\s;|&<>$]", first):
        return "; a shell runs a line: sh -c LINE"
    if first in ("cd", "export", "source", "."):
        return "; only a shell has it: sh -c LINE"
    return ""
