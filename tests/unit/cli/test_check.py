"""``check``: errors and warnings of targets, for people and as JSON, and its exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder.lint import silence
from tests.unit.cli.conftest import Run

WARNS = 'from imagebuilder import Image\n\nimage = Image.base("nginx").apt_install("git")\n'
WRONG = 'from imagebuilder import Image\n\nimage = Image.base("nginx:1").add_local_file("gone", "/x")\n'


@pytest.fixture
def files(project: Path) -> Path:
    (project / "warns.py").write_text(WARNS)
    (project / "wrong.py").write_text(WRONG)
    (project / "Dockerfile").write_text("ARG A\nFROM scratch\nLABEL a=b\n")
    (project / "syntax.py").write_text("from imagebuilder import\n")
    return project


@pytest.mark.parametrize(
    ("words", "code", "codes", "summary"),
    [
        (["spec.py"], 0, [], "1 target: 0 errors, 0 warnings"),
        (["spec.py", "--strict"], 0, [], "1 target: 0 errors, 0 warnings"),
        (["warns.py"], 0, ["IB901"], "1 target: 0 errors, 1 warning"),
        (["warns.py", "--strict"], 1, ["IB901", "IB907"], "1 target: 0 errors, 2 warnings"),
        (["wrong.py"], 2, ["IB201"], "1 target: 1 error, 0 warnings"),
        (["wrong.py", "warns.py", "--strict"], 2, ["IB201", "IB901", "IB907"], "2 targets: 1 error, 2 warnings"),
        (["Dockerfile"], 0, ["IB909"], "1 target: 0 errors, 1 warning"),
        (["."], 0, ["IB909"], "1 target: 0 errors, 1 warning"),
        (["gone.py", "spec.py:nothing", "syntax.py", "warns.py"], 2, ["IB401", "IB403", "IB402", "IB901"], "4 targets: 3 errors"),
        (["warns.py", "warns.py:image"], 0, ["IB901"], "2 targets: 0 errors, 1 warning"),
        (["gone.py", "lost.py"], 2, ["IB401", "IB401"], "2 targets: 2 errors, 0 warnings"),
    ],
)  # fmt: skip
def test_what_is_found(cli: Run, files: Path, words: list[str], code: int, codes: list[str], summary: str) -> None:
    done = cli("check", *words)
    assert (done.code, done.err.splitlines()[0][: len(summary)]) == (code, summary)
    assert [
        line.split("[")[1][:5] for line in done.out.splitlines() if line.startswith(("error[", "warning["))
    ] == codes
    as_json = cli("check", *words, "--json")
    assert (as_json.code, as_json.err) == (done.code, done.err)
    assert [each["code"] for each in as_json.json] == codes


def test_a_dockerfile_below_a_folder_that_is_called_like_python(cli: Run, files: Path) -> None:
    (files / "my.pyproject").mkdir()
    (files / "my.pyproject/Dockerfile").write_text("FROM debian:12 AS one\nFROM debian:latest AS two\n")
    assert cli("check", "my.pyproject/Dockerfile", "--target", "one").err == "1 target: 0 errors, 0 warnings\n"


def test_json_names_the_target_and_the_place(cli: Run, files: Path) -> None:
    (found,) = cli("check", "spec.py", "warns.py", "--json").json
    assert (found["target"], found["severity"]) == ("warns.py", "warning")
    assert found["span"] == {"file": str(files / "warns.py"), "line": 3, "column": 15}
    assert set(found) == {"target", "severity", "code", "message", "span", "notes", "help"}


def test_a_warning_is_drawn_at_its_line(cli: Run, files: Path) -> None:
    lines = cli("check", "warns.py").out.splitlines()
    assert lines[0] == "warning[IB901]: 'nginx' has no tag, which means 'latest'"
    assert lines[3] == '3 | image = Image.base("nginx").apt_install("git")'


def test_a_comment_silences_a_warning_and_no_error(cli: Run, files: Path) -> None:
    (files / "warns.py").write_text(WARNS.rstrip() + "  # check: ignore\n")
    (files / "wrong.py").write_text(WRONG.rstrip() + "  # check: ignore\n")
    assert cli("check", "warns.py", "--strict").code == 0
    assert cli("check", "wrong.py").code == 2


def test_an_error_does_not_show_the_secret_beside_it(cli: Run, files: Path) -> None:
    (files / "wrong.py").write_text(WRONG.rstrip() + '.env(API_KEY="abc1234")\n')
    done = cli("check", "wrong.py")
    assert "IB201" in done.out and "IB903" in done.out and "abc1234" not in done.out + done.err
    assert "abc1234" not in cli("check", "wrong.py", "--json").out


def test_a_value_that_no_dockerfile_can_hold_is_an_error(cli: Run, files: Path) -> None:
    (files / "odd.py").write_text(
        'from imagebuilder import Image\nimage = Image.scratch().run_commands("x", cache="/a,b")\n'
    )
    done = cli("check", "odd.py", "--json")
    assert (done.code, [each["code"] for each in done.json]) == (2, ["IB142"])


def test_arguments_of_a_dockerfile(cli: Run, files: Path) -> None:
    (files / "Dockerfile").write_text("ARG BASE\nFROM $BASE AS a\nCOPY x /x\nFROM scratch AS b\nLABEL a=b\n")
    (files / "context").mkdir()
    (files / "context/x").touch()
    assert cli("check", "Dockerfile", "--json").json[0]["code"] == "IB324"
    assert cli("check", "Dockerfile", "--build-arg", "BASE=debian:12").code == 0
    words = ["check", "Dockerfile", "--build-arg", "BASE=debian", "--target", "a"]
    assert [each["code"] for each in cli(*words, "--json").json] == ["IB203", "IB901"]
    assert [each["code"] for each in cli(*words, "--context", "context", "--json").json] == ["IB901"]


def test_targets_do_not_see_what_others_import(cli: Run, files: Path) -> None:
    for name in ("one", "two"):
        (files / name).mkdir()
        (files / name / "common.py").write_text(f'NAME = "{name}"\n')
        (files / name / "spec.py").write_text(
            "from common import NAME\nfrom imagebuilder import Image\nimage = Image.base(NAME)\n"
        )
    found = cli("check", "one/spec.py", "two/spec.py:image", "--json").json
    assert [each["message"].split("'")[1] for each in found] == ["one", "two"]


SNAP = """\
snap 1
param port: int = 80
secret TOKEN

