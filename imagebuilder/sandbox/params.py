"""What a sandbox is asked for with, and what its commands give back."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from imagebuilder.diagnostics import CompileError, Diagnostic
from imagebuilder.ir.resources import Resources

if TYPE_CHECKING:
    from imagebuilder.frontends.image import Image

State = Literal["started", "stopped", "error", "deleted"]

# What sandboxes elsewhere are asked for with, and what there is for it here.
_ELSEWHERE = {
    "public": "preview() leads from a port of this machine into a sandbox; nobody else reaches it",
    "volumes": "fs.upload_dir() brings a folder in, and fs.download_dir() out; an Image can have it from the start",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Params:
    """
    ``name`` is chosen where None is given. ``auto_stop_interval`` and ``auto_delete_interval`` are in minutes: after
    so long without use the sandbox is stopped, after so long stopped it is deleted; 0 is never, and None the default
    of 15 minutes and never. ``ephemeral`` deletes it as soon as it is stopped. ``network_block_all`` leaves it
    loopback alone; ``network_allow_list`` leaves it what is named there: networks, addresses, and hosts by the
    addresses that they have when it is asked for. ``privileged`` gives it the machine's rights, which Docker in a
    sandbox needs, and which is no sandbox any more to whoever means harm. ``language`` is what ``process.code_run``
    runs, and that is Python; ``public`` and ``volumes`` are refused where they say anything, with what there is
    instead.
    """

    name: str | None = None
    env_vars: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    auto_stop_interval: int | None = None
    auto_delete_interval: int | None = None
    ephemeral: bool = False
    network_block_all: bool = False
    network_allow_list: str | Sequence[str] | None = None
    privileged: bool = False
    language: str | None = None
    public: bool | None = None
    volumes: Sequence[object] | None = None

    def check_supported(self) -> None:
        """CompileError where something is asked for that only sandboxes elsewhere have."""
        if self.language is not None and self.language != "python":
            help = "leave it out, and run others by process.exec, such as process.exec(['node', '-e', code])"
            message = f"code_run runs Python alone, not {str(self.language)!r}"
            raise CompileError(Diagnostic("IB755", message, help=help))
        for name, instead in _ELSEWHERE.items():
            if getattr(self, name):
                raise CompileError(Diagnostic("IB755", f"a sandbox has no {name!r} here", help=instead))


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSandboxFromSnapshotParams(_Params):
    """A sandbox of a snapshot, with the snapshot's resources."""

    snapshot: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSandboxFromImageParams(_Params):
    """A sandbox of an image that is built, or pulled, where it is not there: an ``Image``, or a name with a tag."""

    image: str | Image
    resources: Resources | None = None


@dataclass(frozen=True, slots=True)
class ExecuteResponse:
    """``result`` is all that the command printed, in the order in which it came; ``stdout`` and ``stderr`` are parts
    of it. What is no UTF-8 is replaced."""

    exit_code: int
    result: str
    stdout: str = ""
    stderr: str = ""


@dataclass(frozen=True, slots=True)
class CodeRunParams:
    """The arguments of a program for ``process.code_run``, and its variables besides those of the sandbox."""

    argv: Sequence[str] | None = None
    env: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class SessionExecuteRequest:
    """A command of a session. With ``run_async``, also called ``var_async``, it is not waited for; ``timeout`` is in
    seconds."""

    command: str
    run_async: bool = False
    timeout: float | None = None
    var_async: InitVar[bool | None] = field(default=None, kw_only=True)

    def __post_init__(self, var_async: bool | None) -> None:
        if var_async:
            object.__setattr__(self, "run_async", True)


@dataclass(frozen=True, slots=True)
class SessionCommand:
    """A command of a session; ``exit_code`` is None while it runs."""

    cmd_id: str
    command: str
    exit_code: int | None = None
    output: str = ""
    stdout: str = ""
    stderr: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """A shell that keeps its state, and what it was asked so far."""

    session_id: str
    commands: Sequence[SessionCommand] = ()


@dataclass(frozen=True, slots=True)
class FileUpload:
    """A file for ``fs.upload_files``: bytes, or the path of a local one, and its path in the sandbox."""

    source: bytes | str | os.PathLike[str]
    destination: str


@dataclass(frozen=True, slots=True)
class FileInfo:
    """``path`` is absolute or starts at the sandbox's working folder, as it was asked for; ``size`` is in bytes.

    ``mode`` is the permissions in octal, such as ``0644``.
    """

    name: str
    path: str
    size: int
    is_dir: bool
    mode: str
    modified_at: datetime
    link_target: str = ""
    owner: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """A line of a file that holds what was searched for; lines count from 1."""

    file: str
    line: int
    content: str


def is_text(text: str) -> bool:
    """Whether it arrives as it is: the engine takes JSON, in which what is no character becomes another one."""
    return "\0" not in text and text == text.encode(errors="replace").decode()


def check_env(env: Mapping[str, str]) -> None:
    """
    Raises:
        CompileError: a variable would arrive as another one, or not at all.
    """
    for name, value in env.items():
        if not name or "=" in name or not is_text(name) or not is_text(str(value)):
            # Not its value, which may be a secret.
            help = "a name without '=', and text without a NUL"
            raise CompileError(Diagnostic("IB755", f"not a variable: {name!r}", help=help))
