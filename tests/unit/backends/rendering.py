"""Dockerfiles rendered from what a person writes."""

from __future__ import annotations

from pathlib import Path

from imagebuilder import Image
from imagebuilder.backends.dockerfile import Dockerfile
from imagebuilder.compiler import compile

PLATFORM = "linux/amd64"


def rendered(image: Image, *, ca: bool = False) -> Dockerfile:
    return compile(image, platform=PLATFORM).dockerfile(ca=ca)


def dockerfile(folder: Path, text: str, *, ca: bool = False) -> Dockerfile:
    """The Dockerfile of a Dockerfile in that folder."""
    (folder / "Dockerfile").write_text(text, encoding="utf-8", newline="")
    return rendered(Image.from_dockerfile(folder / "Dockerfile"), ca=ca)
