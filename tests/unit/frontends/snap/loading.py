"""For the tests of the language: load a text, take one thing of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder.diagnostics import CompileError, Span
from imagebuilder.frontends.snap import SnapFile, load
from imagebuilder.ir.ops import AddText, Env


def loaded(text: str, **params: str) -> SnapFile:
    return load("it.snap", source=f"snap 1\n{text}\n", params=params)


def text_of(written: str, declarations: str = "", **params: str) -> str:
    """What a text, as it is written, comes to in the image."""
    (step,) = (
        loaded(f"{declarations}\nimage it from scratch {{\nadd_text {written} /a\n}}", **params)
        .images["it"]
        .stage.steps
    )
    assert isinstance(step.op, AddText)
    return step.op.content


def variables(text: str, **params: str) -> dict[str, object]:
    """The variables that the image ``it`` of a file sets."""
    found: dict[str, object] = {}
    for step in loaded(text, **params).images["it"].stage.steps:
        assert isinstance(step.op, Env)
        found |= dict(step.op.variables)
    return found


def refused(text: str, **params: str) -> list[tuple[str, int]]:
    """The codes and lines of what is wrong; the first line of ``text`` is 1."""
    with pytest.raises(CompileError) as caught:
        loaded(text, **params)
    return [
        (error.code, error.place.line - 1 if isinstance(error.place, Span) else 0) for error in caught.value.diagnostics
    ]


def written(folder: Path, **files: str) -> Path:
    """Files of the language in a folder that is a project; the path of ``it``."""
    (folder / ".git").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.snap").write_text(f"snap 1\n{text}\n")
    return folder / "it.snap"
