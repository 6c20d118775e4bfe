"""Where imagebuilder keeps its state on this machine."""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path


def home() -> Path:
    """``IMAGEBUILDER_HOME``, or the platform's folder for application data; not necessarily there yet."""
    if chosen := os.environ.get("IMAGEBUILDER_HOME"):
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("imagebuilder", appauthor=False)


def id_of(home: Path) -> str:
    """What tells a home from any other that uses the same engine, of whatever machine; 12 hexadecimal digits.

    It stays when the home is emptied, so that what is left of it at the engine is found again.
    """
    return sha256(f"{_machine()} {home.resolve()}".encode()).hexdigest()[:12]


def _machine() -> str:
    with suppress(OSError):
        # The only one of these that a new network does not change (machine-id(5)).
        if found := Path("/etc/machine-id").read_text(encoding="ascii").strip():
            return found
    return os.uname().nodename


def private_folder(path: Path) -> Path:
    """The folder, made if need be, readable by its owner alone."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path
