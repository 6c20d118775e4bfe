"""Sandboxes beside Docker's own client: made and asked, asked again, and asked in a session that is open."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from measure import in_turn, run, show

from imagebuilder import Client, CreateSandboxFromSnapshotParams, CreateSnapshotParams, Resources
from imagebuilder.engine.buildx import find_docker
from imagebuilder.engine.docker import DockerEngine
from imagebuilder.home import home

IMAGE = "python:3.13-slim-trixie"


def sandboxes(engine: DockerEngine) -> None:
    """All three with Docker's client, whose own start is part of what it costs."""
    docker = str(find_docker(home()) or shutil.which("docker"))
    env = {**os.environ, "DOCKER_HOST": engine.endpoint.host}
    with tempfile.TemporaryDirectory() as scratch:
        client = Client(home=Path(scratch), engine=engine)
        client.snapshot.create(CreateSnapshotParams("bench", IMAGE, Resources()))
        made = []

        def ours(number: int) -> None:
            sandbox = client.create(CreateSandboxFromSnapshotParams(snapshot="bench"))
            made.append(sandbox)
            assert sandbox.process.exec(["echo", "x"]).result == "x\n"

        def theirs(number: int) -> None:
            name = f"bench-{uuid4().hex[:12]}"
            names.append(name)
            run(
                docker,
                "run",
                "--detach",
                "--init",
                "--name",
                name,
                "--cpus=1",
                "--memory=1g",
                IMAGE,
                "sleep",
                "infinity",
                env=env,
            )
            run(docker, "exec", name, "echo", "x", env=env)

        names: list[str] = []
        try:
            show(
                "a sandbox, to its first answer",
                "Client.create, exec",
                *_pair(16, ours, "docker run, docker exec", theirs),
            )
            sandbox, name = made[0], names[0]

            def asked(number: int) -> None:
                assert sandbox.process.exec(["echo", "x"]).result == "x\n"

            def docker_exec(number: int) -> None:
                run(docker, "exec", name, "echo", "x", env=env)

            show("a command", "process.exec", *_pair(31, asked, "docker exec", docker_exec))
            sandbox.process.create_session("bench")

            def in_session(number: int) -> None:
                assert sandbox.process.execute_session_command("bench", "echo x").stdout == "x\n"

            show(
                "a command of an open session",
                "execute_session_command",
                *_pair(31, in_session, "docker exec", docker_exec),
            )
        finally:
            for each in made:
                each.delete()
            if names:
                subprocess.run([docker, "rm", "--force", *names], env=env, capture_output=True, check=False)
            client.snapshot.delete("bench")


def _pair(
    runs: int, ours: Callable[[int], None], their_name: str, theirs: Callable[[int], None]
) -> tuple[list[float], str, list[float]]:
    mine, others = in_turn(runs, ours, theirs)
    return mine, their_name, others
