"""What is in the image already stays where it fits, as with pip, and makes nothing else older than it would be."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder.resolve import uv
from imagebuilder.resolve.ask import Ask, Target
from tests.unit.resolve.index import Index

TARGET = Target("3.13.5", "x86_64-manylinux_2_40")


@pytest.fixture
def index(tmp_path: Path) -> Index:
    index = Index(tmp_path / "index")
    for version in ("1.0", "1.1", "2.0"):
        index.wheel("dep", version)
    index.wheel("old", "1.0", "dep<2")
    index.wheel("need", "1.0", "dep<2")
    index.wheel("need", "2.0", "dep>=2")
    return index


def found(index: Index, folder: Path, *packages: str, there: tuple[str, ...] = ()) -> list[str]:
    ask = Ask(TARGET, packages=packages, there=there, index_url=index.url)
    answer = uv.resolve(ask, folder / "cache", None)
    return [f"{each.name}=={each.version}" for each in answer.distributions]


def test_it_stays_where_it_fits(index: Index, tmp_path: Path) -> None:
    assert found(index, tmp_path, "old") == ["dep==1.1", "old==1.0"]
    assert found(index, tmp_path, "old", there=("dep==1.0",)) == ["old==1.0"]
    assert found(index, tmp_path, "dep", there=("dep==1.0.0",)) == []


def test_where_the_newest_needs_another_no_older_one_is_taken_in_its_place(index: Index, tmp_path: Path) -> None:
    with pytest.raises(uv.Unresolved) as error:
        found(index, tmp_path, "need", there=("dep==1.0",))
    assert (error.value.kind, error.value.about) == (uv.OTHERS, "dep")


def test_a_version_that_is_none_is_in_nobodys_way(index: Index, tmp_path: Path) -> None:
    assert found(index, tmp_path, "old", there=("odd==1.0-unknown-x",)) == ["dep==1.1", "old==1.0"]
    with pytest.raises(uv.Unresolved) as error:
        found(index, tmp_path, "old", there=("dep==1.0-unknown-x",))
    assert error.value.kind == uv.OTHERS


def test_what_cannot_be_had_is_told_also_where_something_is_there(index: Index, tmp_path: Path) -> None:
    with pytest.raises(uv.Unresolved) as error:
        found(index, tmp_path, "dep==9", there=("old==1.0",))
    assert error.value.kind == uv.NO_SET
