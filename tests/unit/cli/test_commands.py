"""The commands: what they print, for people and as JSON, and with which code they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from imagebuilder.engine.protocol import BuildFailed
from tests.unit.cli.conftest import Machine, Run

COMMANDS = {
    (): [
        "build",
        "render",
        "hash",
        "lock",
        "outdated",
        "verify",
        "plan",
        "explain",
        "check",
        "fmt",
        "convert",
        "snapshot",
        "sandbox",
        "registry",
        "cache",
        "engine",
        "base",
        "doctor",
        "lsp",
    ],
    ("snapshot",): [
        "create",
        "push",
        "list",
        "info",
        "logs",
        "rollback",
        "lock",
        "unlock",
        "activate",
        "deactivate",
        "delete",
        "alias",
        "diff",
    ],
    ("sandbox",): ["create", "exec", "cp", "list", "info", "start", "stop", "delete", "logs", "preview"],
    ("registry",): ["add", "list", "test", "remove"],
    ("cache",): ["du", "prune"],
    ("engine",): ["start", "stop", "status"],
    ("base",): ["build"],
}
LEAVES = [
    ("build",), ("render",), ("hash",), ("lock",), ("outdated",), ("verify",), ("plan",), ("explain",), ("check",), ("fmt",), ("convert",), ("doctor",),
    *((group[0], verb) for group, verbs in COMMANDS.items() if group for verb in verbs),
]  # fmt: skip


@pytest.mark.parametrize(("group", "commands"), COMMANDS.items())
def test_help_lists_the_commands(cli: Run, group: tuple[str, ...], commands: list[str]) -> None:
    done = cli(*group, "--help")
    assert (done.code, done.err) == (0, "")
    listed = [line.split()[0] for line in done.out.splitlines() if line.startswith("    ") and line[4] != " "]
    assert listed == commands


def test_help_explains_what_is_common_to_all(cli: Run) -> None:
    out = cli("--help").out
    for word in ("TARGET", "exit codes", "130", "IMAGEBUILDER_HOME", "DOCKER_HOST", "SSL_CERT_FILE"):
        assert word in out


@pytest.mark.parametrize("leaf", LEAVES, ids=" ".join)
def test_every_command_has_help_and_json(cli: Run, leaf: tuple[str, ...]) -> None:
    done = cli(*leaf, "--help")
    assert done.code == 0 and "--json" in done.out and f"imagebuilder {' '.join(leaf)}" in done.out
    options = [line.strip() for line in done.out.splitlines() if line.strip().startswith("--")]
    assert all(
        len(option.split("  ")) > 1
        or option.endswith(
            ("FILE", "VALUE", "SPEC", "STAGE", "MINUTES", "PACKAGE ...]", "--no-reproducible", "--no-attest")
        )
        for option in options
    )


def test_no_words_at_all_get_the_help(cli: Run) -> None:
    done = cli()
    assert (done.code, done.out) == (2, cli("--help").out)


# Wrong usage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["biuld", "spec.py"], "'biuld' is not a command", "did you mean 'build'?"),
        (["snapshots"], "'snapshots' is not a command", "did you mean 'snapshot'?"),
        (["xyz"], "'xyz' is not a command", "one of: build, render, hash"),
        (["it's"], '"it\'s" is not a command', "one of: build"),
        (["snapshot", "lst"], "'lst' is not a command", "did you mean 'list'?"),
        (["engine", "sopt"], "'sopt' is not a command", "did you mean 'stop'?"),
        (["snapshot"], "COMMAND", "imagebuilder snapshot --help"),
        (["build", "spec.py", "--parm", "a=b"], "--parm a=b", "did you mean '--param'?"),
        (["build", "spec.py", "--zzz"], "unrecognized arguments: --zzz", "imagebuilder build --help"),
        (["build"], "TARGET", "imagebuilder build --help"),
        (["build", "spec.py", "--no-such"], "--no-such", "--help"),
        (["build", "spec.py", "more"], "more", "--help"),
        (["snapshot", "info"], "NAME", "imagebuilder snapshot info --help"),
        (["build", "spec.py", "--name"], "--name", "imagebuilder build --help"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True], ids=["plain", "json"])
def test_wrong_usage(cli: Run, words: list[str], message: str, hint: str, as_json: bool) -> None:
    # Before the words that are wrong: an option may be what lacks its value.
    at = 1 if words[:1] in (["build"], ["snapshot"]) and len(words) > 1 and words[1] != "lst" else len(words)
    if words[:2] == ["snapshot", "info"]:
        at = 2
    done = cli(*words[:at], *(["--json"] if as_json else []), *words[at:])
    assert done.code == 2
    assert done.err.startswith("error[IB700]: ") and message in done.err and hint in done.err
    if as_json:
        (found,) = json.loads(done.out)["error"]
        assert found["code"] == "IB700" and message in found["message"]
    else:
        assert done.out == ""


# JSON ------------------------------------------------------------------------------------------------


def built(cli: Run, name: str = "app") -> None:
    assert cli("build", "spec.py", "--name", name).code == 0


SUCCESS = [
    (["build", "spec.py", "--name", "new"], {"name", "key", "image", "digest", "reused", "seconds", "steps", "state"}),
    (["build", "spec.py", "--name", "app"], {"name", "key", "image", "digest", "reused", "seconds", "steps", "state"}),
    (["render", "spec.py"], {"dockerfile", "contexts", "build_args", "lines"}),
    (["hash", "spec.py"], {"key", "platform", "steps"}),
    (["snapshot", "list"], None),
    (["snapshot", "info", "app"], {"name", "state", "created_at", "last_used_at", "size", "reason", "resources"}),
    (["snapshot", "logs", "app"], {"name", "lines"}),
    (["snapshot", "delete", "app"], {"name", "deleted"}),
    (["engine", "start"], {"docker_host", "version", "embedded"}),
    (["engine", "start", "--if-needed"], {"docker_host", "version", "embedded"}),
    (["engine", "stop"], {"stopped"}),
    (["engine", "status"], {"docker_host", "version", "embedded"}),
]


@pytest.mark.parametrize(("words", "fields"), SUCCESS, ids=[" ".join(words) for words, _ in SUCCESS])
def test_json_of_what_succeeds(cli: Run, words: list[str], fields: set[str] | None) -> None:
    built(cli)
    done = cli(*words, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    if fields is None:
        assert [entry["name"] for entry in found] == ["app"]
    else:
        assert fields <= set(found)


def test_json_of_base_build(cli: Run, machine: Machine) -> None:
    machine.engine.api = object()  # type: ignore[union-attr]
    done = cli("base", "build", "--json")
    assert done.code == 0, done.err
    assert done.json == {"images": ["python:3.11-slim-bookworm", "python:3.13-slim-trixie"]}
    assert done.err == "assembling\n"
    assert cli("base", "build", "3.13", "--force").out == "python:3.13-slim-trixie\n"
    assert machine.calls[-1] == (["python:3.13-slim-trixie"], {"stand_in": False, "force": True})


FAILURE = [
    (["build", "gone.py"], 2, "IB401"),
    (["build", "spec.py", "--name", "Not A Name"], 2, "IB701"),
    (["build", "spec.py", "--secret", "NO_SUCH_VARIABLE"], 2, "IB150"),
    (["build", "spec.py", "--secret", "src=x"], 2, "IB706"),
    (["build", "spec.py", "--secret", "id=a,unknown=b"], 2, "IB706"),
    (["build", "spec.py", "--secret", "id=a\nenv=b"], 2, "IB706"),
    (["build", "spec.py", "--build-arg", "novalue"], 2, "IB705"),
    (["build", "spec.py", "--build-arg", "a b=c"], 2, "IB112"),
    (["build", "spec.py", "--context", "."], 2, "IB404"),
    (["build", "spec.py:image", "--target", "x"], 2, "IB404"),
    (["build", "spec.py", "--platform", "x"], 2, "IB114"),
    (["render", "gone.py"], 2, "IB401"),
    (["render", "spec.py:nothing"], 2, "IB403"),
    (["hash", "gone/Dockerfile"], 2, "IB401"),
    (["snapshot", "info", "gone"], 2, "IB702"),
    (["snapshot", "logs", "gone"], 2, "IB702"),
    (["snapshot", "delete", "gone"], 2, "IB702"),
]


@pytest.mark.parametrize(("words", "code", "error"), FAILURE, ids=[" ".join(words) for words, _, _ in FAILURE])
@pytest.mark.parametrize("as_json", [False, True], ids=["plain", "json"])
def test_what_fails(cli: Run, machine: Machine, words: list[str], code: int, error: str, as_json: bool) -> None:
    done = cli(*words, *(["--json"] if as_json else []))
    assert done.code == code
    assert done.err.startswith(f"error[{error}]: ") and "Traceback" not in done.err
    if as_json:
        (found,) = json.loads(done.out)["error"]
        assert set(found) == {"severity", "code", "message", "span", "notes", "help"} and found["code"] == error
    else:
        assert done.out == ""
    assert machine.engine is not None and machine.engine.requests == []
    assert cli("snapshot", "list", "--json").json == []


def test_what_fails_alike_is_told_once(cli: Run, project: Path, machine: Machine) -> None:
    (project / "app.snap").write_text(
        "snap 1\nsecret T\nmatrix v=[1, 2] {\n"
        '    snapshot "a{v}" from scratch {\n        run_commands x secrets=[T]\n        label v={v}\n    }\n}\n'
    )
    done = cli("build", "app.snap")
    assert done.code == 2 and done.err.count("IB150") == 1 and done.err.startswith("a1, a2 failed:\nerror[IB150]")
    assert [each["name"] for each in cli("build", "app.snap", "--json").json] == ["a1", "a2"]


@pytest.mark.parametrize("words", [["build", "spec.py"], ["snapshot", "delete", "app"]], ids=" ".join)
def test_no_engine(cli: Run, machine: Machine, words: list[str]) -> None:
    built(cli)
    machine.engine = None
    done = cli(*words, "--json")
    assert done.code == 3 and done.json["error"][0]["code"] == "IB500"
    assert [found["name"] for found in cli("snapshot", "list", "--json").json] == ["app"], "the snapshot stays"


def test_status_without_an_engine(cli: Run, machine: Machine) -> None:
    machine.engine = None
    done = cli("engine", "status", "--json")
    assert done.code == 3 and done.json == {"docker_host": None, "version": None, "embedded": False}
    assert "IB500" in done.err
    assert cli("engine", "status").code == 3


def test_a_failed_build(cli: Run, machine: Machine) -> None:
    assert machine.engine is not None
    machine.engine.fail = BuildFailed("no", line=2, exit_code=7, log=["one", "two"])
    done = cli("build", "spec.py", "--name", "app", "--json")
    assert done.code == 1
    assert done.json["error"][0]["code"] in ("IB600", "IB602")
    info = cli("snapshot", "info", "app", "--json").json
    assert info["state"] == "build_failed" and info["reason"]
    assert cli("build", "spec.py", "--name", "app", "--json").json["state"] == "active"


def test_an_interrupt(cli: Run, machine: Machine) -> None:
    assert machine.engine is not None

    def press(request: object) -> None:
        raise KeyboardInterrupt

    machine.engine.during = press
    done = cli("build", "spec.py", "--name", "app", "--json")
    assert done.code == 130 and done.json["error"][0]["code"] == "IB601"
    assert "Traceback" not in done.err
    info = cli("snapshot", "info", "app", "--json").json
    assert info["state"] == "build_failed" and "interrupted" in info["reason"]


# For people ------------------------------------------------------------------------------------------


def test_hash_prints_the_key_alone(cli: Run) -> None:
    done = cli("hash", "spec.py")
    assert done.err == "" and done.out == cli("hash", "spec.py", "--json").json["key"] + "\n"
    assert done.out.startswith("sha256:") and len(done.out) == 72


def test_render_prints_the_dockerfile_alone(cli: Run) -> None:
    done = cli("render", "spec.py")
    assert done.out.startswith("FROM scratch\n") and done.out == cli("render", "spec.py", "--json").json["dockerfile"]


def test_what_a_target_prints_does_not_get_in_between(cli: Run, project: Path) -> None:
    (project / "loud.py").write_text('print("hello")\n' + (project / "spec.py").read_text())
    done = cli("hash", "loud.py", "--json")
    assert json.loads(done.out)["key"] == cli("hash", "spec.py").out.strip()
    assert done.err == "hello\n"


def test_the_names_that_builds_get(cli: Run, project: Path) -> None:
    (project / "Dockerfile").write_text("FROM scratch\nLABEL a=b\n")
    for target, name in (
        ("spec.py", "spec"), ("spec.py:other", "other"), ("spec.py:image", "spec"), ("Dockerfile", "project"),
        (".", "project"),
    ):  # fmt: skip
        assert cli("build", target, "--json").json["name"] == name
    assert cli("build", "spec.py", "--name", "own:v1", "--json").json["image"] == "imagebuilder/own:v1"
    assert cli("build", "spec.py", "--name", "own:latest", "--json").json["name"] == "own"


def test_building_and_what_follows(cli: Run) -> None:
    done = cli("build", "spec.py", "--name", "app")
    assert done.out.startswith("built app in ") and "docker run --rm -it imagebuilder/app:latest" in done.out
    assert "hello from the build" in done.err
    assert cli("build", "spec.py", "--name", "app").out.startswith("reused app in ")
    listed = cli("snapshot", "list").out.splitlines()
    assert listed[0].split() == ["NAME", "STATE", "SIZE", "CREATED", "LAST", "USED", "KEY"]
    assert listed[1].split()[:2] == ["app", "active"] and len(listed) == 2
    info = cli("snapshot", "info", "app").out
    assert info.splitlines()[0].split() == ["name", "app"] and "1 CPU, 1 GiB memory, 3 GiB disk" in info
    assert "hello from the build\n" in cli("snapshot", "logs", "app").out
    assert cli("snapshot", "delete", "app").out == "deleted app\n"
    empty = cli("snapshot", "list")
    assert (empty.code, empty.out) == (0, "") and "no snapshots yet" in empty.err


def test_starting_and_stopping(cli: Run, machine: Machine) -> None:
    machine.engine = None
    done = cli("engine", "start")
    assert done.code == 0 and done.err == "starting\n"
    assert "(embedded)" in done.out and "export DOCKER_HOST=fake://" in done.out
    assert cli("engine", "start", "--if-needed", "--json").json["embedded"] is True
    assert machine.calls == ["start"], "it was there already"
    assert cli("engine", "stop").out.startswith("stopped the engine of ")
    assert cli("engine", "stop").out.startswith("no engine of ")


def test_secrets_are_given_in_three_ways(
    cli: Run, machine: Machine, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "from the environment")
    (project / "a,b").write_text("x")
    words = ["--secret", "TOKEN", "--secret", "id=OTHER,env=TOKEN", "--secret", 'id=FILE,"src=a,b"']
    assert cli("build", "spec.py", *words).code == 0
    assert machine.engine is not None
    secrets = machine.engine.requests[0].secrets
    assert (secrets["TOKEN"].value, secrets["OTHER"].value) == ("from the environment", "from the environment")
    assert secrets["FILE"].file == Path("a,b")


# In a process of its own ------------------------------------------------------------------------------


def process(*words: str, cwd: Path, **more: object) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "imagebuilder", *words]
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False, env=dict(os.environ), **more)


def test_a_reader_that_leaves(project: Path) -> None:
    """``imagebuilder render … | head -1`` ends without a word."""
    (project / "long.py").write_text(
        'from imagebuilder import Image\nimage = Image.scratch().label({f"l{n}": "x" * 1000 for n in range(300)})\n'
    )
    command = f'"{sys.executable}" -m imagebuilder render long.py | head -n 1'
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=project, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "FROM scratch\n", "")


def test_output_that_is_no_utf8_terminal(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshot names are ASCII, but hints and Dockerfiles are not: nothing may end in an encoding error."""
    (project / "text.py").write_text('from imagebuilder import Image\nimage = Image.scratch().label(a="é漢")\n')
    monkeypatch.setenv("PYTHONIOENCODING", "ascii:backslashreplace")
    assert process("hash", "text.py", cwd=project).returncode == 0
    # A form that goes into a file by way of a pipe is that file, and JSON stays JSON.
    assert 'label a="é漢"' in process("convert", "text.py", "-", "--to", "snap", cwd=project).stdout
    assert 'LABEL a="é漢"' in json.loads(process("render", "text.py", "--json", cwd=project).stdout)["dockerfile"]


@pytest.mark.parametrize("ttl", ["", "soon", "-1h", "12 parsecs"])
def test_a_time_that_is_none_makes_nothing(cli: Run, ttl: str) -> None:
    done = cli("snapshot", "create", "app", "--image", "python:3.13", f"--ttl={ttl}")
    assert done.code == 2 and "IB712" in done.err and cli("snapshot", "list").out == ""
