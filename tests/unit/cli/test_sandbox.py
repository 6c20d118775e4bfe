"""`sandbox` and `snapshot` as they are typed, mistakes included."""

from __future__ import annotations

import json

import pytest

from imagebuilder.cli import sandbox as commands
from tests.unit.cli.conftest import Machine, Run


@pytest.fixture
def py(cli: Run) -> str:
    assert cli("snapshot", "create", "py", "--image", "python:3.13", "--memory", "512MiB").code == 0
    return "py"


def test_amounts_may_have_units(cli: Run, py: str) -> None:
    resources = json.loads(cli("snapshot", "info", py, "--json").out)["resources"]
    assert (resources["memory"], resources["disk"]) == (0.5, 3)
    wrong = cli("snapshot", "create", "x", "--image", "python:3.13", "--disk", "big")
    assert wrong.code == 2 and "not a size: 'big'" in wrong.err and "4GiB" in wrong.err


def test_resources_of_a_sandbox(cli: Run, machine: Machine, py: str) -> None:
    """An image has none of its own; a snapshot has."""
    assert cli("sandbox", "create", "--image", "python:3.13", "--memory", "2GiB", "--cpu", "0.5").code == 0
    assert machine.engine is not None
    (spec,) = [each for each in machine.engine.containers.specs.values() if "imagebuilder.sandbox" in each.labels]
    assert (spec.cpu, spec.memory) == (0.5, 2)
    refused = cli("sandbox", "create", py, "--cpu", "2")
    assert refused.code == 2 and "snapshot's resources" in refused.err and "snapshot create" in refused.err


