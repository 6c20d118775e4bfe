"""Fixtures of the tests that build for real."""

from __future__ import annotations

from pathlib import Path

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
