"""What the builder gets: the same files with the same modes on every machine, and nothing that changed meanwhile."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagebuilder.context import read_tree, staging
from imagebuilder.context.staging import stage_text, stage_tree
from imagebuilder.diagnostics import Invalid
from imagebuilder.ir.ops import LocalSource

MTIME = 1_500_000_000_123_456_789


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "sub/empty").mkdir(parents=True)
    (root / "sub/file").write_bytes(b"content\r\n\0")
    (root / "program").write_bytes(b"#!/bin/sh\n")
    (root / "program").chmod(0o700)
    (root / "link").symlink_to("sub/file")
    (root / "dangling").symlink_to("/no/where")
    for path in ("program", "link", "sub/file", "sub/empty", "sub"):
        os.utime(root / path, ns=(MTIME, MTIME), follow_symlinks=False)
    return root


@pytest.fixture(params=[0o022, 0o077, 0o000], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def staged(root: Path, **options: object) -> Path:
    tree = read_tree(str(root.parent), LocalSource(path=root.name, **options))
    target = root.parent / "staged"
    stage_tree(tree, target)
    return target


@pytest.mark.usefixtures("umask")
def test_modes_and_times(root: Path) -> None:
    target = staged(root)
    found = {
        path.relative_to(target).as_posix(): (stat.S_IMODE(path.lstat().st_mode), path.lstat().st_mtime_ns == MTIME)
        for path in target.rglob("*")
        if not path.is_symlink()
    }
    assert found == {
        "program": (0o755, True),
        "sub": (0o755, True),
        "sub/empty": (0o755, True),
        "sub/file": (0o644, True),
    }
    assert stat.S_IMODE(target.stat().st_mode) == 0o755
    assert (target / "link").lstat().st_mtime_ns == MTIME


def test_contents(root: Path) -> None:
    target = staged(root)
    assert (target / "sub/file").read_bytes() == b"content\r\n\0"
    assert os.readlink(target / "link") == "sub/file"
    assert os.readlink(target / "dangling") == "/no/where"
    assert (target / "sub/empty").is_dir()


def test_only_what_was_selected(root: Path) -> None:
    target = staged(root, ignore=["program", "sub/empty", "*ling"])
    assert sorted(p.relative_to(target).as_posix() for p in target.rglob("*")) == ["link", "sub", "sub/file"]


@pytest.mark.usefixtures("umask")
def test_a_file(root: Path) -> None:
    tree = read_tree(str(root), LocalSource(path="link", kind="file"))
    target = root.parent / "staged"
    stage_tree(tree, target)
    target /= "link"
    assert target.read_bytes() == b"content\r\n\0" and not target.is_symlink()
    assert (stat.S_IMODE(target.stat().st_mode), target.stat().st_mtime_ns) == (0o644, MTIME)


@pytest.mark.usefixtures("umask")
def test_text(tmp_path: Path) -> None:
    stage_text("a\r\né\n\\", tmp_path / "text")
    assert (tmp_path / "text").read_bytes() == b"a\r\n\xc3\xa9\n\\"
    assert stat.S_IMODE((tmp_path / "text").stat().st_mode) == 0o644


MEANWHILE: dict[str, Callable[[Path], object]] = {
    "another content": lambda root: (root / "sub/file").write_bytes(b"CONTENT\r\n\0"),
    "more content": lambda root: (root / "sub/file").write_bytes(b"content\r\n\0more"),
    "a pipe": lambda root: ((root / "program").unlink(), os.mkfifo(root / "program")),
    "a link to what never ends": lambda root: ((root / "program").unlink(), (root / "program").symlink_to("/dev/zero")),
    "another target": lambda root: ((root / "link").unlink(), (root / "link").symlink_to("sub")),
    "a file that is gone": lambda root: (root / "program").unlink(),
    "a file that is a folder now": lambda root: ((root / "program").unlink(), (root / "program").mkdir()),
    "a link that is a file now": lambda root: ((root / "link").unlink(), (root / "link").touch()),
    "a folder that is gone": lambda root: (root / "sub/empty").rmdir(),
}


@pytest.mark.parametrize("change", MEANWHILE.values(), ids=MEANWHILE)
def test_what_changed_after_hashing_is_refused(root: Path, change: Callable[[Path], object]) -> None:
    tree = read_tree(str(root.parent), LocalSource(path=root.name))
    change(root)
    with pytest.raises(Invalid) as caught:
        stage_tree(tree, root.parent / "staged")
    assert caught.value.code == "IB210"
    assert "changed while the image was being built" in caught.value.message and caught.value.help == "build again"


def test_a_file_replaced_by_a_link_to_the_same_bytes_stays_a_file(root: Path) -> None:
    """As the key says, and no link leads out of what the builder gets."""
    tree = read_tree(str(root.parent), LocalSource(path=root.name))
    (root / "sub/file").rename(root.parent / "elsewhere")
    (root / "sub/file").symlink_to(root.parent / "elsewhere")
    target = root.parent / "staged"
    stage_tree(tree, target)
    assert not (target / "sub/file").is_symlink()
    assert (target / "sub/file").read_bytes() == b"content\r\n\0"


def test_times_to_the_nanosecond(root: Path) -> None:
    """BuildKit tells a changed file by size and time; a rounded time would make every build send every file."""
    assert (staged(root) / "sub/file").stat().st_mtime_ns == MTIME


# By two processes -------------------------------------------------------------------------------------


@pytest.fixture
def jobs(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[staging.Job]:
    """Two copies of one tree, the second of which the second process makes."""
    monkeypatch.setattr(staging, "_FOR_TWO", 2)
    monkeypatch.setattr(staging, "_can_help", lambda: True)
    entries = read_tree(str(root.parent), LocalSource(path=root.name)).entries
    return [(root, entries, root.parent / name) for name in ("first", "second ü")]


def seen(folder: Path) -> dict[str, tuple[int, int, str]]:
    return {
        path.relative_to(folder).as_posix(): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            os.readlink(path) if path.is_symlink() else path.read_text() if path.is_file() else "",
        )
        for path in folder.rglob("*")
    }


@pytest.mark.usefixtures("umask")
def test_the_second_process_copies_alike(jobs: list[staging.Job], monkeypatch: pytest.MonkeyPatch) -> None:
    staging.stage_all(jobs)
    assert seen(jobs[0][2]) == seen(jobs[1][2]) and len(seen(jobs[0][2])) == 6
    monkeypatch.setattr(staging, "_can_help", lambda: False)
    alone = [(root, entries, target.with_name(f"{target.name} alone")) for root, entries, target in jobs]
    staging.stage_all(alone)
    assert seen(alone[1][2]) == seen(jobs[1][2])


def test_the_second_process_refuses_what_changed(jobs: list[staging.Job]) -> None:
    root, entries, target = jobs[1]
    other = root.parent / "other ü"
    shutil.copytree(root, other, symlinks=True)
    (other / "sub/file").write_bytes(b"CONTENT\r\n\0")
    with pytest.raises(
        Invalid, match=r"'[^']*other ü/sub/file' changed while .*: its content is another one"
    ) as caught:
        staging.stage_all([jobs[0], (other, entries, target)])
    assert caught.value.code == "IB210"


def test_the_second_process_says_what_cannot_be_written(jobs: list[staging.Job]) -> None:
    root, entries, target = jobs[1]
    with pytest.raises(Invalid, match="no such file or directory") as caught:
        staging.stage_all([jobs[0], (root, entries, target / "below/nothing")])
    assert caught.value.code == "IB211"


FAILING = {
    "ends at once": "raise SystemExit(1)",
    "says nonsense": "print('[1')",
    "is killed": "import os; os.kill(os.getpid(), 9)",
}


@pytest.mark.parametrize("text", FAILING.values(), ids=FAILING)
def test_a_second_process_that_fails_is_done_without(
    jobs: list[staging.Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    program = tmp_path / "copying.py"
    program.write_text(text)
    (tmp_path / "second ü").mkdir()
    (tmp_path / "second ü/half").touch()
    monkeypatch.setattr(staging.copying, "__file__", str(program))
    staging.stage_all(jobs)
    assert seen(jobs[0][2]) == seen(jobs[1][2])


def test_a_second_process_that_cannot_be_started_is_done_without(
    jobs: list[staging.Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/python3")
    staging.stage_all(jobs)
    assert seen(jobs[0][2]) == seen(jobs[1][2])
