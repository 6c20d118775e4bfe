"""The samples of the page that the project began from, as they stand there but for the imports and the program's name."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

from imagebuilder import Client, Image
from tests.conftest import Cli

IMPORTS = """
from imagebuilder import (
    Client as Daytona,
    CreateSandboxFromSnapshotParams,
    CreateSnapshotParams,
    Image,
    Resources,
)
"""
SPECIFYING_RESOURCES = """
daytona = Daytona()
# Create a Snapshot with custom resources
daytona.snapshot.create(
    CreateSnapshotParams(
        name="my-snapshot",
        image=Image.debian_slim("3.12"),
        # All resource parameters are optional:
        resources=Resources(
            cpu=2,
            memory=4,
            disk=8,
        ),
    ),
    on_logs=print,
)
"""
USING_SNAPSHOTS = """
sandbox = daytona.create(CreateSandboxFromSnapshotParams(
    snapshot="my-snapshot-name",
))
"""
LOCAL_IMAGE = "imagebuilder snapshot push custom-alpine:3.21 --name alpine-minimal"
LOCAL_DOCKERFILE = "imagebuilder snapshot create data-analysis01 --dockerfile ./Dockerfile"
MANUAL_DOCKER = """\
FROM ubuntu:22.04
# Install Docker using the official install script
RUN curl -fsSL https://get.docker.com | VERSION=28.3.3 sh -
"""


def run(env: dict[str, str], program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_programs(client: Client, env: dict[str, str]) -> None:
    try:
        run(env, IMPORTS + SPECIFYING_RESOURCES)
        found = client.snapshot.get("my-snapshot")
        assert (found.state, found.resources.cpu, found.resources.memory, found.resources.disk) == ("active", 2, 4, 8)
        # The page's second program names a snapshot that its first did not make.
        client.snapshot.alias("my-snapshot-name", "my-snapshot")
        used = IMPORTS + "daytona = Daytona()" + USING_SNAPSHOTS + "print(sandbox.process.exec('echo hello').result)"
        assert run(env, used).strip() == "hello"
        (sandbox,) = client.list()
        assert sandbox.snapshot == "my-snapshot"
    finally:
        for sandbox in client.list():
            sandbox.delete()
        for snapshot in client.snapshot.list():
            client.snapshot.delete(snapshot.name)


def test_the_commands(client: Client, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(
        "FROM alpine:latest\nWORKDIR /srv\nCOPY data data\nRUN cat data/file\nENV READY=1\n"
    )
    (tmp_path / "data").mkdir()
    beside = uuid4().hex  # Or the engine would have the step already.
    (tmp_path / "data/file").write_text(f"{beside}\n")
    tags = ("custom-alpine:3.21", "alpine:latest")
    for tag in tags:
        client.engine.tag("python:3.13-slim-trixie", tag)
    try:
        for command, name in ((LOCAL_IMAGE, "alpine-minimal"), (LOCAL_DOCKERFILE, "data-analysis01")):
            done = cli(*shlex.split(command)[1:], cwd=tmp_path)
            assert done.code == 0, done.err
            assert done.out == f"✓ Use {name!r} to create a new sandbox: imagebuilder sandbox create {name}\n"
            assert "waiting for a container of it to stay up done in" in done.err
            assert client.snapshot.get(name).state == "active"
        for step in ("FROM alpine:latest", "workdir /srv", "copy data data", beside):
            assert step in done.err
    finally:
        for snapshot in client.snapshot.list():
            client.snapshot.delete(snapshot.name)
        for tag in tags:
            client.engine.untag(tag)


def test_the_dockerfile_that_installs_docker(tmp_path: Path) -> None:
    """It is taken as it is; to build it wants the network, and test_docker_in_a_sandbox installs Debian's packages."""
    (tmp_path / "Dockerfile").write_text(MANUAL_DOCKER)
    image = Image.from_dockerfile(tmp_path / "Dockerfile")
    same = Image.base("ubuntu:22.04").dockerfile_commands(MANUAL_DOCKER.splitlines()[2])
    assert image.key() == same.key()
