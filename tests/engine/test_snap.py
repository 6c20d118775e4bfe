"""The .snap language on a real engine: the design's sample, and files of several snapshots."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from imagebuilder.client import Client
from tests.conftest import Cli
from tests.engine.test_examples import docker

DESIGN = Path(__file__).parent / "snap" / "design"

SEVERAL = """\
snap 1
image base from debian_slim 3.13 {
    run_commands "echo {name} >/shared; sleep 1"
}
matrix n=[1, 2, 3] {
    snapshot "{name}-{n}:1" from base {
        run_commands "test -f /shared; sleep 3; echo line of {n}"
        label n={n}
    }
}
"""


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return f"test-snap-{os.urandom(4).hex()}"


def several(folder: Path, name: str, more: str = "") -> Path:
    path = folder / "several.snap"
    path.write_text(SEVERAL.replace("{name}", name) + more.replace("{name}", name))
    return path


def test_the_sample_of_the_design(cli: Cli, client: Client, env: dict[str, str]) -> None:
    built = cli("build", DESIGN / "ml.snap", "--json", env={**env, "PIP_TOKEN": "not to be seen"})
    assert built.code == 0, built.err
    assert built.json["name"] == "ml:1.0"
    assert [built.json["resources"][each] for each in ("cpu", "memory", "disk")] == [2, 4, 8]
    config = json.loads(docker(env, "image", "inspect", built.json["image"]))[0]["Config"]
    assert (config["User"], config["WorkingDir"]) == ("app", "/app")
    assert config["Entrypoint"] == ["python", "-m", "src.main"]
    assert "PYTHONUNBUFFERED=1" in config["Env"]
    answer = docker(env, "run", "--rm", "--user=0", built.json["image"])
    assert answer == "42\n"
    listed = docker(env, "run", "--rm", "--user=0", "--entrypoint=sh", built.json["image"], "-c", "ls src; tool")
    assert listed.split() == ["__init__.py", "__pycache__", "main.py", "tool"]
    # The same said fluently is the same image.
    again = cli("build", DESIGN / "fluent.py", "--name=ml:again", "--json")
    assert again.code == 0, again.err
    assert again.json["reused"] and again.json["key"] == built.json["key"]


def test_all_snapshots_of_a_file_are_built_at_the_same_time(
    cli: Cli, client: Client, tmp_path: Path, name: str
) -> None:
    began = time.monotonic()
    built = cli("build", several(tmp_path, name), "--json")
    took = time.monotonic() - began
    assert built.code == 0, built.err
    assert [each["name"] for each in built.json] == [f"{name}-{n}:1" for n in (1, 2, 3)]
    alone = sum(step["seconds"] for each in built.json for step in each["steps"])
    assert took < alone, "one after the other takes at least as long as all their steps"
    # Each step is told of as its author wrote it, also where two builds share it.
    for each in built.json:
        names = [step["name"] for step in each["steps"] if step["op"] != "from"]
        assert any("sleep 3" in step for step in names) and all(step.startswith("run_commands") for step in names), (
            names
        )
        assert f"line of {each['name'][len(name) + 1]}" in client.snapshot.logs(each["name"])
    again = cli("build", several(tmp_path, name), "--json")
    assert [each["reused"] for each in again.json] == [True] * 3


def test_one_that_fails_does_not_end_the_others(cli: Cli, client: Client, tmp_path: Path, name: str) -> None:
    more = 'snapshot "{name}-bad" from base {\n    run_commands "echo oh no; exit 7"\n}\n'
    path = several(tmp_path, name, more)
    built = cli("build", path)
    assert built.code == 1
    assert [f"{name}-{n}:1" in built.out for n in (1, 2, 3)] == [True] * 3
    assert f"{name}-bad failed:\nerror[IB600]: run_commands failed with exit code 7" in built.err
    assert f"{path}:12:5" in built.err
    assert [client.snapshot.get(each).state for each in (f"{name}-1:1", f"{name}-bad")] == ["active", "build_failed"]
    found = cli("build", path, "--json").json
    assert [("error" in each, each["name"]) for each in found][-1] == (True, f"{name}-bad")


def test_ctrl_c_stops_them_all(env: dict[str, str], client: Client, tmp_path: Path, name: str) -> None:
    path = several(tmp_path, name)
    path.write_text(path.read_text().replace("sleep 3", "sleep 300"))
    argv = [sys.executable, "-m", "imagebuilder", "build", str(path)]
    process = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    seen = set()
    for line in process.stderr:
        seen |= {n for n in "123" if f"{name}-{n}:1: run_commands" in line and "sleep 300" in line}
        if seen == set("123"):
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.count("error[IB601]") == 1
    assert {client.snapshot.get(f"{name}-{n}:1").state for n in (1, 2, 3)} == {"build_failed"}


def test_one_by_its_name(cli: Cli, tmp_path: Path, name: str) -> None:
    path = several(tmp_path, name)
    built = cli("build", f"{path}:{name}-2", "--json")
    assert built.code == 0, built.err
    assert built.json["name"] == f"{name}-2:1"
    image = cli("build", f"{path}:base", "--name", f"{name}-base", "--json")
    assert image.code == 0, image.err
    assert image.json["name"] == f"{name}-base"
