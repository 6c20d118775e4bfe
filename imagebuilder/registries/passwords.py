"""Where passwords are kept: the system's keyring, one of Docker's credential helpers, or a file of the owner's alone.

Each keeps a password under the id of its registry's row, which is never used
again. With a helper the id stands in an address of a domain that cannot exist,
so that ``docker login`` and ``docker logout`` of the same host do not meet it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Protocol

from imagebuilder import command
from imagebuilder.diagnostics import EngineError
from imagebuilder.engine.endpoint import docker_settings
from imagebuilder.engine.protocol import SecretValue
from imagebuilder.engine.redact import redactor
from imagebuilder.files import read_text
from imagebuilder.home import private_folder
from imagebuilder.registries.addresses import config_key, host_of_key

Kind = Literal["keyring", "helper", "file"]
KINDS: tuple[Kind, ...] = ("keyring", "helper", "file")

_SERVICE = "imagebuilder"
# The system may ask the person to unlock it.
_HELPER_TIMEOUT = 120.0
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LONGEST = 200


class Unkept(Exception):
    """A password could not be kept, read or forgotten there; the text says why, and holds no password."""


class Place(Protocol):
    """Where a password is. ``kept_in`` is its name in a registry's row."""

    kind: Kind
    kept_in: str
    title: str

    def keep(self, id: str, username: str, password: str) -> None:
        """
        Raises:
            Unkept: it would not.
        """
        ...

    def read(self, id: str) -> str | None:
        """None where it has none.

        Raises:
            Unkept: it would not.
        """
        ...

    def forget(self, id: str) -> None:
        """Nothing happens where it has none.

        Raises:
            Unkept: it would not.
        """
        ...


class SystemKeyring:
    """Through the package ``keyring``: macOS's Keychain, Windows' Credential Manager, the Secret Service, KWallet."""

    kind: Kind = "keyring"
    kept_in = "keyring"
    title = "the system's keyring"

    @staticmethod
    def works() -> bool:
        """Whether the package is there with a backend that keeps secrets as one should."""
        try:
            import keyring

            # Below 1 are those that keep nothing, or as plain text.
            return float(keyring.get_keyring().priority) >= 1
        except Exception:  # noqa: BLE001 - a backend may fail as it likes where its service is missing
            return False

    def keep(self, id: str, username: str, password: str) -> None:
        self._call("set_password", _SERVICE, id, password)

    def read(self, id: str) -> str | None:
        found = self._call("get_password", _SERVICE, id)
        return None if found is None else str(found)

    def forget(self, id: str) -> None:
        if self.read(id) is not None:
            self._call("delete_password", _SERVICE, id)

    def _call(self, name: str, *words: str) -> Any:
        try:
            import keyring

            return getattr(keyring, name)(*words)
        except ImportError:
            raise Unkept("the package keyring is not installed any more") from None
        except Exception as error:  # noqa: BLE001 - backends raise what their system does
            # Not its text: a backend may quote what it was given.
            raise Unkept(f"it failed with {type(error).__name__}; is it locked?") from None


class Helper:
    """One of Docker's credential helpers: ``docker-credential-NAME``, spoken to over its standard input."""

    kind: Kind = "helper"

    def __init__(self, name: str) -> None:
        self.kept_in = f"helper:{name}"
        self.title = f"Docker's credential helper {name!r}"
        self._name = name

    def keep(self, id: str, username: str, password: str) -> None:
        told = {"ServerURL": _server(id), "Username": username, "Secret": password}
        self._call("store", json.dumps(told), password)

    def read(self, id: str) -> str | None:
        answer = self._call("get", _server(id), "")
        try:
            return None if answer is None else str(json.loads(answer)["Secret"])
        except (ValueError, KeyError, TypeError):
            raise Unkept("its answer is none of a credential helper's") from None

    def forget(self, id: str) -> None:
        self._call("erase", _server(id), "")

    def _call(self, verb: str, told: str, password: str) -> str | None:
        if not _HELPER.fullmatch(self._name):
            raise Unkept("that is not a helper's name")
        try:
            done = command.run([f"docker-credential-{self._name}", verb], input=told.encode(), timeout=_HELPER_TIMEOUT)
        except EngineError as error:
            raise Unkept(error.diagnostics[0].message) from None
        except subprocess.TimeoutExpired:
            raise Unkept(f"no answer within {_HELPER_TIMEOUT:g} s") from None
        out = done.stdout.decode(errors="replace")
        if done.returncode == 0:
            return out
        if "credentials not found" in out:
            return None
        said = (out.strip() or done.stderr.decode(errors="replace").strip()).replace("\n", " ")
        said = redactor([SecretValue(password), SecretValue(json.dumps(password)[1:-1])])(said)
        raise Unkept(said[:_LONGEST] or f"it ended with exit code {done.returncode}")


