"""Texts with a place in them: `§` is the cursor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from imagebuilder.lsp.names import Document

FOLDER = Path("/nowhere/project")
BEFORE = """snap 1
use "./common.snap" as common
# The series of Python.
param python: string = "3.12"
param profile: one of ["cpu", "gpu"] = "cpu"
param fast: bool = true
param many: list[string] = []
secret PIP_TOKEN OTHER
image tools from scratch
"""
COMMON = """snap 1
# How much is built.
param mode: one of ["debug", "release"] = "debug"
param size: size = 1GiB
image base from debian_slim
image compiler from base {
    apt_install gcc
}
"""


def at(marked: str, before: str = BEFORE, others: Mapping[str, str] | None = None) -> tuple[Document, int]:
    """The document ``before`` + ``marked`` and the offset of its `§`; ``common.snap`` is open beside it."""
    text = before + marked
    place = text.index("§")
    unsaved = {FOLDER / name: other for name, other in {"common.snap": COMMON, **(others or {})}.items()}
    return Document(FOLDER / "app.snap", text.replace("§", "", 1), unsaved), place
