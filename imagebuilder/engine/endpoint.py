"""Which engine to talk to: the one that the environment points at, else the embedded one.

The order is Docker's own: DOCKER_HOST, then DOCKER_CONTEXT, then the context
that Docker's configuration names as current, then the default socket. Only
where none of them is configured and the default socket does not answer does the
embedded engine come in, if it runs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagebuilder.diagnostics import Diagnostic, EngineError

if TYPE_CHECKING:
    import ssl

DEFAULT_HOST = "unix:///var/run/docker.sock"
EMBEDDED = "embedded engine"
"""The source of an endpoint that is ours."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``host`` is what DOCKER_HOST would be; ``tls`` holds certificate files where there are any."""

    host: str
    source: str
    tls: Path | None = None
    verify: bool = True
    env: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def at(cls, host: str, source: str) -> Endpoint:
        """Without TLS, as a socket on this machine is."""
        return cls(host, source, env={"DOCKER_HOST": host})

    def ssl_context(self) -> ssl.SSLContext:
        import ssl

        context = ssl.create_default_context(cafile=self._file("ca.pem"))
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        certificate, key = self._file("cert.pem"), self._file("key.pem")
        if certificate and key:
            context.load_cert_chain(certificate, key)
        return context

    def _file(self, name: str) -> str | None:
        path = self.tls / name if self.tls else None
        return str(path) if path and path.is_file() else None


def configured() -> Endpoint | None:
    """The engine that the environment or Docker's configuration names, or None.

    Raises:
        EngineError: a context is named that does not exist.
    """
    if host := os.environ.get("DOCKER_HOST"):
        verify = os.environ.get("DOCKER_TLS_VERIFY", "") != ""
        path = os.environ.get("DOCKER_CERT_PATH")
        tls = Path(path) if path else docker_config() if verify else None
        return Endpoint(host, "DOCKER_HOST", tls, verify, {"DOCKER_HOST": host})
    name, source = os.environ.get("DOCKER_CONTEXT", ""), "DOCKER_CONTEXT"
    if not name:
        current = docker_settings().get("currentContext")
        name, source = current if isinstance(current, str) else "", "docker context"
    if name and name != "default":
        return _context(name, source)
    return None


def default() -> Endpoint:
    return Endpoint.at(DEFAULT_HOST, "default")


def docker_config() -> Path:
    """Docker's configuration folder."""
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


def docker_settings() -> dict[str, Any]:
    """What stands in Docker's configuration; empty where there is none, or none that can be read."""
    return _read_json(docker_config() / "config.json")


def _context(name: str, source: str) -> Endpoint:
    id = sha256(name.encode()).hexdigest()
    contexts = docker_config() / "contexts"
    endpoint: Any = _read_json(contexts / "meta" / id / "meta.json")
    for part in ("Endpoints", "docker"):
        endpoint = endpoint.get(part) if isinstance(endpoint, dict) else None
    if not isinstance(endpoint, dict) or not endpoint.get("Host"):
        raise EngineError(
            Diagnostic(
                "IB502",
                f"the Docker context {name!r} does not exist",
                help=f"it is named by {source}; see `docker context ls`",
            )
        )
    verify = not endpoint.get("SkipTLSVerify", False)
    tls = contexts / "tls" / id / "docker"
    return Endpoint(
        endpoint["Host"],
        f"{source} {name}",
        tls if tls.is_dir() or not verify else None,
        verify,
        {"DOCKER_CONTEXT": name},
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
