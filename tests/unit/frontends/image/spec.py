"""A spec in a file of its own."""

from __future__ import annotations

import linecache
import textwrap
from pathlib import Path
from types import ModuleType


def module(folder: Path, text: str, name: str = "spec.py") -> ModuleType:
    """A Python file that is run; its images are attributes."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    linecache.checkcache(str(path))
    made = ModuleType(path.stem)
    made.__file__ = str(path)
    exec(compile(path.read_text(), str(path), "exec"), vars(made))
    return made
