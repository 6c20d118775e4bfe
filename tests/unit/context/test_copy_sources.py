"""COPY sources select what Go's path.Match does, and a source that selects nothing is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder.context import read_tree
from imagebuilder.context.patterns import source_regex
from imagebuilder.diagnostics import Invalid
from imagebuilder.ir.ops import LocalSource

# From the table of Go's path.Match test, plus what COPY adds: a leading slash and ./ are dropped.
MATCHES = (
    ("abc", "abc", True),
    ("*", "abc", True),
    ("*c", "abc", True),
    ("a*", "a", True),
    ("a*", "abc", True),
    ("a*", "ab/c", False),
    ("a*/b", "abc/b", True),
    ("a*/b", "a/c/b", False),
    ("a*b*c*d*e*/f", "axbxcxdxe/f", True),
    ("a*b*c*d*e*/f", "axbxcxdxexxx/f", True),
    ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", False),
    ("a*b?c*x", "abxbbxdbxebxczzx", True),
    ("a*b?c*x", "abxbbxdbxebxczzy", False),
    ("ab[c]", "abc", True),
    ("ab[b-d]", "abc", True),
    ("ab[e-g]", "abc", False),
    ("ab[^c]", "abc", False),
    ("ab[^b-d]", "abc", False),
    ("ab[^e-g]", "abc", True),
    ("a\\*b", "a*b", True),
    ("a\\*b", "ab", False),
    ("a?b", "a☺b", True),
    ("a[^a]b", "a☺b", True),
    ("a???b", "a☺b", False),
    ("[a-ζ]*", "α", True),
    ("*[a-ζ]", "A", False),
    ("a?b", "a/b", False),
    ("a*b", "a/b", False),
    ("[\\]a]", "]", True),
    ("[\\-]", "-", True),
    ("[x\\-]", "x", True),
    ("[x\\-]", "z", False),
    ("[\\-x]", "-", True),
    ("*x", "xxx", True),
    ("**/a", "x/a", True),
    ("**/a", "x/y/a", False),
    ("a/**", "a/b", True),
    ("a/**", "a/b/c", False),
    ("/abc", "abc", True),
    ("./abc", "abc", True),
    ("a//b/", "a/b", True),
    (".", ".", True),
    ("", ".", True),
)


@pytest.mark.parametrize(("pattern", "path", "matches"), MATCHES)
def test_match(pattern: str, path: str, matches: bool) -> None:
    assert (source_regex(pattern).fullmatch(path) is not None) is matches


@pytest.mark.parametrize("pattern", ["[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[", "[^", "[^bc", "a[", "\\", "a\\"])
def test_what_go_calls_a_bad_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(Invalid) as caught:
        source_regex(pattern)
    assert caught.value.code == "IB204"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path in ("a.txt", "b.txt", "sub/a.txt", "sub/deep/c.txt", "other/x", "we[i]rd", "star*"):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
    return tmp_path


def taken(folder: Path, *groups: tuple[str, ...], **options: object) -> list[str]:
    source = LocalSource(path=".", include=groups, **options)
    return [entry.path for entry in read_tree(str(folder), source).entries if entry.type != "dir"]


@pytest.mark.parametrize(
    ("groups", "files"),
    [
        ([("a.txt",)], ["a.txt"]),
        ([("*.txt",)], ["a.txt", "b.txt"]),
        ([("*/a.txt",)], ["sub/a.txt"]),
        ([("sub",)], ["sub/a.txt", "sub/deep/c.txt"]),
        ([("sub/",)], ["sub/a.txt", "sub/deep/c.txt"]),
        ([("s*",)], ["star*", "sub/a.txt", "sub/deep/c.txt"]),
        ([("sub/*",)], ["sub/a.txt", "sub/deep/c.txt"]),
        ([("a.txt",), ("other",)], ["a.txt", "other/x"]),
        ([("missing", "a.txt")], ["a.txt"]),
        ([("we\\[i]rd",)], ["we[i]rd"]),
        ([("we[[]i]rd",)], ["we[i]rd"]),
        ([("star\\*",)], ["star*"]),
    ],
)
def test_groups(folder: Path, groups: list[tuple[str, ...]], files: list[str]) -> None:
    assert taken(folder, *groups) == files


@pytest.mark.parametrize("whole", [".", "/", "./", "*"])
def test_everything(folder: Path, whole: str) -> None:
    assert len(taken(folder, (whole,))) == 7


def test_a_literal_source_is_no_pattern(folder: Path) -> None:
    assert taken(folder, ("we[i]rd",), ("star*",), literal=True) == ["star*", "we[i]rd"]


def test_folders_on_the_way_come_along(folder: Path) -> None:
    tree = read_tree(str(folder), LocalSource(path=".", include=[("sub/deep/c.txt",)]))
    assert [(e.path, e.type) for e in tree.entries] == [
        ("sub", "dir"),
        ("sub/deep", "dir"),
        ("sub/deep/c.txt", "file"),
    ]


def test_each_group_must_match_something(folder: Path) -> None:
    with pytest.raises(Invalid) as caught:
        taken(folder, ("a.txt",), ("missing*", "gone"))
    assert caught.value.code == "IB203"
    assert "'missing*' or 'gone'" in caught.value.message and "ignored" in caught.value.help


@pytest.mark.parametrize("pattern", ["yarn.lock*", "/yarn.lock*", "sub/none*", "sub/deep/*.zip"])
def test_a_wildcard_may_match_nothing_beside_what_is_taken(folder: Path, pattern: str) -> None:
    assert taken(folder, ("a.txt",), ("sub",), (pattern,)) == taken(folder, ("a.txt",), ("sub",))


@pytest.mark.parametrize(
    "groups",
    [
        [("nothing*",)],  # nothing at all would be copied
        [("a.txt",), ("gone/x*",)],  # the builder looks for the folder
        [("a.txt",), ("sub/x*",)],  # the folder is there, but nothing of it is sent
    ],
)
def test_a_wildcard_in_a_folder_that_is_not_sent_is_an_error(folder: Path, groups: list[tuple[str, ...]]) -> None:
    with pytest.raises(Invalid) as caught:
        taken(folder, *groups)
    assert caught.value.code == "IB203"


def test_what_is_ignored_matches_nothing(folder: Path) -> None:
    with pytest.raises(Invalid) as caught:
        taken(folder, ("a.txt",), ignore=["*.txt"])
    assert caught.value.code == "IB203"


def test_what_no_group_takes_is_not_in_the_digest(folder: Path) -> None:
    source = LocalSource(path=".", include=[("*.txt",)])
    before = read_tree(str(folder), source).digest
    (folder / "other/x").write_text("changed")
    assert read_tree(str(folder), source).digest == before
    (folder / "a.txt").write_text("changed")
    assert read_tree(str(folder), source).digest != before


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    root = tmp_path / "linked"
    (root / "sub/deep").mkdir(parents=True)
    (root / "sub/x").write_text("x")
    (root / "sub/y").write_text("y")
    (root / "sub/deep/z").write_text("z")
    (root / "l").symlink_to("sub")
    (root / "lx").symlink_to("sub/x")
    (root / "chain").symlink_to("lx")
    return root


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("l/x", ["l", "sub/x"]),
        ("l/deep/z", ["l", "sub/deep/z"]),
        ("l/*", ["l", "sub/deep/z", "sub/x", "sub/y"]),
        ("l/[x]", ["l", "sub/x"]),
        ("lx", ["lx", "sub/x"]),
        ("lx*", ["lx", "sub/x"]),
        ("chain", ["chain", "lx", "sub/x"]),
        ("cha*", ["chain", "lx", "sub/x"]),
        ("l", ["l", "sub/deep/z", "sub/x", "sub/y"]),
    ],
)
def test_links_on_the_way_come_with_what_they_lead_to(linked: Path, source: str, paths: list[str]) -> None:
    """The builder follows the links that a source names or a wildcard finds; it needs both ends, and no more."""
    assert taken(linked, (source,)) == paths


def test_links_inside_of_a_folder_stay_links(linked: Path) -> None:
    (linked / "sub/out").symlink_to("../../elsewhere")
    assert "sub/out" in taken(linked, ("sub",))
    assert len(taken(linked, (".",))) == 7
