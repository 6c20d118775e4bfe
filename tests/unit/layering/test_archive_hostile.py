"""Wheels that no installer takes, or that want more than there is: refused with a reason, and never a crash."""

from __future__ import annotations

import pickle
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebuilder.layering import archive
from tests.unit.resolve.making import entries, laid_out, python, wheel

CODE = {"demo/__init__.py": "x = 1\n"}

# Hostile -----------------------------------------------------------------------------------------------


def refused() -> Iterator[tuple[str, dict[str, object], str]]:
    yield "up", {"files": {"../x": ""}}, "outside"
    yield "up from inside", {"files": {"demo/../../x": ""}}, "outside"
    yield "absolute", {"files": {"/etc/cron.d/x": ""}}, "outside"
    yield "the folder itself", {"files": {"demo/..": ""}}, "outside"
    yield "data up", {"files": {"demo-1.0.data/data/../../etc/x": ""}}, "outside"
    yield "scripts up", {"files": {"demo-1.0.data/scripts/..": ""}}, "outside"
    yield "scripts below", {"files": {"demo-1.0.data/scripts/a/b": ""}}, "in a folder"
    yield "scripts itself", {"files": {"demo-1.0.data/scripts": ""}}, "outside"
    yield "kind", {"files": {"demo-1.0.data/odd/x": ""}}, "kind"
    yield "line end", {"files": {"demo/a\nb": ""}}, "control"
    yield "escape", {"files": {"demo/\x1b[2J": ""}}, "control"
    yield "a folder of the base", {"files": {"demo-1.0.data/data/bin": ""}}, "in the place of the folder /usr/local/bin"
    yield "file and folder", {"files": {"demo/a": "", "demo/a/b": ""}}, "a file and a folder"
    yield "twice", {"more": [("demo/__init__.py", "other", 0o644)]}, "two files of one name"
    yield "two dist-info", {"more": [("other-2.dist-info/RECORD", "", 0o644)]}, "metadata"
    yield "another's dist-info", {"more": [("x-2.dist-info/WHEEL", "", 0o644)]}, "metadata"
    yield "no version", {"about": "Root-Is-Purelib: true\n"}, "version"
    yield "version 2", {"about": "Wheel-Version: 2.0\n"}, "version"
    yield "not text", {"record": b"\xff,,\n"}, "not a wheel"
    yield "a long line", {"record": "x" * 200_000 + ",,\n"}, "not a wheel"
    for name in ("a/b", "../x", "/etc/x", "..", "a\0b"):
        yield f"script {name!r}", {"entry_points": f"[console_scripts]\n{name} = demo:main\n"}, "folder|outside|control"
    for said in ("demo", "demo:", ":main", "demo:a b", "demo:main()", "demo:a\n  ,b", "os:system('x')#"):
        yield f"call {said!r}", {"entry_points": f"[console_scripts]\nx = {said}\n"}, "calls nothing"
    for text in ("x = demo:main\n", "[console_scripts]\nx\n", "[console_scripts]\n= demo:main\n"):
        yield f"points {text!r}", {"entry_points": text}, "not a wheel"


REFUSED = {name: (made, why) for name, made, why in refused()}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("made", "why"), REFUSED.values(), ids=REFUSED)
def test_what_no_installer_takes_is_refused(tmp_path: Path, made: dict[str, object], why: str) -> None:
    with pytest.raises(archive.Unfit, match=why):
        laid_out(wheel(tmp_path, **{"files": CODE, **made}))  # type: ignore[arg-type]


def test_a_file_and_a_folder_of_two_wheels(tmp_path: Path) -> None:
    made = wheel(tmp_path, {"x": ""}, name="a"), wheel(tmp_path, {"x/y.py": ""}, name="b")
    with pytest.raises(archive.Unfit, match="a file and a folder"):
        laid_out(*made)


def test_no_file_takes_the_place_of_a_link(tmp_path: Path) -> None:
    made = wheel(tmp_path, {"demo-1.0.data/data/lib64": ""})
    with pytest.raises(archive.Unfit, match="in the place of"):
        laid_out(made, by=python(links=(("/usr/local/lib64", "/usr/local/lib"),)))


@pytest.mark.parametrize("what", ["RECORD", "WHEEL", "entry_points.txt", "script"])
def test_a_text_that_unpacks_to_much_is_refused(tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes of zeros unpack to gigabytes, and these are held in memory."""
    monkeypatch.setattr(archive, "_MOST_TEXT", 10_000)
    large = "#!python\n" + " " * 20_000
    given: dict[str, dict[str, object]] = {
        "RECORD": {"record": large},
        "WHEEL": {"about": large},
        "entry_points.txt": {"entry_points": large},
        "script": {"files": {"demo-1.0.data/scripts/s": large}},
    }
    with pytest.raises(archive.Unfit, match="the most"):
        laid_out(wheel(tmp_path, **given[what]))  # type: ignore[arg-type]


def test_what_unpacks_to_much_is_not_held(tmp_path: Path) -> None:
    """200 MB of zeros in a wheel of 200 kB, laid out by a process that may have little memory."""
    made = wheel(tmp_path, {"demo/zeros": bytes(200 << 20)})
    assert made.stat().st_size < 1 << 20
    code = (
        "import resource, sys, pickle\n"
        "from pathlib import Path\n"
        "from imagebuilder.layering import archive\n"
        "python = pickle.load(sys.stdin.buffer)\n"
        "most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "with open('/dev/null', 'wb') as out: archive.write([Path(sys.argv[1])], python, out)\n"
        "more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most\n"
        "assert more < 64 << (10 if sys.platform == 'linux' else 20), more\n"
    )
    subprocess.run([sys.executable, "-c", code, made], input=pickle.dumps(python()), check=True)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_is_told_as_damage(tmp_path: Path, compression: int) -> None:
    """A byte that differs, wherever it is, is no crash; and nothing of it is the system's fault."""
    made = wheel(tmp_path, {"demo/text": "".join(map(str, range(500)))}, compression=compression)
    whole = made.read_bytes()
    told = 0
    for at in range(0, len(whole), 7):
        made.write_bytes(whole[:at] + bytes([whole[at] ^ 0x5A]) + whole[at + 1 :])
        try:
            laid_out(made)
        except archive.Unfit:
            told += 1
    assert told > 20


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.99])
def test_a_wheel_that_was_cut_off(tmp_path: Path, part: float) -> None:
    made = wheel(tmp_path, CODE)
    made.write_bytes(made.read_bytes()[: int(made.stat().st_size * part)])
    with pytest.raises(archive.Unfit, match="not a wheel"):
        laid_out(made)


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    made = wheel(tmp_path, CODE)
    data = bytearray(made.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    made.write_bytes(data)
    with pytest.raises(archive.Unfit, match="not a wheel"):
        laid_out(made)


def test_a_wheel_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        laid_out(tmp_path / "no.whl")


def test_many_names_take_no_time_for_each_other(tmp_path: Path) -> None:
    """5,000 files in 200 folders that are deep: none is compared with all the others."""
    deep = "/".join("d" * 10)
    made = wheel(tmp_path, {f"demo/{deep}/{n % 200}/{n}.py": "" for n in range(5_000)}, record="")
    assert len(entries(laid_out(made))) > 5_000
