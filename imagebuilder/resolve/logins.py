"""Indexes that want a login: what a request's secrets say of them, taken apart into addresses and logins.

The addresses alone are resolved from, remembered and locked; a login goes from a
secret's value into the environment of uv and into a header of what is fetched.
"""

from __future__ import annotations

import netrc
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from imagebuilder.ir.ops import Secret
from imagebuilder.resolve.ask import Ask

NETRC = "/root/.netrc"
"""Where installers look for logins; as a secret's target."""

WAYS = "netrc, or secrets=['PIP_INDEX_URL'] (UV_INDEX_URL for uv) whose value is the URL with its login"
"""How an index's login is given."""

_PIP = frozenset(["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"])
_UV = frozenset(["UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL"])
_INSTEAD = frozenset(["PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX"])
# Names that installers, or what they use, read for something else.
_READ = re.compile(r"(PIP|UV|PYTHON|SSL|CURL|REQUESTS|XDG|LD)_\w+|NETRC|PATH|HOME|\w+_PROXY", re.IGNORECASE)
_IN_URL = re.compile(r"(?P<scheme>\w://)[^/\s@]*@")
_MOST_BYTES = 1 << 20

Origin = tuple[str, str, int]
"""Scheme, host and port."""

Values = Mapping[str, "str | Path"]
"""The secrets that a person gave, by name."""


class Unusable(Exception):
    """A secret whose value says nothing that can be used here; the text is why, without the value."""


class Missing(Unusable):
    """A secret without a value on this machine, whoever else has one."""


@dataclass(frozen=True, slots=True)
class Logins:
    """``of`` are a user's name and password, by the address of an index; ``netrc`` is the text of such a file."""

    of: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    netrc: str = field(default="", repr=False)

    def __or__(self, other: Logins) -> Logins:
        texts = [text for text in dict.fromkeys((self.netrc, other.netrc)) if text]
        return Logins({**self.of, **other.of}, "\n".join(texts))

    def at(self, url: str) -> tuple[str, str] | None:
        """That for a file: of the index at the same host whose address is most like its own."""
        where = origin(url)
        near = [each for each in self.of if origin(each) == where]
        if near:
            return self.of[max(near, key=lambda each: _common(each, url))]
        return _hosts(self.netrc).get(urlsplit(url).hostname or "") if self.netrc else None

    def hidden(self, text: str) -> str:
        """A text without their passwords, and without the logins in its URLs."""
        # A token may stand for a user without a password.
        words = {password or user for user, password in (*self.of.values(), *_hosts(self.netrc).values())} - {""}
        for word in sorted(words, key=len, reverse=True):
            text = text.replace(word, "***")
        return _IN_URL.sub(r"\g<scheme>***@", text)


def special(secrets: Iterable[Secret], *, uv: bool, with_index: bool) -> str:
    """What the secrets of a request may tell an installer that this room cannot; empty for nothing.

    Args:
        uv: it is uv that installs.
        with_index: the request names an index besides.
    """
    names = set()
    for each in secrets:
        if each.target is not None:
            if each.target != NETRC:
                return f"its secret {each.name} is a file, and none at {NETRC}"
        elif each.name in (_UV if uv else _PIP):
            names.add(each.name)
        elif _READ.fullmatch(each.name):
            return f"it takes the secret {each.name}"
    if uv and (len(names & _INSTEAD) > 1 or (names and with_index)):
        return f"it takes the secret {min(names)} and names another index"
    return ""


def names(secrets: Iterable[Secret]) -> tuple[str, ...]:
    """The secrets that say something of indexes."""
    return tuple(sorted({each.name for each in secrets if each.target or each.name in _PIP | _UV}))


def opened(ask: Ask, secrets: Iterable[Secret], values: Values) -> tuple[Ask, Logins]:
    """A request as the values of its secrets have it, with addresses alone; and the logins.

    Raises:
        Unusable: a value is missing, or is no index's address.
    """
    index, more = ask.index_url, list(ask.extra_index_urls)
    found = Logins()
    for secret in secrets:
        urls, its = said(secret, values)
        found |= its
        if secret.name not in _INSTEAD:
            more += urls
        elif urls and not ask.index_url:
            index = urls[0]
    return replace(ask, index_url=index, extra_index_urls=tuple(more)), found


def said(secret: Secret, values: Values) -> tuple[list[str], Logins]:
    """The addresses and the logins of one secret; nothing where it is not about indexes.

    Raises:
        Unusable: its value is missing, or is no index's address.
    """
    if not names([secret]):
        return [], Logins()
    value = value_of(secret.name, values)
    if secret.target:
        return [], Logins(netrc=value)
    each = [_apart(url, f"its secret {secret.name}") for url in value.split()]
    return [bare for bare, _ in each], Logins({bare: login for bare, login in each if login})


def value_of(name: str, values: Values) -> str:
    """The value of a secret.

    Raises:
        Unusable: there is none, or it cannot be read.
    """
    value = {**os.environ, **values}.get(name)
    if value is None:
        raise Missing(f"its secret {name} has no value here")
    if isinstance(value, str):
        return value
    try:
        with value.open("rb") as file:
            return file.read(_MOST_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError):
        raise Missing(f"the file of its secret {name} cannot be read") from None


def _apart(url: str, what: str) -> tuple[str, tuple[str, str] | None]:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise Unusable(f"{what} is no web server's address") from None
    if parts.scheme.lower() not in ("https", "http") or not host or not url.isprintable():
        raise Unusable(f"{what} is no web server's address")
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    if parts.username is None:
        return bare, None
    return bare, (unquote(parts.username), unquote(parts.password or ""))


def origin(url: str) -> Origin:
    """The server of an address."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, parts.hostname or "", parts.port or (443 if scheme == "https" else 80)


def _common(one: str, other: str) -> int:
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))))


def _hosts(text: str) -> dict[str, tuple[str, str]]:
    return {host: (user, password) for host, user, password in _netrc(text)} if text else {}


def _netrc(text: str) -> Iterator[tuple[str, str, str]]:
    # The library reads files alone.
    with tempfile.TemporaryDirectory(prefix="imagebuilder-") as folder:
        path = Path(folder) / "netrc"
        path.touch(0o600)
        path.write_text(text, encoding="utf-8")
        with suppress(netrc.NetrcParseError):
            for host, (user, _, password) in netrc.netrc(str(path)).hosts.items():
                yield host, user or "", password or ""
