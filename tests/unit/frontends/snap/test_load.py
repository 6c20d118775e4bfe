"""Reading a file: what is no file, and what has no end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from imagebuilder.diagnostics import CompileError
from imagebuilder.frontends.snap import load


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.snap")
    with pytest.raises(CompileError, match=r"IB801.*not a regular file"):
        load(tmp_path / "x.snap")


def test_a_used_pipe_is_not_waited_for_either(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.snap")
    with pytest.raises(CompileError, match="IB851"):
        load(tmp_path / "main.snap", source='snap 1\nuse "./x.snap" as x\n')
