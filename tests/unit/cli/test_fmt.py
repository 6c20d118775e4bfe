"""``fmt``: what it writes, names and leaves alone, and with which code it ends."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from imagebuilder.cli import fmt
from tests.unit.cli.conftest import Run

UGLY = "snap   1\nimage a   from scratch{\nenv A=b\n}"
PRETTY = "snap 1\n\nimage a from scratch {\n    env A=b\n}\n"
BROKEN = "snap 1\nimage a from scratch {\n    env [\n}\nuse\n"


@pytest.fixture
def files(project: Path) -> Path:
    (project / "ugly.snap").write_text(UGLY)
    (project / "pretty.snap").write_text(PRETTY)
    (project / "broken.snap").write_text(BROKEN)
    return project


def stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_a_file_of_another_kind_is_refused_once(cli: Run, files: Path) -> None:
    (files / "Dockerfile").write_text("FROM a\nRUN b\n")
    done = cli("fmt", "Dockerfile", "ugly.snap")
    assert (done.code, done.out, done.err.count("error[")) == (2, "ugly.snap\n", 1)
    assert "error[IB401]: not a .snap file: 'Dockerfile'" in done.err and "imagebuilder convert" in done.err


def test_a_name_that_a_terminal_would_obey(cli: Run, project: Path) -> None:
    (project / "folder").mkdir()
    (project / "folder/\x1b[2Jx.snap").write_text(UGLY)
    done = cli("fmt", "folder", "--check")
    assert (done.code, done.out) == (1, "folder/␛[2Jx.snap\n")


def test_a_name_that_is_no_text(files: Path) -> None:
    name = os.fsdecode(b"\xff.snap")
    (files / name).write_text(UGLY)
    argv = [sys.executable, "-m", "imagebuilder", "fmt", name, "--diff"]
    done = subprocess.run(argv, cwd=files, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"") and b"--- \xff.snap\n" in done.stdout


def test_what_changed_is_written_and_named(cli: Run, files: Path) -> None:
    untouched = (files / "pretty.snap").stat()
    done = cli("fmt", "ugly.snap", "pretty.snap")
    assert (done.code, done.out, done.err) == (0, "ugly.snap\n", "")
    assert (files / "ugly.snap").read_text() == PRETTY
    after = (files / "pretty.snap").stat()
    assert (after.st_mtime_ns, after.st_ino) == (untouched.st_mtime_ns, untouched.st_ino)
    assert cli("fmt", "ugly.snap").out == ""


def test_check_changes_nothing(cli: Run, files: Path) -> None:
    done = cli("fmt", "--check", "ugly.snap", "pretty.snap")
    assert (done.code, done.out, done.err) == (1, "ugly.snap\n", "")
    assert (files / "ugly.snap").read_text() == UGLY
    assert cli("fmt", "--check", "pretty.snap").code == 0


def test_a_diff_changes_nothing(cli: Run, files: Path) -> None:
    done = cli("fmt", "--diff", "ugly.snap", "pretty.snap")
    assert done.code == 0
    assert done.out.splitlines() == [
        "--- ugly.snap",
        "+++ ugly.snap",
        "@@ -1,4 +1,5 @@",
        "-snap   1",
        "-image a   from scratch{",
        "-env A=b",
        "-}",
        "\\ No newline at end of file",
        "+snap 1",
        "+",
        "+image a from scratch {",
        "+    env A=b",
        "+}",
    ]
    assert (files / "ugly.snap").read_text() == UGLY
    assert cli("fmt", "--diff", "--check", "ugly.snap").code == 1


def test_a_file_that_does_not_parse_is_left_alone_and_the_others_are_done(cli: Run, files: Path) -> None:
    done = cli("fmt", "broken.snap", "gone.snap", "ugly.snap")
    assert (done.code, done.out) == (2, "ugly.snap\n")
    assert "error[IB806]" in done.err and "broken.snap:3:9" in done.err, "every syntax error"
    assert "error[IB808]" in done.err and "broken.snap:5" in done.err
    assert "error[IB801]: cannot read 'gone.snap'" in done.err
    assert (files / "broken.snap").read_text() == BROKEN
    assert (files / "ugly.snap").read_text() == PRETTY
    assert cli("fmt", "--check", "broken.snap", "pretty.snap").code == 2


def test_json(cli: Run, files: Path) -> None:
    done = cli("fmt", "--json", "--diff", "ugly.snap", "pretty.snap", "broken.snap")
    assert done.code == 2
    ugly, pretty, broken = json.loads(done.out)
    assert (ugly["file"], ugly["changed"], ugly["errors"]) == ("ugly.snap", True, [])
    assert ugly["diff"].startswith("--- ugly.snap\n")
    assert pretty == {"file": "pretty.snap", "changed": False, "errors": [], "diff": ""}
    assert (broken["changed"], [found["code"] for found in broken["errors"]]) == (False, ["IB806", "IB808"])


def test_standard_input_is_written_to_standard_output(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, UGLY.replace("=b", "='ü\u2028'").replace("\n", "\r\n").encode())
    done = cli("fmt", "-")
    assert (done.code, done.out, done.err) == (0, PRETTY.replace("=b", "='ü\u2028'"), "")


@pytest.mark.parametrize("option", ["--check", "--diff", "--json"])
def test_options_with_standard_input(cli: Run, monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    stdin(monkeypatch, UGLY.encode())
    done = cli("fmt", option, "-")
    assert done.code == (1 if option == "--check" else 0)
    if option == "--json":
        assert json.loads(done.out) == [{"file": "<stdin>", "changed": True, "errors": [], "text": PRETTY}]
    else:
        assert done.out.splitlines()[0] == {"--check": "<stdin>", "--diff": "--- <stdin>"}[option]


@pytest.mark.parametrize("data", [b"snap 1\nuse\n", b"\xff", b"snap 1\n\0"])
def test_standard_input_that_does_not_parse(cli: Run, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    stdin(monkeypatch, data)
    done = cli("fmt", "-")
    assert (done.code, done.out) == (2, "")
    assert "<stdin>:" in done.err


def test_an_error_in_standard_input_is_drawn(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, b"snap 1\nuse ./x\n")
    assert "2 | use ./x\n" in cli("fmt", "-").err


def test_standard_input_stands_alone(cli: Run) -> None:
    done = cli("fmt", "-", "a.snap")
    assert done.code == 2 and "error[IB700]: '-' with other files" in done.err


def test_folders_are_walked(cli: Run, files: Path) -> None:
    for name in (
        "sub/b.snap",
        "sub/a.snap",
        ".hidden/x.snap",
        "node_modules/x.snap",
        ".venv/x.snap",
        "sub/.x.snap",
        "sub/x.py",
    ):
        path = files / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(UGLY)
    done = cli("fmt", "tree", "tree/sub/a.snap", "./tree/sub/../sub/b.snap")
    assert (done.code, done.out) == (0, "tree/sub/a.snap\ntree/sub/b.snap\n")
    assert (files / "tree/.hidden/x.snap").read_text() == UGLY
    assert cli("fmt", "tree/.hidden").out == "tree/.hidden/x.snap\n", "a folder that is named is taken"
    (files / "empty").mkdir()
    assert cli("fmt", "empty") == type(done)(0, "", "")


def test_a_link_out_of_the_folder_is_left_alone(cli: Run, files: Path) -> None:
    """In a stranger's project it may lead to a file of the person, whose first line an error would show."""
    (files / "tree").mkdir()
    (files / "elsewhere").write_text("PASSWORD=hunter2\n")
    (files / "tree/own.snap").write_text(UGLY)
    (files / "tree/link.snap").symlink_to("own.snap")
    (files / "tree/out.snap").symlink_to(files / "elsewhere")
    done = cli("fmt", "tree")
    assert (done.code, done.out, done.err) == (0, "tree/link.snap\n", "")
    done = cli("fmt", "tree/out.snap")
    assert done.code == 2, "a link that is named is taken"


