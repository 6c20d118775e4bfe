"""What a build or pull gets: the logins of the images that it names, and no others."""

from __future__ import annotations

import base64
import json
import os
import signal
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from imagebuilder.diagnostics import CompileError
from imagebuilder.engine.fake import FakeEngine
from imagebuilder.engine.imagetools import Imagetools, RegistryError
from imagebuilder.engine.protocol import BuildRequest
from imagebuilder.registries import Registries, Registry
from imagebuilder.registries.login import Login, settings_with
from imagebuilder.store import Resources
from tests.unit.building import Bench
from tests.unit.registries.conftest import Docker

OWN = {
    "auths": {
        "https://index.docker.io/v1/": {"auth": "aHVi"},
        "ghcr.io": {"auth": "Z2hjcg=="},
        "https://quay.io/v2/": {"auth": "cXVheQ=="},
    },
    "credHelpers": {"gcr.io": "gcloud", "eu.gcr.io": "gcloud"},
    "currentContext": "remote",
    "cliPluginsExtraDirs": ["/plugins"],
    "proxies": {"default": {"httpProxy": "http://proxy"}},
}
KEPT = {name: OWN[name] for name in ("currentContext", "cliPluginsExtraDirs", "proxies")}


@pytest.fixture
def two(registries: Registries) -> Registries:
    registries.add("one", url="ghcr.io", username="me", password="p-one")
    registries.add("two", url="127.0.0.1:5000", username="you", password="p-two")
    return registries


def auth(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def config(registries: Registries, *refs: str) -> Any:
    with registries.docker_config(refs) as folder:
        return None if folder is None else json.loads((folder / "config.json").read_text())


def test_a_login_does_not_show_its_password() -> None:
    login = Login(Registry("r", "ghcr.io", "me"), "p-one")
    assert "p-one" not in repr(login) + str(login) and "registry" in repr(login)


def test_without_one_of_ours_nothing_changes(two: Registries, docker: Docker, tmp_path: Path) -> None:
    docker.configure(**OWN)
    assert config(two, "python:3.12", "quay.io/a/b") is None and config(two) is None
    assert not (tmp_path / "home/registries/logins").exists()


def test_only_those_that_are_named(two: Registries, docker: Docker) -> None:
    """Ours go before the person's own; theirs are there for the other images of the build."""
    docker.configure(**OWN)
    assert config(two, "ghcr.io/a/b") == {**KEPT, "auths": {"ghcr.io": auth("me", "p-one")}}
    assert config(two, "127.0.0.1:5000/x", "quay.io/a/b", "eu.gcr.io/p/x", "python") == {
        **KEPT,
        "auths": {
            "127.0.0.1:5000": auth("you", "p-two"),
            "https://quay.io/v2/": {"auth": "cXVheQ=="},
            "https://index.docker.io/v1/": {"auth": "aHVi"},
        },
        "credHelpers": {"eu.gcr.io": "gcloud"},
    }


def test_a_helper_for_all_hosts_is_one_for_the_others(two: Registries, docker: Docker) -> None:
    """Docker would ask it for ours as well, and before it looks at what it was given."""
    docker.configure(credsStore="desktop", credHelpers={"ghcr.io": "x", "gcr.io": "gcloud"})
    assert config(two, "ghcr.io/a/b", "gcr.io/p/x", "python") == {
        "auths": {"ghcr.io": auth("me", "p-one")},
        "credHelpers": {"gcr.io": "gcloud", "docker.io": "desktop", "https://index.docker.io/v1/": "desktop"},
    }


@pytest.mark.parametrize("odd", [{"auths": 3, "credHelpers": [], "credsStore": {}}, {"auths": None}])
def test_settings_of_an_odd_shape(odd: dict[str, Any]) -> None:
    assert settings_with(odd, [], ["ghcr.io"]) == {"auths": {}}


def test_the_folder_is_the_owners_and_goes(two: Registries, docker: Docker, tmp_path: Path) -> None:
    docker.configure(currentContext="remote")
    (docker.config / "contexts").mkdir()
    (docker.config / "contexts/meta.json").write_text("{}")
    before = os.umask(0)
    try:
        with suppress(RuntimeError), two.docker_config(["ghcr.io/a"]) as folder:
            assert folder is not None
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert stat.S_IMODE((folder / "config.json").stat().st_mode) == 0o600
            assert (folder / "contexts/meta.json").read_text() == "{}", "contexts and plugins are the person's"
            raise RuntimeError("a build that fails")
    finally:
        os.umask(before)
    assert list((tmp_path / "home/registries/logins").iterdir()) == []
    assert (docker.config / "contexts/meta.json").exists() and list((tmp_path / "home/locks").iterdir()) == []


def test_without_a_configuration_of_dockers(two: Registries, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "none"))
    assert config(two, "ghcr.io/a") == {"auths": {"ghcr.io": auth("me", "p-one")}}