image tools from base "rust" {
    env A=b
}

image web from base "debian:12" {
    add_local_dir . /app
    pip_install_from_requirements requirements.txt
    cmd [serve]
}

snapshot "web:1.0" from web {
    user app
    run_commands "cd /x" secrets=[TOKEN]
    env API_KEY=abc1234  # check: ignore IB903 a sample
    # check: ignore
    label token=abc1234
}
"""


@pytest.mark.parametrize("target", ["app.snap", "app.snap:web"])
def test_a_snap_file(cli: Run, files: Path, target: str) -> None:
    (files / "requirements.txt").touch()
    (files / "app.snap").write_text(SNAP)
    done = cli("check", target, "--json")
    told = [(each["span"]["line"], each["code"]) for each in done.json]
    # The parameter and the image that nothing takes up are looked at with the file, and the user that the snapshot sets counts.
    assert (done.code, told) == (
        0,
        [*([(2, "IB911"), (5, "IB912"), (5, "IB901")] if target == "app.snap" else []), (10, "IB904"), (17, "IB905")],
    )
    helps = {each["code"]: each["help"] for each in done.json}
    assert helps["IB904"] == "move pip_install_from_requirements above add_local_dir . /app"
    assert helps["IB905"].startswith("workdir /x sets")
    assert cli("check", target, "--param", "port=x", "--json").json[0]["code"] == "IB830"


def test_a_snap_file_for_others(cli: Run, files: Path) -> None:
    (files / "common.snap").write_text("snap 1\nimage tools from base rust {\n    run_commands 'cd /a'\n}\n")
    done = cli("check", "common.snap", "gone.snap", "spec.py", "--param", "a=b", "--json")
    assert {each["code"] for each in done.json} >= {"IB401"}
    done = cli("check", "common.snap", "spec.py", "--json")
    assert [each["code"] for each in done.json] == ["IB901", "IB905"]


def test_a_json_document_is_no_dockerfile(cli: Run, files: Path) -> None:
    assert cli("convert", "spec.py", "spec.json").code == 0
    done = cli("check", "spec.json", "--json")
    assert (done.code, [each["code"] for each in done.json]) == (0, [])


def test_nothing_is_built(cli: Run, files: Path) -> None:
    assert cli("check", "spec.py").code == 0
    assert cli("snapshot", "list", "--json").json == []


def test_the_comments_of_a_file_are_read_once(cli: Run, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For each of its images they would be looked for in the whole text."""
    read: list[str] = []
    ignores = silence._ignores

    def noted(file: str) -> object:
        read.append(file)
        return ignores(file)

    monkeypatch.setattr(silence, "_ignores", noted)
    images = "".join(f"snapshot s{n} from base nginx:latest {{ env A={n} }}  # check: ignore IB901\n" for n in range(5))
    (project / "many.snap").write_text(f"snap 1\n{images}")
    done = cli("check", "many.snap")
    assert (done.out, done.err, read) == ("", "1 target: 0 errors, 0 warnings\n", ["many.snap"])
