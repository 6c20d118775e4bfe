"""The container of one sandbox, as its commands and files see it."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from imagebuilder.diagnostics import Diagnostic, EngineError, SandboxError
from imagebuilder.engine.containers import Command, ContainerInfo, Containers, NotRunning, Running


def file_of(home: Path, id: str) -> Path:
    """What may change of a sandbox; its time says when that was last used."""
    return home / "sandboxes" / id


class Box:
    """A container, and the file whose time says when it was last used."""

    def __init__(self, name: str, id: str, engine: Callable[[], Containers], home: Path) -> None:
        self.name = name
        self.id = id
        self._engine = engine
        self.home = home

    @property
    def containers(self) -> Containers:
        return self._engine()

    def run(self, command: Command) -> Running:
        """Start a command.

        Raises:
            SandboxError: the sandbox does not run, or is gone.
        """
        self.used()
        try:
            return self.containers.run(self.id, command)
        except NotRunning:
            raise self.stopped() from None
        except EngineError as error:
            if self.info() is None:
                raise self.gone() from None
            _, unknown, who = error.diagnostics[0].message.partition("unable to find ")
            if unknown:
                help = "its /etc/passwd or /etc/group has to have the name; a number needs no entry"
                what = f"the sandbox {self.name!r} has no {who.partition(':')[0]}"
                raise SandboxError(Diagnostic("IB758", what, help=help)) from None
            raise SandboxError(error.diagnostics) from None

    def info(self) -> ContainerInfo | None:
        return self.containers.get(self.id)

    def used(self) -> None:
        with suppress(OSError):
            os.utime(file_of(self.home, self.id))

    def stopped(self) -> SandboxError:
        found = self.info()
        if found is None:
            return self.gone()
        why = ": it went over its memory" if found.killed else ""
        # One that was stopped has ended in peace, or by the signals of that.
        if not why and found.state == "exited" and found.exit_code not in (0, 137, 143):
            why = f": what kept it up ended with exit code {found.exit_code}"
        help = f"`imagebuilder sandbox start {self.name}`, or sandbox.start(); auto-stop ends one that is not used"
        return SandboxError(Diagnostic("IB752", f"the sandbox {self.name!r} does not run{why}", help=help))

    def gone(self) -> SandboxError:
        help = "`imagebuilder sandbox list` shows those that are there"
        return SandboxError(Diagnostic("IB750", f"the sandbox {self.name!r} is no longer there", help=help))
