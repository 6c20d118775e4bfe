"""The engine's HTTP API, against a small server on a socket that answers as the test says."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from imagebuilder.diagnostics import BuildError, EngineError
from imagebuilder.engine.api import Api, NotFound, Refused, TimedOut
from imagebuilder.engine.docker import DockerEngine, not_pulled
from imagebuilder.engine.endpoint import Endpoint
from imagebuilder.engine.protocol import ImageInfo, Output
from imagebuilder.registries.login import Login
from imagebuilder.store import Registry

Answer = tuple[int, Any]


class Server(ThreadingMixIn, UnixStreamServer):
    """Answers ``METHOD /path`` with ``answers``: a status and a body, which is JSON unless it is bytes."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        self.answers: dict[str, Answer | Callable[[], Answer]] = {}
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.path = path
        super().__init__(str(path), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def handle_any(self) -> None:
        url = urlsplit(self.path)
        what = f"{self.command} {unquote(url.path)}"
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.server.asked.append((what, query, body))
        answer = self.server.answers.get(what, (404, {"message": f"no {what}"}))
        status, content = answer() if callable(answer) else answer
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            pass  # Whoever asked has gone.

    do_GET = do_POST = do_DELETE = handle_any

    def log_message(self, *args: object) -> None: ...

    def address_string(self) -> str:
        return "unix"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    # A socket's path may be no longer than 107 bytes, which pytest's folders can exceed.
    monkeypatch.chdir(tmp_path)
    with Server(Path("docker.sock")) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def api(server: Server) -> Api:
    return Api(Endpoint("unix:docker.sock", "test"))


@pytest.fixture
def engine(server: Server, tmp_path: Path) -> DockerEngine:
    return DockerEngine(Endpoint("unix:docker.sock", "test"), tmp_path)


def test_info(server: Server, engine: DockerEngine) -> None:
    server.answers["GET /version"] = 200, {"Version": "28.5.2", "Os": "linux", "Arch": "arm64"}
    server.answers["GET /info"] = 200, {"Driver": "overlayfs"}
    found = engine.info()
    assert (found.version, found.platform, found.driver) == ("28.5.2", "linux/arm64", "overlayfs")
    assert found.docker_host == "unix:docker.sock"


def test_an_image(server: Server, engine: DockerEngine) -> None:
    server.answers["GET /images/team/app:1.0/json"] = 200, {"Id": "sha256:1", "Size": 7, "RepoTags": ["team/app:1.0"]}
    assert engine.image("team/app:1.0") == ImageInfo("sha256:1", 7, ("team/app:1.0",), ("sha256:1",))
    assert engine.image("gone") is None


def test_what_registries_call_an_image(server: Server, engine: DockerEngine) -> None:
    found = {"Id": "sha256:1", "RepoDigests": ["e.org/app@sha256:2", "e.org/other@sha256:2"]}
    server.answers["GET /images/app/json"] = 200, found
    assert engine.image("app") == ImageInfo("sha256:1", 0, (), ("sha256:2", "sha256:1"))


def test_a_registry_that_says_a_password_again(server: Server, engine: DockerEngine) -> None:
    """It is in no message, and so in no row of the store, whose reason a message becomes."""
    login = Login(Registry("r", "e.org", "me", ""), "hunter2-t0p")
    server.answers["POST /images/create"] = (
        200,
        b'{"error": "denied: no me:hunter2-t0p, ' + login.basic.encode() + b'"}',
    )
    with pytest.raises(EngineError) as caught:
        engine.fetch("e.org/app:1", login.header)
    assert caught.value.diagnostics[0].message == "cannot pull e.org/app:1: denied: no me:***, ***"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            'Error response from daemon: failed to resolve reference "docker.io/library/x:1": failed to do request: '
            'Head "https://registry-1.docker.io/v2/library/x/manifests/1": dial tcp: no such host',
            ", since asking registry-1.docker.io failed: dial tcp: no such host",
        ),
        (
            'Error response from daemon: Get "https://e.org:5000/v2/": dial tcp: connection refused',
            ", since asking e.org:5000 failed: dial tcp: connection refused",
        ),
        ('failed to resolve reference "e.org/x:1": e.org/x:1: not found', ": e.org/x:1: not found"),
        ("Error response from daemon: pull access denied for x", ": pull access denied for x"),
        ("something new", ": something new"),
    ],
)
def test_what_is_told_of_a_pull(said: str, told: str) -> None:
    assert not_pulled("x:1", said) == f"cannot pull x:1{told}"


