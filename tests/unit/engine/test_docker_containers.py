"""Containers of an engine that does not do at once what it is asked for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from imagebuilder.diagnostics import Diagnostic, EngineError
from imagebuilder.engine.api import Api, Conflict, NotFound
from imagebuilder.engine.docker_containers import DockerContainers

BUSY = "the engine refused DELETE /containers/1: removal of container 1 is already in progress"
FOUND = {
    "Id": "1",
    "Name": "/imagebuilder-one",
    "State": {"Status": "removing"},
    "Config": {},
    "Image": "sha256:1",
    "Created": "2026-01-01T00:00:00Z",
}


class Engine:
    """Is busy with the removal of a container for so many calls."""

    endpoint = SimpleNamespace(host="fake://")

    def __init__(self, calls: int, *, gone: bool) -> None:
        self.calls = calls
        self.gone = gone

    def json(self, method: str, path: str) -> dict[str, Any]:
        if method == "GET":
            if self.gone:
                raise NotFound(Diagnostic("IB503", "no such container"))
            return FOUND
        self.calls -= 1
        if self.calls >= 0:
            raise Conflict(Diagnostic("IB503", BUSY))
        return {}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.mark.parametrize(("calls", "gone"), [(0, False), (3, False), (1000, True)])
def test_one_that_somebody_else_removes(calls: int, gone: bool) -> None:
    DockerContainers(cast("Api", Engine(calls, gone=gone))).remove("1")


def test_one_that_stays() -> None:
    with pytest.raises(EngineError) as caught:
        DockerContainers(cast("Api", Engine(1000, gone=False))).remove("1")
    (found,) = caught.value.diagnostics
    assert "'imagebuilder-one' (removing) cannot be removed: removal of container 1 is already" in found.message
    assert "another program" in (found.help or "")
