"""A sandbox on the real engine, and what it is of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from imagebuilder import (
    Client,
    CreateSandboxFromSnapshotParams,
    CreateSnapshotParams,
    Resources,
    Sandbox,
    SandboxError,
)

PYTHON = "python:3.13-slim-trixie"


@pytest.fixture
def snapshot(client: Client) -> Iterator[str]:
    client.snapshot.create(CreateSnapshotParams("py", PYTHON, Resources(cpu=0.5, memory=0.25, disk=0.1)))
    yield "py"
    for each in client.list():
        each.delete()
    client.snapshot.delete("py")


@pytest.fixture
def sandbox(client: Client, snapshot: str) -> Iterator[Sandbox]:
    with client.create(CreateSandboxFromSnapshotParams(snapshot=snapshot, env_vars={"GIVEN": "a b"})) as made:
        yield made


def code(caught: pytest.ExceptionInfo[SandboxError]) -> str:
    return caught.value.diagnostics[0].code
