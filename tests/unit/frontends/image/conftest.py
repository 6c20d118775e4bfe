"""Files for the calls that read some."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the calls above read: these tests' own folder stands in for a project's."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "requirements.txt").write_text("six\n")
    (folder / "pyproject.toml").write_text(
        '[project]\nname="x"\ndependencies=["six"]\n[project.optional-dependencies]\ndev=["pytest"]\n'
    )
    monkeypatch.setattr("imagebuilder.frontends.image.caller", _caller_in(tmp_path))
    return folder


def _caller_in(root: Path) -> Callable[[], tuple[Any, Path]]:
    from imagebuilder.frontends import image

    real = image.caller

    def caller() -> tuple[Any, Path]:
        place, found = real()
        return place, root if found == Path(__file__).parent else found

    return caller
