"""The parts of a large folder: every file in just one, the same file in the same one, all folders in the last."""

from __future__ import annotations

import posixpath
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebuilder.context import Entry, Tree, read_tree
from imagebuilder.context import cut as cutting
from imagebuilder.context.cut import PARTS, Part, cut, is_large
from imagebuilder.ir.ops import LocalSource


def tree_of(root: Path) -> Tree:
    return read_tree(str(root.parent), LocalSource(path=root.name))


def fill(root: Path, count: int = 60) -> Path:
    for number in range(count):
        path = root / f"d{number % 20}/f{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(number))
    (root / "empty/inside").mkdir(parents=True)
    (root / "link").symlink_to("d1")
    return root


def files(part: Part) -> set[str]:
    return {entry.path for entry in part.entries if entry.type != "dir"}


def folders(part: Part) -> set[str]:
    return {entry.path for entry in part.entries if entry.type == "dir"}


def where(parts: tuple[Part, ...]) -> dict[str, str]:
    return {path: part.digest for part in parts for path in files(part)}


def test_each_file_is_in_one_part_and_each_folder_in_the_last(tmp_path: Path) -> None:
    tree = tree_of(fill(tmp_path / "src"))
    parts = cut(tree)
    assert 5 < len(parts) <= PARTS + 1
    assert sorted(path for part in parts for path in files(part)) == sorted(
        entry.path for entry in tree.entries if entry.type != "dir"
    )
    assert folders(parts[-1]) == {entry.path for entry in tree.entries if entry.type == "dir"}
    assert files(parts[-1]) == set()
    for part in parts:
        assert [e.path for e in part.entries] == sorted(e.path for e in part.entries)
        assert {posixpath.dirname(e.path) for e in part.entries} - {""} <= folders(part)
        assert set(part.entries) <= set(tree.entries)


def test_what_changed_is_in_the_last_part_alone(tmp_path: Path) -> None:
    tree = tree_of(fill(tmp_path / "src"))
    parts = cut(tree, hot={"d1/f1", "no longer there"})
    assert files(parts[-1]) == {"d1/f1"}
    assert not any("d1/f1" in files(part) for part in parts[:-1])


def test_a_change_moves_one_part(tmp_path: Path) -> None:
    root = fill(tmp_path / "src")
    before = cut(tree_of(root))
    (root / "d1/f1").write_text("another")
    after = cut(tree_of(root))
    changed = {part.digest for part in before} ^ {part.digest for part in after}
    assert len(changed) == 2 and where(after)["d1/f1"] in changed


def test_neither_the_root_nor_times_nor_modes_matter(tmp_path: Path) -> None:
    one, two = fill(tmp_path / "one/src"), fill(tmp_path / "two/other")
    for path in two.rglob("f*"):
        path.chmod(0o640)
    assert [part.digest for part in cut(tree_of(one))] == [part.digest for part in cut(tree_of(two))]


def test_the_files_of_a_folder_stay_together_unless_they_are_many_or_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = fill(tmp_path / "src")
    monkeypatch.setattr(cutting, "_MOST_IN_FOLDER", 20)
    monkeypatch.setattr(cutting, "_LARGE", 1000)
    for number in range(40):
        (root / "many").mkdir(exist_ok=True)
        (root / "many" / str(number)).write_text("x")
    for number in range(10):
        (root / "large").mkdir(exist_ok=True)
        (root / "large" / str(number)).write_bytes(b"x" * 1000)
    found = where(cut(tree_of(root)))
    assert len({found[f"d3/f{number}"] for number in (3, 23, 43)}) == 1
    assert len({found[f"many/{number}"] for number in range(40)}) > 8
    assert len({found[f"large/{number}"] for number in range(10)}) > 3


def test_very_many_folders_are_parted_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "_MOST_FOLDERS", 10)
    tree = tree_of(fill(tmp_path / "src"))
    parts = cut(tree, hot={"d1/f1"})
    assert folders(parts[-1]) == {"d1"}
    assert {folder for part in parts for folder in folders(part)} == {e.path for e in tree.entries if e.type == "dir"}


def test_a_folder_of_the_tree(tmp_path: Path) -> None:
    root = fill(tmp_path / "src")
    (root / "d1/deep/er").mkdir(parents=True)
    (root / "d1/deep/er/x").write_text("x")
    parts = cut(tree_of(root), "d1")
    assert set().union(*map(files, parts)) == {"d1/f1", "d1/f21", "d1/f41", "d1/deep/er/x"}
    assert all("d1" in folders(part) for part in parts)
    nested = cut(tree_of(root), "d1/deep")
    assert all({"d1", "d1/deep"} <= folders(part) for part in nested)


def test_what_is_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = tree_of(fill(tmp_path / "src"))
    assert not is_large(tree)
    monkeypatch.setattr(cutting, "_FILES", 61)
    assert is_large(tree)
    monkeypatch.setattr(cutting, "_FILES", 3)
    assert is_large(tree, "d1") and not is_large(tree, "empty")
    assert not is_large(tree, "link"), "where it leads, the builder finds out"
    assert not is_large(tree, "none") and not is_large(tree, "d1/f1") and not is_large(tree, "d*")
    monkeypatch.setattr(cutting, "_FILES", 1000)
    monkeypatch.setattr(cutting, "_BYTES", 100)
    assert is_large(tree)


NAMES = st.sampled_from(["a", "b", "a.b", "c d", "é", "a-", "A"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


@given(st.dictionaries(PATHS, st.integers(0, 3 << 20)), st.sets(PATHS))
def test_any_tree_is_parted(sizes: dict[str, int], hot: set[str]) -> None:
    above = {"/".join(path.split("/")[:n]) for path in sizes for n in range(1, path.count("/") + 1)}
    entries = [Entry(path, "dir") for path in above]
    entries += [Entry(path, "file", str(size), size) for path, size in sizes.items() if path not in above]
    entries.sort(key=lambda entry: entry.path.encode())

    parts = cut(cast(Tree, SimpleNamespace(root=Path("/x"), entries=tuple(entries))), hot=hot)
    found = [entry.path for part in parts for entry in part.entries if entry.type != "dir"]
    assert sorted(found) == sorted(e.path for e in entries if e.type != "dir")
    for part in parts:
        seen: set[str] = set()
        for entry in part.entries:
            assert posixpath.dirname(entry.path) in seen | {""}, "parents come before what they hold"
            seen |= {entry.path} if entry.type == "dir" else set()
