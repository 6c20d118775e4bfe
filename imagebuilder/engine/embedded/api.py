"""Docker's HTTP API over a socket, as far as the embedded engine and its bases need it."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from imagebuilder.engine.embedded.layout import failure


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@dataclass(frozen=True)
class Answer:
    """What the engine said: the HTTP status and the body."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body as JSON; None where it is not."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def message(self) -> str:
        """The engine's own words on what went wrong."""
        found = self.json()
        if isinstance(found, dict) and isinstance(found.get("message"), str):
            return str(found["message"])
        return self.body.decode(errors="replace").strip()


def call(
    docker_host: str,
    method: str,
    path: str,
    body: Iterable[bytes] | None = None,
    *,
    timeout: float = 10.0,
) -> Answer:
    """One request; a body is sent as a tar, in chunks. ``timeout`` is in seconds, per read.

    Raises:
        OSError: the engine cannot be reached, or went away.
        EngineError: IB534 where ``docker_host`` is of a kind that is not spoken here.
    """
    connection = _connection(docker_host, timeout)
    try:
        headers = {"Content-Type": "application/x-tar"} if body is not None else {}
        connection.request(method, path, body=body, headers=headers, encode_chunked=body is not None)
        response = connection.getresponse()
        return Answer(response.status, response.read())
    except http.client.HTTPException as error:
        raise OSError(f"not an answer of a Docker Engine: {error!r}") from error
    finally:
        connection.close()


def _connection(docker_host: str, timeout: float) -> http.client.HTTPConnection:
    parts = urlsplit(docker_host)
    if parts.scheme == "unix":
        return _UnixConnection(docker_host.removeprefix("unix://"), timeout)
    if parts.scheme in ("tcp", "http") and parts.hostname:
        return http.client.HTTPConnection(parts.hostname, parts.port or 2375, timeout=timeout)
    raise failure(
        "IB534",
        f"cannot talk to an engine at {docker_host!r}",
        "DOCKER_HOST is unix:///path/to/docker.sock or tcp://host:port here",
    )


def ping(docker_host: str, timeout: float = 2.0) -> bool:
    """Whether an engine answers there."""
    try:
        return call(docker_host, "GET", "/_ping", timeout=timeout).status == 200
    except OSError:
        return False


def version(docker_host: str) -> str:
    """The engine's version, or an empty string where it does not answer."""
    try:
        found = call(docker_host, "GET", "/version").json()
    except OSError:
        return ""
    return str(found.get("Version", "")) if isinstance(found, dict) else ""
