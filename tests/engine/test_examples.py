"""Every example builds and does what it says."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from imagebuilder.client import Client
from tests.conftest import ROOT, Cli
from tests.engine.registry import running

EXAMPLES = ROOT / "examples"


def docker(env: dict[str, str], *words: str) -> str:
    """Docker's own client, as a person would check."""
    done = subprocess.run(
        [env["TEST_DOCKER"], *words], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_hello_demo_answers_from_inside_and_reuses_the_second_time(env: dict[str, str]) -> None:
    runs = [
        subprocess.run(
            [sys.executable, EXAMPLES / "hello/demo.py"], env=env, capture_output=True, text=True, check=False
        )
        for _ in range(2)
    ]
    assert [run.returncode for run in runs] == [0, 0], runs[0].stderr
    assert "From inside it: Hello from an image that Python described" in runs[0].stdout
    assert "Reused imagebuilder/hello:latest" in runs[1].stdout


def test_data_science_keeps_its_resources(env: dict[str, str], client: Client) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / "data_science/data_science.py"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    snapshot = client.snapshot.get("my-snapshot")
    assert (snapshot.resources.cpu, snapshot.resources.memory, snapshot.resources.disk) == (2, 4, 8)
    answer = client.run("my-snapshot", ["python", "-c", "import numpy, pandas; print(pandas.Series([40, 2]).sum())"])
    assert answer.stdout.strip() == "42"


def test_multi_stage_holds_nothing_but_the_program(cli: Cli, client: Client, env: dict[str, str]) -> None:
    built = cli("build", EXAMPLES / "multi_stage/multi_stage.py", "--json")
    assert built.code == 0, built.err
    assert client.engine.run(built.json["image"], ["/answer"]).stdout == "42\n"
    assert built.json["size"] < 5_000_000


@pytest.mark.parametrize("target", ["project.py", "Dockerfile"])
def test_a_dockerfile_project_builds_either_way(cli: Cli, client: Client, target: str) -> None:
    built = cli("build", EXAMPLES / "dockerfile_project" / target, "--json")
    assert built.code == 0, built.err
    version = "1.0" if target == "project.py" else "dev"
    answer = client.engine.run(built.json["image"], ["app", "--greet", "bücher"])
    assert answer.stdout == f"hello xn--bcher-kva, from version {version}\n"


def test_web_service_serves_as_its_own_user_and_becomes_healthy(cli: Cli, env: dict[str, str]) -> None:
    built = cli("build", EXAMPLES / "web_service/web_service.py", "--json")
    assert built.code == 0, built.err
    container = docker(env, "run", "--detach", "--rm", built.json["image"]).strip()
    try:
        deadline = time.monotonic() + 60
        while (state := json.loads(docker(env, "inspect", container))[0]["State"]["Health"]["Status"]) != "healthy":
            assert time.monotonic() < deadline, state
            time.sleep(0.5)
        assert docker(env, "exec", container, "id", "-un").strip() == "web"
        assert docker(env, "exec", container, "ls", "/srv/site").split() == ["index.html"]
    finally:
        docker(env, "rm", "--force", container)


def test_the_day_of_a_ci_service(engine_env: dict[str, str], tmp_path: Path) -> None:
    """Its runners are engines of their own."""
    with running(tmp_path / "registry") as registry:
        done = subprocess.run(
            [sys.executable, EXAMPLES / "ci/story.py", registry.repository("cache")],
            env={**engine_env, "IMAGEBUILDER_CACHE_BRANCH": "main"}, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    a, _, b, image, c, _ = done.stdout.splitlines()
    assert "built, cached: nothing" in a and "reused" in b and "@sha256:" in image
    assert "built, cached: run_commands" in c


def test_dockers_own_commands_show_the_image(cli: Cli, env: dict[str, str]) -> None:
    built = cli("build", EXAMPLES / "hello/hello.py", "--json")
    listed = docker(env, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
    assert built.json["image"] in listed