def test_a_variable_of_ours(cli: Run, machine: Machine, py: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a secret is in no list of processes."""
    monkeypatch.setenv("API_TOKEN", "a=b c")
    assert cli("sandbox", "create", py, "--env", "API_TOKEN", "--env", "B=", "--env", "C=1").code == 0
    assert machine.engine is not None
    (spec,) = [each for each in machine.engine.containers.specs.values() if "imagebuilder.sandbox" in each.labels]
    assert spec.env == {"API_TOKEN": "a=b c", "B": "", "C": "1"}
    refused = cli("sandbox", "create", py, "--env", "NOT_SET")
    assert refused.code == 2 and "'NOT_SET' is not set" in refused.err and "--env NOT_SET=VALUE" in refused.err


def test_what_it_is_and_what_it_said(cli: Run, py: str) -> None:
    cli("sandbox", "create", py, "--name", "one", "--user", "nobody")
    shown = cli("sandbox", "info", "one").out
    assert "user        nobody\n" in shown and "1 CPU, 0.5 GiB of memory, 3 GiB a file" in shown
    found = json.loads(cli("sandbox", "info", "one", "--json").out)
    assert found["exit_code"] is None and found["resources"] == {"cpu": 1, "memory": 0.5, "disk": 3}
    assert cli("sandbox", "logs", "one").out == "its last line\n"
    assert json.loads(cli("sandbox", "logs", "one", "--json").out)["lines"] == ["its last line"]
    assert cli("sandbox", "logs", "two").code == 2


def test_several_at_once(cli: Run, py: str) -> None:
    for name in ("one", "two", "three"):
        assert cli("sandbox", "create", py, "--name", name).code == 0
    assert cli("sandbox", "stop", "one", "two").out == "stopped one\nstopped two\n"
    wrong = cli("sandbox", "delete", "one", "tow")
    assert wrong.code == 2 and "'two'" in wrong.err and len(json.loads(cli("sandbox", "list", "--json").out)) == 3
    assert json.loads(cli("sandbox", "delete", "one", "--json").out) == {"name": "one", "deleted": True}
    assert [each["name"] for each in json.loads(cli("sandbox", "delete", "two", "three", "--json").out)] == [
        "two",
        "three",
    ]
    assert cli("snapshot", "create", "py2", "--image", "python:3.12").code == 0
    assert cli("snapshot", "alias", "other", "py2").code == 0
    assert cli("snapshot", "delete", "other", "py2", py).out == (
        "deleted the alias other of py2\ndeleted py2\ndeleted py\n"
    )


def test_all_of_a_kind(cli: Run, py: str) -> None:
    for name, team in (("one", "a"), ("two", "b"), ("three", "a"), ("four", "b")):
        assert cli("sandbox", "create", py, "--name", name, "--label", f"team={team}").code == 0
    cli("sandbox", "stop", "one")
    assert cli("sandbox", "stop", "--label", "team=a").out == "stopped three\n", "what is stopped is left alone"
    for words, said in (
        (("one", "--all"), "both names and --all"),
        (("one", "--label", "team=a"), "both names and --label"),
        ((), "no sandbox is named"),
        (("--all", "--label", "team=a"), "not allowed with"),
        (("--label", "team"), "not a label"),
    ):
        refused = cli("sandbox", "delete", *words)
        assert refused.code == 2 and said in refused.err
    assert len(json.loads(cli("sandbox", "list", "--json").out)) == 4
    assert cli("sandbox", "delete", "--label", "team=a").out == "deleted three\ndeleted one\n"
    assert json.loads(cli("sandbox", "stop", "--all", "--json").out)[0]["name"] == "four"
    gone = json.loads(cli("sandbox", "delete", "--all", "--json").out)
    assert gone == [{"name": "four", "deleted": True}, {"name": "two", "deleted": True}]
    nothing = cli("sandbox", "delete", "--all")
    assert (nothing.code, nothing.out) == (0, "") and "nothing to be deleted" in nothing.err
    assert cli("sandbox", "delete", "--all", "--json").out.strip() == "[]"


def test_a_snapshot_by_an_option(cli: Run, py: str) -> None:
    made = cli("sandbox", "create", "--snapshot", py, "--json")
    assert json.loads(made.out)["snapshot"] == py
    both = cli("sandbox", "create", py, "--snapshot", py)
    assert both.code == 2 and "both a snapshot and --snapshot" in both.err
    assert "both a snapshot and --image" in cli("sandbox", "create", "--snapshot", py, "--image", "python:3.13").err


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("sandbox", "rm", "one"), "'delete'"),
        (("sandbox", "ps"), "'list'"),
        (("sandbox", "run", "one", "ls"), "'exec'"),
        (("snapshot", "show", "py"), "'info'"),
        (("registry", "rm", "x"), "'remove'"),
        (("registry", "login"), "'add'"),
    ],
)
def test_what_others_call_it(cli: Run, words: tuple[str, ...], meant: str) -> None:
    done = cli(*words)
    assert done.code == 2 and f"did you mean {meant}?" in done.err


@pytest.mark.parametrize("ref", ["python:3.13-slim-trixie", "ghcr.io/team/app:1.0"])
def test_an_image_in_the_place_of_a_target(cli: Run, ref: str) -> None:
    done = cli("snapshot", "create", "app", ref)
    assert done.code == 2 and f"--image {ref}" in done.err
    assert "--image" not in cli("snapshot", "create", "app", "spec.snap").err


def test_a_path_is_missing(cli: Run, py: str) -> None:
    cli("sandbox", "create", py, "--name", "one")
    done = cli("sandbox", "cp", "spec.py", "one:")
    assert done.code == 2 and "no path after 'one:'" in done.err and "one:/srv/" in done.err


def test_ctrl_c_closes_a_preview(cli: Run, py: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is how it is meant to end."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    class Opened:
        url = "http://127.0.0.1:1"

        def preview(self, *_: object, **__: object) -> Opened:
            return self

        def __enter__(self) -> Opened:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr("signal.pause", interrupted)
    monkeypatch.setattr(commands, "_sandbox", lambda name: Opened())
    done = cli("sandbox", "preview", "one", "8000")
    assert (done.code, done.out) == (0, "http://127.0.0.1:1\n") and "error" not in done.err


def test_steps_are_shown(cli: Run) -> None:
    done = cli("snapshot", "create", "app", "spec.py")
    assert "#1 " in done.err, done.err
    assert done.err.index("#1 ") < done.err.index("stay up") and done.out.startswith("✓ Use 'app'")
