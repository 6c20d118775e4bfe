"""explain, plan and cache as commands: their arguments, JSON and exit codes. What they say is golden."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from imagebuilder.engine.protocol import BuildFailed
from tests.unit.cli.conftest import Machine, Run

SNAP = """\
snap 1
snapshot one from scratch { add_text x /x }
snapshot two from scratch { add_text y /y }
"""


@pytest.fixture
def snap(project: Path) -> Path:
    (project / "app.snap").write_text(SNAP)
    return project / "app.snap"


def test_nothing_is_on_record(cli: Run) -> None:
    done = cli("explain", "spec.py")
    assert done.code == 2 and "IB650" in done.err and "`imagebuilder plan spec.py` says" in done.err
    assert cli("explain", "spec").code == 2
    assert cli("plan", "spec.py").code == 0


@pytest.mark.parametrize("words", [("spec.py",), ("spec",), ("spec.py", "--against", "spec")])
def test_builds_that_came_to_no_image_are_nothing_to_compare_with(
    cli: Run, machine: Machine, words: tuple[str, ...]
) -> None:
    assert machine.engine is not None
    for count in ("the one build on record has not", "none of the 2 builds on record has"):
        machine.engine.fail = BuildFailed("no")
        assert cli("build", "spec.py").code == 1
        done = cli("explain", *words)
        assert done.code == 2 and count in done.err and "snapshot logs spec" in done.err
    other = cli("explain", "spec.py", "--against", "nope")
    assert "nothing has been built yet" in other.err, "no name is offered that then is none"


def test_digests_are_whole(cli: Run, project: Path) -> None:
    """So that they can be compared with what sha256sum prints."""
    (project / "src").mkdir()
    (project / "dir.py").write_text(
        'from imagebuilder import Image\nimage = Image.scratch().add_local_dir("src", "/s")\n'
    )
    digests = []
    for text in ("one", "two"):
        (project / "src/a").write_text(text)
        digests.append("sha256:" + sha256(text.encode()).hexdigest())
        assert cli("build", "dir.py").code == 0
    (each,) = cli("explain", "dir", "--json").json["changed"]
    assert [each["before"], each["after"]] == digests


def test_a_target_against_its_last_build(cli: Run, project: Path) -> None:
    assert cli("build", "spec.py").code == 0
    same = cli("explain", "spec.py", "--json").json
    assert (same["changed"], same["runs_again"]) == ([], []) and same["before"]["key"] == same["after"]["key"]
    (project / "spec.py").write_text((project / "spec.py").read_text().replace('"x", "/x"', '"y", "/x"'))
    changed = cli("explain", "spec.py", "--json").json
    (each,) = changed["changed"]
    assert {name: each[name] for name in ("op", "kind", "what", "before", "after")} == {
        "op": "add_text", "kind": "argument", "what": "content", "before": "x", "after": "y",
    }  # fmt: skip
    assert each["span"] == {"file": "spec.py", "line": 3, "column": 38}
    assert [again["op"] for again in changed["runs_again"]] == ["add_text"]
    assert changed["before"]["built_at"].endswith("+00:00") and changed["after"]["built_at"] is None


def test_builds_by_name_and_key(cli: Run, project: Path) -> None:
    first = cli("build", "spec.py", "--json").json["key"]
    assert cli("build", "spec.py:other", "--name", "spec", "--json").code == 0
    for words in (("spec",), ("spec~1", "spec"), (first, "spec"), ("spec~1", "--against", "spec")):
        found = cli("explain", *words, "--json").json
        assert [each["what"] for each in found["changed"]] == ["env"], words
        assert found["before"]["key"] == first
    assert "spec, built 20" in cli("explain", "spec").out
    assert cli("explain", "spec.py", "--against", "spec~1", "--json").json["changed"] == []
    assert cli("explain", "spec.py", "--name", "spec", "--json").json["changed"][0]["before"] == "env A"


@pytest.mark.parametrize(
    ("words", "help"),
    [
        (("spec.py", "spec"), "explain spec.py --against spec"),
        (("spec", "spec.py"), "explain spec.py --against spec"),
        (("spec", "spec", "--against", "spec"), "explain A B"),
        (("app.snap", "--name", "x"), "app.snap:one --name"),
        (("missing.snap",), "missing.snap"),
        (("spec", "spce"), "did you mean 'spec'?"),
    ],
)
def test_wrong_usage(cli: Run, snap: Path, words: tuple[str, ...], help: str) -> None:
    assert cli("build", "spec.py").code == 0
    done = cli("explain", *words)
    assert done.code == 2 and help in done.err


def test_every_snapshot_of_a_file(cli: Run, snap: Path) -> None:
    assert cli("build", "app.snap").code == 0
    snap.write_text(SNAP.replace("add_text y", "add_text z"))
    found = cli("explain", "app.snap", "--json").json
    assert [(each["name"], len(each["changed"])) for each in found] == [("one", 0), ("two", 1)]
    assert [(each["name"], each["hit"]) for each in cli("plan", "app.snap", "--json").json] == [
        ("one", True),
        ("two", False),
    ]
    assert cli("plan", "app.snap", "--name", "x").code == 2


def test_neither_needs_an_engine(cli: Run, machine: Machine) -> None:
    assert cli("build", "spec.py").code == 0
    machine.engine = None
    assert cli("explain", "spec.py").code == cli("plan", "spec.py").code == cli("cache", "du").code == 0
    assert cli("cache", "du", "--builder-cache").code == 3


def test_a_plan_as_json(cli: Run) -> None:
    plan = cli("plan", "spec.py", "--json").json
    keys = cli("hash", "spec.py", "--json").json
    assert plan["key"] == keys["key"]
    assert [(step["op"], step["key"]) for step in plan["steps"]] == [(s["op"], s["key"]) for s in keys["steps"]]
    assert set(plan["steps"][0]) >= {"op", "key", "hit", "context_bytes", "span"}


def test_du_and_prune(cli: Run, machine: Machine) -> None:
    assert cli("build", "spec.py").code == 0
    assert cli("cache", "prune").out == "nothing to take away\n"
    used = cli("cache", "du", "--json").json
    assert {part["kind"] for part in used["parts"]} == {"fingerprints", "staged files", "packages", "records", "logs"}
    dry = cli("cache", "prune", "--all", "--dry-run", "--json").json
    assert dry["dry_run"] and dry["freed_bytes"] == used["bytes"] > 0
    assert cli("cache", "du", "--json").json["bytes"] == used["bytes"]
    assert cli("cache", "prune", "--name", "other", "--json").json["items"] == []
    typo = cli("cache", "prune", "--name", "spce")
    assert typo.out == "nothing to take away\n" and "did you mean 'spec'?" in typo.err
    assert cli("cache", "prune", "--name", "spec", "--older-than", "9w").err == ""
    assert "freed " in cli("cache", "prune", "--max-size", "0").out
    assert cli("cache", "du", "--json").json["bytes"] == 0
    assert cli("snapshot", "info", "spec", "--json").json["state"] == "active", "snapshots stay"
    assert cli("cache", "prune", "--builder-cache", "--json").json["builder_cache_bytes"] == 5000


@pytest.mark.parametrize(
    "words", [("--older-than", "x"), ("--older-than", "7"), ("--max-size", "1 parsec"), ("--max-size", "")]
)
def test_no_age_or_size(cli: Run, words: tuple[str, ...]) -> None:
    done = cli("cache", "prune", *words)
    assert done.code == 2 and "IB712" in done.err
