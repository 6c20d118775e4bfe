"""A server of wheels on loopback that answers as a test says."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from imagebuilder.diagnostics import BuildError
from imagebuilder.ir.packages import DistributionFile
from imagebuilder.layering.wheels import WheelStore

NAME = "demo-1.0-py3-none-any.whl"
DATA = bytes(range(256)) * 4096

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Gives the next answer of the server, and the last one for ever."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.asked.append((self.path, dict(self.headers)))
            answer = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        answer(self)

    def say(self, status: int, body: bytes = b"", length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body) if length is None else length), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = [whole()]
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.lock = threading.Lock()

    def handle_error(self, *_: Any) -> None:
        """A client that goes away is no concern of the tests."""

    def url(self, name: str = NAME, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.server_address[1]}/a/{name}"

    def file(self, data: bytes = DATA, name: str = NAME, **said: Any) -> DistributionFile:
        digest = hashlib.sha256(data).hexdigest()
        return DistributionFile(**{"url": self.url(name), "sha256": digest, "size": len(data), **said})


def whole(data: bytes = DATA) -> Answer:
    return lambda request: request.say(200, data)


def status(code: int, **headers: str) -> Answer:
    return lambda request: request.say(code, b"no", **headers)


def cut(at: int, data: bytes = DATA, ranges: bool = False) -> Answer:
    """What begins, and ends too early; where ``ranges`` are known, from where it is asked."""

    def answer(request: Handler) -> None:
        start = int(request.headers.get("Range", "bytes=0-")[6:-1]) if ranges else 0
        request.close_connection = True
        request.say(206 if start else 200, data[start : start + at], len(data) - start)

    return answer


def rest(data: bytes = DATA) -> Answer:
    def answer(request: Handler) -> None:
        start = int(request.headers["Range"][6:-1])
        request.say(206, data[start:], Content_Range=f"bytes {start}-{len(data) - 1}/{len(data)}")

    return answer


def serving() -> Iterator[Server]:
    server = Server()
    # A short interval, since what ends it is waited for.
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def refused(store: WheelStore, *files: DistributionFile) -> tuple[str, str]:
    with pytest.raises(BuildError) as caught:
        store.fetch(files)
    (found,) = caught.value.diagnostics
    assert found.help
    return found.code, found.message
