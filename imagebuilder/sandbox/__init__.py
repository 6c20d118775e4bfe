"""Sandboxes: containers of snapshots, with commands, files and ports, which end where their maker says.

``lifecycle`` makes, finds and ends them; ``sandbox`` is one of them, with ``process`` and ``session`` (commands),
``fs`` (files) and ``preview`` (ports); ``stays_up`` says what keeps an image's container running.
"""

from __future__ import annotations

from imagebuilder.sandbox.fs import FileSystem
from imagebuilder.sandbox.lifecycle import Sandboxes
from imagebuilder.sandbox.params import (
    CodeRunParams,
    CreateSandboxFromImageParams,
    CreateSandboxFromSnapshotParams,
    ExecuteResponse,
    FileInfo,
    FileUpload,
    Match,
    Session,
    SessionCommand,
    SessionExecuteRequest,
)
from imagebuilder.sandbox.preview import Preview
from imagebuilder.sandbox.process import Process
from imagebuilder.sandbox.sandbox import Sandbox
from imagebuilder.sandbox.wanted import AUTO_STOP

__all__ = [
    "AUTO_STOP",
    "CodeRunParams",
    "CreateSandboxFromImageParams",
    "CreateSandboxFromSnapshotParams",
    "ExecuteResponse",
    "FileInfo",
    "FileSystem",
    "FileUpload",
    "Match",
    "Preview",
    "Process",
    "Sandbox",
    "Sandboxes",
    "Session",
    "SessionCommand",
    "SessionExecuteRequest",
]
