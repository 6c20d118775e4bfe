"""Reuse across machines, on a real registry and two engines that share nothing else."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from imagebuilder import Client, Image
from imagebuilder.cache import registry as cache_registry
from imagebuilder.cache.branches import tag
from imagebuilder.diagnostics import Diagnostic
from imagebuilder.engine.protocol import Event, WarningEvent
from imagebuilder.locks import held
from tests.conftest import Done, imagebuilder
from tests.engine.registry import (
    PASSWORD,
    USER,
    Registry,
    free_port,
    running,
    silent,
    silent_about_blobs,
    silent_when_pushed_to,
)
from tests.engine.runners import Runner, runner

SPEC = """
from imagebuilder import Image

image = (
    Image.debian_slim("3.13")
    .run_commands("echo {id}; head -c 3000000 /dev/urandom >/slow")
    .add_local_dir("src", "/app")
    .run_commands("python /app/main.py >/said")
)
"""


@pytest.fixture(scope="module")
def runners(engine_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Runner, Runner]]:
    folder = tmp_path_factory.mktemp("runners")
    with runner(folder / "a") as a, runner(folder / "b") as b:
        yield a, b


@pytest.fixture
def a(runners: tuple[Runner, Runner]) -> Iterator[Runner]:
    yield runners[0]
    runners[0].logout()
    runners[0].forget()


@pytest.fixture
def b(runners: tuple[Runner, Runner]) -> Iterator[Runner]:
    yield runners[1]
    runners[1].logout()
    runners[1].forget()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running(tmp_path / "registry") as found:
        yield found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "app.py").write_text(SPEC.replace("{id}", uuid4().hex))
    (folder / "src/main.py").write_text("print('one')\n")
    return folder


def warnings(done: Done) -> list[str]:
    return [line.partition("]")[0].removeprefix("warning[") for line in done.err.splitlines() if "warning[" in line]


def cached(done: Done) -> list[bool]:
    return [step["cached"] for step in done.json["steps"] if step["op"] != "from"]


def test_the_story(a: Runner, b: Runner, registry: Registry, project: Path) -> None:
    """A builds, B takes it, and after a change of one line B builds that alone."""
    cache = registry.repository("team/app")
    first = a.build(project, "--cache", cache)
    assert not first.json["reused"] and first.json["image"] == "imagebuilder/app:latest" and warnings(first) == []
    key = first.json["key"].replace(":", "-")
    assert registry.tags("team/app") == [tag("main", "app"), f"key-{key}"]
    assert not any(name.startswith(cache) for name in a.images()), "no other name stays in the engine"

    before = len(registry.asked)
    second = b.build(project, IMAGEBUILDER_CACHE=cache)
    assert second.json["reused"] and second.json["digest"] == first.json["digest"]
    assert second.json["image"] == f"{cache}@{first.json['digest']}"
    assert second.err == "" and not any("app" in name for name in b.images()), "nothing is pulled"
    assert not [line for line in registry.asked[before:] if "/blobs/" in line], "and nothing but its name is read"

    said = b.docker("run", "--rm", second.json["image"], "sha256sum", "/said", "/slow")
    assert said == a.docker("run", "--rm", first.json["image"], "sha256sum", "/said", "/slow")
    assert b.build(project, "--name", "again:1").json["image"] == "imagebuilder/again:1", "now it is here"

    (project / "src/main.py").write_text("print('two')\n")
    third = b.build(project, "--cache", cache)
    assert cached(third) == [True, False, False] and warnings(third) == []
    assert b.docker("run", "--rm", third.json["image"], "cat", "/said") == "two"
    assert len(registry.tags("team/app")) == 3


def test_layers_of_a_cold_runner_come_from_the_registry(
    a: Runner, b: Runner, registry: Registry, project: Path
) -> None:
    """Those of its branch, and of main where the branch has none yet."""
    cache = registry.repository("team/app")
    first = a.build(project, "--cache", cache)
    (project / "src/main.py").write_text("print('two')\n")
    second = b.build(project, "--cache", cache, IMAGEBUILDER_CACHE_BRANCH="feature/x")
    assert cached(second) == [True, False, False], second.err
    slow = [each.docker("run", "--rm", "imagebuilder/app", "sha256sum", "/slow") for each in (a, b)]
    assert slow[0] == slow[1] and first.json["digest"] != second.json["digest"]
    assert tag("feature/x", "app") in registry.tags("team/app")


def test_a_hit_needs_no_engine(a: Runner, registry: Registry, project: Path, tmp_path: Path) -> None:
    cache = registry.repository("app")
    first = a.build(project, "--cache", cache)
    none = {"DOCKER_HOST": f"unix://{tmp_path}/none", "IMAGEBUILDER_HOME": str(tmp_path / "home")}
    second = a.build(project, "--cache", cache, **none)
    assert second.json["reused"] and second.json["digest"] == first.json["digest"]


def test_run_pulls_and_delete_removes(
    a: Runner, b: Runner, registry: Registry, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = registry.repository("app")
    a.build(project, "--cache", cache)
    b.build(project, "--cache", cache)
    for name, value in b.env.items():
        monkeypatch.setenv(name, value)
    client = Client()
    assert client.run("app", ["cat", "/said"]).stdout == "one\n"
    image = client.snapshot.delete("app").image
    assert client.engine.image(image) is None


@pytest.mark.parametrize("way", ["config", "helper"])
def test_credentials_are_dockers(a: Runner, b: Runner, tmp_path: Path, project: Path, way: str) -> None:
    with running(tmp_path / "registry", password=True) as registry:
        cache, env = registry.repository("app"), {}
        for each in (a, b):
            if way == "config":
                each.login(f"127.0.0.1:{registry.port}", USER, PASSWORD)
            else:
                env["PATH"] = each.login_by_helper(tmp_path / "bin", USER, PASSWORD)
        first = a.build(project, "--cache", cache, **env)
        second = b.build(project, "--cache", cache, **env)
        assert (first.json["reused"], second.json["reused"]) == (False, True)
        assert warnings(first) == warnings(second) == []
        assert PASSWORD not in first.out + first.err + registry.log.read_text()


@pytest.mark.parametrize("password", [None, "wrong"])
def test_without_credentials_it_builds(a: Runner, tmp_path: Path, project: Path, password: str | None) -> None:
    with running(tmp_path / "registry", password=True) as registry:
        if password:
            a.login(f"127.0.0.1:{registry.port}", USER, password)
        done = a.build(project, "--cache", registry.repository("app"))
        assert done.json["state"] == "active" and warnings(done) == ["IB641"] and "docker login" in done.err


def test_a_registry_that_is_down(a: Runner, project: Path) -> None:
    began = time.monotonic()
    done = a.build(project, "--cache", f"127.0.0.1:{free_port()}/app")
    assert done.json["state"] == "active" and warnings(done) == ["IB641"] and "connection refused" in done.err
    assert time.monotonic() - began < 60


def test_a_registry_that_says_nothing(a: Runner, project: Path) -> None:
    """The builder is not sent there: it would wait for ever, and so would every other build."""
    with silent() as host:
        began = time.monotonic()
        done = a.build(project, "--cache", f"{host}/app")
        assert done.json["state"] == "active" and warnings(done) == ["IB641"] and "no answer within" in done.err
        assert time.monotonic() - began < cache_registry.LOOK_UP_TIMEOUT + 50


def test_a_registry_that_has_layers_and_hands_them_to_nobody(a: Runner, registry: Registry, project: Path) -> None:
    """The builder is not sent there either, and the next build does not find it waiting."""
    a.build(project, "--cache", registry.repository("app"))
    (project / "src/main.py").write_text("print('two')\n")
    with silent_about_blobs(registry) as host:
        done = a.build(project, "--cache", f"{host}/app")
        assert done.json["state"] == "active" and warnings(done) == ["IB641"] and "no answer within" in done.err
        (project / "src/main.py").write_text("print('three')\n")
        assert a.build(project).json["state"] == "active"


def test_bases_that_move_in_their_registry(a: Runner, registry: Registry, project: Path) -> None:
    """Only who asks follows the tag; then what was built from another base is not reused, and what was is."""
    base = registry.repository("base") + ":1"

    def move(text: str) -> str:
        (project / "base.py").write_text(
            f"from imagebuilder import Image\nimage = Image.debian_slim('3.13').add_text('{text}', '/base')\n"
        )
        made = imagebuilder("build", "base.py", "--json", env=a.env, cwd=project)
        assert made.code == 0, made.err
        a.docker("tag", "imagebuilder/base:latest", base)
        a.docker("push", "--quiet", base)
        a.docker("image", "rm", base)
        return str(made.json["digest"])

    def said(done: Done) -> str:
        return a.docker("run", "--rm", done.json["image"], "cat", "/said")

    (project / "app.py").write_text(
        f"from imagebuilder import Image\nimage = Image.base('{base}').run_commands('cat /base >/said')\n"
    )
    first = move("one")
    assert said(a.build(project)) == "one"
    known = a.build(project, "--refresh")
    assert said(known) == "one" and warnings(known) == []
    still = a.build(project, "--refresh")
    assert still.json["reused"] and "has moved" not in still.err

    second = move("two")
    assert a.build(project).json["reused"], "who does not ask gets what is there"
    moved = a.build(project, "--refresh")
    assert not moved.json["reused"] and said(moved) == "two" and moved.json["key"] == still.json["key"]
    assert f"{base} has moved ({first[:19]}… → {second[:19]}…)" in moved.err
    assert a.build(project, "--refresh").json["reused"]

    registry.stop()
    down = a.build(project, "--refresh")
    assert down.json["reused"] and warnings(down) == ["IB660"] and "connection refused" in down.err


def test_a_registry_that_goes_silent_before_the_push(a: Runner, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagebuilder.cache.publish.push_limit", lambda size: 3.0)
    for name, value in a.env.items():
        monkeypatch.setenv(name, value)
    told: list[Diagnostic] = []

    def on_event(event: Event) -> None:
        if isinstance(event, WarningEvent):
            told.append(event.diagnostic)

    with silent_when_pushed_to() as host:
        image = Image.debian_slim("3.13").label({"id": uuid4().hex})
        found = Client().build(image, name="app", cache=f"{host}/app", on_event=on_event)
        assert found.state == "active" and [each.code for each in told] == ["IB642"]
        assert "had not ended after 3 s" in told[0].message, told[0].message
        other = Client().build(image.label({"x": "y"}), name="other", on_event=on_event)
        assert other.state == "active", "and the builder serves the next"


def test_one_that_is_killed_while_it_pushes_has_built(a: Runner, project: Path) -> None:
    with silent_when_pushed_to() as host:
        words = [sys.executable, "-m", "imagebuilder", "build", "app.py", "--cache", f"{host}/app"]
        first = subprocess.Popen(words, env=a.env, cwd=project, stderr=subprocess.PIPE, text=True)
        assert first.stderr is not None
        while "pushing to" not in first.stderr.readline():
            assert first.poll() is None
        time.sleep(0.5)
        first.kill()
        first.communicate(timeout=60)
        began = time.monotonic()
        assert a.build(project).json["reused"] and time.monotonic() - began < 30
    assert not any(held(path) for path in (a.home / "locks").iterdir())


def test_a_registry_that_may_only_be_read(a: Runner, b: Runner, tmp_path: Path, project: Path) -> None:
    with running(tmp_path / "registry") as registry:
        a.build(project, "--cache", registry.repository("app"))
        registry.stop()
        registry.start(readonly=True)
        second = b.build(project, "--cache", registry.repository("app"))
        assert second.json["reused"] and warnings(second) == []
        (project / "src/main.py").write_text("print('two')\n")
        third = b.build(project, "--cache", registry.repository("app"))
        assert cached(third) == [True, False, False] and warnings(third) == ["IB642"]


def test_a_registry_that_is_full(a: Runner, tmp_path: Path, project: Path) -> None:
    folder = tmp_path / "registry/data"
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=True)
    try:
        with running(tmp_path / "registry") as registry:
            done = a.build(project, "--cache", registry.repository("app"))
            assert done.json["state"] == "active" and warnings(done) == ["IB642"]
            again = a.build(project, "--cache", registry.repository("app"))
            assert again.json["reused"] and warnings(again) == []
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_name_in_the_registry(a: Runner, b: Runner, registry: Registry, project: Path) -> None:
    cache, name = registry.repository("cache"), registry.repository("released/app")
    first = a.build(project, "--cache", cache, "--push", f"{name}:1.0", "--no-attest")
    second = b.build(project, "--cache", cache, "--push", f"{name}:1.1", "--no-attest")
    assert second.json["reused"] and registry.tags("released/app") == ["1.0", "1.1"]
    assert "app" not in " ".join(b.images()), "naming pulls nothing"
    for version in ("1.0", "1.1"):
        b.docker("pull", "--quiet", f"{name}:{version}")
        assert first.json["digest"] in b.docker("image", "inspect", "--format", "{{.RepoDigests}}", f"{name}:{version}")


def test_what_is_said_of_an_image_of_the_cache(a: Runner, b: Runner, registry: Registry, project: Path) -> None:
    """It is read on the machine that pushes; only the one that built it knows how."""
    cache, name = registry.repository("cache"), registry.repository("released/app")
    first = a.build(project, "--cache", cache, "--push", f"{name}:1.0")
    second = b.build(project, "--cache", cache, "--push", f"{name}:1.1")
    assert second.json["reused"] and "without provenance" in second.err and "without provenance" not in first.err
    assert first.json["pushed"] != second.json["pushed"] and registry.tags("released/app") == ["1.0", "1.1"]
    assert b.docker("run", "--rm", f"{name}:1.1", "cat", "/said") == "one"


def test_a_build_argument_that_is_a_secret_stays_here(a: Runner, registry: Registry, project: Path) -> None:
    spec = project / "app.py"
    spec.write_text(spec.read_text().replace(".add_local", '.arg("API_TOKEN", "").add_local'))
    done = a.build(project, "--cache", registry.repository("app"), "--build-arg", "API_TOKEN=hunter2-x9")
    assert done.json["state"] == "active" and warnings(done) == ["IB643"] and "hunter2" not in done.err
    assert registry.tags("app") == []
