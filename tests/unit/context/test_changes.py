"""What this machine has seen change lies in the last part from then on; what it thinks changes no image."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from imagebuilder.context import changes, read_tree
from imagebuilder.context.changes import Changes
from imagebuilder.context.cut import Part, cut
from imagebuilder.context.kept import KeptParts
from imagebuilder.ir.ops import LocalSource
from tests.unit.context.test_kept import content, fill, rewrite, wanted


class Machine:
    """One home and one folder, built again and again."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.root = fill(folder / "src", 100)
        self.kept = KeptParts(self.home)
        self.replaced: list[str] = []

    def build(self) -> tuple[Part, ...]:
        source = LocalSource(path=self.root.name)
        tree = read_tree(str(self.root.parent), source)
        memory = Changes(self.home, self.kept)
        parts = memory.cut(tree, source)
        self.replaced = memory.replaced
        with self.kept.using(memory.replaced):
            self.kept.stage(parts)
        return parts


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def hot(parts: tuple[Part, ...]) -> list[str]:
    return [entry.path for entry in parts[-1].entries if entry.type != "dir"]


def moved(before: tuple[Part, ...], after: tuple[Part, ...]) -> int:
    return len({part.digest for part in after} - {part.digest for part in before})


def test_the_second_change_moves_the_last_part_alone(machine: Machine) -> None:
    first = machine.build()
    assert hot(first) == [] and machine.build() == first
    (machine.root / "d1/f1").write_text("one")
    second = machine.build()
    assert hot(second) == ["d1/f1"] and moved(first, second) == 2
    assert machine.replaced == [first[-1].digest]
    (machine.root / "d1/f1").write_text("two")
    third = machine.build()
    assert hot(third) == ["d1/f1"] and moved(second, third) == 1
    assert third[:-1] == second[:-1]


def test_new_files_and_those_that_are_gone(machine: Machine) -> None:
    machine.build()
    (machine.root / "d3/new").write_text("new")
    (machine.root / "d4/f4").unlink()
    (machine.root / "d5/f5").chmod(0o755)
    assert hot(machine.build()) == ["d3/new", "d5/f5"]
    (machine.root / "d3/new").unlink()
    assert hot(machine.build()) == ["d5/f5"]
    (machine.root / "d3/new").write_text("again")
    assert hot(machine.build()) == ["d3/new", "d5/f5"], "what comes back is known"


def test_very_many_at_once_say_nothing(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_AT_ONCE", 5)
    machine.build()
    (machine.root / "d1/f1").write_text("one")
    machine.build()
    for number in range(2, 8):
        (machine.root / f"d{number}/f{number}").write_text("another branch")
    assert hot(machine.build()) == ["d1/f1"]


def test_what_changed_longest_ago_is_forgotten(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_MOST_FILES", 3)
    machine.build()
    for number in (1, 2, 3, 1, 4):
        path = machine.root / f"d{number}/f{number}"
        path.write_text(path.read_text() + "x")
        found = hot(machine.build())
    assert found == ["d1/f1", "d3/f3", "d4/f4"]


def test_large_files_that_change_are_bounded(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_MOST_BYTES", 100)
    machine.build()
    (machine.root / "d1/f1").write_text("x" * 60)
    assert hot(machine.build()) == ["d1/f1"]
    (machine.root / "d2/f2").write_text("x" * 60)
    assert hot(machine.build()) == ["d2/f2"]
    (machine.root / "d3/f3").write_text("x" * 200)
    assert hot(machine.build()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"parts": 1, "hot": []}', '{"parts": [], "hot": [1]}', "\0"])
def test_a_damaged_memory_is_no_memory(machine: Machine, text: str) -> None:
    machine.build()
    (machine.root / "d1/f1").write_text("one")
    machine.build()
    (file,) = (machine.home / "cuts").iterdir()
    file.write_text(text)
    parts = machine.build()
    assert hot(parts) == []
    assert file.read_text() != text


@pytest.mark.parametrize("digest", ["/ha256:ab", "**", "..", "", "\0"])
@pytest.mark.parametrize("listing", ["null", "[1]", "[[1, 2, 3, 4]]", "[[[], 1, 2]]"])
def test_what_is_no_digest_and_no_listing_is_not_known(machine: Machine, digest: str, listing: str) -> None:
    machine.build()
    (machine.root / "d1/f1").write_text("one")
    (file,) = (machine.home / "cuts").iterdir()
    for path in (machine.home / "parts").glob("*/listing"):
        path.write_text(listing)
    parts = machine.build()
    assert hot(parts) == []
    file.write_text(json.dumps({"parts": [digest], "hot": []}))
    assert hot(machine.build()) == []


def test_nowhere_to_remember(machine: Machine) -> None:
    machine.home.mkdir()
    (machine.home / "cuts").touch()
    first = machine.build()
    (machine.root / "d1/f1").write_text("one")
    assert moved(first, machine.build()) == 1


def test_few_folders_are_remembered(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_MOST_FOLDERS", 2)
    for number in range(4):
        machine.root = fill(tmp_path / f"other{number}")
        machine.build()
    assert len(list((machine.home / "cuts").iterdir())) == 2


def test_without_a_memory_it_is_the_plain_cut(machine: Machine) -> None:
    tree = read_tree(str(machine.root.parent), LocalSource(path=machine.root.name))
    assert machine.build() == cut(tree)


@pytest.mark.parametrize("seed", range(3))
def test_after_any_edits_the_parts_hold_the_folder(
    machine: Machine, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same size and time, new, gone, moved, from file to folder: together the parts are what is there, and no more."""
    monkeypatch.setattr(changes, "_MOST_FILES", 4)
    chance = random.Random(seed)
    for _ in range(12):
        for _ in range(chance.randrange(4)):
            path = machine.root / f"d{chance.randrange(20)}/f{chance.randrange(20)}"
            match chance.randrange(5):
                case 0 if path.is_file():
                    rewrite(path, "".join(chance.choices("0123456789", k=path.stat().st_size)))
                case 1 if path.is_file():
                    path.unlink()
                case 2 if path.is_file():
                    path.unlink()
                    path.mkdir()
                case 3 if path.is_file():
                    path.chmod(0o755)
                case _ if not path.is_dir():
                    path.write_text(str(chance.random()))
        parts = machine.build()
        with machine.kept.using():
            folders = machine.kept.stage(parts)
            assert content(folders) == wanted(machine.root)
        assert {e.path for e in parts[-1].entries if e.type == "dir"} == {
            path.relative_to(machine.root).as_posix() for path in machine.root.rglob("*") if path.is_dir()
        }
        files = [e.path for part in parts for e in part.entries if e.type != "dir"]
        assert len(files) == len(set(files))
