"""Reading a file: what is no file, and what has no end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from imagebuilder.diagnostics import CompileError, Span
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


@pytest.mark.parametrize("path", ["/etc/passwd", "../Dockerfile", "link"])
def test_no_dockerfile_outside_of_the_project(path: str, tmp_path: Path) -> None:
    """Each of its lines that is no instruction would be quoted, in the log of whoever checks a stranger's file."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "link").symlink_to("../Dockerfile")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nPASSWORD=hunter2\n")
    source = f"snap 1\nimage x from from_dockerfile {path}\n"
    with pytest.raises(CompileError, match=r"IB850.*outside of the project") as caught:
        load(project / "x.snap", source=source)
    assert "hunter2" not in str(caught.value)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    if path != "/etc/passwd":
        assert load(project / "x.snap", source=source, project=tmp_path).images["x"]


def test_a_link_and_its_parent_do_not_lead_out_of_the_project(tmp_path: Path) -> None:
    """What is opened is `../other.snap`, though the link's own parents are folders of the project."""
    project = tmp_path / "project"
    (project / "deep/folder").mkdir(parents=True)
    (project / "link").symlink_to("deep/folder")
    (tmp_path / "other.snap").write_text("snap 1\nPASSWORD=hunter2\n")
    source = 'snap 1\nuse "link/../../other.snap" as other\n'
    with pytest.raises(CompileError, match=r"IB850.*outside of the project") as caught:
        load(project / "x.snap", source=source)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("project", "begin", "end"),
    [(None, "here", " opt"), ("[project]\ndependencies = []\noptional-dependencies.a = []\n", "b,", ", c")],
)
def test_a_mistake_about_a_pyproject_stands_at_its_word(
    project: str | None, begin: str, end: str, tmp_path: Path
) -> None:
    line = "pip_install_from_pyproject here optional_dependencies=[a, b, c]"
    if project is not None:
        (tmp_path / "here").write_text(project)
    with pytest.raises(CompileError) as caught:
        load(tmp_path / "x.snap", source=f"snap 1\nimage x from scratch {{\n{line}\n}}\n")
    place = caught.value.diagnostics[0].place
    assert isinstance(place, Span)
    assert (place.column, place.end_column) == (line.index(begin) + 1, line.index(end) + 1)


def test_the_path_of_a_dockerfile_that_no_system_takes(tmp_path: Path) -> None:
    with pytest.raises(CompileError):
        load(tmp_path / "x.snap", source='snap 1\nimage x from from_dockerfile "a\\u{0}"\n')
