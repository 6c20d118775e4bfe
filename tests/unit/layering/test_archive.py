"""What is made of a wheel is what an installer makes of it, and is the same wherever it is made."""

from __future__ import annotations

import io
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from imagebuilder.layering import archive
from imagebuilder.resolve import uv
from tests.unit.resolve.making import BIN, SITE, entries, files, laid_out, python, recorded, row, wheel

CODE = {"demo/__init__.py": "x = 1\n"}
INFO = f"{SITE}/demo-1.0.dist-info"


# Places ------------------------------------------------------------------------------------------------


def test_files_go_where_the_wheel_has_them(tmp_path: Path) -> None:
    data = "demo-1.0.data"
    made = wheel(
        tmp_path,
        {
            **CODE,
            "space name/ns/b c.py": "1",
            "demo/日本.py": "2",
            f"{data}/purelib/p.py": "3",
            f"{data}/platlib/q.py": "4",
            f"{data}/data/share/man/d.1": "5",
            f"{data}/data/etc/demo.conf": "6",
            f"{data}/headers/d.h": "7",
            f"{data}/scripts/tool": "#!/bin/sh\n",
        },
    )
    lib, root = "/lib/site", "/lib64/site"
    found = files(made, by=python(purelib=lib, platlib=root))
    assert {path: text for path, text in found.items() if "dist-info" not in path} == {
        f"{lib}/demo/__init__.py": "x = 1\n",
        f"{lib}/space name/ns/b c.py": "1",
        f"{lib}/demo/日本.py": "2",
        f"{lib}/p.py": "3",
        f"{root}/q.py": "4",
        "/usr/local/share/man/d.1": "5",
        "/usr/local/etc/demo.conf": "6",
        "/usr/local/include/python3.12/demo/d.h": "7",
        f"{BIN}/tool": "#!/bin/sh\n",
    }
    assert set(files(wheel(tmp_path, CODE, pure=False), by=python(platlib=root))) >= {f"{root}/demo/__init__.py"}


def test_entries_are_owned_timed_and_sorted(tmp_path: Path) -> None:
    made = wheel(tmp_path, {**CODE, "demo/run": "", "demo-1.0.data/scripts/s": "x"}, executable=["demo/run"])
    found = entries(laid_out(made))
    assert list(found) == sorted(found)
    assert {entry.mtime for entry, _ in found.values()} == {archive.TIME}
    modes = {path: (entry.mode, entry.uid, entry.gid) for path, (entry, _) in found.items()}
    assert modes[f"{SITE}/demo/__init__.py"] == (0o644, 0, 0)
    assert modes[f"{SITE}/demo/run"] == (0o755, 0, 0)
    assert modes[f"{BIN}/s"] == (0o755, 0, 0), "what is a script is executable"
    assert modes[BIN] == (0o2775, 0, 50), "as the base has it"
    assert modes[SITE] == (0o755, 0, 0)
    assert {entry.type for entry, _ in found.values()} == {tarfile.REGTYPE, tarfile.DIRTYPE}


def test_of_a_mode_only_the_executable_bit_counts(tmp_path: Path) -> None:
    made = wheel(
        tmp_path, CODE, more=[("a", "", 0o4777), ("b", "", 0o600), ("link", "/etc/passwd", stat.S_IFLNK | 0o777)]
    )
    found = {path: entry for path, (entry, _) in entries(laid_out(made)).items()}
    assert [found[f"{SITE}/{name}"].mode for name in ("a", "b", "link")] == [0o755, 0o644, 0o755]
    assert found[f"{SITE}/link"].isreg(), "a wheel has no links: what looks like one is a file that says where it leads"


def test_nothing_is_put_in_the_place_of_a_link(tmp_path: Path) -> None:
    """A linked layer would hide what lies behind it. RECORD counts from the folder that the link leads to."""
    by = python(
        purelib="/usr/local/current/lib/site",
        scripts="/usr/local/current/bin",
        data="/usr/local/current",
        links=(("/usr/local/current", "/opt/py/3.12"), ("/opt/py", "/srv/p")),
    )
    found = files(wheel(tmp_path, CODE, entry_points="[console_scripts]\nd = demo:main\n"), by=by)
    top = "/srv/p/3.12"
    assert {path for path in found if not path.startswith(top)} == set()
    record = recorded(found[f"{top}/lib/site/demo-1.0.dist-info/RECORD"])
    assert {"../../bin/d", "demo/__init__.py", "demo-1.0.dist-info/RECORD"} <= set(record)


