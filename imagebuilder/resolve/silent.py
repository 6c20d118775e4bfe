"""Indexes that did not answer a moment ago, so that not every build waits for uv to give one up again."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit
from urllib.request import getproxies

from pydantic import BaseModel, ValidationError

from imagebuilder.resolve.ask import Ask
from imagebuilder.resolve.logins import Origin, origin
from imagebuilder.resolve.shelf import Answers
from imagebuilder.resolve.uv import PYPI, Unresolved

_SECONDS = 600.0
_CONNECT = 1.0
_PORTS = {"https": 443, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}


class _Note(BaseModel):
    """When uv gave up, and its last words."""

    at: float
    said: str


class Silent:
    """Those that one home's builds met, by scheme, host and port."""

    def __init__(self, home: Path) -> None:
        self._answers = Answers(home)

    def note(self, ask: Ask, error: Unresolved) -> None:
        """That uv gave up on an index of this request. Other servers, such as one of files, are not remembered."""
        where = origin(error.about) if error.about else None
        if where is not None and where in _certain(ask):
            told = _Note(at=time.time(), said=last(error.said))
            self._answers.keep(_name(where), told.model_dump_json())

    def why(self, ask: Ask) -> str:
        """What uv last said of an index that this request cannot do without, and that cannot be reached now either.

        Empty where uv has to be asked.
        """
        return next((said for where in _certain(ask) if (said := self._said(where))), "")

    def _said(self, where: Origin) -> str:
        name = _name(where)
        try:
            told = _Note.model_validate_json(self._answers.get(name) or b"")
        except ValidationError:
            return ""
        if 0 <= time.time() - told.at < _SECONDS and not _answers(where):
            return told.said
        self._answers.forget(name)
        return ""


def last(said: str) -> str:
    """The line that says why, of all that uv says."""
    return said.splitlines()[-1]


def _certain(ask: Ask) -> list[Origin]:
    """The indexes that uv asks in any case: where the first that has a package decides, the others may not be."""
    urls = (*ask.extra_index_urls, ask.index_url or PYPI)
    if not ask.best:
        # Those that a file names come before as well.
        urls = () if any("--extra-index-url" in text for _, text in ask.files) else urls[:1]
    try:
        return [origin(url) for url in urls]
    except ValueError:  # What is no address, uv is to say.
        return []


def _name(where: Origin) -> str:
    return f"silent-{sha256(repr(where).encode()).hexdigest()}"


def _answers(where: Origin) -> bool:
    """Whether anybody takes a connection on one of the ways there; also where that cannot be told."""
    try:
        ways = list(_ways(*where))
    except ValueError:  # A proxy that is no address.
        return True
    found: list[bool] = []

    def look(host: str, port: int) -> None:
        with suppress(OSError, UnicodeError), socket.create_connection((host, port), _CONNECT):
            found.append(True)

    # A name server that is dead as well knows no time limit, so nobody waits for the end of these.
    looks = [Thread(target=look, args=way, daemon=True) for way in ways]
    for each in looks:
        each.start()
    until = time.monotonic() + _CONNECT
    for each in looks:
        each.join(max(0.0, until - time.monotonic()))
    return bool(found)


def _ways(scheme: str, host: str, port: int) -> Iterator[tuple[str, int]]:
    """Where a connection may go: straight to the server, or to a proxy, since uv has its own rules for which."""
    yield host, port
    proxies = getproxies()
    for proxy in filter(None, (proxies.get(scheme), proxies.get("all"))):
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        yield parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 80)
