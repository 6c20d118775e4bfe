"""The only place that starts other programs.

One door means one set of rules: arguments are lists and never go through a
shell, output is UTF-8 with undecodable bytes replaced, and a program that is
missing is an error that says which.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import IO

from imagebuilder.diagnostics import Diagnostic, EngineError

PIPE = subprocess.PIPE


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    env: Mapping[str, str] | None = None,
    input: bytes | None = None,
    timeout: float | None = None,
    cwd: str | os.PathLike[str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run to the end and return what it printed; the exit code is not judged.

    Args:
        timeout: seconds; the program is killed when they are over.

    Raises:
        EngineError: the program does not exist or may not be run.
        subprocess.TimeoutExpired: it did not end in time.
    """
    try:
        return subprocess.run(argv, env=_environment(env), input=input, timeout=timeout, cwd=cwd, capture_output=True)
    except (FileNotFoundError, PermissionError) as error:
        raise _missing(argv, error) from error


def spawn(
    argv: Sequence[str | os.PathLike[str]],
    *,
    env: Mapping[str, str] | None = None,
    stdin: int | IO[bytes] | None = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
    new_session: bool = False,
    cwd: str | os.PathLike[str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program and return at once. ``env`` is added to this process's own."""
    try:
        return subprocess.Popen(
            argv,
            env=_environment(env),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=new_session,
            cwd=cwd,
        )
    except (FileNotFoundError, PermissionError) as error:
        raise _missing(argv, error) from error


def _environment(extra: Mapping[str, str] | None) -> dict[str, str] | None:
    return {**os.environ, **extra} if extra else None


def _missing(argv: Sequence[str | os.PathLike[str]], error: OSError) -> EngineError:
    program = os.fspath(argv[0])
    return EngineError(
        Diagnostic(
            "IB501",
            f"cannot run {program!r}: {error.strerror}",
            help="`imagebuilder doctor` shows what is missing",
        )
    )
