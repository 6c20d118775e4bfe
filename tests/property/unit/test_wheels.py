"""Whatever a wheel holds: nothing leaves the folders that it may write to, and what is recorded is there, once."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import posixpath
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from imagebuilder.ir.packages import Python
from imagebuilder.layering import archive
from tests.unit.resolve.making import BIN, SITE, Member, entries, laid_out, python, wheel

INFO = "demo-1.0.dist-info"
LINKS = (
    ("/usr/local/lib64", "/usr/local/lib"),
    ("/usr/local/share", "/srv/share"),
    ("/usr/local/loop", "/usr/local/loop/a"),
)
# Where something may be written: the places of Python, and what links there lead to.
ALLOWED = ("/usr/local/", "/srv/share/")

PARTS = st.one_of(
    st.sampled_from(
        [
            "..",
            ".",
            "",
            "a",
            "b",
            "a b",
            "é",
            "日本",
            "a\\b",
            "\0",
            "a\n",
            "-",
            "~",
            "C:",
            "con",
            '"',
            ",",
            "lib64",
            "share",
        ]
        + ["loop", "bin", "lib", "python3.12", "site-packages", INFO, "x.dist-info", "WHEEL", "RECORD", "INSTALLER"]
        + ["demo-1.0.data", "scripts", "data", "headers", "purelib", "platlib", "etc", "passwd", "x" * 200]
    ),
    st.text(max_size=5),
)
NAMES = st.builds(
    lambda start, parts: start + "/".join(parts),
    st.sampled_from(
        ["", "/", "//", "../", "./", "demo-1.0.data/data/", "demo-1.0.data/scripts/", f"{INFO}/", f"{SITE}/"]
    ),
    st.lists(PARTS, min_size=1, max_size=5),
).filter(
    lambda name: (len(name.encode(errors="replace")) < 60_000 and name.isprintable()) or "\n" in name or "\0" in name
)
MEMBERS = st.lists(
    st.tuples(NAMES, st.binary(max_size=20), st.sampled_from([0o644, 0o755, 0o120777, 0o4755])), max_size=6
)
POINTS = st.one_of(
    st.none(),
    st.text(max_size=40),
    st.builds(
        lambda pairs: "[console_scripts]\n" + "".join(f"{name} = {call}\n" for name, call in pairs),
        st.lists(
            st.tuples(
                NAMES | PARTS, st.sampled_from(["a:b", "a.b:c.d [x]", "a", ":b", "a:b\n c"]) | st.text(max_size=9)
            ),
            max_size=3,
        ),
    ),
)
# Of these, most can be laid out.
CALM = st.builds(
    lambda start, parts, end: "/".join((*start, *parts, end)),
    st.sampled_from([(), ("demo-1.0.data", "data"), ("demo-1.0.data", "platlib"), (INFO,)]),
    st.lists(st.sampled_from(["p", "a b", "é", "n,s", '"', "it's"]), max_size=3),
    st.sampled_from(["f.py", "g h.py", "日本.py", ",", '"q".py']),
)
CALM_MEMBERS = st.lists(st.tuples(CALM, st.binary(max_size=20), st.sampled_from([0o644, 0o755])), max_size=6)
CALLS = st.sampled_from(
    ["[console_scripts]\nx = a:b\ny z = c.d : e.f [g]\n", "[gui_scripts]\nf.py=a:b\n", "[other]\nx = y\n"]
)
RECORDS = st.one_of(st.none(), st.just(""), st.text(max_size=40), st.builds("{},sha256=x,1\n".format, NAMES))


def made(folder: str, members: Sequence[Member], points: str | None, record: str | None) -> Path:
    def clean(text: str | None) -> str | None:
        return text if text is None else text.encode(errors="replace").decode()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        more = [(name, data, mode) for name, data, mode in members if clean(name) == name]
        return wheel(Path(folder), entry_points=clean(points), record=clean(record), more=more)


def written(path: Path, by: Python) -> bytes | None:
    try:
        return laid_out(path, by=by)
    except archive.Unfit:
        return None


@settings(max_examples=400, deadline=None, derandomize=True)
@given(MEMBERS, POINTS, RECORDS, st.booleans())
@example([("../x", b"", 0o644)], None, None, True)
@example([("demo-1.0.data/data/share/a", b"", 0o644)], None, None, True)
@example([("demo-1.0.data/data/lib64/a", b"", 0o644)], None, None, True)
@example([("demo-1.0.data/data/loop/a", b"", 0o644)], None, None, True)
def test_nothing_is_written_elsewhere(
    members: list[Member], points: str | None, record: str | None, linked: bool
) -> None:
    by = python(links=LINKS if linked else ())
    with tempfile.TemporaryDirectory() as folder:
        found = written(made(folder, members, points, record), by)
    if found is None:
        return
    with tarfile.open(fileobj=io.BytesIO(found)) as opened:
        names = [each.name for each in opened]
    assert len(set(names)) == len(names) and names == sorted(names)
    for path, (entry, _) in entries(found).items():
        assert entry.isfile() or entry.isdir(), "no links, devices or pipes"
        assert posixpath.normpath(path) == path and not set(path) & set("\0\n")
        assert (entry.uid, entry.gid, entry.mtime) == (0, 50 if path == BIN else 0, archive.TIME)
        assert path not in dict(LINKS) or not linked, "a link of the base stays"
        if entry.isfile():
            assert path.startswith(ALLOWED) and entry.mode in (0o644, 0o755)
            assert path not in {each for each, *_ in by.folders}
        else:
            assert any(other.startswith(f"{path}/") for other in entries(found))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(CALM_MEMBERS, st.none() | CALLS, st.booleans())
def test_record_is_right(members: list[Member], points: str | None, silent: bool) -> None:
    """Each file once, with its hash and size; the wheel's own RECORD may say it, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        found = written(made(folder, members, points, "" if silent else None), python())
    assume(found is not None)
    assert found is not None
    there = {path: content for path, (entry, content) in entries(found).items() if entry.isfile()}
    record = f"{SITE}/{INFO}/RECORD"
    rows = list(csv.reader(io.StringIO(there[record].decode(), newline="")))
    named = {posixpath.normpath(f"{SITE}/{name}"): (digest, size) for name, digest, size in rows}
    assert len(named) == len(rows) and named.keys() == there.keys()
    assert named.pop(record) == ("", "")
    for path, said in named.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(there[path]).digest()).rstrip(b"=").decode()
        assert said == (f"sha256={digest}", str(len(there[path])))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(MEMBERS, POINTS, st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA]))
def test_equal_wheels_give_equal_bytes(members: list[Member], points: str | None, compression: int) -> None:
    """Wherever they lie, however they are packed."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        first = made(one, members, points, None)
        second = Path(other) / first.name
        with (
            zipfile.ZipFile(first) as source,
            zipfile.ZipFile(second, "w", compression) as target,
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            for each in source.infolist():
                data = source.read(each)
                each.compress_type, each.date_time = compression, (2020, 1, 1, 0, 0, 0)
                target.writestr(each, data)
        assert written(first, python()) == written(second, python())


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data())
def test_any_damage_is_refused_or_harmless(data: st.DataObject) -> None:
    """No byte that differs makes it fail as a program."""
    with tempfile.TemporaryDirectory() as folder:
        path = made(folder, [("demo/a", b"abc" * 9, 0o644)], "[console_scripts]\nx = a:b\n", None)
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content)
        written(path, python())


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x05\x06" + bytes(18), b"PK\x05\x06" + b"\xff" * 18, bytes(1000)])
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.whl").write_bytes(data)
    assert written(tmp_path / "x.whl", python()) is None
