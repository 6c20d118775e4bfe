"""A client over an engine in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder import Client
from imagebuilder.engine.fake import FakeEngine


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def client(tmp_path: Path, engine: FakeEngine) -> Client:
    return Client(home=tmp_path / "home", engine=engine)
