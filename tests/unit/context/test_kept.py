"""Staged parts that are kept: whole or not used, shared by processes, and bounded."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from imagebuilder.context import read_tree
from imagebuilder.context.cut import Part, cut
from imagebuilder.context.kept import KeptParts
from imagebuilder.diagnostics import Invalid
from imagebuilder.ir.ops import LocalSource


def parts_of(root: Path) -> tuple[Part, ...]:
    return cut(read_tree(str(root.parent), LocalSource(path=root.name)))


def fill(root: Path, count: int = 60) -> Path:
    for number in range(count):
        path = root / f"d{number % 20}/f{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(number))
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return fill(tmp_path / "src")


@pytest.fixture
def kept(tmp_path: Path) -> KeptParts:
    return KeptParts(tmp_path / "home")


def content(folders: list[Path]) -> dict[str, str]:
    return {
        path.relative_to(folder / "files").as_posix(): path.read_text()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
    }


def wanted(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_parts_are_staged_once(kept: KeptParts, root: Path) -> None:
    parts = parts_of(root)
    with kept.using():
        first = kept.stage(parts)
        assert content(first) == wanted(root)
        assert [folder.name for folder in first] == [part.digest[7:47] for part in parts]
        assert all([child.name for child in folder.iterdir()] == ["files"] for folder in first)
    before = {path: path.stat().st_ino for folder in first for path in folder.rglob("*")}
    with kept.using():
        assert kept.stage(parts) == first
    assert {path: path.stat().st_ino for folder in first for path in folder.rglob("*")} == before


def test_after_a_change_one_part_is_new(kept: KeptParts, root: Path) -> None:
    with kept.using():
        first = kept.stage(parts_of(root))
    (root / "d1/f1").write_text("another")
    with kept.using():
        second = kept.stage(parts_of(root))
    assert content(second) == wanted(root)
    assert len(set(second) - set(first)) == 1


def rewrite(path: Path, text: str) -> None:
    """With size and time as they were."""
    status = path.stat()
    path.write_text(text)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "other bytes of the same size and time": lambda path: rewrite(path, "9"),
    "an end that is lost": lambda path: path.write_text(""),
    "a file less": lambda path: path.unlink(),
    "a file more": lambda path: (path.parent / "more").touch(),
    "a folder more": lambda path: (path.parent / "more").mkdir(),
    "a mode": lambda path: path.chmod(0o600),
    "a folder's mode": lambda path: path.parent.chmod(0o700),
    "the mode of the whole": lambda path: path.parents[1].chmod(0o700),
    "a link in the place of a file": lambda path: (path.unlink(), path.symlink_to("/etc/hostname")),
    "no seal": lambda path: (path.parents[3] / "seal").unlink(),
    "a seal that is no text": lambda path: (path.parents[3] / "seal").write_bytes(b"\xff\xfe"),
    "half a seal": lambda path: (path.parents[3] / "seal").write_text("ab"),
    "nothing left": lambda path: path.parents[1].rename(path.parents[2] / "elsewhere"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_what_is_damaged_is_not_used(kept: KeptParts, root: Path, damage: Callable[[Path], object]) -> None:
    parts = parts_of(root)
    with kept.using():
        first = kept.stage(parts)
    (path,) = (folder / "files/d1/f1" for folder in first if (folder / "files/d1/f1").exists())
    damage(path)
    with kept.using():
        second = kept.stage(parts)
        assert content(second) == wanted(root)
        assert len(set(second) - set(first)) == 1
        modes = {path.stat().st_mode & 0o7777 for folder in second for path in (folder / "files").rglob("*")}
        assert modes == {0o755, 0o644}
    with kept.using():
        assert kept.stage(parts) == second


def test_a_file_that_changes_meanwhile_is_refused_and_nothing_of_it_kept(
    kept: KeptParts, root: Path, tmp_path: Path
) -> None:
    parts = parts_of(root)
    (root / "d1/f1").write_text("x")
    with pytest.raises(Invalid) as caught, kept.using():
        kept.stage(parts)
    assert caught.value.code == "IB210"
    assert [path.name for path in (tmp_path / "home/parts").iterdir()] == ["lock"]


def test_no_room_is_a_diagnostic(kept: KeptParts, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkdtemp", full)
    with pytest.raises(Invalid, match="no space left") as caught, kept.using():
        kept.stage(parts_of(root))
    assert caught.value.code == "IB211"


def test_what_was_used_longest_ago_goes(tmp_path: Path) -> None:
    kept = KeptParts(tmp_path / "home", most_bytes=400_000)
    roots = [fill(tmp_path / f"src{number}", 20 + number) for number in range(6)]
    for number, root in enumerate(roots):
        with kept.using():
            found = kept.stage(parts_of(root))
        for folder in found:
            os.utime(folder.parent, (1000 + number, 1000 + number))
    assert 0 < kept.size() <= 400_000
    # What one build needs is there until it ends, though it be too much.
    with kept.using():
        assert content(kept.stage(parts_of(roots[0]))) == wanted(roots[0])


def test_nothing_goes_while_a_build_uses_it(kept: KeptParts, root: Path, tmp_path: Path) -> None:
    other = KeptParts(tmp_path / "home")
    parts = parts_of(root)
    with kept.using():
        found = kept.stage(parts)
        assert other.prune() == 0
        with other.using():
            assert other.stage(parts) == found
        assert content(found) == wanted(root)
    assert other.prune() > 0
    assert kept.size() == 0


def test_what_is_replaced_goes_at_once(kept: KeptParts, root: Path) -> None:
    parts = parts_of(root)
    with kept.using([parts[-1].digest]):
        found = kept.stage(parts)
    assert [folder.exists() for folder in found] == [True] * (len(parts) - 1) + [False]


def test_old_parts_go(kept: KeptParts, root: Path) -> None:
    with kept.using():
        found = kept.stage(parts_of(root))
    old = time.time() - 15 * 24 * 3600
    os.utime(found[0].parent, (old, old))
    with kept.using():
        pass
    assert [folder.exists() for folder in found] == [False] + [True] * (len(found) - 1)


def test_listing(kept: KeptParts, root: Path) -> None:
    parts = parts_of(root)
    assert kept.listing(parts[0].digest) is None
    with kept.using():
        kept.stage(parts)
    assert kept.listing(parts[0].digest) == {entry.path: (entry.type, entry.content) for entry in parts[0].entries}


STAGER = """
import sys
from pathlib import Path
from tests.unit.context.test_kept import KeptParts, parts_of
kept, parts = KeptParts(Path(sys.argv[1])), parts_of(Path(sys.argv[2]))
print("ready", flush=True)
while True:
    with kept.using():
        kept.stage(parts)
    kept.prune()
"""


def test_kill_leaves_nothing_that_is_used_later(tmp_path: Path) -> None:
    root = fill(tmp_path / "src", 600)
    chance = random.Random(7)
    kept = KeptParts(tmp_path / "home")
    for _ in range(6):
        argv = [sys.executable, "-c", STAGER, str(tmp_path / "home"), str(root)]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0, 0.3))
        process.kill()
        process.communicate()
        with kept.using():
            assert content(kept.stage(parts_of(root))) == wanted(root)
        assert not [path for path in (tmp_path / "home/parts").iterdir() if path.name.startswith(".new-")]


def test_many_processes_at_once(tmp_path: Path) -> None:
    root = fill(tmp_path / "src", 300)
    script = """
import sys
from pathlib import Path
from tests.unit.context.test_kept import KeptParts, content, parts_of, wanted
root = Path(sys.argv[2])
kept, parts = KeptParts(Path(sys.argv[1])), parts_of(root)
for _ in range(4):
    with kept.using():
        assert content(kept.stage(parts)) == wanted(root)
    kept.prune()
"""
    argv = [sys.executable, "-c", script, str(tmp_path / "home"), str(root)]
    started = [subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    said = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0] * 4, said
