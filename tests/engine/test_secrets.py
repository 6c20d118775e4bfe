"""A secret's value reaches the command that asks for it, and nothing that stays."""

from __future__ import annotations

import json
import subprocess
import tarfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest

from imagebuilder import Client, Image, Secret
from tests.conftest import Cli

SPEC = """
from imagebuilder import Image, Secret

image = (
    Image.debian_slim("3.13")
    .env({"ID": "{id}"})
    .run_commands(
        'printf %s "$TOKEN" | sha256sum >/token.sum',
        "sha256sum </run/file-secret >/file.sum",
        secrets=["TOKEN", Secret(name="FILE", target="/run/file-secret")],
    )
    .run_commands('test -z "$TOKEN" && test ! -s /run/file-secret')
)
"""


@pytest.fixture
def calls(env: dict[str, str], tmp_path: Path) -> Path:
    """What a wrapped buildx was called with."""
    plugin = Path(env["DOCKER_CONFIG"]) / "cli-plugins/docker-buildx"
    mine = tmp_path / "docker-config/cli-plugins"
    mine.mkdir(parents=True)
    calls = tmp_path / "calls"
    (mine / "docker-buildx").write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" >>"{calls}"\n'
        f'for word; do case "$word" in --file=*) cat "${{word#--file=}}" >>"{calls}";; esac; done\nexec "{plugin}" "$@"\n'
    )
    (mine / "docker-buildx").chmod(0o755)
    env["DOCKER_CONFIG"] = str(mine.parent)
    return calls


def docker(env: dict[str, str], *words: str) -> bytes:
    return subprocess.run([env["TEST_DOCKER"], *words], env=env, capture_output=True, check=True).stdout


def everything_saved(env: dict[str, str], image: str, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of every layer, and all that describes the image."""
    archive = folder / "image.tar"
    docker(env, "save", "--output", str(archive), image)
    with tarfile.open(archive) as outer:
        for member in outer.getmembers():
            file = outer.extractfile(member)
            if file is None:
                continue
            content = file.read()
            yield member.name, content
            if content[:2] == b"\x1f\x8b" or content[257:262] == b"ustar":
                file.seek(0)
                with tarfile.open(fileobj=file) as layer:
                    for entry in layer:
                        yield f"{member.name}:{entry.name}", layer.extractfile(entry).read() if entry.isreg() else b""


def test_a_value_stays_nowhere(
    cli: Cli, env: dict[str, str], calls: Path, home: Path, tmp_path: Path, name: str
) -> None:
    token, content = f"token {uuid4().hex} 'with' \"quotes\" $HOME", f"file {uuid4().hex}\n"
    hidden = [value.split()[1].encode() for value in (token, content)]
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "spec.py").write_text(SPEC.replace("{id}", name))
    (tmp_path / "a, secret").write_text(content)
    # The option is read as CSV is, so a comma in a path is quoted.
    words = ["--secret", "TOKEN", "--secret", f'id=FILE,"src={tmp_path / "a, secret"}"']
    secret_env = {**env, "TOKEN": token}
    done = cli("build", "spec.py", "--name", name, "--json", *words, cwd=folder, env=secret_env)
    assert done.code == 0, done.err
    image = done.json["image"]

    sums = docker(env, "run", "--rm", "--network=none", image, "cat", "/token.sum", "/file.sum").decode().split("\n")
    assert [line.split()[0] for line in sums if line] == [sha256(v.encode()).hexdigest() for v in (token, content)]

    seen = 0
    for where, data in everything_saved(env, image, tmp_path):
        seen += 1
        assert not any(value in data for value in hidden), where
    assert seen > 1000, "the layers were not opened"
    rendered = cli("render", "spec.py", "--json", cwd=folder, env=secret_env)
    spoken = {
        "history": docker(env, "history", "--no-trunc", image),
        "inspect": docker(env, "inspect", image),
        "argv and Dockerfile": calls.read_bytes(),
        "output": (done.out + done.err).encode(),
        "render": (rendered.out + rendered.err).encode(),
        "logs": cli("snapshot", "logs", name, env=secret_env).out.encode(),
        "info": cli("snapshot", "info", name, "--json", env=secret_env).out.encode(),
    } | {str(path): path.read_bytes() for path in home.rglob("*") if path.is_file()}
    assert b"TOKEN" in spoken["argv and Dockerfile"]
    for where, data in spoken.items():
        assert not any(value in data for value in hidden), where


def test_a_failing_command_does_not_show_it(
    cli: Cli, env: dict[str, str], home: Path, tmp_path: Path, name: str
) -> None:
    value = uuid4().hex
    text = "from imagebuilder import Image\nimage = Image.debian_slim('3.13').run_commands('test \"$TOKEN\" = no', secrets='TOKEN')\n"
    (tmp_path / "spec.py").write_text(text)
    done = cli("build", "spec.py", "--name", name, "--json", cwd=tmp_path, env={**env, "TOKEN": value})
    assert done.code == 1 and "exit code 1" in done.err
    assert value not in done.err + done.out
    assert not any(value.encode() in path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_a_command_that_prints_it_is_not_shown(
    cli: Cli, env: dict[str, str], home: Path, tmp_path: Path, name: str
) -> None:
    value = f"{uuid4().hex}\n{uuid4().hex}"
    (tmp_path / "spec.py").write_text(
        "from imagebuilder import Image\n"
        "image = Image.debian_slim('3.13').run_commands('echo \"it is $TOKEN\"', 'false', secrets='TOKEN')\n"
    )
    done = cli("build", "spec.py", "--name", name, "--json", cwd=tmp_path, env={**env, "TOKEN": value})
    assert done.code == 1 and "it is ***" in done.err
    kept = [done.err + done.out, *(path.read_text(errors="replace") for path in home.rglob("*") if path.is_file())]
    assert not any(line in text for line in value.splitlines() for text in kept)


def test_a_value_does_not_change_the_key(cli: Cli, env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "spec.py").write_text(SPEC)
    keys = {cli("hash", "spec.py", cwd=tmp_path, env={**env, "TOKEN": value}).out for value in ("a", "b", "")}
    assert len(keys) == 1


def test_a_missing_one_is_told_before_anything_is_done(
    cli: Cli, env: dict[str, str], calls: Path, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "spec.py").write_text(SPEC)
    env.pop("TOKEN", None)
    done = cli("build", "spec.py", "--json", cwd=tmp_path)
    assert done.code == 2
    assert [found["code"] for found in done.json["error"]] == ["IB150", "IB150"], "both in one go"
    for found, secret in zip(done.json["error"], ("TOKEN", "FILE"), strict=True):
        assert secret in found["message"] and f"--secret id={secret},src=FILE" in found["help"]
    assert not calls.exists() and json.loads(cli("snapshot", "list", "--json").out) == []
    assert not list((home / "staging").glob("*"))


def test_values_from_python(client: Client, env: dict[str, str], tmp_path: Path, name: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"\x00\xff bytes \n")
    image = (
        Image.debian_slim("3.13")
        .env({"ID": name})
        .run_commands('printf %s "$TEXT" >/text', secrets="TEXT")
        .run_commands("cp /run/f /copy", secrets=Secret(name="BYTES", target="/run/f"))
    )
    text = "a 'b' $c \"d\" \\\né"
    snapshot = client.build(image, name=name, secrets={"TEXT": text, "BYTES": file})
    assert docker(env, "run", "--rm", snapshot.image, "cat", "/text", "/copy") == text.encode() + file.read_bytes()
