"""`pytest tests/golden --update` writes the expected files anew; the diff is then to be read, and CHANGELOG to be written."""

from __future__ import annotations

import pytest


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update"))
