"""Where imagebuilder keeps its state on this machine."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """``IMAGEBUILDER_HOME``, or the platform's folder for application data; not necessarily there yet."""
    if chosen := os.environ.get("IMAGEBUILDER_HOME"):
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("imagebuilder", appauthor=False)


def private_folder(path: Path) -> Path:
    """The folder, made if need be, readable by its owner alone."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path
