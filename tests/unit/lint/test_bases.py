"""Images without a version: which are told, and how to name one."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder import Image
from tests.unit.lint.linting import dockerfile, only

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("debian", "'debian' has no tag, which means 'latest'"),
        ("debian:latest", "'debian:latest' is whatever was pushed last"),
        ("ghcr.io/example/app", "'ghcr.io/example/app' has no tag, which means 'latest'"),
        ("localhost:5000/app", "'localhost:5000/app' has no tag, which means 'latest'"),
        ("localhost:5000/app:latest", "'localhost:5000/app:latest' is whatever was pushed last"),
    ],
)
def test_a_base_that_moves(ref: str, message: str) -> None:
    (warning,) = only(Image.base(ref), "IB901")
    name = ref.removesuffix(":latest")
    assert (warning.message, warning.severity) == (message, "warning")
    assert f"Image.base('{name}:VERSION')" in warning.help and f"inspect {name} --format" in warning.help
    assert "Image.base(ref)" in warning.render()


@pytest.mark.parametrize(
    "image",
    [
        Image.debian_slim(),
        Image.scratch(),
        Image.base("debian:12"),
        Image.base("alpine:edge"),
        Image.base("a/b:latest-rust-1"),
        Image.base("localhost:5000/app:1"),
        Image.base(f"debian@{DIGEST}"),
        Image.base(f"debian:latest@{DIGEST}"),
        Image.scratch().copy_from(Image.debian_slim(), "/a", "/b").copy_from("busybox:1.36", "/a", "/b"),
        Image.scratch().dockerfile_commands("COPY --from=scratch / /x"),
    ],
    ids=repr,
)
def test_a_base_that_was_chosen(image: Image) -> None:
    assert only(image, "IB901") == []


def test_every_image_that_is_read_from(tmp_path: Path) -> None:
    text = """\
FROM docker.io/library/golang AS build
RUN --mount=type=bind,from=alpine,source=/etc,target=/a --mount=type=bind,from=alpine,source=/lib,target=/b true
FROM build AS next
COPY --from=composer /usr/bin/composer /usr/bin/
COPY --from=build /a /b
COPY --from=ghcr.io/astral-sh/uv:0.5.1 /uv /bin/
"""
    lines = [(each.place.line, each.message.split("'")[1]) for each in only(dockerfile(tmp_path, text), "IB901")]  # type: ignore[union-attr]
    assert lines == [(1, "docker.io/library/golang"), (2, "alpine"), (4, "composer")]


def test_an_image_with_another_inside() -> None:
    inner = Image.base("rust")
    image = Image.scratch().copy_from(inner, "/a", "/b").copy_from("busybox", "/a", "/b")
    assert [each.message.split("'")[1] for each in only(image, "IB901")] == ["rust", "busybox"]


def test_a_value_of_an_argument(tmp_path: Path) -> None:
    path = dockerfile(tmp_path, "ARG BASE=debian\nARG TAG=12\nFROM $BASE:$TAG AS a\nFROM $BASE\nCOPY --from=a /x /x\n")
    (warning,) = only(path, "IB901")
    assert warning.place.line == 4 and "FROM debian:VERSION" in warning.help  # type: ignore[union-attr]
