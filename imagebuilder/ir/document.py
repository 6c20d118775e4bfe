"""An image as a JSON document: what its writer, its reader and its schema agree on.

    {"version": 1, "stages": [{"name": "build", "base": {"op": "scratch"}, "steps": [{"op": "add_text", …}]}, …]}

Stages stand after those that they need; the last is the image. A stage is named
by its place in the list: ``{"stage": 0}``. A step is its operation's verb and
the fields that differ from their defaults; ``root`` is the folder at which its
local paths start, relative to the document's own folder, which it is where
nothing is said. What a front end reads from local files (``Op.derived``) is not
in the document.
"""

from __future__ import annotations

from collections.abc import Mapping

VERSION = 1
"""Raised when a document of before would be read as something else."""

# A chain of stages is walked one call within the other.
MAX_STAGES = 200
MAX_DEPTH = 100
MAX_SIZE = 16 * 1024 * 1024

NONEMPTY: Mapping[str, str] = {
    "add": "sources",
    "add_local_python_source": "modules",
    "apt_install": "packages",
    "copy": "sources",
    "env": "variables",
    "expose": "ports",
    "label": "labels",
    "run_commands": "commands",
    "volume": "paths",
    "write_files": "files",
}
"""Lists that no front end leaves empty, by the operation: without a member it would be no operation."""
