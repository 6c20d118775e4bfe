"""What went wrong, where, and what to do about it.

Every mistake a person can make reaches them as a :class:`Diagnostic`: a stable
code, one sentence, the place that caused it, and a hint. Code below the command
line never prints; it raises an :class:`ImagebuilderError` that carries
diagnostics and the exit code that fits.
"""

from imagebuilder.diagnostics.codes import CODES
from imagebuilder.diagnostics.diagnostic import Diagnostic, Note
from imagebuilder.diagnostics.errors import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_NO_ENGINE,
    EXIT_USAGE,
    BuildError,
    CompileError,
    EngineError,
    ImagebuilderError,
    Interrupted,
    Invalid,
    SandboxError,
    refused_by_system,
)
from imagebuilder.diagnostics.places import CallSite, Place, Span, span_json
from imagebuilder.diagnostics.suggest import did_you_mean

__all__ = [
    "CODES",
    "EXIT_FAILED",
    "EXIT_INTERRUPTED",
    "EXIT_NO_ENGINE",
    "EXIT_USAGE",
    "BuildError",
    "CallSite",
    "CompileError",
    "Diagnostic",
    "EngineError",
    "ImagebuilderError",
    "Interrupted",
    "Invalid",
    "Note",
    "Place",
    "SandboxError",
    "Span",
    "did_you_mean",
    "refused_by_system",
    "span_json",
]
