"""Whether a container of an image stays up, and what keeps one up that would end at once."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from imagebuilder.diagnostics import Diagnostic, EngineError, SandboxError
from imagebuilder.engine.containers import Containers, ContainerSpec
from imagebuilder.locks import lock

SLEEP = ("sleep", "infinity")
# A program that ends sooner was not meant to stay.
_STAYS = 1.0
# `sleep` either is there or is not.
_SLEEPS = 0.2
_LINES = 20
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
            _try(containers, replace(spec, entrypoint=tuple(wanted)), _STAYS)
            return tuple(wanted)
        if not own.is_interactive:
            try:
                _try(containers, replace(spec, entrypoint=None), _STAYS)
            except _Ended:
                pass
            else:
                return None
        _try(containers, replace(spec, entrypoint=SLEEP), _SLEEPS)
        return SLEEP


class _Ended(SandboxError):
    """It started, and ended."""


def _try(containers: Containers, spec: ContainerSpec, seconds: float) -> None:
    id = containers.create(replace(spec, name=f"{spec.name}-{uuid4().hex[:8]}", network=False))
    try:
        shown = " ".join(spec.entrypoint) if spec.entrypoint is not None else "its own entrypoint"
        try:
            containers.start(id)
        except EngineError as error:
            raise SandboxError(_does_not_start(shown, error)) from None
        code = containers.wait(id, seconds)
        if code is None:
            return
        # A line may be as long as its image likes.
        lines = containers.logs(id, _LINES).strip().split("\n")[-_LINES:]
        said = "\n".join(line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…" for line in lines)
        after = f", after it printed:\n{said}" if said else ", and printed nothing"
        raise _Ended(
            Diagnostic(
                "IB759",
                f"the container ends at once: {shown} gave exit code {code}{after}",
                help="give an entrypoint that stays, or none: then `sleep infinity` keeps it up",
            )
        )
    finally:
        containers.remove(id)


def _does_not_start(shown: str, error: EngineError) -> Diagnostic:
    message = error.diagnostics[0].message.partition(": ")[2] or error.diagnostics[0].message
    if "exec format error" in message:
        return Diagnostic(
            "IB759", f"{shown} is for another architecture: exec format error", help="take the image for this machine's"
        )
    if "not found" in message or "no such file" in message:
        help = "name a program of the image; an image without `sleep` needs an entrypoint of its own that stays"
        return Diagnostic("IB759", f"the image has no {shown!r}", help=help)
    return Diagnostic("IB759", f"{shown} does not start: {message}", help="`imagebuilder doctor` looks at the engine")
