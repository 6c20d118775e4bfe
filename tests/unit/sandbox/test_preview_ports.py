"""Ports: what is one, and where a connection goes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from imagebuilder.diagnostics import CompileError
from imagebuilder.engine.fake_containers import FakeContainers
from imagebuilder.ir.resources import Resources
from imagebuilder.sandbox import CreateSandboxFromSnapshotParams, Sandbox, Sandboxes


@pytest.fixture
def containers() -> FakeContainers:
    return FakeContainers()


@pytest.fixture
def sandbox(containers: FakeContainers, tmp_path: Path) -> Sandbox:
    made = Sandboxes(tmp_path, lambda: containers, lambda: "sha256:tool").create(
        CreateSandboxFromSnapshotParams(), image="i", snapshot="s", resources=Resources(), entrypoint=None
    )
    containers.infos[made.id] = replace(containers.infos[made.id], address="127.0.0.1")
    return made


@pytest.fixture
def served() -> Iterator[int]:
    """A port that says hello to each connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection = server.accept()[0]
                except OSError:
                    return
                with connection:
                    connection.sendall(b"hello")

        threading.Thread(target=serve, daemon=True).start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(("port", "local_port"), [(0, 0), (70000, 0), (80, -1), (80, 70000), ("80", 0)])
def test_what_is_no_port(sandbox: Sandbox, port: int, local_port: int) -> None:
    with pytest.raises(CompileError) as caught:
        sandbox.preview(port, local_port=local_port)
    assert caught.value.diagnostics[0].code == "IB755"


def test_it_leads_to_the_sandbox_as_long_as_that_runs(
    sandbox: Sandbox, containers: FakeContainers, served: int
) -> None:
    """Once it has stopped, another sandbox may have its address."""

    def said() -> bytes:
        with socket.create_connection(("127.0.0.1", opened.local_port), timeout=20) as connection:
            return connection.recv(10)

    with sandbox.preview(served) as opened:
        assert said() == b"hello"
        containers.stop(sandbox.id)
        assert said() == b""
        containers.start(sandbox.id)
        assert said() == b"hello"
        containers.remove(sandbox.id)
        assert said() == b""
