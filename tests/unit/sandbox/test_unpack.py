"""Archives of a hostile sandbox: whatever is in them, nothing of it is or leads outside of the folder."""

from __future__ import annotations

import io
import os
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imagebuilder.sandbox.unpack import Refused, TooMuch, unpack

Kind = tuple[str, str, str]
"""The type of an entry, its name, and where it leads."""

ROOM = 1 << 20

TYPES = {
    "dir": tarfile.DIRTYPE,
    "file": tarfile.REGTYPE,
    "link": tarfile.SYMTYPE,
    "hard": tarfile.LNKTYPE,
    "dev": tarfile.CHRTYPE,
}


def archive(*entries: Kind) -> io.BytesIO:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for kind, name, target in entries:
            entry = tarfile.TarInfo(f"top/{name}")
            entry.type, entry.linkname = TYPES[kind], target
            entry.size = 4 if kind == "file" else 0
            tar.addfile(entry, io.BytesIO(b"evil") if kind == "file" else None)
    out.seek(0)
    return out


@pytest.mark.parametrize(
    "entries",
    [
        [("file", "../x", "")],
        [("file", "a/../../x", "")],
        [("link", "x", "/etc/passwd")],
        [("link", "x", "..")],
        [("link", "a/x", "../../y")],
        [("link", "b", "."), ("link", "a", "b/..")],
        [("link", "a", "b/.."), ("link", "b", ".")],
        [("link", "a", "b/../.."), ("link", "b", "c/d")],
        [("dir", "d", ""), ("link", "l", "d"), ("file", "l/x", "")],
        [("hard", "x", "top/../../etc/passwd")],
        [("hard", "x", "/etc/passwd")],
        [("dev", "x", "")],
    ],
)
def test_what_leads_out_is_refused(entries: list[Kind], tmp_path: Path) -> None:
    target = tmp_path / "in"
    target.mkdir()
    with pytest.raises(Refused):
        unpack(archive(*entries), target, ROOM)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_what_stays_inside_is_written(tmp_path: Path) -> None:
    entries = [
        ("dir", "d", ""),
        ("file", "d/f", ""),
        ("link", "l", "d/f"),
        ("link", "d/up", "../l"),
        ("hard", "h", "top/d/f"),
    ]
    unpack(archive(*entries), tmp_path, ROOM)
    assert (tmp_path / "d/up").read_bytes() == (tmp_path / "h").read_bytes() == b"evil"


def test_more_than_is_wanted_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second name of a file takes as much as the file."""
    twice = [("file", "f", ""), ("hard", "h", "top/f")]
    (tmp_path / "all").mkdir()
    unpack(archive(*twice), tmp_path / "all", 8)
    for name, room in (("one", 7), ("none", 3)):
        (tmp_path / name).mkdir()
        with pytest.raises(TooMuch, match="more bytes"):
            unpack(archive(*twice), tmp_path / name, room)
        assert len(list((tmp_path / name).iterdir())) == (name == "one")
    monkeypatch.setattr("imagebuilder.sandbox.unpack.MOST_FILES", 1)
    (tmp_path / "few").mkdir()
    with pytest.raises(TooMuch, match="more than 1 files"):
        unpack(archive(*twice), tmp_path / "few", ROOM)


NAMES = st.lists(st.sampled_from(["a", "b", "..", ".", "c"]), min_size=1, max_size=4).map("/".join)


@example([("link", "a/a/..", "..")])
@given(st.lists(st.tuples(st.sampled_from(sorted(TYPES)), NAMES, NAMES), max_size=6))
def test_nothing_leads_out_of_any_archive(tmp_path_factory: pytest.TempPathFactory, entries: list[Kind]) -> None:
    outside = tmp_path_factory.mktemp("outside")
    target = outside / "deep/in"
    target.mkdir(parents=True)
    with suppress(Refused, OSError):
        unpack(archive(*entries), target, ROOM)
    root = os.path.realpath(target)
    for folder, folders, files in os.walk(target):
        for name in (*folders, *files):
            real = os.path.realpath(f"{folder}/{name}")
            assert real == root or real.startswith(root + "/"), f"{name} leads to {real}"
    assert sorted(
        path.relative_to(outside).as_posix() for path in outside.rglob("*") if target not in path.parents
    ) == ["deep", "deep/in"]
