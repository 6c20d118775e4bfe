"""Building for real: what is told, what is reused, and that an image holds the bytes that the key says."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from imagebuilder import Client, CompileError, CreateSnapshotParams, Image, Resources, build
from imagebuilder.engine.protocol import Event, StepEvent
from tests.conftest import Cli


@pytest.fixture
def name(env: dict[str, str]) -> Iterator[str]:
    """A name that nobody else builds; its images go with the test."""
    made = f"test-build-{uuid4().hex[:12]}"
    yield made
    tags = docker(env, "images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference=imagebuilder/{made}*")
    if tags:
        docker(env, "rmi", "--force", *tags.split())


def docker(env: dict[str, str], *words: str) -> str:
    done = subprocess.run([env["TEST_DOCKER"], *words], env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def in_image(env: dict[str, str], image: str, *words: str) -> str:
    return docker(env, "run", "--rm", "--network=none", image, *words)


@pytest.fixture
def calls(env: dict[str, str], tmp_path: Path) -> Path:
    """Where a wrapped buildx writes a line for each build that it is asked for."""
    plugin = Path(env["DOCKER_CONFIG"]) / "cli-plugins/docker-buildx"
    mine = tmp_path / "docker-config/cli-plugins"
    mine.mkdir(parents=True)
    calls = tmp_path / "calls"
    calls.touch()
    (mine / "docker-buildx").write_text(f'#!/bin/sh\necho "$1" >>"{calls}"\nexec "{plugin}" "$@"\n')
    (mine / "docker-buildx").chmod(0o755)
    env["DOCKER_CONFIG"] = str(mine.parent)
    return calls


def write(folder: Path, text: str, file: str = "spec.py") -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    (folder / file).write_text(text)
    return folder


SPEC = """
from imagebuilder import Image

