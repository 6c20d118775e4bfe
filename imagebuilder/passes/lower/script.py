"""Shell text for ``run``: one command as it is, several as a script that stops at the first failure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from imagebuilder.ir.ops import Mount, Secret

# A list longer than this stands one word to a line, so that a diff shows what changed.
_WORDS_IN_A_LINE = 3


def script(*commands: str, trace: bool = True) -> str:
    """``set -e`` ends at the first failure, ``-x`` shows in the log which command it was.

    Args:
        trace: False where a command may hold a secret, which ``-x`` would print.
    """
    if len(commands) == 1 and "\n" not in commands[0]:
        return commands[0]
    return "\n".join(("set -ex" if trace else "set -e", *commands))


def words(values: Sequence[str]) -> str:
    """The words, quoted for a shell, as the tail of a command line."""
    quoted = [shlex.quote(value) for value in values]
    if len(quoted) <= _WORDS_IN_A_LINE:
        return " ".join(quoted)
    return "\\\n    " + " \\\n    ".join(quoted)


def cache(target: str, sharing: str = "locked") -> Mount:
    return Mount.model_validate({"type": "cache", "target": target, "sharing": sharing})


def secret(wanted: Secret) -> Mount:
    if wanted.target:
        return Mount(type="secret", id=wanted.name, target=wanted.target, required=True)
    return Mount(type="secret", id=wanted.name, env=wanted.name, required=True)
