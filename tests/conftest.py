"""What all tests share: the real engine, homes of their own, and the command line as a person runs it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from imagebuilder.locks import lock

ROOT = Path(__file__).parent.parent

# A shell's background job starts with SIGINT ignored, and so would every program that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A cache of the person's own is no test's.
os.environ.pop("IMAGEBUILDER_CACHE", None)

# Nor is their keyring.
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"

# What the tests build on: the two that Debian honestly has, and a stand-in for the seed sample's Python.
BASES = ("python:3.11-slim-bookworm", "python:3.13-slim-trixie")
STAND_IN = "python:3.12-slim-bookworm"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="write the golden cases' expected files anew")


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Done]


def imagebuilder(
    *words: str | os.PathLike[str], env: dict[str, str], cwd: Path | None = None, timeout: float = 900
) -> Done:
    """Run the command line in a process of its own."""
    argv = [sys.executable, "-m", "imagebuilder", *map(os.fspath, words)]
    done = subprocess.run(argv, env=env, cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def engine_env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which an engine answers and has the base images.

    An engine that answers already is used and left alone; else the embedded one
    is started, and stopped at the end. A missing engine is a failure. Of several
    processes that test, the first has that engine, and each other one an engine
    of its own, so that no test sees what another one builds or prunes.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        with _engine_of_the_machine() as env:
            yield _with_docker(env, tmp_path_factory)
        return
    together = tmp_path_factory.getbasetemp().parent
    with ExitStack() as stack:
        with lock(together / "engine.lock"):
            if is_first := not (together / "engine").exists():
                env = stack.enter_context(_engine_of_the_machine())
                (together / "engine").touch()
        if not is_first:
            env = stack.enter_context(_engine_of_its_own(tmp_path_factory.mktemp("engine")))
        yield _with_docker(env, tmp_path_factory)


@contextmanager
def _engine_of_the_machine() -> Iterator[dict[str, str]]:
    env = dict(os.environ)
    before = imagebuilder("engine", "status", "--json", env=env)
    started = before.code != 0
    up = imagebuilder("engine", "start", "--if-needed", "--json", env=env)
    assert up.code == 0, up.err
    try:
        for words in (BASES, ("--stand-in", STAND_IN)):
            made = imagebuilder("base", "build", "--if-needed", *words, env=env)
            assert made.code == 0, made.err
        yield env | {"DOCKER_HOST": up.json["docker_host"]}
    finally:
        if started:
            assert imagebuilder("engine", "stop", env=dict(os.environ)).code == 0


@contextmanager
def _engine_of_its_own(folder: Path) -> Iterator[dict[str, str]]:
    from tests.engine.runners import runner

    with runner(folder) as made:
        made.has(BASES)
        made.has([STAND_IN], stand_in=True)
        os.environ["IMAGEBUILDER_HOME"] = str(made.home)
        yield dict(os.environ) | {"DOCKER_HOST": made.env["DOCKER_HOST"]}


def _with_docker(env: dict[str, str], factory: pytest.TempPathFactory) -> dict[str, str]:
    config = _docker_config(factory.mktemp("docker"))
    return env | {"TEST_DOCKER": _docker_client(), "DOCKER_CONFIG": str(config)}


def _docker_client() -> str:
    """Docker's own client: the one on the PATH, else the embedded engine's."""
    from imagebuilder.engine.embedded.engine import tools
    from imagebuilder.home import home

    found = shutil.which("docker") or tools(home()).docker
    assert found is not None
    return str(found)


def _docker_config(folder: Path) -> Path:
    """A Docker configuration with just the buildx plugin in use, for homes that are not the engine's."""
    from imagebuilder.engine.docker import connect
    from imagebuilder.home import home

    plugins = folder / "cli-plugins"
    plugins.mkdir()
    (plugins / "docker-buildx").symlink_to(connect(home()).buildx().program)
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty IMAGEBUILDER_HOME."""
    return tmp_path / "home"


@pytest.fixture
def cli(home: Path, tmp_path: Path) -> Cli:
    """The command line with an empty home and no engine."""
    env = {**os.environ, "IMAGEBUILDER_HOME": str(home), "DOCKER_HOST": f"unix://{tmp_path}/no.sock"}
    return lambda *words, **options: imagebuilder(*words, **{"env": env, **options})
