"""Container images described in Python or a Dockerfile, built by BuildKit, keyed by content.

Only names live here. They are imported when first used, so that
``import imagebuilder`` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imagebuilder.version import __version__

_HOMES = {
    "AsyncClient": "imagebuilder.aio",
    "BuildError": "imagebuilder.diagnostics",
    "Client": "imagebuilder.client",
    "CodeRunParams": "imagebuilder.sandbox",
    "CompileError": "imagebuilder.diagnostics",
    "CreateSandboxFromImageParams": "imagebuilder.sandbox",
    "CreateSandboxFromSnapshotParams": "imagebuilder.sandbox",
    "CreateSnapshotParams": "imagebuilder.snapshots",
    "Diagnostic": "imagebuilder.diagnostics",
    "EngineError": "imagebuilder.diagnostics",
    "FileUpload": "imagebuilder.sandbox",
    "Image": "imagebuilder.frontends.image",
    "ImagebuilderError": "imagebuilder.diagnostics",
    "Interrupted": "imagebuilder.diagnostics",
    "Resources": "imagebuilder.client",
    "Secret": "imagebuilder.ir.ops",
    "Sandbox": "imagebuilder.sandbox",
    "SandboxError": "imagebuilder.diagnostics",
    "SessionExecuteRequest": "imagebuilder.sandbox",
    "Snapshot": "imagebuilder.client",
    "build": "imagebuilder.client",
    "expand": "imagebuilder.ir.words",
}

if TYPE_CHECKING:
    from imagebuilder.aio import AsyncClient
    from imagebuilder.client import Client, Resources, Snapshot, build
    from imagebuilder.diagnostics import (
        BuildError,
        CompileError,
        Diagnostic,
        EngineError,
        ImagebuilderError,
        Interrupted,
        SandboxError,
    )
    from imagebuilder.frontends.image import Image
    from imagebuilder.ir.ops import Secret
    from imagebuilder.ir.words import expand
    from imagebuilder.sandbox import (
        CodeRunParams,
        CreateSandboxFromImageParams,
        CreateSandboxFromSnapshotParams,
        FileUpload,
        Sandbox,
        SessionExecuteRequest,
    )
    from imagebuilder.snapshots import CreateSnapshotParams

__all__ = [
    "AsyncClient",
    "BuildError",
    "Client",
    "CodeRunParams",
    "CompileError",
    "CreateSandboxFromImageParams",
    "CreateSandboxFromSnapshotParams",
    "CreateSnapshotParams",
    "Diagnostic",
    "EngineError",
    "FileUpload",
    "Image",
    "ImagebuilderError",
    "Interrupted",
    "Resources",
    "Sandbox",
    "SandboxError",
    "Secret",
    "SessionExecuteRequest",
    "Snapshot",
    "__version__",
    "build",
    "expand",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
