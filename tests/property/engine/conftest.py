"""The fixtures of tests/engine."""

from tests.engine.conftest import client, env

__all__ = ["client", "env"]
