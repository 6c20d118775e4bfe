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


def test_latest_is_no_name_of_its_own(tmp_path: Path) -> None:
    """The two would be one snapshot, built twice at the same time."""
    source = 'snap 1\nsnapshot "a" from scratch\nsnapshot "a:latest" from scratch\n'
    with pytest.raises(CompileError, match=r"IB814.*'a' is defined twice"):
        load(tmp_path / "x.snap", source=source)
    assert [each.name for each in load(tmp_path / "x.snap", source=source.replace('"a"', "b")).snapshots] == ["b", "a"]
