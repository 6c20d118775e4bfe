"""Files that use one another: paths, the project, values, circles."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder.diagnostics import CompileError
from imagebuilder.frontends.snap import load
from imagebuilder.frontends.snap.bounds import MAX_SIZE
from imagebuilder.ir.ops import AddLocalFile
from tests.unit.frontends.snap.loading import written


def codes(path: Path, **options: Path) -> list[str]:
    with pytest.raises(CompileError) as caught:
        load(path, **options)
    return [error.code for error in caught.value.diagnostics]


def test_images_of_another_file(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        it='use "./common.snap" as c\nimage x from c.tools\nsnapshot s from x { copy_from c.tools /a /b }',
        common="image tools from scratch { user app }\nsnapshot not-built from tools",
    )
    found = load(path)
    assert [each.name for each in found.snapshots] == ["s"]
    assert found.images["x"].stage.steps == load(tmp_path / "common.snap").images["tools"].stage.steps


def test_the_same_file_with_two_sets_of_values(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        it='param l: list = [x, y]\nuse common.snap as a with user=one\nuse ./common.snap as b with user="two" more={l}\nuse common.snap as c\n'
        "image a from a.tools\nimage b from b.tools\nimage c from c.tools",
        common="param user: string = none\nparam more: list = []\nimage tools from scratch { user {user}; volume {more} }",
    )
    found = load(path).images
    users = [found[name].stage.steps[0].op.model_dump()["name"] for name in "abc"]
    assert users == ["one", "two", "none"]
    assert found["b"].stage.steps[1].op.model_dump()["paths"] == ("x", "y")


def test_values_are_typed_by_the_file_that_takes_them(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        it="param n: int = 3\nuse c.snap as c with n={n} l=[{n}, 4]\nimage x from c.x",
        c="param n: size = 1GiB\nparam l: list[int] = []\nimage x from scratch",
    )
    assert codes(path) == ["IB830"]


def test_local_paths_start_at_the_file_that_names_them(tmp_path: Path) -> None:
    written(tmp_path, it="use sub/c.snap as c\nimage x from c.x { add_local_file a.txt /a }")
    (tmp_path / "sub").mkdir()
    written(tmp_path / "sub", c="image x from scratch { add_local_file a.txt /a }")
    steps = load(tmp_path / "it.snap").images["x"].stage.steps
    assert all(isinstance(step.op, AddLocalFile) for step in steps)
    assert [step.root for step in steps] == [str(tmp_path / "sub"), str(tmp_path)]


def test_the_project_is_the_nearest_repository(tmp_path: Path) -> None:
    (tmp_path / "repo/deep").mkdir(parents=True)
    (tmp_path / "repo/.git").mkdir()
    (tmp_path / "out.snap").write_text("snap 1\nimage x from scratch\n")
    (tmp_path / "repo/in.snap").write_text("snap 1\nimage x from scratch\n")
    inside, outside = tmp_path / "repo/deep/inside.snap", tmp_path / "repo/deep/outside.snap"
    inside.write_text("snap 1\nuse ../in.snap as c\nimage x from c.x\n")
    outside.write_text("snap 1\nuse ../../out.snap as c\nimage x from c.x\n")
    assert load(inside).images
    assert codes(outside) == ["IB850"]
    assert load(outside, project=tmp_path).images
    assert codes(inside, project=tmp_path / "repo/deep") == ["IB850"]


def test_without_a_repository_it_is_the_files_own_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b.snap").write_text("snap 1\n")
    (tmp_path / "a/it.snap").write_text("snap 1\nuse ../b.snap as b\n")
    assert codes(tmp_path / "a/it.snap") == ["IB850"]


def test_a_link_that_leaves_the_project(tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    path = written(tmp_path / "repo", it="use link.snap as c\nuse folder/c.snap as d")
    (tmp_path / "c.snap").write_text("snap 1\nimage x from scratch\n")
    (tmp_path / "repo/link.snap").symlink_to(tmp_path / "c.snap")
    (tmp_path / "repo/folder").symlink_to(tmp_path)
    assert codes(path) == ["IB850", "IB850"]


def test_a_link_inside_of_the_project_is_followed_and_known_in_circles(tmp_path: Path) -> None:
    path = written(tmp_path, it="use link.snap as c\nimage x from c.x", c="image x from scratch")
    (tmp_path / "link.snap").symlink_to(tmp_path / "c.snap")
    assert load(path).images
    (tmp_path / "c.snap").write_text("snap 1\nuse it.snap as it\n")
    assert "IB816" in codes(path)


def test_a_circle_is_said_once_with_its_path(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        it="use a.snap as a\nimage x from a.x",
        a="use b.snap as b\nimage x from b.x",
        b="use a.snap as a\nimage x from a.x",
    )
    with pytest.raises(CompileError) as caught:
        load(path)
    (error,) = caught.value.diagnostics
    assert error.code == "IB816" and error.message.endswith("a.snap → b.snap → a.snap")
    assert error.place is not None and Path(error.place.resolve().file).name == "b.snap"
    assert [Path(note.place.resolve().file).name for note in error.notes if note.place] == ["a.snap"]


def test_a_diamond_is_no_circle(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        it="use a.snap as a\nuse b.snap as b\nimage x from a.x\nimage y from b.x",
        a="use c.snap as c\nimage x from c.x",
        b="use c.snap as c\nimage x from c.x",
        c="image x from scratch",
    )
    assert set(load(path).images) == {"x", "y"}


def test_mistakes_of_a_used_file_are_said_once_and_in_it(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        it="use c.snap as a\nuse c.snap as b\nimage x from a.x\nimage y from b.gone",
        c="image x from scratch { nothing }",
    )
    assert codes(path) == ["IB810", "IB812"]
    path = written(tmp_path, c="image x from scratch { env A = 1 }")
    assert codes(tmp_path / "it.snap") == ["IB808"]


def test_more_files_than_the_bound(tmp_path: Path) -> None:
    uses = "\n".join(f"use c.snap as c{i} with n={i}" for i in range(300))
    assert set(codes(written(tmp_path, it=uses, c="param n: int = 0"))) == {"IB852"}


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert codes(tmp_path / "none.snap") == ["IB801"]
    assert codes(tmp_path) == ["IB801"]
    (tmp_path / "latin.snap").write_bytes(b"snap 1\n# caf\xe9\n")
    (tmp_path / "large.snap").write_bytes(b"#" * (MAX_SIZE + 1))
    assert codes(tmp_path / "latin.snap") == ["IB802"]
    assert codes(tmp_path / "large.snap") == ["IB803"]


def test_a_file_that_is_used_is_no_use_of_a_parameter_of_its_name(tmp_path: Path) -> None:
    text = 'param common: string = "x"\nuse "./common.snap" as common\nsnapshot s from common.tools'
    path = written(tmp_path, it=text, common="image tools from scratch")
    assert [each.code for each in load(path).unused] == ["IB911"]
