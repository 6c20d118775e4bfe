"""Servers of wheels, and a store without this machine's proxies and logins."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder.layering import wheels
from imagebuilder.layering.wheels import WheelStore
from tests.unit.layering.serving import serving

server = pytest.fixture(serving)
other = pytest.fixture(serving)


@pytest.fixture
def store(home: Path, monkeypatch: pytest.MonkeyPatch) -> WheelStore:
    monkeypatch.setattr(wheels, "_BACKOFF", 0.0)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    return WheelStore(home)
