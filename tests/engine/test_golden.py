"""The golden cases meet the real builder: it has no objection to any Dockerfile, and builds what a test machine can."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder.client import Client
from imagebuilder.compiler import compile
from imagebuilder.engine.docker import DockerEngine
from imagebuilder.engine.protocol import BuildRequest
from tests.golden.cases import CASES

BASE = "python:3.13-slim-trixie"


@pytest.mark.parametrize("name", CASES)
def test_the_builders_own_check_has_no_warning(name: str, client: Client, tmp_path: Path) -> None:
    plan = compile(CASES[name].make(), lock=CASES[name].lock)
    dockerfile = plan.dockerfile()
    file, empty = tmp_path / "Dockerfile", tmp_path / "empty"
    file.write_text(dockerfile.text, encoding="utf-8")
    empty.mkdir()
    request = BuildRequest(
        dockerfile=file,
        context=empty,
        tag="unused",
        platform=plan.platform,
        contexts={
            **{context.name: empty for context in dockerfile.contexts if not context.main},
            # The check looks at the images that are named; no registry has to be reached for that.
            **{ref: f"docker-image://{BASE}" for ref in plan.images if not client.engine.image(ref)},
        },
        build_args=dockerfile.build_args,
    )
    assert isinstance(client.engine, DockerEngine)
    assert client.engine.buildx().check(request) == []


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.builds])
def test_it_builds(name: str, client: Client) -> None:
    case = CASES[name]
    snapshot = client.build(case.make(), name=f"golden-{name}".replace("_", "-"), secrets=case.secrets)
    try:
        assert (snapshot.state, snapshot.reused) == ("active", False)
        log = client.snapshot.logs(snapshot.name)
        assert not [value for value in case.secrets.values() if value in log]
    finally:
        client.snapshot.delete(snapshot.name)
