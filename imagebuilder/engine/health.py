"""What ``imagebuilder doctor`` looks at."""

from __future__ import annotations

import os
import platform
import shutil
import ssl
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from imagebuilder.diagnostics import EngineError
from imagebuilder.engine.docker import DockerEngine, connect

_MIN_ENGINE = (23, 0)
_MIN_BUILDX = (0, 13)
_LOW_DISK = 5 * 10**9
# No storage driver does on the file systems that are in common use.
_BOUNDS = "a sandbox's disk bounds each of its files, not all of them together"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; ``help`` says how to mend what is not ``ok``."""

    subject: str
    status: Literal["ok", "warning", "error"]
    message: str
    help: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def examine(home: Path) -> list[Finding]:
    """Everything that a build depends on. Changes nothing."""
    found = [
        Finding(
            "machine",
            "ok",
            f"{platform.system()} {platform.machine()}, Python {platform.python_version()} at {sys.executable}",
        )
    ]
    found += _home(home)
    try:
        engine = connect(home)
    except EngineError as error:
        shown = error.diagnostics[0]
        found.append(Finding("engine", "error", shown.message, shown.help))
    else:
        found += _engine(engine)
    found += _ca()
    return found


def _home(home: Path) -> Iterator[Finding]:
    existing = next(p for p in (home, *home.parents) if p.exists())
    free = shutil.disk_usage(existing).free
    shown = f"{home}, {free / 1e9:.0f} GB free"
    if not os.access(existing, os.W_OK):
        yield Finding("home", "error", f"{shown}; not writable", "set IMAGEBUILDER_HOME to a folder of your own")
    elif free < _LOW_DISK:
        yield Finding("home", "warning", shown, "builds fail in odd ways when the disk is full; free some space")
    else:
        yield Finding("home", "ok", shown)


def _engine(engine: DockerEngine) -> Iterator[Finding]:
    info = engine.info()
    where = f"Docker Engine {info.version} at {info.docker_host} ({engine.endpoint.source}), {info.platform}"
    if _version(info.version) < _MIN_ENGINE:
        yield Finding("engine", "error", where, "version 23 or newer is needed")
    else:
        yield Finding("engine", "ok", where)
    if info.driver in ("overlayfs", "stargz"):
        yield Finding("storage", "ok", f"{info.driver} (containerd image store); {_BOUNDS}")
    else:
        yield Finding(
            "storage",
            "warning",
            f"{info.driver} (no containerd image store); {_BOUNDS}",
            'registry caches and several platforms need "features": {"containerd-snapshotter": true} in daemon.json',
        )
    try:
        buildx = engine.buildx()
        version = buildx.version()
    except EngineError as error:
        shown = error.diagnostics[0]
        yield Finding("buildx", "error", shown.message, shown.help)
    else:
        status: Literal["ok", "error"] = "error" if _version(version) < _MIN_BUILDX else "ok"
        yield Finding(
            "buildx",
            status,
            f"{version} at {buildx.program}",
            "version 0.13 or newer is needed" if status == "error" else "",
        )
    reached, reason = engine.reaches_registry()
    if reached:
        yield Finding("registry", "ok", "Docker Hub answers")
    else:
        yield Finding(
            "registry",
            "warning",
            f"Docker Hub cannot be reached: {reason}",
            "`imagebuilder base build` makes Python's base images from Debian's packages",
        )


def _ca() -> Iterator[Finding]:
    bundle = os.environ.get("SSL_CERT_FILE")
    if not bundle:
        yield Finding("CA bundle", "ok", "none given; builds use the one of the image")
        return
    try:
        ssl.create_default_context(cafile=bundle)
    except (OSError, ssl.SSLError) as error:
        yield Finding(
            "CA bundle",
            "error",
            f"SSL_CERT_FILE={bundle}: {error}",
            "name a file of PEM certificates, or unset the variable",
        )
    else:
        yield Finding("CA bundle", "ok", f"{bundle} (SSL_CERT_FILE), mounted into builds that have a network")


def _version(text: str) -> tuple[int, int]:
    parts = text.lstrip("v").split(".")
    try:
        return int(parts[0]), int(parts[1])
    except (ValueError, IndexError):
        return (0, 0)
