"""What a sandbox is asked for with, looked at before anything is made for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from secrets import token_hex
from typing import NamedTuple

from imagebuilder.diagnostics import CompileError, Diagnostic
from imagebuilder.sandbox.allow_list import AllowList, allow_list
from imagebuilder.sandbox.params import CreateSandboxFromImageParams, CreateSandboxFromSnapshotParams, check_env

Params = CreateSandboxFromSnapshotParams | CreateSandboxFromImageParams

AUTO_STOP = 15
"""Minutes without use after which a sandbox is stopped that says nothing else."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_.\-]{0,62}")


class Wanted(NamedTuple):
    """What was asked for, once it is known to be in order; ``stop`` and ``delete`` are in minutes."""

    name: str
    labels: Mapping[str, str]
    env: Mapping[str, str]
    allow: AllowList | None
    stop: int
    delete: int


def checked(params: Params) -> Wanted:
    """
    Raises:
        CompileError: something in it is not in order.
    """
    params.check_supported()
    labels, env = texts(params.labels, "labels"), texts(params.env_vars, "env_vars")
    check_env(env)
    stop, delete = minutes(params.auto_stop_interval, AUTO_STOP), minutes(params.auto_delete_interval, 0)
    return Wanted(_name(params.name), labels, env, _allow_list(params), stop, delete)


def _allow_list(params: Params) -> AllowList | None:
    allow = allow_list(params.network_allow_list)
    if allow is not None and params.network_block_all:
        raise CompileError(Diagnostic("IB755", "both an allow list and no network", help="leave one of them out"))
    if allow is not None and params.privileged:
        help = "what is privileged can take the list away; leave one of them out"
        raise CompileError(Diagnostic("IB755", "an allow list for a privileged sandbox", help=help))
    return allow


def _name(given: str | None) -> str:
    if given is None:
        return f"sandbox-{token_hex(4)}"
    if not isinstance(given, str) or not _NAME.fullmatch(given):
        help = "lower-case letters, digits, '.', '_' and '-', at most 63"
        raise CompileError(Diagnostic("IB751", f"not a name for a sandbox: {given!r}", help=help))
    return given


def texts(given: Mapping[str, str], what: str) -> dict[str, str]:
    """A dictionary of texts, which numbers become; CompileError where it is none."""
    if not isinstance(given, Mapping):
        raise CompileError(Diagnostic("IB755", f"not {what}: {given!r}", help='a dictionary, such as {"team": "a"}'))
    return {str(name): str(value) for name, value in given.items()}


def minutes(given: int | None, default: int) -> int:
    """An interval; CompileError where it is none."""
    if given is None:
        return default
    if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given < 10_000_000:
        raise CompileError(Diagnostic("IB755", f"not an interval: {given!r}", help="whole minutes; 0 is never"))
    return given
