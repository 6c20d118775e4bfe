"""A registry that answers as a test says, with TLS or without, and notes what it was asked."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Answer = tuple[int, dict[str, str], Any]


class Answering(ThreadingHTTPServer):
    """``answer`` is called with a path and what came as ``Authorization``; a body that is no bytes is JSON."""

    daemon_threads = True

    def __init__(self) -> None:
        self.answer: Callable[[str, str], Answer] = lambda path, proof: (404, {}, b"")
        self.asked: list[tuple[str, str]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        return  # Who asked has gone, or spoke something else.


class _Handler(BaseHTTPRequestHandler):
    server: Answering

    def do_GET(self) -> None:
        proof = self.headers.get("Authorization", "")
        self.server.asked.append((self.path, proof))
        status, headers, body = self.server.answer(self.path, proof)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def answering(certificate: tuple[Path, Path] | None = None) -> Iterator[Answering]:
    with Answering() as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody has heard of, and its key."""
    crt, key = folder / "ca.crt", folder / "ca.key"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(crt)]
    subprocess.run(words, check=True, capture_output=True)
    return crt, key
