"""An imported Dockerfile builds what `docker buildx build` makes of the original: configuration and files."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from imagebuilder.client import Client
from imagebuilder.engine.docker import DockerEngine
from tests.conftest import Cli

HERE = Path(__file__).parent / "dockerfiles"
PROJECTS = sorted(path.name for path in HERE.iterdir())
# Written anew by each build, or by the container that is looked at.
VOLATILE = ("etc/hostname", "etc/hosts", "etc/resolv.conf", "dev/", "proc/", "sys/", ".dockerenv")


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy, with the archive that is not kept in the repository, and with the modes that a build normalises to."""
    folder = tmp_path / request.param
    shutil.copytree(HERE / request.param, folder, symlinks=True)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    if request.param == "everything":
        with tarfile.open(folder / "files" / "archive.tar.gz", "w:gz") as archive:
            info = tarfile.TarInfo("inside/file.txt")
            info.size = 6
            archive.addfile(info, io.BytesIO(b"inside"))
    return folder


@pytest.mark.parametrize("project", PROJECTS, indirect=True)
def test_the_image_equals_the_originals(project: Path, client: Client, cli: Cli, env: dict[str, str]) -> None:
    engine = client.engine
    assert isinstance(engine, DockerEngine)
    original = f"imagebuilder-test/{project.name}:original"
    program = str(engine.buildx().program)
    plain = subprocess.run(
        [program, "build", "--provenance=false", "--load", "--tag", original, str(project)],
        env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert plain.returncode == 0, plain.stderr
    built = cli("build", project / "Dockerfile", "--json")
    assert built.code == 0, built.err
    try:
        assert _config(env, built.json["image"]) == _config(env, original)
        ours, theirs = _files(env, built.json["image"]), _files(env, original)
        assert ours.keys() == theirs.keys()
        assert {name: found for name, found in ours.items() if found != theirs[name]} == {}
    finally:
        engine.untag(original)
        engine.untag(built.json["image"])


def _docker(env: dict[str, str], *words: str) -> bytes:
    done = subprocess.run([env["TEST_DOCKER"], *words], env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _config(env: dict[str, str], image: str) -> dict[str, Any]:
    found = json.loads(_docker(env, "image", "inspect", image))[0]
    return {"author": found.get("Author"), **found["Config"]}


def _files(env: dict[str, str], image: str) -> dict[str, tuple[object, ...]]:
    """Path → type, mode, owner, link target and content of every file in the image."""
    container = _docker(env, "create", image, "none").decode().strip()
    try:
        data = _docker(env, "export", container)
    finally:
        _docker(env, "rm", container)
    found: dict[str, tuple[object, ...]] = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            if member.name.startswith(VOLATILE):
                continue
            file = archive.extractfile(member) if member.isreg() else None
            content = file.read() if file else b""
            if member.name.endswith(".pyc"):
                content = b"bytecode holds times"
            found[member.name] = (member.type, member.mode, member.uid, member.gid, member.linkname, content)
    return found
