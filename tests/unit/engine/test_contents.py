"""What an image holds, of its export: every kind of entry, every package database, and nothing without a bound."""

from __future__ import annotations

import io
import json
import tracemalloc
from hashlib import sha256

import pytest

from imagebuilder.diagnostics import EngineError
from imagebuilder.engine.contents import Contents, Entry, read
from tests.unit.archives import archive, dpkg


def contents(files: dict[str, bytes | str | None], **options: object) -> Contents:
    return read(io.BytesIO(archive(files, **options)))  # type: ignore[arg-type] # as archive() takes them


def packages(path: str, text: bytes | str) -> dict[str, dict[str, str]]:
    found = contents({path: text.encode() if isinstance(text, str) else text}).packages
    return {kind: dict(names) for kind, names in found.items()}


def test_entries() -> None:
    found = contents(
        {".dockerenv": b"", "bin/": None, "bin/x": b"ab", "l": "bin/x"}, uid=1, gid=2, links={"y": "bin/x"}
    )
    file = Entry("file", 2, 0o644, (1, 2), "", sha256(b"ab").digest())
    assert found.entries == {
        "/bin": Entry("dir", 0, 0o755, (1, 2)),
        "/bin/x": file,
        "/l": Entry("link", 0, 0o777, (1, 2), "bin/x"),
        "/y": Entry("file", 2, 0o644, (0, 0), "", file.digest),
    }
    assert found.size == 2, "of two names of one file, one counts"


def test_names_that_are_no_text() -> None:
    assert list(contents({"a\udcff\n": b""}).entries) == ["/a\udcff\n"]


@pytest.mark.parametrize("path", ["var/lib/dpkg/status", "var/lib/dpkg/status.d/curl"])
def test_dpkg(path: str) -> None:
    gone = "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: half\nStatus: x ok not-installed\nVersion: 1\n\n"
    assert packages(path, dpkg(curl="7.88", a="1:2~3") + b"\n" + gone.encode()) == {
        "apt": {"a": "1:2~3", "curl": "7.88"}
    }
    assert packages(path, "Package: curl\nVersion: 1\nDescription: a\n Version: 2\n") == {"apt": {"curl": "1"}}
    assert packages("var/lib/dpkg/status.d/curl.md5sums", dpkg(curl="1")) == {}


def test_apk() -> None:
    assert packages("lib/apk/db/installed", "C:Q1\nP:musl\nV:1.2\nF:lib\n\nP:zlib\nV:2\n") == {
        "apk": {"musl": "1.2", "zlib": "2"}
    }


def test_pip() -> None:
    head = "Metadata-Version: 2.1\r\nName: Six_x.y\r\nVersion: 1.17.0\r\n\r\nName: other\r\nVersion: 2\r\n"
    site = "usr/lib/python3/site-packages"
    assert packages(f"{site}/six-1.17.0.dist-info/METADATA", head) == {"pip": {"six-x-y": "1.17.0"}}
    assert packages(f"{site}/six.egg-info/PKG-INFO", head) == {"pip": {"six-x-y": "1.17.0"}}
    assert packages(f"{site}/setuptools/_vendor/six-1.17.0.dist-info/METADATA", head) == {}
    both = {
        f"{where}/six.dist-info/METADATA": f"Name: six\nVersion: {v}\n".encode() for where, v in (("a", 2), ("b", 1))
    }
    assert contents({**both}).packages == {"pip": {"six": "1, 2"}}


def test_npm() -> None:
    text = json.dumps({"name": "@a/b", "version": "1.0.0"})
    assert packages("app/node_modules/@a/b/package.json", text) == {"npm": {"@a/b": "1.0.0"}}
    assert packages("app/node_modules/x/node_modules/b/package.json", text) == {"npm": {"@a/b": "1.0.0"}}
    hostile = r'{"name": "\ud800", "version": "1"}'
    assert packages("app/node_modules/x/package.json", hostile) == {"npm": {"?": "1"}}
    for path in ("app/package.json", "app/node_modules/b/test/package.json"):
        assert packages(path, text) == {}


@pytest.mark.parametrize(
    "text",
    ["", "[" * 100_000, '{"name": 1, "version": "1"}', "[]", '{"name": "a"}', b"\xff", '{"name": "", "version": "1"}'],
)
def test_a_broken_package_names_nothing(text: str | bytes) -> None:
    assert packages("node_modules/a/package.json", text) == {}
    assert packages("a.dist-info/METADATA", text) == packages("var/lib/dpkg/status", text) == {}


def test_long_files_take_no_memory() -> None:
    """No more of them is held than what is looked at."""
    data = archive({f"node_modules/{n}/package.json": b"{" + b" " * (20 << 20) for n in range(2)})
    tracemalloc.start()
    try:
        assert read(io.BytesIO(data)).packages == {}
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()
    (name,) = packages("var/lib/dpkg/status", dpkg(**{"a" * 100_000: "1"}))["apt"]
    assert len(name) < 1000


def test_too_many_files() -> None:
    with pytest.raises(EngineError) as caught:
        read(io.BytesIO(archive({str(n): b"" for n in range(11)})), most=10)
    assert caught.value.diagnostics[0].code == "IB541"


@pytest.mark.parametrize("length", [0, 100, 700, 1536])
def test_an_export_that_breaks_off(length: int) -> None:
    with pytest.raises(EngineError) as caught:
        read(io.BytesIO(archive({"a": b"x" * 600, "b": b"y" * 2000})[:length]))
    assert caught.value.diagnostics[0].code == "IB541" and caught.value.diagnostics[0].help
