"""Fixtures of the tests that build for real."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from imagebuilder.client import Client
from tests.conftest import Cli, imagebuilder


@pytest.fixture
def env(engine_env: dict[str, str], home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The engine's environment with an empty home, for this process and for those it starts."""
    env = {**engine_env, "IMAGEBUILDER_HOME": str(home)}
    for name in ("IMAGEBUILDER_HOME", "DOCKER_HOST", "DOCKER_CONFIG"):
        monkeypatch.setenv(name, env[name])
    return env


@pytest.fixture
def client(env: dict[str, str]) -> Client:
    return Client()


@pytest.fixture
def cli(env: dict[str, str]) -> Cli:
    """The command line with an empty home and the real engine."""
    return lambda *words, **options: imagebuilder(*words, **{"env": env, **options})


@pytest.fixture
def name(cli: Cli, request: pytest.FixtureRequest) -> Iterator[str]:
    """A name that nobody else builds; what the test's home has goes with the test."""
    yield f"{request.path.stem.replace('_', '-')}-{uuid4().hex[:12]}"
    for snapshot in cli("snapshot", "list", "--json").json:
        cli("snapshot", "delete", snapshot["name"])
