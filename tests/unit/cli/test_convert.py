"""``imagebuilder convert``: what it writes, and what it will not."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run

DOCKERFILE = "FROM alpine AS build\nARG V=1\nRUN make\nFROM scratch\nCOPY --from=build /a /a\nCOPY src /src\n"


@pytest.fixture(autouse=True)
def files(project: Path) -> None:
    (project / "src").mkdir()
    (project / "src/a").write_text("a")
    (project / "Dockerfile").write_text(DOCKERFILE)


@pytest.mark.parametrize("out", ["out.py", "out.json", "out.Dockerfile", "Containerfile"])
def test_every_form_has_the_key_of_the_original(cli: Run, out: str) -> None:
    done = cli("convert", "Dockerfile", out)
    assert (done.code, done.out, done.err) == (0, "", f"wrote {out}\n")
    assert cli("hash", out).out == cli("hash", "Dockerfile").out != ""


def test_a_folder_that_is_not_there_is_named_as_it_was_given(cli: Run, project: Path) -> None:
    done = cli("convert", "Dockerfile", "gone/out.snap")
    assert done.code == 1 and f"no such file or directory: '{project / 'gone/out.snap'}'" in done.err


def test_every_form_can_be_converted_further(cli: Run, project: Path) -> None:
    for source, out in (
        ("Dockerfile", "a.json"),
        ("a.json", "b.py"),
        ("b.py", "c.Dockerfile"),
        ("c.Dockerfile", "d.json"),
    ):
        assert cli("convert", source, out).code == 0
    first, last = (json.loads((project / name).read_text()) for name in ("a.json", "d.json"))
    # Python has no names of stages but its variables.
    assert [{**stage, "name": ""} for stage in first["stages"]] == [{**stage, "name": ""} for stage in last["stages"]]


def test_a_file_in_another_folder(cli: Run, project: Path) -> None:
    (project / "deep").mkdir()
    for out in ("deep/out.json", "deep/out.py"):
        assert cli("convert", "Dockerfile", out).code == 0
        assert ".." in (project / out).read_text()
        assert cli("hash", out).out == cli("hash", "Dockerfile").out


def test_standard_output(cli: Run) -> None:
    done = cli("convert", "spec.py", "-", "--to", "python")
    assert (done.code, done.err) == (0, "") and done.out.startswith("from imagebuilder import Image\n")
    assert cli("convert", "spec.py", "-", "--to", "json", "--json").json["form"] == "json"
    assert cli("convert", "spec.py", "x.json", "--json").json["form"] == "json"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["-"], "IB415"),
        (["out.txt"], "IB415"),
        (["out.py", "--to", "yaml"], "IB415"),
        (["spec.py"], "IB416"),
        (["src/a", "--to", "json"], "IB416"),
    ],
)
def test_wrong_usage(cli: Run, words: list[str], code: str) -> None:
    done = cli("convert", "spec.py", *words)
    assert (done.code, done.out) == (2, "") and code in done.err


def test_force(cli: Run, project: Path) -> None:
    out = project / "out.json"
    out.write_text("old")
    assert cli("convert", "spec.py", "out.json").code == 2 and out.read_text() == "old"
    assert cli("convert", "spec.py", "out.json", "--force").code == 0
    assert json.loads(out.read_text())["version"] == 1
    assert out.stat().st_mode & 0o777 == 0o666 & ~_umask()
    assert sorted(path.name for path in project.iterdir() if "out" in path.name) == ["out.json"]


def test_force_takes_the_place_of_files_alone(cli: Run, project: Path) -> None:
    """Of /dev/null too, where root is asked."""
    (project / "real").write_text("theirs")
    (project / "link.json").symlink_to("real")
    os.mkfifo(project / "pipe.json")
    for name in ("link.json", "pipe.json"):
        done = cli("convert", "spec.py", name, "--force")
        assert done.code == 1 and "error[IB710]: not a regular file" in done.err
    assert (project / "link.json").is_symlink() and (project / "real").read_text() == "theirs"
    assert stat.S_ISFIFO((project / "pipe.json").stat().st_mode)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_folder_that_is_not_there(cli: Run) -> None:
    done = cli("convert", "spec.py", "none/out.json")
    assert done.code == 1 and "IB710" in done.err


def test_a_step_without_an_equal_is_named_with_its_place(cli: Run, project: Path) -> None:
    """The sample's text has no line end, which a here-document always has."""
    done = cli("convert", "spec.py", "out.Dockerfile")
    assert done.code == 2 and "IB410" in done.err and "spec.py:3:" in done.err
    assert not (project / "out.Dockerfile").exists()


def test_build_arguments_are_bound(cli: Run, project: Path) -> None:
    assert cli("convert", "Dockerfile", "out.py", "--build-arg", "V=2", "--target", "build").code == 0
    assert '.arg("V", "2")' in (project / "out.py").read_text()
    assert cli("convert", "out.py", "out.json", "--build-arg", "V=3").code == 0
    assert '"default": "3"' in (project / "out.json").read_text()


def test_json_targets(cli: Run, project: Path) -> None:
    (project / "bad.json").write_text('{\n"version": 3}')
    done = cli("hash", "bad.json")
    assert done.code == 2 and "bad.json:1:1" in done.err
    assert cli("convert", "spec.py", "good.json").code == 0
    assert cli("hash", "good.json", "--target", "x").code == 2


RESOURCES = """\
snap 1

snapshot a from base alpine:3 {
    resources cpu=2.5 memory=1536MiB disk=8GiB gpu=1
}
snapshot b from base alpine:3
"""


def test_resources_stay_in_a_snap_file(cli: Run, project: Path) -> None:
    (project / "in.snap").write_text(RESOURCES)
    assert cli("convert", "in.snap:a", "out.snap").code == 0
    assert "    resources cpu=2.5 memory=1536MiB disk=8GiB gpu=1\n" in (project / "out.snap").read_text()


@pytest.mark.parametrize("out", ["out.py", "out.json", "Containerfile"])
def test_resources_have_no_equal_in_another_form(cli: Run, project: Path, out: str) -> None:
    (project / "in.snap").write_text(RESOURCES)
    done = cli("convert", "in.snap:a", out)
    assert done.code == 2 and "IB410" in done.err and "in.snap:3" in done.err and "resources of a snapshot" in done.err
    assert not (project / out).exists()
    assert cli("convert", "in.snap:b", out).code == 0
