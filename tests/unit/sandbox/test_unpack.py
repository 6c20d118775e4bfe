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

from imagebuilder.sandbox.unpack import Refused, unpack

Kind = tuple[str, str, str]
"""The type of an entry, its name, and where it leads."""

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
        unpack(archive(*entries), target)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_what_stays_inside_is_written(tmp_path: Path) -> None:
    entries = [
        ("dir", "d", ""),
        ("file", "d/f", ""),
        ("link", "l", "d/f"),
        ("link", "d/up", "../l"),
        ("hard", "h", "top/d/f"),
    ]
    unpack(archive(*entries), tmp_path)
    assert (tmp_path / "d/up").read_bytes() == (tmp_path / "h").read_bytes() == b"evil"


NAMES = st.lists(st.sampled_from(["a", "b", "..", ".", "c"]), min_size=1, max_size=4).map("/".join)


@example([("link", "a/a/..", "..")])
@given(st.lists(st.tuples(st.sampled_from(sorted(TYPES)), NAMES, NAMES), max_size=6))
def test_nothing_leads_out_of_any_archive(tmp_path_factory: pytest.TempPathFactory, entries: list[Kind]) -> None:
    outside = tmp_path_factory.mktemp("outside")
    target = outside / "deep/in"
    target.mkdir(parents=True)
    with suppress(Refused, OSError):
        unpack(archive(*entries), target)
    root = os.path.realpath(target)
    for folder, folders, files in os.walk(target):
        for name in (*folders, *files):
            real = os.path.realpath(f"{folder}/{name}")
            assert real == root or real.startswith(root + "/"), f"{name} leads to {real}"
    assert sorted(
        path.relative_to(outside).as_posix() for path in outside.rglob("*") if target not in path.parents
    ) == ["deep", "deep/in"]
