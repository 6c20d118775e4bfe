"""The errors that carry diagnostics, and the exit codes that fit."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from imagebuilder.diagnostics.diagnostic import Diagnostic
from imagebuilder.diagnostics.places import Place

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NO_ENGINE = 3
EXIT_INTERRUPTED = 130


class ImagebuilderError(Exception):
    """The base of every error raised on purpose; carries its diagnostics."""

    exit_code = EXIT_FAILED

    def __init__(self, diagnostics: Diagnostic | Sequence[Diagnostic]) -> None:
        found = (diagnostics,) if isinstance(diagnostics, Diagnostic) else tuple(diagnostics)
        self.diagnostics: tuple[Diagnostic, ...] = found
        super().__init__(found)

    def __str__(self) -> str:
        # Drawn when it is looked at: it reads the files that it quotes.
        return "\n\n".join(each.render() for each in self.diagnostics)

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.diagnostics,))


class CompileError(ImagebuilderError):
    """The spec, or the way it was asked for, is wrong; nothing was built."""

    exit_code = EXIT_USAGE


class BuildError(ImagebuilderError):
    """The build, or a command that was run, failed."""

    exit_code = EXIT_FAILED


class SandboxError(ImagebuilderError):
    """A sandbox cannot be had, or something in it failed."""

    exit_code = EXIT_FAILED


class EngineError(ImagebuilderError):
    """No engine answers, or the one that does cannot serve."""

    exit_code = EXIT_NO_ENGINE


class Interrupted(ImagebuilderError):
    """The person pressed Ctrl-C."""

    exit_code = EXIT_INTERRUPTED


def refused_by_system(error: OSError) -> ImagebuilderError:
    """What is told of an error that nothing else explains, such as a disk that is full."""
    where = f": {os.fspath(error.filename)!r}" if error.filename else ""
    reason = (error.strerror or str(error)).lower()
    help = "is there space, and may it be written? `imagebuilder doctor` looks at the home folder"
    return ImagebuilderError(Diagnostic("IB710", f"{reason}{where}", help=help))


class Invalid(ValueError):
    """A value that an operation refuses, before its place is known.

    Raised by the checks of the IR; a front end turns it into a
    :class:`CompileError` with the place of the call or line.
    """

    def __init__(self, code: str, message: str, help: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.help = help

    def at(self, place: Place | None) -> Diagnostic:
        return Diagnostic(self.code, self.message, place, help=self.help)
