"""The only place that starts other programs.

One door means one set of rules: arguments are lists and never go through a
shell, output is UTF-8 with undecodable bytes replaced, and a program that is
missing is an error that says which.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import IO

from imagebuilder.diagnostics import Diagnostic, EngineError

PIPE = subprocess.PIPE
_PR_SET_PDEATHSIG = 1  # prctl(2)


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    env: Mapping[str, str | None] | None = None,
    input: bytes | None = None,
    timeout: float | None = None,
    cwd: str | os.PathLike[str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run to the end and return what it printed; the exit code is not judged.

    Args:
        env: added to this process's own; None takes a variable away.
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
    inherited: Sequence[int] = (),
    dies_with_parent: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a program and return at once.

    Args:
        env: added to this process's own.
        inherited: file descriptors that stay open in the program.
        dies_with_parent: it gets SIGTERM when the thread that starts it is gone, however that ends; where the
            system cannot do this (it is not Linux), it learns of it when it next writes into a pipe of ours.
    """
    try:
        return subprocess.Popen(
            argv,
            env=_environment(env),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=new_session,
            cwd=cwd,
            pass_fds=inherited,
            preexec_fn=_ask_for_sigterm() if dies_with_parent else None,
        )
    except (FileNotFoundError, PermissionError) as error:
        raise _missing(argv, error) from error


@cache
def _ask_for_sigterm() -> Callable[[], object] | None:
    """What a child calls between fork and exec: one system call, with nothing looked up, imported or locked there."""
    if sys.platform != "linux":
        return None
    import ctypes

    return partial(ctypes.CDLL(None).prctl, _PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def _environment(extra: Mapping[str, str | None] | None) -> dict[str, str] | None:
    if not extra:
        return None
    return {name: value for name, value in {**os.environ, **extra}.items() if value is not None}


def _missing(argv: Sequence[str | os.PathLike[str]], error: OSError) -> EngineError:
    program = os.fspath(argv[0])
    return EngineError(
        Diagnostic(
            "IB501",
            f"cannot run {program!r}: {error.strerror}",
            help="`imagebuilder doctor` shows what is missing",
        )
    )
