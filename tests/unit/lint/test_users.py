"""Containers that run as root: only where that is certain, and nobody has answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder import Image, expand
from tests.unit.lint.linting import dockerfile, only

SERVE = ["python", "serve.py"]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Image.debian_slim().cmd(SERVE), "the container runs 'python' as root: no user is set"),
        (
            Image.debian_slim().entrypoint("exec /usr/bin/app --serve"),
            "the container runs 'app' as root: no user is set",
        ),
        (Image.debian_slim().cmd("cd /app && node x.js"), "the container runs 'node' as root: no user is set"),
        (Image.scratch().entrypoint(["/app"]).cmd(["--port=1"]), "the container runs 'app' as root: no user is set"),
        (Image.base("docker.io/library/node:20").cmd(["node"]), "the container runs 'node' as root: no user is set"),
        (
            Image.base("ubuntu:24.04").entrypoint(["tini", "--", "/srv"]),
            "the container runs 'srv' as root: no user is set",
        ),
        (Image.debian_slim().healthcheck(["true"]), "the container runs as root: no user is set"),
    ],
)
def test_as_root(image: Image, message: str) -> None:
    (warning,) = only(image, "IB906")
    assert warning.message == message and warning.help.startswith(".user('10001:10001')")


@pytest.mark.parametrize(
    "image",
    [
        Image.debian_slim(),
        Image.debian_slim().run_commands("true").expose(80),
        Image.debian_slim().user("app").cmd(SERVE),
        Image.debian_slim().cmd(SERVE).user("1000:1000"),
        Image.debian_slim().user("root").cmd(SERVE),
        Image.debian_slim().arg("U", "x").user(expand("$U")).cmd(SERVE),  # type: ignore[arg-type]
        # Nothing is known of what these run as.
        Image.base("nginx:1").cmd(["nginx"]),
        Image.base("postgres:16").cmd(["postgres"]),
        Image.base("ghcr.io/example/python:3").cmd(SERVE),
        Image.base("gcr.io/distroless/static:nonroot").entrypoint(["/app"]),
        Image.base("mcr.microsoft.com/windows/servercore:ltsc2022").cmd(["app.exe"]),
        # These see to it themselves, or are meant for a person.
        Image.debian_slim().apt_install("nginx").cmd(["nginx", "-g", "daemon off;"]),
        Image.base("debian:12").entrypoint(["docker-entrypoint.sh"]).cmd(["postgres"]),
        Image.base("debian:12").entrypoint(["tini", "--", "/entrypoint"]),
        Image.base("debian:12").run_commands("apt-get install -y gosu").entrypoint(["/start"]),
        Image.base("alpine:3").cmd(["su-exec", "app", "serve"]),
        Image.debian_slim().cmd(["bash"]),
        Image.base("debian:12").cmd("/bin/sh"),
        Image.debian_slim().entrypoint([]).cmd([]),
        Image.debian_slim().healthcheck(None),
    ],
    ids=range(20),
)
def test_not_as_root(image: Image) -> None:
    assert only(image, "IB906") == []


def test_only_the_image_itself_counts(tmp_path: Path) -> None:
    tools = Image.debian_slim().cmd(SERVE)
    assert only(Image.scratch().copy_from(tools, "/a", "/b"), "IB906") == []
    text = "FROM debian:12 AS a\nUSER app\nFROM debian:12 AS b\nCMD x\nFROM a\nCMD y\n"
    assert only(dockerfile(tmp_path, text), "IB906") == []
    (warning,) = only(dockerfile(tmp_path, text + "FROM b\nRUN z\n"), "IB906")
    assert warning.place.line == 4 and warning.help.startswith("USER 10001:10001")  # type: ignore[union-attr]
