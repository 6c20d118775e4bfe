"""Whether a container of an image stays up, and what keeps one up that would end at once."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from imagebuilder.diagnostics import Diagnostic, EngineError, SandboxError
from imagebuilder.engine.containers import Containers, ContainerSpec
from imagebuilder.locks import lock

SLEEP = ("sleep", "infinity")
# Seconds: a program that ends sooner was not meant to stay. One that reads its configuration, or asks for what it
# needs, may take a second or two to give up.
_STAYS = 3.0
# These either are there or are not.
_SLEEPS = 0.2
_ENDLESS = (SLEEP, ("tail", "-f", "/dev/null"))
_LINES = 20
# What the engine's init says of a program that the kernel does not start.
_INIT = re.compile(r"\[FATAL tini \(\d+\)\] exec (?P<word>.*) failed: (?P<why>[^\n]+)\Z")
_CPUS = re.compile(r"range of CPUs is from \S+ to (?P<most>\d+)")
_LONGEST = 240
# What reads from a terminal, and ends where there is none.
_INTERACTIVE = frozenset(
    ("bash", "sh", "ash", "dash", "zsh", "fish", "python", "python2", "python3", "ipython", "node", "irb", "ghci",
     "julia", "R", "php", "psql", "jshell", "lua", "perl", "iex", "erl", "deno", "bun")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Started:
    """How an image starts by itself: its ENTRYPOINT and CMD."""

    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()

    @property
    def is_interactive(self) -> bool:
        """Whether it is nothing, or a shell or the like without anything to run."""
        words = [*self.entrypoint, *self.command]
        return not words or (len(words) == 1 and posixpath.basename(words[0]) in _INTERACTIVE)


def keep_up(
    containers: Containers, spec: ContainerSpec, own: Started, wanted: Sequence[str] | None, held: Path
) -> tuple[str, ...] | None:
    """The entrypoint with which containers of an image stay up; None is the image's own. Each is tried.

    Args:
        spec: of a container to try it with; its entrypoint is not looked at.
        wanted: what was asked for; None takes the image's own, and where that ends, ``sleep infinity``.
        held: the lock to hold meanwhile, so that a trial of a killed program is told from one that runs.

    Raises:
        SandboxError: it does not start or does not stay up, with its last lines.
    """
    with lock(held):
        if wanted is not None:
            _kept(_try(containers, replace(spec, entrypoint=tuple(wanted))))
            return tuple(wanted)
        ended = None
        if not own.is_interactive:
            ended = _try(containers, replace(spec, entrypoint=None))
            if ended is None:
                return None
        try:
            _kept(_try(containers, replace(spec, entrypoint=SLEEP)))
        except SandboxError as error:
            # Why the image's own ended says more than that it has nothing else to run.
            raise (error if ended is None else SandboxError(ended)) from None
        return SLEEP


def _kept(ended: Diagnostic | None) -> None:
    if ended is not None:
        raise SandboxError(ended)


def _try(containers: Containers, spec: ContainerSpec) -> Diagnostic | None:
    """Why it ended; None where it stays."""
    seconds = _SLEEPS if spec.entrypoint in _ENDLESS else _STAYS
    shown = shlex.join(spec.entrypoint) if spec.entrypoint is not None else "its own entrypoint"
    try:
        id = containers.create(replace(spec, name=f"{spec.name}-{uuid4().hex[:8]}", network=False))
    except EngineError as error:
        raise too_large(error, spec) or error from None
    try:
        try:
            containers.start(id)
        except EngineError as error:
            message = error.diagnostics[0].message
            raise SandboxError(_does_not_start(shown, message.partition(": ")[2] or message)) from None
        code = containers.wait(id, seconds)
        if code is None:
            return None
        # A line may be as long as its image likes.
        lines = containers.logs(id, _LINES).strip().split("\n")[-_LINES:]
        said = "\n".join(line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…" for line in lines)
        if refused := _INIT.search(said):
            if "format" in refused["why"]:
                raise SandboxError(_does_not_start(shown, refused["why"]))
            help = "name a program of the image; no shell runs it: a line for one is sh -c LINE"
            return Diagnostic("IB759", f"the image has no {refused['word']!r}", help=help)
        after = f", after it printed:\n{said}" if said else ", and printed nothing"
        return Diagnostic(
            "IB759",
            f"the container does not stay up: {shown} gave exit code {code}{after}",
            help="give an entrypoint that stays, or none: then `sleep infinity` keeps it up",
        )
    finally:
        # What cannot be removed now goes with a later look at what was left.
        with suppress(EngineError):
            containers.remove(id)


def too_large(error: EngineError, spec: ContainerSpec) -> SandboxError | None:
    """What is told where the engine's machine has fewer CPUs than were asked for."""
    match = _CPUS.search(error.diagnostics[0].message)
    if match is None:
        return None
    message = f"{spec.cpu:g} CPUs were asked for, and the engine's machine has {match['most']}"
    return SandboxError(Diagnostic("IB759", message, help="ask for fewer: --cpu, or Resources(cpu=…)"))


def _does_not_start(shown: str, message: str) -> Diagnostic:
    if "exec format error" in message.lower():
        return Diagnostic(
            "IB759", f"{shown} is for another architecture: exec format error", help="take the image for this machine's"
        )
    if "not found" in message or "no such file" in message.lower():
        help = "name a program of the image; an image without `sleep` needs an entrypoint of its own that stays"
        return Diagnostic("IB759", f"the image has no {shown!r}", help=help)
    return Diagnostic("IB759", f"{shown} does not start: {message}", help="`imagebuilder doctor` looks at the engine")