image = Image.debian_slim("3.13").env({"ID": "{id}"}).run_commands("echo hello from {id}", "date >/stamp").cmd(["cat", "/stamp"])
"""


def test_what_a_build_tells(cli: Cli, env: dict[str, str], calls: Path, tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "project", SPEC.replace("{id}", name))
    first = cli("build", "spec.py", "--name", name, "--json", cwd=folder)
    assert first.code == 0, first.err
    built = first.json
    assert {"name", "key", "image", "digest", "reused", "seconds", "steps"} <= set(built)
    assert (built["name"], built["reused"], built["state"]) == (name, False, "active")
    assert built["key"] == cli("hash", "spec.py", cwd=folder).out.strip()
    assert built["digest"] == docker(env, "inspect", "--format", "{{.Id}}", built["image"])
    assert [step["op"] for step in built["steps"]] == ["from", "run_commands"]
    assert not built["steps"][-1]["cached"] and 0 < built["steps"][-1]["seconds"] < built["seconds"]
    assert f"hello from {name}" in first.err and first.out.lstrip().startswith("{")

    stamp = in_image(env, built["image"])
    assert stamp and calls.read_text() == "build\n"
    assert f"hello from {name}\n" in cli("snapshot", "logs", name).out

    again = cli("build", "spec.py", "--name", name, "--json", cwd=folder).json
    assert (again["reused"], again["digest"], again["key"]) == (True, built["digest"], built["key"])
    other = cli("build", "spec.py", "--name", f"{name}-2:v1", "--json", cwd=folder).json
    assert (other["reused"], other["digest"], other["name"]) == (True, built["digest"], f"{name}-2:v1")
    assert in_image(env, other["image"]) == stamp
    assert again["steps"] == other["steps"] == built["steps"]
    assert again["seconds"] < built["seconds"]
    for known in (name, f"{name}-2:v1"):
        assert f"hello from {name}\n" in cli("snapshot", "logs", known).out, "the log of the build is kept"
    assert calls.read_text() == "build\n", "what is there was built again"

    anew = cli("build", "spec.py", "--name", name, "--no-cache", "--json", cwd=folder).json
    assert (anew["reused"], anew["key"]) == (False, built["key"])
    assert not any(step["cached"] for step in anew["steps"] if step["op"] == "run_commands")
    assert in_image(env, anew["image"]) != stamp
    assert calls.read_text() == "build\nbuild\n"

    names = [found["name"] for found in cli("snapshot", "list", "--json").json]
    assert sorted(names) == sorted([name, f"{name}-2:v1"])
    assert cli("snapshot", "delete", f"{name}-2:v1", "--json").json == {"name": f"{name}-2:v1", "deleted": True}
    assert cli("snapshot", "delete", name).code == 0
    assert docker(env, "images", "--quiet", "--filter", f"reference=imagebuilder/{name}*") == ""
    assert cli("snapshot", "list", "--json").json == []


def test_what_a_person_sees(cli: Cli, tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "project", SPEC.replace("{id}", name))
    done = cli("build", "spec.py", "--name", name, cwd=folder)
    assert done.code == 0, done.err
    assert done.out.startswith(f"built {name} in ")
    assert f"docker run --rm -it imagebuilder/{name}:latest" in done.out and "key    sha256:" in done.out
    assert f"hello from {name}" in done.err and "\x1b" not in done.err, "no colours where no terminal is"
    assert cli("build", "spec.py", "--name", name, cwd=folder).out.startswith(f"reused {name} in ")
    info = cli("snapshot", "info", name).out
    assert "active" in info and "run_commands" in info


def test_an_image_that_the_engine_lost_is_built_again(cli: Cli, env: dict[str, str], tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "project", SPEC.replace("{id}", name))
    built = cli("build", "spec.py", "--name", name, "--json", cwd=folder).json
    docker(env, "rmi", built["image"])
    again = cli("build", "spec.py", "--name", name, "--json", cwd=folder).json
    assert (again["reused"], again["state"]) == (False, "active")
    assert in_image(env, again["image"])


DOCKERFILE = """\
ARG PYTHON=3.13-slim-trixie
FROM python:${PYTHON} AS tools
ARG WORD=nothing
RUN echo "$WORD" >/word
COPY data.txt /data
FROM tools AS last
RUN echo last >>/word
"""


@pytest.mark.parametrize(
    ("image", "platform"),
    [
        (Image.debian_slim("3.13").env({"ID": "names"}), None),
        (Image.scratch().env({"ID": "names"}), None),
        (Image.scratch().add_text("names", "/id"), "linux/arm64"),
    ],
    ids=["layers", "no layers", "another platform"],
)
def test_the_cheap_question_is_answered_as_the_whole_one(
    client: Client, env: dict[str, str], name: str, image: Image, platform: str | None
) -> None:
    """Reuse asks for an image's names alone, and takes their absence for the image's."""
    made = client.build(image, name=name, platform=platform)
    whole = client.engine.image(made.digest)
    assert whole is not None and made.image in whole.tags
    assert sorted(client.engine.names(made.digest) or ()) == sorted(whole.tags)
    assert client.build(image, name=name, platform=platform).reused
    client.engine.untag(made.image)
    left = client.engine.image(made.digest)
    assert client.engine.names(made.digest) == (None if left is None else left.tags)
    assert client.engine.names("sha256:" + "0" * 64) is None


def test_a_dockerfile(cli: Cli, env: dict[str, str], tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "project", DOCKERFILE, "Dockerfile")
    for place, text in ((folder, "its own"), (tmp_path / "elsewhere", "of the context")):
        write(place, text, "data.txt")
    last = cli("build", ".", "--name", name, "--json", cwd=folder)
    assert last.code == 0, last.err
    assert in_image(env, last.json["image"], "cat", "/word", "/data") == "nothing\nlast\nits own"
    options = ["--target", "tools", "--build-arg", "WORD=given $HOME", "--context", tmp_path / "elsewhere"]
    tools = cli("build", folder / "Dockerfile", "--name", f"{name}-2", "--json", *options)
    assert tools.code == 0, tools.err
    assert in_image(env, tools.json["image"], "cat", "/word", "/data") == "given $HOME\nof the context"
    assert last.json["key"] != tools.json["key"]


def test_a_build_argument_of_python(cli: Cli, env: dict[str, str], tmp_path: Path, name: str) -> None:
    text = 'from imagebuilder import Image\nimage = Image.debian_slim("3.13").arg("WORD", "a").run_commands(\'echo "$WORD" >/word\')\n'
    folder = write(tmp_path / "project", text)
    keys = set()
    for words, content in (((), "a"), (("--build-arg", "WORD=x=y 'z'"), "x=y 'z'")):
        done = cli("build", "spec.py", "--name", name, "--json", *words, cwd=folder)
        assert done.code == 0, done.err
        assert in_image(env, done.json["image"], "cat", "/word") == content
        keys.add(done.json["key"])
    assert len(keys) == 2


# The bytes that the key says ------------------------------------------------------------------------

COPYING = """
from imagebuilder import Image

image = (
    Image.debian_slim("3.13")
    .add_local_dir("src", "/app")
    .add_local_file("one.txt", "/one.txt")
    .add_local_dir(".", "/whole/project")
    .run_commands("cat /app/data.txt /one.txt >/seen")
)
"""
MTIME = 1_600_000_000


def fill(folder: Path, text: str) -> None:
    """Files of one size and one time, whatever the text."""
    for path in (folder / "src/data.txt", folder / "one.txt"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
        os.utime(path, (MTIME, MTIME))
    os.utime(folder / "src", (MTIME, MTIME))


def test_two_projects_that_look_alike(cli: Cli, env: dict[str, str], tmp_path: Path, name: str) -> None:
    """BuildKit tells files by name, size and time; two folders of one name must not get one another's."""
    for number, text in enumerate(("first", "other", "third")):
        folder = write(tmp_path / str(number) / "project", COPYING)
        fill(folder, text)
        done = cli("build", "spec.py", "--name", f"{name}-{number}", "--json", cwd=folder)
        assert done.code == 0, done.err
        assert in_image(env, done.json["image"], "cat", "/seen", "/app/data.txt") == "\n".join([text] * 3)


