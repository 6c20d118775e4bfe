"""A converted Dockerfile stands alone: `docker build .` makes the image that we build of the original."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from imagebuilder.client import Client
from imagebuilder.convert import convert
from imagebuilder.engine.docker import DockerEngine
from tests.engine.test_dockerfile_import import _config, _files
from tests.golden.cases import CASES
from tests.golden.test_trips import context_of


@pytest.mark.parametrize(
    "name", ["file_plain", "stages_sharing_a_base", "run_heredoc", "env_expanded", "shells", "dockerfile_add"]
)
def test_it_builds_the_same_image(name: str, tmp_path: Path, client: Client, env: dict[str, str]) -> None:
    engine, image, folder = client.engine, CASES[name].make(), context_of(name)
    assert isinstance(engine, DockerEngine)
    context = tmp_path / "context"
    shutil.copytree(folder, context, ignore=shutil.ignore_patterns("expected", "__pycache__"))
    (context / "Dockerfile").write_text(convert(image, "dockerfile", folder / "x.Dockerfile"), encoding="utf-8")
    tag = f"imagebuilder-test/{name}:converted"
    plain = subprocess.run(
        [str(engine.buildx().program), "build", "--provenance=false", "--load", "--tag", tag, str(context)],
        env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert plain.returncode == 0, plain.stderr
    try:
        built = client.build(image, name=f"converted-{name.replace('_', '-')}").image
        assert _config(env, built) == _config(env, tag)
        assert _files(env, built) == _files(env, tag)
    finally:
        engine.untag(tag)
