"""What plan foretells, and explain says, is what the real builder then does."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli

SPEC = """\
snap 1

param greeting: string = hello

image tool from debian_slim 3.13 {
    run_commands "mkdir /out && echo tool > /out/tool"
    label role=tool
}

snapshot app from debian_slim 3.13 {
    env GREETING="{greeting}"
    run_commands "echo first > /first"
    add_local_dir assets /assets/files
    add_local_file one.txt /etc/one.txt
    copy_from tool /out/tool /usr/local/bin/tool
    run_commands "cat /etc/one.txt > /second"
    workdir /work
    add_text notes /srv/notes.txt
    run_commands "echo third > third"
    label version=1
    cmd [cat, /second]
}
"""
PYTHON = """\
from imagebuilder import Image, expand

image = (
    Image.debian_slim("3.13")
    .add_local_dir("assets", "/assets/files")
    .run_commands("echo first > /first")
    .arg("VERSION", "1")
    .add_text("text", "/srv/text")
    .run_commands("echo $VERSION > /version")
    .user("1000")
    .run_commands("id > /tmp/id")
    .shell(["/bin/sh", "-ec"])
    .run_commands(("true",), "echo shell > /tmp/shell")
)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / "assets/deep").mkdir(parents=True)
    (folder / "assets/a.txt").write_text(f"a {folder}")
    (folder / "assets/deep/b.sh").write_text("b")
    (folder / "one.txt").write_text("one")
    # Unlike any other run's, so that the builder knows none of it.
    (folder / "app.snap").write_text(
        SPEC.replace("echo first", f"echo {folder} first").replace("mkdir /out", f"true {folder} && mkdir /out")
    )
    (folder / "app.py").write_text(PYTHON.replace("echo first", f"echo {folder} first"))
    monkeypatch.chdir(folder)
    return folder


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return change


def executable(folder: Path) -> None:
    (folder / "assets/deep/b.sh").chmod(0o755)


def renamed(folder: Path) -> None:
    (folder / "assets/a.txt").rename(folder / "assets/z.txt")


def foretold(plan: Any) -> dict[str, bool]:
    """Of each step that the builder tells of, whether it is there already."""
    silent = ("env", "label", "cmd", "arg", "user", "shell")
    return {step["step"]: step["hit"] for step in plan["steps"] if step["op"] not in silent}


def check(cli: Cli, target: str) -> tuple[Any, dict[str, bool]]:
    """Plan, explain and build; what was foretold is what happens. What explain said, and what ran."""
    plan = cli("plan", target, "--json")
    assert plan.code == 0, plan.err
    said = cli("explain", target, "--json")
    built = cli("build", target, "--json")
    assert built.code == 0, built.err
    assert built.json["key"] == plan.json["key"]
    assert not built.json["reused"] and plan.json["hit"] is False
    cached = {step["name"]: step["cached"] for step in built.json["steps"] if step["op"] != "from"}
    assert cached == foretold(plan.json)
    if said.code == 0:
        assert {each["step"] for each in said.json["runs_again"]} == {name for name, hit in cached.items() if not hit}
        for each in said.json["changed"]:
            assert each["message"] in built.err
    return said.json, cached


SNAP_EDITS = {
    "env": edit("app.snap", "string = hello", "string = bye"),
    "command": edit("app.snap", "echo third", "echo 3rd"),
    "file": edit("one.txt", "one", "two"),
    "folder": edit("assets/a.txt", "a /", "b /"),
    "executable": executable,
    "renamed": renamed,
    "label": edit("app.snap", "version=1", "version=2"),
    "cmd": edit("app.snap", "[cat, /second]", "[cat, /first]"),
    "label of a stage": edit("app.snap", "role=tool", "role=other"),
    "stage": edit("app.snap", "echo tool", "echo another tool"),
    "text": edit("app.snap", "add_text notes", "add_text other"),
    "workdir": edit("app.snap", "workdir /work", "workdir /elsewhere"),
    "new step": edit(
        "app.snap", "    workdir /elsewhere\n", '    workdir /elsewhere\n    run_commands "echo new > new"\n'
    ),
    "removed step": edit("app.snap", "    add_text other /srv/notes.txt\n", ""),
}


def test_snap(cli: Cli, project: Path) -> None:
    check(cli, "app.snap")
    for name, change in SNAP_EDITS.items():
        change(project)
        said, _ = check(cli, "app.snap")
        assert said["changed"], name
    again = cli("plan", "app.snap", "--json").json
    assert again["hit"] and all(step["hit"] for step in again["steps"])
    assert cli("explain", "app.snap", "--json").json["changed"] == []
    assert cli("explain", "app", "--json").json["changed"] == said["changed"]


PYTHON_EDITS = {
    "argument": edit("app.py", '"VERSION", "1"', '"VERSION", "2"'),
    "linked folder": edit("assets/a.txt", "a /", "b /"),
    "command before the linked folder is noted": edit("app.py", "first > /first", "1st > /first"),
    "user": edit("app.py", 'user("1000")', 'user("1001")'),
    "shell": edit("app.py", '"-ec"', '"-exc"'),
}


def test_python(cli: Cli, project: Path) -> None:
    check(cli, "app.py")
    for name, change in PYTHON_EDITS.items():
        change(project)
        said, _ = check(cli, "app.py")
        assert said["changed"], name
        assert all(each["span"]["line"] for each in said["changed"])


def test_a_build_that_failed_has_made_what_came_before(cli: Cli, project: Path) -> None:
    check(cli, "app.snap")
    edit("app.snap", " first > /first", " 1st > /first")(project)
    edit("app.snap", "echo third > third", "false")(project)
    assert cli("build", "app.snap").code == 1
    edit("app.snap", '"false"', '"true"')(project)
    plan = cli("plan", "app.snap", "--json").json
    assert [step["hit"] for step in plan["steps"] if step["op"] == "run_commands"] == [True, True, True, False]
    said = cli("explain", "app.snap", "--json").json
    assert {each["what"] for each in said["changed"]} == {"command"}, "against the last build that came to an image"
    built = cli("build", "app.snap", "--json").json
    ran = [step["name"] for step in built["steps"] if not step["cached"] and step["op"] != "from"]
    assert ran == [each["step"] for each in said["runs_again"]] == ["run_commands true"]


def test_an_image_that_is_gone_is_built_again_and_says_so(cli: Cli, project: Path, env: dict[str, str]) -> None:
    check(cli, "app.snap")
    subprocess.run(
        [env["TEST_DOCKER"], "rmi", "-f", "imagebuilder/app:latest"], env=env, check=True, capture_output=True
    )
    built = cli("build", "app.snap")
    assert "nothing changed; the engine does not have the image any more" in built.err


def test_the_builders_layers_are_counted(cli: Cli, project: Path) -> None:
    check(cli, "app.snap")
    assert cli("cache", "du", "--builder-cache", "--json").json["builder_cache_bytes"] > 0
    dry = cli("cache", "prune", "--builder-cache", "--dry-run", "--older-than", "1w", "--json").json
    assert dry["items"] == [] and dry["builder_cache_bytes"] >= 0
