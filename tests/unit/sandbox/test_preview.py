"""A port of this machine that leads to a sandbox's: whole answers, and what counts as use."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from imagebuilder.engine.containers import ContainerInfo
from imagebuilder.engine.fake_containers import FakeContainers
from imagebuilder.sandbox import preview
from imagebuilder.sandbox.box import Box


class Counting(Box):
    uses = 0

    def used(self) -> None:
        self.uses += 1


@pytest.fixture
def box(tmp_path: Path) -> Counting:
    containers = FakeContainers()
    containers.infos["x"] = ContainerInfo("x", "n", "running", "i", {}, datetime.now(UTC), address="127.0.0.1")
    return Counting("one", "x", lambda: containers, tmp_path / "x")


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that sends back what it gets, in pieces, and ends when its client does."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with listening.accept()[0] as client:
                while data := client.recv(1000):
                    client.sendall(data)

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]


@pytest.mark.parametrize(("every", "uses"), [(1e9, 1), (-1.0, 3)])
def test_each_way_is_whole_and_counts(
    box: Counting, echo: int, monkeypatch: pytest.MonkeyPatch, every: float, uses: int
) -> None:
    """A connection that stays open is a use for as long as something passes, and not at every byte."""
    monkeypatch.setattr(preview, "_USE", every)
    sent = bytes(range(256)) * 4000
    with (
        preview.open_preview(box, echo, 0) as opened,
        socket.create_connection(("127.0.0.1", opened.local_port), timeout=20) as client,
    ):
        threading.Thread(target=lambda: (client.sendall(sent), client.shutdown(socket.SHUT_WR)), daemon=True).start()
        received = b"".join(iter(lambda: client.recv(1 << 16), b""))
    assert received == sent
    assert box.uses == uses if uses == 1 else box.uses >= uses
