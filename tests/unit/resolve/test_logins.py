"""Where a login and a redirect lead to, when wheels are fetched; and where they do not."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from imagebuilder.layering.wheels import WheelStore
from tests.unit.layering.serving import NAME, Server, refused, status, whole


def test_redirects_are_followed(server: Server, other: Server, store: WheelStore) -> None:
    server.answers = [status(302, Location=other.url())]
    store.fetch([server.file()])
    assert len(other.asked) == 1


def test_redirects_in_a_circle_end(server: Server, store: WheelStore) -> None:
    server.answers = [status(302, Location=server.url())]
    code, message = refused(store, server.file())
    assert code == "IB671" and "redirects" in message and len(server.asked) < 10


@pytest.fixture
def netrc(home: Path) -> Path:
    home.mkdir()
    path = home / ".netrc"
    path.write_text("machine 127.0.0.1 login user password påss:word\n", encoding="utf-8")
    path.chmod(0o600)
    return path


LOGIN = "Basic " + base64.b64encode("user:påss:word".encode()).decode()


def logins(server: Server) -> list[str | None]:
    return [headers.get("Authorization") for _, headers in server.asked]


def test_a_hosts_login_is_sent_to_it(server: Server, store: WheelStore, netrc: Path) -> None:
    store.fetch([server.file()])
    assert logins(server) == [LOGIN]


def test_and_to_no_other(server: Server, store: WheelStore, netrc: Path) -> None:
    store.fetch([server.file(url=server.url(host="localhost"))])
    assert logins(server) == [None]


def test_nor_after_a_redirect(server: Server, other: Server, store: WheelStore, netrc: Path) -> None:
    """Another port is another host; so is another name."""
    server.answers = [status(302, Location=server.url(host="localhost")), status(302, Location=other.url())]
    server.answers += [whole()]
    store.fetch([server.file()])
    assert logins(server) == [LOGIN, None] and logins(other) == [None]


def test_netrc_may_lie_elsewhere(
    server: Server, store: WheelStore, netrc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETRC", str(netrc.rename(tmp_path / "logins")))
    store.fetch([server.file()])
    assert logins(server) == [LOGIN]


@pytest.mark.parametrize("text", [b"machine", b"\xff\xfe", b"machine 127.0.0.1 oops x"])
def test_a_damaged_netrc_is_none(server: Server, store: WheelStore, netrc: Path, text: bytes) -> None:
    netrc.write_bytes(text)
    store.fetch([server.file()])
    assert logins(server) == [None]


@pytest.mark.parametrize("form", ["http://me:p%40ss@127.0.0.1:{port}", "me:p%40ss@127.0.0.1:{port}"])
def test_a_proxy_gets_its_own_login(
    server: Server, store: WheelStore, netrc: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setenv("http_proxy", form.format(port=server.server_address[1]))
    monkeypatch.setenv("no_proxy", "")
    store.fetch([server.file(url=f"http://files.example.org/{NAME}")])
    ((path, headers),) = server.asked
    assert path == f"http://files.example.org/{NAME}" and "Authorization" not in headers
    assert base64.b64decode(headers["Proxy-Authorization"].removeprefix("Basic ")) == b"me:p@ss"


def test_some_hosts_go_without_a_proxy(server: Server, store: WheelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    store.fetch([server.file()])