class PasswordFile:
    """``registries/credentials.json`` in the home, changed under the registries' lock and written whole."""

    kind: Kind = "file"
    kept_in = "file"

    def __init__(self, home: Path) -> None:
        self._folder = home / "registries"
        self.path = self._folder / "credentials.json"
        self.title = f"{self.path}, which only you can read"

    def keep(self, id: str, username: str, password: str) -> None:
        self._write({**self._all(), id: password})

    def read(self, id: str) -> str | None:
        return self._all().get(id)

    def forget(self, id: str) -> None:
        found = self._all()
        if found.pop(id, None) is not None:
            self._write(found)

    def _all(self) -> dict[str, str]:
        try:
            if self.path.stat().st_mode & 0o077:
                self.path.chmod(0o600)
            found = json.loads(read_text(self.path))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise Unkept((error.strerror or str(error)).lower()) from None
        except ValueError:
            raise Unkept("the file is damaged; move it away, and add the registries again") from None
        return {str(id): str(password) for id, password in found.items()} if isinstance(found, dict) else {}

    def _write(self, passwords: dict[str, str]) -> None:
        try:
            private_folder(self._folder).chmod(0o700)
            handle, name = tempfile.mkstemp(prefix=".credentials-", dir=self._folder)  # Of mode 0600.
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(passwords, file)
                    file.flush()
                    os.fsync(handle)
                Path(name).replace(self.path)
            finally:
                with suppress(FileNotFoundError):
                    Path(name).unlink()
        except OSError as error:
            raise Unkept((error.strerror or str(error)).lower()) from None

    def sweep(self) -> None:
        """Remove what a process left that was killed while it wrote; only for who holds the lock."""
        if self._folder.is_dir():
            for path in self._folder.glob(".credentials-*"):
                path.unlink(missing_ok=True)


def place(kept_in: str, home: Path) -> Place:
    """The place of that name in a registry's row."""
    if kept_in == SystemKeyring.kept_in:
        return SystemKeyring()
    kind, _, name = kept_in.partition(":")
    return Helper(name) if kind == "helper" else PasswordFile(home)


def places(host: str, home: Path, wanted: Kind | None) -> list[Place]:
    """Where a new password may go, the best first; none where what is wanted is not there."""
    found: list[Place] = []
    if wanted in (None, "keyring") and SystemKeyring.works():
        found.append(SystemKeyring())
    if wanted in (None, "helper") and (name := helper_of(host)):
        found.append(Helper(name))
    elif wanted in (None, "file"):
        # Where Docker's configuration names a helper, a plain file is not what the person wants.
        found.append(PasswordFile(home))
    return found


def helper_of(host: str) -> str:
    """The credential helper that Docker's configuration names for a host, or for all; empty where it names none."""
    settings = docker_settings()
    helpers = settings.get("credHelpers")
    for key, name in helpers.items() if isinstance(helpers, dict) else ():
        if key in (host, config_key(host)) or host_of_key(key) == host:
            return name if isinstance(name, str) else ""
    name = settings.get("credsStore")
    return name if isinstance(name, str) else ""


def _server(id: str) -> str:
    return f"https://{id}.imagebuilder.invalid"
