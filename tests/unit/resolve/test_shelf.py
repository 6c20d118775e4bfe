"""What resolving keeps is bounded, whatever kind it is, and stays for as long as a build uses any of it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from imagebuilder.resolve.shelf import ANSWERS, BUILT, LAYERS, NEW, UV, WHEELS, Answers, Shelf

DAY = 24 * 3600.0
KINDS = (WHEELS, BUILT, LAYERS, ANSWERS, UV)


def fill(home: Path, size: int) -> dict[str, Path]:
    """One item of each kind, which have as many bytes each, and were used one day after another."""
    shelf = Shelf(home)
    Answers(home).keep("a", "x" * size)
    made = {ANSWERS: shelf.item(ANSWERS, "a.json"), UV: shelf.new(UV, "")}
    (bucket := made[UV] / "simple-v1/pypi").mkdir(parents=True)
    (bucket / "a").write_bytes(b"x" * size)
    for kind in (WHEELS, BUILT, LAYERS):
        made[kind] = shelf.new(kind, "a")
        (made[kind] / "file").write_bytes(b"x" * size)
    for number, kind in enumerate(KINDS):
        os.utime(made[kind], (time.time() - (9 - number) * DAY,) * 2)
    return made


def left(made: dict[str, Path]) -> list[str]:
    return [kind for kind in KINDS if made[kind].exists()]


def test_what_nobody_used_for_long_goes_of_each_kind(home: Path) -> None:
    made = fill(home, 10)
    Shelf(home).prune(1000, 7.5 * DAY)
    assert left(made) == [LAYERS, ANSWERS, UV]
    Shelf(home).prune(1000, 5.5 * DAY)
    assert left(made) == [UV] and (made[UV] / "simple-v1/pypi/a").exists()
    Shelf(home).prune(1000, 1 * DAY)
    assert left(made) == []


@pytest.mark.parametrize(("most", "stay"), [(50, KINDS), (49, KINDS[1:]), (20, KINDS[3:]), (10, [UV]), (9, [])])
def test_so_does_what_is_too_much_what_was_used_longest_ago_first(home: Path, most: int, stay: list[str]) -> None:
    made = fill(home, 10)
    Shelf(home).prune(most, 30 * DAY)
    assert left(made) == list(stay)


def test_what_is_used_again_stays(home: Path) -> None:
    made = fill(home, 10)
    assert Answers(home).get("a") == b"x" * 10
    Shelf(home).new(UV, "")
    Shelf(home).used(WHEELS, "a")
    Shelf(home).prune(1000, DAY)
    assert left(made) == [WHEELS, ANSWERS, UV]


def test_what_a_killed_process_left_goes_and_costs_its_item_nothing(home: Path) -> None:
    """However often such an item is used: its time would never come."""
    made = fill(home, 10)
    shelf = Shelf(home)
    begun = [made[kind] / f"{NEW}a" for kind in (WHEELS, BUILT, LAYERS)] + [shelf.new(BUILT, f"{NEW}b")]
    for path in begun:
        (path / "some" if path.is_dir() else path).write_bytes(b"x" * 1000)
    with shelf.using():
        shelf.prune(50, 30 * DAY)
        assert all(path.exists() for path in begun)
    shelf.prune(50, 30 * DAY)
    assert not any(path.exists() for path in begun) and left(made) == list(KINDS)


def test_nothing_goes_while_somebody_uses_any(home: Path) -> None:
    made = fill(home, 10)
    with Shelf(home).using():
        Shelf(home).prune(0, 0)
        assert left(made) == list(KINDS)
    Shelf(home).prune(0, 0)
    assert left(made) == []