def test_an_edit_that_keeps_size_and_time(cli: Cli, env: dict[str, str], tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "project", COPYING)
    keys = []
    for text in ("before", "behind", "before"):
        fill(folder, text)
        done = cli("build", "spec.py", "--name", name, "--json", cwd=folder)
        assert done.code == 0, done.err
        assert in_image(env, done.json["image"], "cat", "/seen", "/app/data.txt") == "\n".join([text] * 3)
        keys.append(done.json["key"])
    assert keys[0] == keys[2] != keys[1]


def test_a_machine_with_another_umask_hits_the_cache(env: dict[str, str], cli: Cli, tmp_path: Path, name: str) -> None:
    """Two copies with other modes, times, names and parents, in two homes: one key, and every step cached the second time."""
    found = []
    for number, umask in enumerate((0o022, 0o077)):
        before = os.umask(umask)
        try:
            folder = write(tmp_path / str(number) / f"project-{number}", COPYING)
            for path in ("src/data.txt", "one.txt"):
                write((folder / path).parent, f"same {name}\n", Path(path).name)
            write(folder / "src/sub", "x", "file")
            home = tmp_path / f"home-{number}"
            words = ("build", "spec.py", "--name", f"{name}-{number}", "--json")
            done = cli(*words, cwd=folder, env={**env, "IMAGEBUILDER_HOME": str(home)})
        finally:
            os.umask(before)
        assert done.code == 0, done.err
        found.append(done.json)
    assert found[0]["key"] == found[1]["key"]
    assert found[0]["digest"] == found[1]["digest"]
    assert [step["op"] for step in found[1]["steps"] if not step["cached"] and step["op"] != "from"] == []
    modes = in_image(env, found[1]["image"], "stat", "--format=%a", "/app", "/app/sub", "/app/data.txt", "/one.txt")
    assert modes.split() == ["755", "755", "644", "644"]


# In Python ------------------------------------------------------------------------------------------


def test_the_seed_sample(client: Client, env: dict[str, str], name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """As on the seed page, with another import and, so that two runs do not meet, another name."""
    daytona = client
    snapshot = daytona.snapshot.create(
        CreateSnapshotParams(
            name=name,
            image=Image.debian_slim("3.12").run_commands("echo a line of the log"),
            # All resource parameters are optional:
            resources=Resources(
                cpu=2,
                memory=4,
                disk=8,
            ),
        ),
        on_logs=print,
    )
    assert (snapshot.state, snapshot.name, snapshot.resources) == ("active", name, Resources(2, 4, 8, 0))
    assert client.snapshot.get(name) == snapshot
    assert client.snapshot.list() == [snapshot]
    out, err = capfd.readouterr()
    assert "a line of the log" in out.splitlines() or any(step.cached for step in snapshot.steps[1:])
    assert err == "", "a library does not print by itself"
    assert client.run(name, ["python3", "-c", "print(6 * 7)"]).stdout == "42\n"
    assert client.snapshot.get(name).last_used_at is not None
    assert client.snapshot.delete(name).name == name
    assert docker(env, "images", "--quiet", "--filter", f"reference=imagebuilder/{name}") == ""


def test_a_snapshot_of_a_named_image(client: Client, env: dict[str, str], name: str) -> None:
    entrypoint = ["sh", "-c", "echo it\\'s me; exec sleep 600"]
    params = CreateSnapshotParams(name=name, image="python:3.13-slim-trixie", entrypoint=entrypoint)
    snapshot = client.snapshot.create(params)
    assert (snapshot.state, snapshot.entrypoint) == ("active", tuple(entrypoint))
    assert in_image(env, snapshot.image, "echo", "it's me") == "it's me"


def test_build_in_python(env: dict[str, str], name: str) -> None:
    events: list[Event] = []
    image = Image.debian_slim("3.13").env({"ID": name}).run_commands("echo $ID >/id")
    snapshot = build(image, name=f"{name}:v1", on_event=events.append)
    assert (snapshot.name, snapshot.key, snapshot.reused) == (f"{name}:v1", image.key(), False)
    assert in_image(env, snapshot.image, "cat", "/id") == name
    steps = [event for event in events if isinstance(event, StepEvent) and event.name.startswith("run_commands")]
    assert [event.state for event in steps] == ["started", "done"]
    assert build(image, name=f"{name}:v1").reused
    with pytest.raises(CompileError, match="IB701"):
        build(image, name="Not a name")