@pytest.mark.parametrize("following", ["build", "another build", "remove"])
def test_what_a_killed_process_left_goes_with_the_next(two: Registries, tmp_path: Path, following: str) -> None:
    code = f"""
import os, signal
from pathlib import Path
from imagebuilder.registries import Registries, Registry
from imagebuilder.store import Registry, Resources, Store
with Registries(Store(Path({str(tmp_path / "home")!r}))).docker_config(["ghcr.io/a"]):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    logins = tmp_path / "home/registries/logins"
    (left,) = logins.iterdir()
    if following != "build":
        # One that names no registry of ours, or a change of the registries.
        two.remove("one") if following == "remove" else config(two, "python:3.12")
        assert list(logins.iterdir()) == []
        return
    with two.docker_config(["ghcr.io/a"]) as mine:
        assert list(logins.iterdir()) == [mine] and not left.exists()
        with two.docker_config(["ghcr.io/a"]) as other:
            assert mine is not None and mine.exists() and other != mine, "that of a living process stays"


def test_two_logins_of_one_host(registries: Registries) -> None:
    """Docker knows one login a host, so a build cannot have both; two builds can."""
    for team in ("a", "b"):
        registries.add(team, url="ghcr.io", project=team, username=team, password=f"p-{team}")
    assert config(registries, "ghcr.io/b/x", "ghcr.io/c/x")["auths"] == {"ghcr.io": auth("b", "p-b")}
    with pytest.raises(CompileError) as caught:
        config(registries, "ghcr.io/a/x", "ghcr.io/b/x")
    found = caught.value.diagnostics[0]
    assert found.code == "IB125" and "ghcr.io" in found.message and found.help and "p-a" not in str(caught.value)


class Building(Bench):
    """Builds that note which logins they were given."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.given: list[Any] = []

        def during(request: BuildRequest) -> None:
            file = request.docker_config and request.docker_config / "config.json"
            self.given.append(json.loads(file.read_text())["auths"] if file else None)

        self.engine.during = during


def test_a_build_has_the_logins_of_its_bases(two: Registries, tmp_path: Path) -> None:
    """And of the images it copies from and mounts; without one of ours, Docker's configuration stays."""
    from imagebuilder import Client, Image

    bench = Building(tmp_path)
    client = Client(home=tmp_path / "home", engine=bench.engine)
    client.build(Image.base("debian:13"), name="a")
    client.build(Image.base("ghcr.io/a/b:1"), name="b")
    client.build(Image.base("debian:13").copy_from("127.0.0.1:5000/x:1", "/a", "/a"), name="c")
    mounted = ["RUN --mount=type=bind,from=ghcr.io/a/b:2,target=/m true"]
    client.build(Image.base("debian:13").dockerfile_commands(mounted), name="d")
    assert bench.given == [
        None,
        {"ghcr.io": auth("me", "p-one")},
        {"127.0.0.1:5000": auth("you", "p-two")},
        {"ghcr.io": auth("me", "p-one")},
    ]
    assert list((tmp_path / "home/registries/logins").iterdir()) == []
    logs = "".join(path.read_text() for path in (tmp_path / "home/logs").iterdir())
    assert "p-one" not in logs and "p-two" not in logs


def test_running_pulls_with_the_login(two: Registries, tmp_path: Path) -> None:
    from imagebuilder import Client

    engine = FakeEngine()
    client = Client(home=tmp_path / "home", engine=engine)
    for number, ref in enumerate(("ghcr.io/a/b@sha256:" + "0" * 64, "quay.io/a/b@sha256:" + "0" * 64)):
        snapshot = client.store.begin(f"s{number}", "sha256:00", "linux/amd64", ref, Resources())
        client.store.active(snapshot, digest="sha256:" + "0" * 64, size=1, seconds=0, steps=())
        client.run(f"s{number}", ["true"])
    assert engine.logins == [two.header("ghcr.io/a/b"), None]


def test_a_snapshot_of_an_image_is_pulled_with_the_login(two: Registries, tmp_path: Path) -> None:
    from imagebuilder import Client, CreateSnapshotParams

    engine = FakeEngine()
    client = Client(home=tmp_path / "home", engine=engine)
    for number, ref in enumerate(("ghcr.io/a/b:1", "quay.io/a/b:1")):
        client.snapshot.create(CreateSnapshotParams(f"s{number}", ref))
    assert engine.logins == [two.header("ghcr.io/a/b"), None]


def test_from_an_event_loop(tmp_path: Path, docker: Docker) -> None:
    import asyncio

    from imagebuilder import AsyncClient

    async def go() -> list[str]:
        async with AsyncClient(home=tmp_path / "home") as client:
            await client.registry.add("a", username="me", password="p")
            return [registry.name for registry in await client.registry.list()]

    assert asyncio.run(go()) == ["a"]


def test_who_asks_after_images_has_them_too(two: Registries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is told where a login cannot be had, as of any other registry that fails."""
    program = tmp_path / "docker-buildx"
    program.write_text(
        '#!/bin/sh\necho "$DOCKER_CONFIG" >>"$RECORD"\ncat "$DOCKER_CONFIG/config.json" >>"$RECORD"\nexit 1\n'
    )
    program.chmod(0o755)
    record = tmp_path / "record"
    monkeypatch.setenv("RECORD", str(record))
    tools = Imagetools(program, tmp_path / "bx", login=two.docker_config)
    with pytest.raises(RegistryError):
        tools.manifest("ghcr.io/a/b:1", 20)
    folder, told = record.read_text().splitlines()
    assert json.loads(told) == {"auths": {"ghcr.io": auth("me", "p-one")}} and not Path(folder).exists()
    (tmp_path / "home/registries/credentials.json").write_text("{}")
    with pytest.raises(RegistryError, match="no longer") as caught:
        tools.manifest("ghcr.io/a/b:1", 20)
    assert "--replace" in caught.value.help