@pytest.mark.parametrize("links", [(("/usr", "/usr"),), (("/usr/local", "/opt"), ("/opt", "/usr/local"))])
def test_links_that_lead_nowhere_end(tmp_path: Path, links: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(archive.Unfit, match="lead nowhere"):
        laid_out(wheel(tmp_path, CODE), by=python(links=links))


# Scripts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "first", "call"),
    [
        ("demo:main", "main", "main"),
        ("demo.cli : App.run", "App", "App.run"),
        ("demo:main [fast]", "main", "main"),
        ("demo:main[fast, slow]", "main", "main"),
    ],
)
def test_an_entry_point_becomes_a_script(tmp_path: Path, said: str, first: str, call: str) -> None:
    points = f"[console_scripts]\nDemo-x = {said}\n[gui_scripts]\nwin = demo:main\n[other.group]\nno = not even one\n"
    found = files(wheel(tmp_path, CODE, entry_points=points))
    text = found[f"{BIN}/Demo-x"]
    assert text.startswith("#!/usr/local/bin/python3.12\n") and text.endswith(f"sys.exit({call}())\n")
    assert f"from {said.split(':')[0].strip()} import {first}\n" in text
    assert compile(text, "script", "exec")
    assert f"{BIN}/win" in found and f"{BIN}/no" not in found


def test_a_group_named_default_is_one_like_others(tmp_path: Path) -> None:
    points = "[DEFAULT]\nno = demo:main\n[console_scripts]\nyes = demo:main\n"
    found = files(wheel(tmp_path, CODE, entry_points=points))
    assert f"{BIN}/yes" in found and f"{BIN}/no" not in found


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("#!python\nx", "#!/usr/local/bin/python3.12\nx"),
        ("#!pythonw -E\nx", "#!/usr/local/bin/python3.12\nx"),
        ("#!python", "#!/usr/local/bin/python3.12\n"),
        ("#!/usr/bin/python\nx", "#!/usr/bin/python\nx"),
        ("", ""),
    ],
)
def test_a_script_names_the_bases_python(tmp_path: Path, content: str, found: str) -> None:
    made = wheel(tmp_path, {"demo-1.0.data/scripts/s": content})
    all = files(made)
    assert all[f"{BIN}/s"] == found
    said = recorded(all[f"{INFO}/RECORD"])["../../../bin/s"]
    assert f"x,{said[0]},{said[1]}" == row("x", found), "of what is there, not of what the wheel has"


def test_a_large_script_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wheels have programs of 100 MB there."""
    made = wheel(tmp_path, {"demo-1.0.data/scripts/s": b"\x7fELF" + bytes(1 << 16)})
    read = zipfile.ZipFile.read

    def metadata_only(self: zipfile.ZipFile, name: zipfile.ZipInfo) -> bytes:
        assert ".dist-info/" in name.filename
        return read(self, name)

    monkeypatch.setattr(zipfile.ZipFile, "read", metadata_only)
    assert len(entries(laid_out(made))[f"{BIN}/s"][1]) == 4 + (1 << 16)


# Metadata ----------------------------------------------------------------------------------------------


def test_record_names_each_file_once(tmp_path: Path) -> None:
    made = wheel(tmp_path, {**CODE, 'demo/a, "b".txt': "q"}, entry_points="[console_scripts]\nd = demo:main\n")
    found = files(made)
    record = recorded(found.pop(f"{INFO}/RECORD"))
    assert record.pop("demo-1.0.dist-info/RECORD") == ("", "")
    paths = {path.replace(f"{SITE}/", "").replace(f"{BIN}/", "../../../bin/"): text for path, text in found.items()}
    assert set(paths) == set(record)
    for path, text in paths.items():
        assert row("x", text) == f"x,{record[path][0]},{record[path][1]}"
    assert found[f"{INFO}/INSTALLER"] == "uv" and found[f"{INFO}/REQUESTED"] == ""


@pytest.mark.parametrize(
    "record", ["", "demo/__init__.py,,\n", "gone.py,sha256=x,1\n/etc/passwd,,\n", "demo/__init__.py\n\n"]
)
def test_what_record_does_not_say_is_found_out(tmp_path: Path, record: str) -> None:
    found = files(wheel(tmp_path, CODE, record=record))
    said = recorded(found[f"{INFO}/RECORD"])
    assert row("demo/__init__.py", "x = 1\n") == ",".join(("demo/__init__.py", *said["demo/__init__.py"]))
    assert not {"gone.py", "/etc/passwd"} & set(said)


def test_a_wheels_own_installer_is_not_told(tmp_path: Path) -> None:
    found = files(wheel(tmp_path, CODE, more=[("demo-1.0.dist-info/INSTALLER", "pip", 0o644)]))
    assert found[f"{INFO}/INSTALLER"] == "uv"
    assert recorded(found[f"{INFO}/RECORD"])["demo-1.0.dist-info/INSTALLER"][1] == "2"


# Bytes -------------------------------------------------------------------------------------------------


def test_equal_wheels_give_equal_bytes(tmp_path: Path) -> None:
    """Whatever folder they lie in, however they are packed, in whatever order they come."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir(), two.mkdir()
    names = dict.fromkeys([f"demo/{n}.py" for n in range(20)], "x")
    a = wheel(one, names), wheel(one, {"other.py": ""}, name="other")
    b = wheel(two, {"other.py": ""}, name="other"), wheel(two, names, compression=zipfile.ZIP_STORED)
    assert laid_out(*a) == laid_out(*b)