def test_the_builders_layers(server: Server, engine: DockerEngine) -> None:
    layers = [{"Size": 5, "InUse": True}, {"Size": 7, "InUse": False}]
    server.answers["GET /system/df"] = 200, {"BuildCache": layers}
    assert (engine.builder_cache(), engine.builder_cache(unused=True)) == (12, 7)
    server.answers["POST /build/prune"] = 200, {"SpaceReclaimed": 9}
    assert engine.prune_builder_cache(90.0) == 9
    assert server.asked[-1][1] == {"all": "1", "filters": '{"until": {"90s": true}}'}


def test_an_image_without_tags(server: Server, engine: DockerEngine) -> None:
    server.answers["GET /images/sha256:1/json"] = 200, {"Id": "sha256:1", "RepoTags": None}
    assert engine.image("sha256:1") == ImageInfo("sha256:1", 0, (), ("sha256:1",))


def test_tagging(server: Server, engine: DockerEngine) -> None:
    server.answers["POST /images/sha256:1/tag"] = 201, b""
    engine.tag("sha256:1", "imagebuilder/app:1.0")
    assert server.asked == [("POST /images/sha256:1/tag", {"repo": "imagebuilder/app", "tag": "1.0"}, None)]


def test_untagging_what_is_not_there_is_done(server: Server, engine: DockerEngine) -> None:
    engine.untag("imagebuilder/gone:latest")
    assert [what for what, _, _ in server.asked] == ["DELETE /images/imagebuilder/gone:latest"]
    server.answers["DELETE /images/imagebuilder/used:latest"] = 409, {"message": "a container uses it"}
    with pytest.raises(Refused, match="a container uses it"):
        engine.untag("imagebuilder/used:latest")


@pytest.mark.parametrize(
    ("status", "body", "pulled"),
    [
        (200, b'{"status":"Pulling"}\n{"status":"done"}\n', True),
        (200, b'{"status":"Pulling"}\n{"errorDetail":{},"error":"no space"}\n', False),
        (404, {"message": "not found"}, False),
        (500, {"message": "dial tcp: no such host"}, False),
    ],
)
def test_pulling(server: Server, engine: DockerEngine, status: int, body: Any, pulled: bool) -> None:
    server.answers["POST /images/create"] = status, body
    assert engine.pull("python:3.13-slim-trixie") is pulled
    assert server.asked[0][1] == {"fromImage": "python", "tag": "3.13-slim-trixie"}


def test_whether_a_registry_is_reached(server: Server, engine: DockerEngine) -> None:
    server.answers["GET /distribution/hello-world:latest/json"] = 200, {"Descriptor": {"digest": "sha256:1"}}
    assert engine.reaches_registry() == (True, "")
    server.answers["GET /distribution/hello-world:latest/json"] = 500, {"message": "no such host"}
    assert engine.reaches_registry() == (False, "no such host")


# Running --------------------------------------------------------------------------------------------


def frames(*parts: tuple[int, bytes]) -> bytes:
    return b"".join(struct.pack(">BxxxL", stream, len(data)) + data for stream, data in parts)


@pytest.fixture
def container(server: Server) -> Server:
    server.answers |= {
        "POST /containers/create": (201, {"Id": "c1"}),
        "POST /containers/c1/start": (204, b""),
        "POST /containers/c1/wait": (200, {"StatusCode": 3}),
        "GET /containers/c1/logs": (200, frames((1, b"out "), (2, b"err\xff"), (1, b"more\n"))),
        "DELETE /containers/c1": (204, b""),
    }
    return server


def test_running(container: Server, engine: DockerEngine) -> None:
    assert engine.run("imagebuilder/app:latest", ["sh", "-c", "exit 3"]) == Output(3, "out more\n", "err\ufffd")
    _, _, body = container.asked[0]
    assert (body["Image"], body["Entrypoint"], body["Cmd"]) == ("imagebuilder/app:latest", ["sh"], ["-c", "exit 3"])
    host = body["HostConfig"]
    assert host["NetworkMode"] == "none" and host["CapDrop"] == ["ALL"] and "no-new-privileges" in host["SecurityOpt"]
    assert container.asked[-1][:2] == ("DELETE /containers/c1", {"force": "1", "v": "1"})


@pytest.mark.parametrize(("message", "code"), [('exec: "x": executable file not found in $PATH', 127), ("denied", 126)])
def test_a_command_that_cannot_be_started(container: Server, engine: DockerEngine, message: str, code: int) -> None:
    """As a shell has it; the engine is not at fault."""
    container.answers["POST /containers/c1/start"] = 400, {"message": message}
    done = engine.run("app", ["x"])
    assert (done.exit_code, done.stdout) == (code, "") and message in done.stderr
    assert container.asked[-1][0] == "DELETE /containers/c1"


