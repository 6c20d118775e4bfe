"""Secrets in what a build prints: a command may show the value it was given.

The last line of defence, as CI services have it: a value is found as it is, not
when a program prints it in another form.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from imagebuilder.engine.protocol import SecretValue

SHOWN = "***"
# A shorter value would take letters out of every other word.
SHORTEST = 4
_MOST_BYTES = 65_536
_URL_SAFE = str.maketrans("-_", "+/")


def redactor(secrets: Iterable[SecretValue]) -> Callable[[str], str]:
    """A function that replaces each line of each secret by ``***`` in a line of text."""
    hidden = {line.strip() for secret in secrets if secret.hidden for line in _text(secret).splitlines()}
    # A value that holds another goes first.
    ordered = sorted((line for line in hidden if len(line) >= SHORTEST), key=len, reverse=True)

    def redact(line: str) -> str:
        for value in ordered:
            line = line.replace(value, SHOWN)
        return line

    return redact


def of_login(header: str) -> Iterator[SecretValue]:
    """The password of ``X-Registry-Auth``, in each form in which a registry that got it may say it again."""
    found = _json(header)
    if isinstance(found, dict):
        yield from _forms(str(found.get("username", "")), str(found.get("password", "")))


def of_config(folder: Path) -> Iterator[SecretValue]:
    """The passwords of a Docker configuration, as :func:`of_login`."""
    try:
        found: Any = json.loads((folder / "config.json").read_bytes())
        logins = list(found["auths"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return
    for login in logins:
        if isinstance(login, dict) and isinstance(login.get("auth"), str):
            user, _, password = _decoded(login["auth"]).partition(":")
            yield from _forms(user, password)


def _forms(user: str, password: str) -> Iterator[SecretValue]:
    basic = base64.b64encode(f"{user}:{password}".encode(errors="replace")).decode()
    yield from map(SecretValue, (password, basic, quote(password, safe="", errors="replace")))


def _json(text: str) -> Any:
    try:
        return json.loads(_decoded(text))
    except (ValueError, RecursionError):
        return None


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text.translate(_URL_SAFE)).decode(errors="replace")
    except ValueError:
        return ""


def _text(secret: SecretValue) -> str:
    if secret.file is None:
        return secret.value or ""
    try:
        with secret.file.open("rb") as file:
            return file.read(_MOST_BYTES).decode(errors="ignore")
    except OSError:
        return ""
