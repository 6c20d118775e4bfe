"""An index that gave no answer is not waited for again, for as long as nobody takes a connection there."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagebuilder import Image, command
from imagebuilder.compiler import compile
from imagebuilder.diagnostics import BuildError
from imagebuilder.resolve import uv
from imagebuilder.resolve.ask import Ask, Target
from imagebuilder.resolve.lock import LockFile
from imagebuilder.resolve.resolver import Resolver
from imagebuilder.resolve.silent import Silent
from tests.unit.resolve.making import distribution, python
from tests.unit.resolve.test_uv import DOWN

TARGET = Target("3.12.4", "x86_64-manylinux_2_36")


class Port:
    """One of loopback, which is closed until it is opened."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.number = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.number}/simple"

    def open(self) -> None:
        self._socket.listen()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def port() -> Iterator[Port]:
    made = Port()
    yield made
    made.close()


@pytest.fixture
def other() -> Iterator[Port]:
    made = Port()
    yield made
    made.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Ask]:
    """What uv, which gets no answer, was asked."""
    made: list[Ask] = []

    def resolve(ask: Ask, *_: object, **__: object) -> uv.Answer:
        made.append(ask)
        raise down(ask.index_url)

    monkeypatch.setattr(uv, "resolve", resolve)
    return made


def down(url: str) -> uv.Unresolved:
    return uv._unresolved(DOWN.replace("http://127.0.0.1:9/simple", url), 2)


def left(home: Path, port: Port, package: str = "six", **options: Any) -> list[str]:
    made = Resolver(home, lambda base: python(), **options)
    image = Image.base("python:3.12-slim").pip_install(package, index_url=port.url)
    made.resolved(compile(image, platform="linux/amd64"))
    return [each.reason for each in made.left]


WHY = ["no index answers here: Connection refused (os error 111)"]


def test_the_next_build_does_not_ask_again_and_says_the_same(home: Path, port: Port, asked: list[Ask]) -> None:
    assert left(home, port) == WHY and len(asked) == 1
    assert left(home, port) == WHY and left(home, port, "idna") == WHY and len(asked) == 1


def test_uv_itself_is_started_once(home: Path, port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    run = command.run

    def counted(*words: Any, **options: Any) -> Any:
        started.append(words)
        env = {**options.pop("env"), "UV_HTTP_RETRIES": "0"}
        return run(*words, env=env, **options)

    monkeypatch.setattr(command, "run", counted)
    assert left(home, port) == left(home, port) == WHY and len(started) == 1


def test_an_index_that_is_back_is_asked(home: Path, port: Port, asked: list[Ask]) -> None:
    left(home, port)
    port.open()
    left(home, port)
    assert len(asked) == 2


def test_it_is_forgotten_where_a_connection_is_taken(home: Path, port: Port) -> None:
    ask = Ask(TARGET, ("six",), index_url=port.url)
    Silent(home).note(ask, down(port.url))
    assert Silent(home).why(ask) == "Connection refused (os error 111)"
    port.open()
    assert Silent(home).why(ask) == "" and list((home / "packages/answers").iterdir()) == []


def test_no_cache_and_lock_ask_all_the_same(home: Path, port: Port, asked: list[Ask]) -> None:
    left(home, port)
    left(home, port, anew=True)
    with pytest.raises(BuildError):
        left(home, port, lock=LockFile(home / "app.lock"))
    assert len(asked) == 3


def test_what_was_answered_before_is_still_taken(home: Path, port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uv, "resolve", lambda *_, **__: uv.Answer((distribution("six"),), {}))
    assert left(home, port) == []
    Silent(home).note(Ask(TARGET, index_url=port.url), down(port.url))
    assert left(home, port) == []


@pytest.mark.parametrize("seconds", [601, -5])
def test_it_is_asked_again_after_ten_minutes(
    home: Path, port: Port, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    """Also where the clock was put back."""
    ask, now = Ask(TARGET, index_url=port.url), time.time()
    Silent(home).note(ask, down(port.url))
    monkeypatch.setattr(time, "time", lambda: now + seconds)
    assert Silent(home).why(ask) == ""


@pytest.mark.parametrize("damage", ["", "[", "{}", '{"at": "x", "said": 1}'])
def test_a_damaged_note_is_none(home: Path, port: Port, damage: str) -> None:
    ask = Ask(TARGET, index_url=port.url)
    Silent(home).note(ask, down(port.url))
    (file,) = (home / "packages/answers").iterdir()
    assert sorted(json.loads(file.read_text())) == ["at", "said"]
    file.write_text(damage)
    assert Silent(home).why(ask) == ""


def test_other_servers_are_not_remembered(home: Path, port: Port, other: Port) -> None:
    """As that of an index's files; nor is one that answers with an error."""
    ask = Ask(TARGET, index_url=port.url)
    Silent(home).note(ask, down(other.url))
    Silent(home).note(ask, uv._unresolved(f"error: Failed to fetch: {port.url}\n  cause: HTTP status 503", 2))
    Silent(home).note(ask, uv.Unresolved(uv.NO_INDEX, "uv did not end within 600 s"))
    assert Silent(home).why(ask) == "" and not (home / "packages/answers").exists()


def test_another_port_is_another_index(home: Path, port: Port, other: Port) -> None:
    Silent(home).note(Ask(TARGET, index_url=port.url), down(port.url))
    assert Silent(home).why(Ask(TARGET, index_url=port.url + "/else"))
    assert not Silent(home).why(Ask(TARGET, index_url=other.url))


def test_an_index_that_may_not_be_asked_holds_nobody_up(home: Path, port: Port, other: Port) -> None:
    """uv stops at the first index that has a package; pip asks all."""
    Silent(home).note(Ask(TARGET, index_url=port.url), down(port.url))
    both = {"index_url": port.url, "extra_index_urls": (other.url,)}
    assert Silent(home).why(Ask(TARGET, **both, best=True))  # type: ignore[arg-type]
    assert not Silent(home).why(Ask(TARGET, **both, best=False))  # type: ignore[arg-type]
    assert Silent(home).why(Ask(TARGET, extra_index_urls=(port.url,), best=False))
    named = (("0/r.txt", f"--extra-index-url {other.url}\nsix\n"),)
    assert not Silent(home).why(Ask(TARGET, files=named, roots=1, index_url=port.url, best=False))


def test_behind_a_proxy_it_is_the_proxy_that_has_to_answer(
    home: Path, port: Port, other: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = Ask(TARGET, index_url=port.url)
    Silent(home).note(ask, down(port.url))
    monkeypatch.setenv("HTTP_PROXY", f"http://me:word@127.0.0.1:{other.number}")
    assert Silent(home).why(ask)
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:bad")
    assert not Silent(home).why(ask), "it is not known where it may go"
    monkeypatch.delenv("ALL_PROXY")
    Silent(home).note(ask, down(port.url))
    other.open()
    assert not Silent(home).why(ask)


def test_what_is_no_address_is_uvs_to_say(home: Path) -> None:
    for url in ("https://[::1", "https://h:99999/simple"):
        Silent(home).note(Ask(TARGET, index_url=url), down("http://127.0.0.1:9/simple"))
        assert Silent(home).why(Ask(TARGET, index_url=url)) == ""