def test_a_folder_that_cannot_be_read(cli: Run, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def walk(folder: str, onerror: object) -> list[object]:
        assert callable(onerror)
        onerror(PermissionError(13, "Permission denied", "tree/closed"))
        return []

    (files / "tree").mkdir()
    monkeypatch.setattr(fmt.os, "walk", walk)
    done = cli("fmt", "tree", "ugly.snap")
    assert (done.code, done.out) == (2, "ugly.snap\n")
    assert "error[IB801]: cannot read 'tree/closed': permission denied" in done.err


def test_a_link_stays_and_the_mode_too(cli: Run, files: Path) -> None:
    (files / "real").mkdir()
    target = files / "real" / "x.snap"
    target.write_text(UGLY)
    target.chmod(0o640)
    (files / "link.snap").symlink_to("real/x.snap")
    assert cli("fmt", "link.snap").out == "link.snap\n"
    assert (files / "link.snap").is_symlink() and target.read_text() == PRETTY
    assert target.stat().st_mode & 0o7777 == 0o640
    assert [path.name for path in (files / "real").iterdir()] == ["x.snap"]


def test_a_pipe_is_refused(cli: Run, files: Path) -> None:
    os.mkfifo(files / "pipe.snap")
    done = cli("fmt", "pipe.snap")
    assert done.code == 2 and "error[IB801]: cannot read 'pipe.snap': not a regular file" in done.err


def test_a_file_that_cannot_be_written(cli: Run, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: "ugly" not in str(path))
    (files / "other.snap").write_text(UGLY)
    done = cli("fmt", "ugly.snap", "other.snap")
    assert (done.code, done.out) == (1, "other.snap\n")
    assert "error[IB710]: cannot write 'ugly.snap': permission denied" in done.err
    assert (files / "ugly.snap").read_text() == UGLY


def test_what_goes_wrong_while_writing_leaves_the_file(cli: Run, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    before = sorted(files.iterdir())
    done = cli("fmt", "ugly.snap")
    assert done.code == 1 and "no space left on device" in done.err
    assert (files / "ugly.snap").read_text() == UGLY and sorted(files.iterdir()) == before


def test_a_form_that_says_something_else_is_not_written(cli: Run, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in (PRETTY.replace("A=b", "A=c"), PRETTY + "# more\n", "image {"):
        monkeypatch.setattr("imagebuilder.frontends.snap.format.printed", lambda file, wrong=wrong: wrong)
        done = cli("fmt", "ugly.snap")
        assert (done.code, done.out) == (2, "") and "error[IB860]" in done.err
        assert (files / "ugly.snap").read_text() == UGLY
