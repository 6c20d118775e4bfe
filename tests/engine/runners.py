"""CI runners: each an embedded engine of its own, that has built nothing yet, in a home of its own."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from imagebuilder.engine.embedded import base, engine
from imagebuilder.engine.embedded.layout import Layout
from imagebuilder.home import home as default_home
from tests.conftest import Done, imagebuilder

BASE = "python:3.13-slim-trixie"
# What would choose another engine, cache or branch.
_AMBIENT = ("DOCKER_", "BUILDX_", "BUILDKIT_", "IMAGEBUILDER_", "GITHUB_", "CI_")


def furnish(home: Path, source: Path) -> None:
    """Gives a new home what making an engine and bases takes longest for, where another has it."""
    layout, other = Layout.of(home), Layout.of(source)
    layout.make()
    if other.rootfs.exists():
        subprocess.run(["cp", "-a", "--reflink=auto", other.rootfs, layout.rootfs], check=True)
    if (source / "base").exists():
        shutil.copytree(source / "base", home / "base")


class Runner:
    """``env`` is that of whoever works on it."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.layout = Layout.of(self.home)
        self.config = folder / "docker"
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(_AMBIENT)} | {
            "IMAGEBUILDER_HOME": str(self.home),
            "DOCKER_HOST": self.layout.docker_host,
            "DOCKER_CONFIG": str(self.config),
            "IMAGEBUILDER_CACHE_BRANCH": "main",
        }

    def start(self) -> None:
        furnish(self.home, default_home())
        engine.start(self.home)
        self.has([BASE])
        plugins = self.config / "cli-plugins"
        plugins.mkdir(parents=True)
        (plugins / "docker-buildx").symlink_to(self.buildx)

    def has(self, bases: Sequence[str], *, stand_in: bool = False) -> None:
        base.build_bases(bases, engine.api_of(self.layout), self.home, stand_in=stand_in)

    def stop(self) -> None:
        engine.stop(self.home)
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def buildx(self) -> Path:
        found = engine.tools(self.home).buildx
        assert found is not None
        return found

    def build(self, folder: Path, *words: str, code: int = 0, **env: str) -> Done:
        done = imagebuilder("build", "app.py", "--json", *words, env={**self.env, **env}, cwd=folder)
        assert done.code == code, done.err
        return done

    def docker(self, *words: str, code: int = 0) -> str:
        client = engine.tools(self.home).docker
        done = subprocess.run(
            [str(client), *words], env=self.env, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == code, done.stderr
        return done.stdout.strip()

    def forget(self) -> None:
        """A new runner: no snapshots, no images but the base, no build cache."""
        for name in ("store.db", "store.db-wal", "store.db-shm"):
            (self.home / name).unlink(missing_ok=True)
        names = self.docker("image", "ls", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}").splitlines()
        if ids := sorted({line.split()[0] for line in names if not line.endswith(BASE)}):
            self.docker("image", "rm", "--force", *ids)
        subprocess.run([self.buildx, "prune", "--all", "--force"], env=self.env, check=True, capture_output=True)

    def images(self) -> list[str]:
        return self.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()

    def login(self, registry: str, user: str, password: str) -> None:
        """What `docker login` leaves."""
        auth = base64.b64encode(f"{user}:{password}".encode()).decode()
        (self.config / "config.json").write_text(json.dumps({"auths": {registry: {"auth": auth}}}))

    def login_by_helper(self, folder: Path, user: str, password: str) -> str:
        """A credential helper of Docker's; what PATH has to be for it."""
        folder.mkdir(exist_ok=True)
        helper = folder / "docker-credential-test"
        answer = json.dumps({"Username": user, "Secret": password})
        helper.write_text(f"#!/bin/sh\n[ \"$1\" = get ] && cat >/dev/null && echo '{answer}'\n")
        helper.chmod(0o755)
        (self.config / "config.json").write_text('{"credsStore": "test"}')
        return f"{folder}:{os.environ['PATH']}"

    def logout(self) -> None:
        (self.config / "config.json").unlink(missing_ok=True)


@contextmanager
def runner(folder: Path) -> Iterator[Runner]:
    made = Runner(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