@pytest.mark.parametrize("call", ["POST /containers/c1/wait", "GET /containers/c1/logs"])
def test_the_container_goes_whatever_happens(container: Server, engine: DockerEngine, call: str) -> None:
    container.answers[call] = 500, {"message": "no such file: sh"}
    with pytest.raises(Refused, match="no such file: sh"):
        engine.run("app", ["sh"])
    assert container.asked[-1][0] == "DELETE /containers/c1"


def test_a_command_that_does_not_end(container: Server, engine: DockerEngine) -> None:
    release = threading.Event()

    def wait() -> Answer:
        release.wait(20)
        return 200, {"StatusCode": 0}

    container.answers["POST /containers/c1/wait"] = wait
    with pytest.raises(BuildError) as caught:
        engine.run("app", ["sleep", "60"], timeout=0.1)
    release.set()
    found = caught.value.diagnostics[0]
    assert found.code == "IB504" and "0.1 s" in found.message and "timeout=" in found.help
    assert container.asked[-1][0] == "DELETE /containers/c1"


def test_an_image_that_is_gone(server: Server, engine: DockerEngine) -> None:
    server.answers["POST /containers/create"] = 404, {"message": "No such image: app"}
    with pytest.raises(EngineError, match="No such image: app"):
        engine.run("app", ["true"])


def test_output_that_was_cut_off(container: Server, engine: DockerEngine) -> None:
    container.answers["GET /containers/c1/logs"] = 200, frames((1, b"whole\n")) + b"\x01\0\0\0\0\0\0\x09part"
    assert engine.run("app", ["sh"]).stdout == "whole\npart"


# When it does not answer ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["unix:///no/such.sock", "unix://", "tcp://127.0.0.1:1", "tcp://host:port", "npipe:////./pipe/x", "nonsense", ""],
)
def test_nobody_there(host: str) -> None:
    with pytest.raises(EngineError) as caught:
        Api(Endpoint(host, "DOCKER_HOST")).version()
    found = caught.value.diagnostics[0]
    assert caught.value.exit_code == 3 and found.code == "IB500"
    assert f"answers at {host} (DOCKER_HOST): " in found.message
    assert "imagebuilder engine start" in found.help


@pytest.mark.parametrize("body", [b"<html>", b"{", b"\xff"])
def test_something_else_answers(server: Server, api: Api, body: bytes) -> None:
    server.answers["GET /version"] = 200, body
    with pytest.raises(EngineError, match="no Docker Engine"):
        api.version()


def test_something_that_speaks_no_http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("x.sock")
        listener.listen()

        def answer() -> None:
            with listener.accept()[0] as connection:
                connection.recv(1000)
                connection.sendall(b"220 smtp\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(EngineError, match="IB500"):
            Api(Endpoint("unix:x.sock", "test")).version()
        thread.join()


def test_an_engine_that_hangs(server: Server, api: Api) -> None:
    release = threading.Event()

    def hang() -> Answer:
        release.wait(20)
        return 200, {}

    server.answers["GET /info"] = hang
    with pytest.raises(TimedOut) as caught:
        api.json("GET", "/info", timeout=0.1)
    release.set()
    found = caught.value.diagnostics[0]
    assert caught.value.exit_code == 3 and found.code == "IB508" and "GET /info within 0.1 s" in found.message


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, {"message": "broken"}, "broken"),
        (500, {"other": 1}, '{"other": 1}'),
        (400, b"plain text\n", "plain text"),
        (500, [], "[]"),
        (503, b"\xff", "\ufffd"),
        (404, {"message": "gone"}, "gone"),
    ],
)
def test_a_refusal_says_what_the_engine_said(server: Server, api: Api, status: int, body: Any, said: str) -> None:
    server.answers["GET /info"] = status, body
    with pytest.raises(NotFound if status == 404 else Refused) as caught:
        api.info()
    assert caught.value.diagnostics[0].message == f"the engine refused GET /info: {said}"
    assert caught.value.diagnostics[0].code == "IB503"


def test_a_query_is_not_shown(server: Server, api: Api) -> None:
    """It can hold what a person did not mean to print."""
    server.answers["POST /images/x/tag"] = 500, {"message": "no"}
    with pytest.raises(Refused) as caught:
        api.tag("x", "private/name:tag")
    assert "private" not in str(caught.value)
