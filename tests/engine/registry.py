"""A real registry on loopback: Debian's docker-registry, unpacked where it is not installed."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

USER, PASSWORD = "ci", "t0p-secret"
OTHER, OTHER_PASSWORD = "other", "0ther-secret"
_HTPASSWD = {
    USER: "ci:$2b$04$dAs2/slreNB68t18RkPIKu9JLWIVY.nXrEZNYEv2rcntqFZ3.gnn.\n",
    OTHER: "other:$2b$04$dAs2/slreNB68t18RkPIKuQFW/Ns13E3HRAwp6UiTNOkRCQE46Qeu\n",
}


class Registry:
    """One that runs; ``log`` is what was asked of it."""

    def __init__(self, folder: Path, program: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self.log = folder / "log"
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    def start(
        self,
        *,
        password: bool = False,
        readonly: bool = False,
        user: str = USER,
        token: Mapping[str, str] | None = None,
        tls: tuple[Path, Path] | None = None,
    ) -> None:
        """``user`` is who may log in where a ``password`` is wanted; ``token`` says who gives out tokens, ``tls`` is a certificate with its key."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "htpasswd").write_text(_HTPASSWD[user])
        http: dict[str, object] = {"addr": f"127.0.0.1:{self.port}"}
        if tls:
            http["tls"] = {"certificate": str(tls[0]), "key": str(tls[1])}
        text = f"version: 0.1\nhttp: {json.dumps(http)}\nlog: {{level: warn}}\nstorage:\n"
        text += f"  filesystem: {{rootdirectory: '{self.data}'}}\n"
        if readonly:
            text += "  maintenance: {readonly: {enabled: true}}\n"
        if password:
            text += f"auth: {{htpasswd: {{realm: test, path: '{self.folder}/htpasswd'}}}}\n"
        if token:
            text += f"auth: {{token: {json.dumps(dict(token))}}}\n"
        (self.folder / "config.yml").write_text(text)
        with self.log.open("ab") as log:
            argv = [self._program, "serve", self.folder / "config.yml"]
            self._process = subprocess.Popen(argv, stdout=log, stderr=log)
        end = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v2/", timeout=2):
                    return
            except urllib.error.HTTPError:
                return
            except OSError:
                assert time.monotonic() < end, self.log.read_text()
                time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def repository(self, name: str) -> str:
        return f"127.0.0.1:{self.port}/{name}"

    def tags(self, name: str) -> list[str]:
        folder = self.data / "docker/registry/v2/repositories" / name / "_manifests/tags"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    @property
    def asked(self) -> list[str]:
        """The requests, as ``METHOD /path STATUS``."""
        lines = [line.split('"') for line in self.log.read_text(errors="replace").splitlines() if " - - [" in line]
        return [f"{words[1].rpartition(' ')[0]} {words[2].split()[0]}" for words in lines]


@contextmanager
def running(
    folder: Path,
    *,
    password: bool = False,
    readonly: bool = False,
    user: str = USER,
    token: Mapping[str, str] | None = None,
    tls: tuple[Path, Path] | None = None,
) -> Iterator[Registry]:
    registry = Registry(folder, program())
    registry.start(password=password, readonly=readonly, user=user, token=token, tls=tls)
    try:
        yield registry
    finally:
        registry.stop()


@cache
def program() -> Path:
    """The registry's program. Installing the package would start a service for the whole machine."""
    if found := shutil.which("docker-registry"):
        return Path(found)
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imagebuilder-tests"
    unpacked = folder / "usr/bin/docker-registry"
    if not unpacked.exists():
        folder.mkdir(parents=True, exist_ok=True)
        for words in (("apt-get", "-qq", "update"), ("apt-get", "-qq", "download", "docker-registry")):
            subprocess.run(words, cwd=folder, check=True, capture_output=True)
        (package,) = folder.glob("docker-registry_*.deb")
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
        package.unlink()
    return unpacked


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def silent() -> Iterator[str]:
    """A registry's address that takes every connection and says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(50)
        yield f"127.0.0.1:{listening.getsockname()[1]}"


class _Empty(BaseHTTPRequestHandler):
    """Has nothing, and never answers who wants to push."""

    protocol_version = "HTTP/1.1"
    # So that whoever tries TLS first is answered in a way that says there is none.
    default_request_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/v2/" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def do_POST(self) -> None:
        self.server.over.wait()  # type: ignore[attr-defined]

    do_PUT = do_PATCH = do_POST

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def silent_when_pushed_to() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Empty) as server:
        server.over = threading.Event()  # type: ignore[attr-defined]
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.over.set()  # type: ignore[attr-defined]
            with suppress(OSError):
                server.shutdown()


class _Passing(BaseHTTPRequestHandler):
    """Hands on what is asked, but never answers who asks for a blob."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if "/blobs/sha256:" in self.path:
            self.server.over.wait()  # type: ignore[attr-defined]
            return
        asked = http.client.HTTPConnection("127.0.0.1", self.server.behind)  # type: ignore[attr-defined]
        asked.request(self.command, self.path, headers=dict(self.headers.items()))
        answer = asked.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for name in ("Content-Type", "Content-Length", "Docker-Content-Digest"):
            if value := answer.getheader(name):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        asked.close()

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def silent_about_blobs(registry: Registry) -> Iterator[str]:
    """The address of one that has what the registry has, and says so, but hands nothing out."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Passing) as server:
        server.over, server.behind = threading.Event(), registry.port  # type: ignore[attr-defined]
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.over.set()  # type: ignore[attr-defined]
            server.shutdown()
