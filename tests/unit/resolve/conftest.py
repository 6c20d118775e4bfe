"""The servers of wheels that logins are tried at."""

from tests.unit.layering.conftest import other, server, store

__all__ = ["other", "server", "store"]
