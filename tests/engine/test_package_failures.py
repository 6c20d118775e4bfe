"""Packages that cannot be had, or whose coming is cut off: told at their line, with nothing half-written.

The index is one of the tests' own, which answers slowly, wrongly, or not at all.
"""

from __future__ import annotations

import hashlib
import io
import re
import signal
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from imagebuilder import Client
from tests.conftest import Cli
from tests.engine.test_interrupt import Building


def metadata(name: str, version: str, *requires: str) -> bytes:
    needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}".encode()


def wheel(name: str, version: str, *requires: str, size: int = 0) -> bytes:
    info = f"{name}-{version}.dist-info"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(f"{name}.py", f"# {'x' * size}\nversion = {version!r}\n")
        archive.writestr(f"{info}/METADATA", metadata(name, version, *requires))
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return out.getvalue()


class Index(ThreadingHTTPServer):
    """A simple index (PEP 503). ``held`` are paths that are begun and not ended; ``lies`` have another hash there."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.yanked: dict[str, str] = {}
        self.lies: set[str] = set()
        self.held: set[str] = set()
        self.begun = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/simple"

    def add(self, name: str, version: str, *requires: str, size: int = 0) -> str:
        file = f"{name}-{version}-py3-none-any.whl"
        self.files[file] = wheel(name, version, *requires, size=size)
        # So that no wheel is needed for what it requires (PEP 658).
        self.files[f"{file}.metadata"] = metadata(name, version, *requires)
        return file

    def page(self, name: str) -> bytes:
        lines = []
        for file, data in self.files.items():
            if file.partition("-")[0] == name and file.endswith(".whl"):
                digest = "0" * 64 if file in self.lies else hashlib.sha256(data).hexdigest()
                yanked = f' data-yanked="{self.yanked[file]}"' if file in self.yanked else ""
                lines.append(f'<a href="/files/{file}#sha256={digest}" data-core-metadata="true"{yanked}>{file}</a>')
        return "\n".join(["<!DOCTYPE html><html><body>", *lines, "</body></html>"]).encode() if lines else b""

    def handle_error(self, *_: Any) -> None:
        """A client that goes away is what is tested."""


class _Handler(BaseHTTPRequestHandler):
    server: Index

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        name, data = self._answer()
        if name in self.server.held:
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self.server.begun.set()
            while name in self.server.held:
                time.sleep(0.05)
            return
        self.wfile.write(data)

    def _answer(self) -> tuple[str, bytes]:
        name = self.path.rstrip("/").rpartition("/")[2]
        data = self.server.files.get(name, b"") if self.path.startswith("/files/") else self.server.page(name)
        self.send_response(200 if data else 404)
        self.send_header("Content-Type", "application/zip" if name.endswith(".whl") else "text/html")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        return name, data

    def log_message(self, *words: Any) -> None:
        pass


@pytest.fixture
def index() -> Iterator[Index]:
    server = Index()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.held.clear()
    server.shutdown()
    server.server_close()
    thread.join()


def write(folder: Path, index: Index, *packages: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "spec.py").write_text(
        "from imagebuilder import Image\n\n"
        f"image = Image.debian_slim('3.13').pip_install({list(packages)!r}, index_url={index.url!r})\n"
    )
    return folder


def half_written(home: Path) -> list[Path]:
    """What is kept of packages and is not whole."""
    return [
        each for each in (home / "packages").rglob(".new-*") if "uv" not in each.relative_to(home / "packages").parts
    ]


def installed(client: Client, cli: Cli, folder: Path, name: str, package: str) -> str:
    done = cli("build", "spec.py", "--name", name, cwd=folder)
    assert done.code == 0, done.err
    assert "left to the image's own installer" not in done.err
    return client.run(name, ["python", "-c", f"import {package}; print({package}.version)"]).stdout.strip()


# Cut off -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("what", ["simple page", "wheel"])
def test_cut_off(
    client: Client,
    cli: Cli,
    env: dict[str, str],
    home: Path,
    tmp_path: Path,
    name: str,
    index: Index,
    what: str,
    by: signal.Signals,
) -> None:
    """While the index is asked, and while a wheel comes; from an index that says nothing more."""
    file = index.add("demo", "1.0", size=5_000_000)
    folder = write(tmp_path / "project", index, "demo")
    index.held.add("demo" if what == "simple page" else file)
    building = Building(env, folder, "--name", name)
    assert index.begun.wait(60)
    if what == "wheel":
        building.until("fetching")
    started = time.monotonic()
    building.process.send_signal(by)
    code, _, err = building.end()
    assert time.monotonic() - started < 15
    assert code == (130 if by == signal.SIGINT else -by) and "Traceback" not in err
    if by == signal.SIGINT:
        assert err.rstrip().splitlines()[-1].startswith("error[IB601]: interrupted") and half_written(home) == []
    assert [each["state"] for each in cli("snapshot", "list", "--json").json] in ([], ["build_failed"])
    index.held.clear()
    assert installed(client, cli, folder, name, "demo") == "1.0"


# Not to be had -------------------------------------------------------------------------------------------


def test_what_cannot_be_had_together(cli: Cli, home: Path, tmp_path: Path, name: str, index: Index) -> None:
    index.add("one", "1.0", "shared<2")
    index.add("other", "1.0", "shared>=2")
    index.add("shared", "1.0")
    index.add("shared", "2.0")
    done = cli("build", "spec.py", "--name", name, cwd=write(tmp_path / "project", index, "one", "other"))
    assert done.code == 2, done.err
    assert "error[IB670]: pip_install: these packages cannot be had together" in done.err and "spec.py:3:" in done.err
    # Of which of the two it speaks first depends on which answer came first.
    said = " ".join(done.err.split())
    assert "uv says:" in said and re.search("all versions of (one depend on shared<2|other depend on shared>=2)", said)
    assert cli("snapshot", "list", "--json").json == [] and half_written(home) == []


def test_other_bytes_than_the_index_says(cli: Cli, home: Path, tmp_path: Path, name: str, index: Index) -> None:
    index.lies.add(index.add("demo", "1.0"))
    done = cli("build", "spec.py", "--name", name, cwd=(folder := write(tmp_path / "project", index, "demo")))
    assert done.code == 1, done.err
    assert "error[IB672]: demo-1.0-py3-none-any.whl is not what its index or lock says" in done.err
    assert half_written(home) == [] and not list((home / "packages" / "wheels").rglob("*.whl"))
    index.lies.clear()
    assert cli("build", "spec.py", "--name", name, "--no-cache", cwd=folder).code == 0


def test_a_release_that_was_withdrawn(client: Client, cli: Cli, tmp_path: Path, name: str, index: Index) -> None:
    """Only who asks for just that one gets it, and is told."""
    index.add("demo", "1.0")
    index.yanked[index.add("demo", "2.0")] = "it is broken"
    assert installed(client, cli, write(tmp_path / "project", index, "demo"), name, "demo") == "1.0"
    done = cli("build", "spec.py", "--name", name, cwd=write(tmp_path / "project", index, "demo==2.0"))
    assert done.code == 0 and "warning[IB673]: demo==2.0 was withdrawn from its index: it is broken" in done.err


def test_an_index_that_is_down(cli: Cli, home: Path, tmp_path: Path, name: str, index: Index) -> None:
    """A build leaves it to the image's own installer, which may reach another network; a lock cannot be made."""
    folder = write(tmp_path / "project", index, "demo")
    index.shutdown()
    index.socket.close()
    done = cli("lock", "spec.py", cwd=folder)
    assert done.code == 1 and "error[IB671]: pip_install: no index answers" in done.err and "spec.py:3:" in done.err
    assert "uv says:" in done.err and not list(folder.glob("*.lock")) and half_written(home) == []
    done = cli("build", "spec.py", "--name", name, cwd=folder)
    assert done.code == 1 and "no index answers here" in done.err and "error[IB600]: pip_install failed" in done.err


def test_a_package_that_no_index_has(cli: Cli, tmp_path: Path, name: str, index: Index) -> None:
    index.add("demo", "1.0")
    done = cli("build", "spec.py", "--name", name, cwd=write(tmp_path / "project", index, "dmeo"))
    assert done.code == 2 and "error[IB670]: pip_install: no index has dmeo" in done.err and "spec.py:3:" in done.err
