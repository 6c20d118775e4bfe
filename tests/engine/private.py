"""Private registries: who asked, with which login, and one whose tokens another server gives out."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.engine.registry import PASSWORD, USER, Registry, running

_HOP = ("connection", "transfer-encoding", "keep-alive")


class _Proxy(BaseHTTPRequestHandler):
    """Hands on everything as it is, and notes the logins."""

    protocol_version = "HTTP/1.1"
    # So that whoever tries TLS first is answered in a way that says there is none.
    default_request_version = "HTTP/1.1"

    def handle_any(self) -> None:
        self.server.proofs.append(self.headers.get("Authorization", ""))  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        self.server.sent.append((self.command, self.path, len(body)))  # type: ignore[attr-defined]
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        headers["Content-Length"] = str(len(body))
        behind = HTTPConnection("127.0.0.1", self.server.behind, timeout=60)  # type: ignore[attr-defined]
        behind.request(self.command, self.path, body, headers)
        answer = behind.getresponse()
        data = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in (*_HOP, "content-length", "date", "server"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(data)
        behind.close()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def log_message(self, *_: object) -> None:
        return


class Watched:
    """A registry behind a proxy; ``proofs`` are the logins that came, ``sent`` the requests and their bytes."""

    def __init__(self, registry: Registry, server: ThreadingHTTPServer) -> None:
        self.registry = registry
        self.host = f"127.0.0.1:{server.server_port}"
        self.proofs: list[str] = server.proofs  # type: ignore[attr-defined]
        self.sent: list[tuple[str, str, int]] = server.sent  # type: ignore[attr-defined]

    @property
    def users(self) -> set[str]:
        """Whoever logged in, as ``user:password``; tokens as they are."""
        found = set()
        for proof in self.proofs:
            scheme, _, value = proof.partition(" ")
            if scheme:
                found.add(base64.b64decode(value).decode() if scheme == "Basic" else scheme)
        return found


@contextmanager
def watched(
    folder: Path, user: str = USER, password: str = PASSWORD, tokens: Tokens | None = None
) -> Iterator[Watched]:
    """A registry that wants that login."""
    with (
        running(folder, password=tokens is None, user=user, token=tokens and tokens.settings) as registry,
        _serving(_Proxy) as server,
    ):
        server.behind = registry.port  # type: ignore[attr-defined]
        server.proofs, server.sent = [], []  # type: ignore[attr-defined]
        yield Watched(registry, server)


class Tokens:
    """Gives out tokens for who logs in as ``USER``, to pull from ``may`` and to push anywhere."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.key, self.certificate = folder / "key.pem", folder / "cert.pem"
        words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tokens"]
        words += ["-keyout", str(self.key), "-out", str(self.certificate)]
        subprocess.run(words, check=True, capture_output=True)
        self.may: set[str] = set()
        self.host = ""

    @property
    def settings(self) -> dict[str, str]:
        realm = f"http://{self.host}/token"
        return {"realm": realm, "service": "test", "issuer": "tests", "rootcertbundle": str(self.certificate)}

    def token(self, scopes: list[str]) -> str:
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            if name in self.may:
                access.append({"type": kind, "name": name, "actions": actions.split(",")})
        now = int(time.time())
        body = {"iss": "tests", "sub": USER, "aud": "test", "exp": now + 300, "nbf": now - 10, "iat": now - 10}
        lines = self.certificate.read_text().splitlines()
        chain = ["".join(lines[1:-1])]
        parts = [{"typ": "JWT", "alg": "RS256", "x5c": chain}, {**body, "jti": "x", "access": access}]
        signed = b".".join(_base64(json.dumps(part).encode()) for part in parts)
        words = ["openssl", "dgst", "-sha256", "-sign", str(self.key)]
        done = subprocess.run(words, input=signed, check=True, capture_output=True)
        return b".".join([signed, _base64(done.stdout)]).decode()


class _GivesTokens(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        proof = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {proof}":
            status, body = 401, {"details": "incorrect username or password"}
        else:
            scopes = " ".join(parse_qs(urlsplit(self.path).query).get("scope", [])).split()
            status, body = 200, {"token": self.server.tokens.token(scopes)}  # type: ignore[attr-defined]
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self) -> None:
        """OAuth, which Docker tries first and not every registry has."""
        self.send_response(405)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def giving_tokens(folder: Path) -> Iterator[Tokens]:
    tokens = Tokens(folder)
    with _serving(_GivesTokens) as server:
        server.tokens = tokens  # type: ignore[attr-defined]
        tokens.host = f"127.0.0.1:{server.server_port}"
        yield tokens


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