def test_several_wheels_share_folders(tmp_path: Path) -> None:
    """A namespace package: each has a part of it."""
    made = wheel(tmp_path, {"ns/a/x.py": "1"}, name="ns.a"), wheel(tmp_path, {"ns/b/x.py": "2"}, name="ns.b")
    found = entries(laid_out(*made))
    assert found[f"{SITE}/ns"][0].isdir() and {f"{SITE}/ns/a/x.py", f"{SITE}/ns/b/x.py"} <= set(found)
    with tarfile.open(fileobj=io.BytesIO(laid_out(*made))) as opened:
        assert len(opened.getnames()) == len(set(opened.getnames()))


def test_it_is_what_uv_puts_on_disk(tmp_path: Path) -> None:
    """Byte for byte, by the very release that installs in a build; offline, into an environment of its own."""
    made = wheel(
        tmp_path,
        {
            **CODE,
            'demo/b c, "é".txt': "q",
            "demo/run": "",
            "demo-1.0.data/scripts/s": "#!python\nx",
            "demo-1.0.data/scripts/t": b"\0bin",
            "demo-1.0.data/data/share/d": "",
            "demo-1.0.data/headers/h.h": "",
        },
        entry_points="[console_scripts]\nd = demo:main\ne = demo.x : A.b [y]\n",
        executable=["demo/run"],
    )
    there = tmp_path / "there"
    options = ["-q", "--no-config", "--offline", "--no-cache"]
    subprocess.run([uv.program(), "venv", *options, "--python", sys.executable, there], check=True)
    before = set(there.rglob("*"))
    subprocess.run(
        [uv.program(), "pip", "install", *options, "--no-deps", "--python", there / "bin/python", made], check=True
    )
    site = next((there / "lib").glob("*/site-packages"))
    by = python(
        version=".".join(map(str, sys.version_info[:3])),
        executable=str(there / "bin/python"),
        purelib=str(site),
        platlib=str(site),
        scripts=str(there / "bin"),
        data=str(there),
        # As of any environment of uv's; a system's Python has its own.
        include=str(there / "include" / "site" / site.parent.name),
        folders=(),
    )
    ours = {path: (entry.mode & 0o111 != 0, content) for path, (entry, content) in entries(laid_out(made, by=by)).items() if entry.isfile()}  # fmt: skip
    new = [each for each in there.rglob("*") if each not in before and each.is_file()]
    # What tells that it came from a file here, and not from an index.
    new = [each for each in new if each.name not in ("direct_url.json", "uv_cache.json", ".lock")]
    theirs = {str(each): (each.stat().st_mode & 0o111 != 0, each.read_bytes()) for each in new}
    record = str(site / "demo-1.0.dist-info/RECORD")
    lines = theirs[record][1].splitlines(keepends=True)
    theirs[record] = False, b"".join(each for each in lines if b"direct_url" not in each and b"uv_cache" not in each)
    assert ours == theirs
