"""uv for the machine that a build runs on: this environment's own, or the same release for another platform."""

from __future__ import annotations

import platform as host
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

from imagebuilder.diagnostics import BuildError, Diagnostic
from imagebuilder.home import private_folder
from imagebuilder.resolve import uv
from imagebuilder.resolve.ask import Ask, Target
from imagebuilder.resolve.wheels import WheelStore

COLLECT = Path(__file__).with_name("collect.py")
_MACHINES = {"linux/amd64": ("x86_64", "amd64"), "linux/arm64": ("aarch64", "arm64")}


def uv_for(platform: str, home: Path, wheels: WheelStore) -> Path:
    """The program.

    Args:
        platform: such as ``linux/arm64``.
        home: where one that was fetched is kept.

    Raises:
        BuildError, EngineError: it cannot be had.
    """
    machines = _MACHINES[platform]
    if sys.platform == "linux" and host.machine().lower() in machines and own_version() == uv.VERSION:
        return uv.program()
    kept = home / "tools" / f"uv-{uv.VERSION}-{machines[0]}"
    if not kept.exists():
        _unpack(_wheel(machines[0], home, wheels), kept)
    return kept


def own_version() -> str:
    """That of this environment's uv; empty where there is none."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("uv")
    except PackageNotFoundError:
        return ""


def fingerprint(platform: str) -> str:
    """Of what a build for the platform is given, beside the wheels."""
    return sha256(f"{uv.VERSION}\0{platform}\0".encode() + COLLECT.read_bytes()).hexdigest()


def _wheel(machine: str, home: Path, wheels: WheelStore) -> Path:
    # The program is linked to no C library.
    ask = Ask(Target("3.13", f"{machine}-manylinux_2_40"), packages=(f"uv=={uv.VERSION}",))
    try:
        (found,) = uv.resolve(ask, home / "uv", None).distributions
    except uv.Unresolved as error:
        message = f"uv {uv.VERSION} for {machine} cannot be had: {error.said}"
        raise BuildError(Diagnostic("IB671", message, help="can this machine reach PyPI?")) from None
    wheels.fetch(wheels.missing(found.files))
    return wheels.path(found.files[0])


def _unpack(wheel: Path, target: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/scripts/uv"))
        data = archive.read(name)
    private_folder(target.parent)
    part = target.with_name(f"{target.name}.part")
    part.write_bytes(data)
    part.chmod(0o755)
    part.replace(target)
