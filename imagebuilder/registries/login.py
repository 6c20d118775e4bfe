"""Handing passwords on: as a header of the engine's API, and as a configuration of Docker's for one call."""

from __future__ import annotations

import base64
import json
import shutil
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagebuilder.engine.endpoint import docker_config, docker_settings
from imagebuilder.home import private_folder
from imagebuilder.locks import lock, unless_held
from imagebuilder.registries.addresses import config_key, host_of_key
from imagebuilder.store import Registry

_LOGINS = ("auths", "credHelpers", "credsStore")


@dataclass(frozen=True, slots=True)
class Login:
    """A registry with its password."""

    registry: Registry
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """``user:password`` in base64, as HTTP and Docker's configuration have it."""
        return base64.b64encode(f"{self.registry.username}:{self.password}".encode()).decode()

    @property
    def header(self) -> str:
        """What the engine's API takes as ``X-Registry-Auth``."""
        told = {
            "username": self.registry.username,
            "password": self.password,
            "serveraddress": config_key(self.registry.host),
        }
        return base64.urlsafe_b64encode(json.dumps(told).encode()).decode()


@dataclass(frozen=True, slots=True)
class LoginTest:
    """A login that is taken. ``pulls`` says whether it was shown that it may pull, None where that could not be."""

    name: str
    message: str
    pulls: bool | None

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "ok": True, "message": self.message, "pulls": self.pulls}


@contextmanager
def docker_config_with(logins: Sequence[Login], hosts: Collection[str], home: Path, locks: Path) -> Iterator[Path]:
    """A folder for ``DOCKER_CONFIG``, as long as the block lasts: the person's own, with other logins.

    It has the given ones, those of the person's own for the other ``hosts``, and none besides. Contexts, plugins,
    builders and settings are the person's.
    """
    folder = _folder(home)
    private_folder(folder.parent)
    private_folder(folder)
    id = uuid.uuid4().hex
    with lock(_lock(locks, id)):
        made = folder / id
        try:
            made.mkdir(mode=0o700)
            own = docker_config()
            with suppress(FileNotFoundError, NotADirectoryError):
                for path in own.absolute().iterdir():
                    if path.name != "config.json":
                        (made / path.name).symlink_to(path)
            file = made / "config.json"
            file.touch(mode=0o600)
            file.write_text(json.dumps(settings_with(docker_settings(), logins, hosts)))
            yield made
        finally:
            # Links are removed, not what they lead to.
            shutil.rmtree(made, ignore_errors=True)


def settings_with(own: Mapping[str, Any], logins: Sequence[Login], hosts: Collection[str]) -> dict[str, Any]:
    """Docker's settings with the given logins, and its own for the other ``hosts``."""
    ours = {login.registry.host for login in logins}
    others = set(hosts) - ours
    auths: dict[str, Any] = {key: value for key, value in _table(own, "auths").items() if host_of_key(key) in others}
    auths |= {config_key(login.registry.host): {"auth": login.basic} for login in logins}
    # The helper for all hosts would be asked for ours as well, and before `auths`.
    everywhere = own.get("credsStore")
    helpers: dict[str, Any] = {}
    if isinstance(everywhere, str) and everywhere:
        helpers = {key: everywhere for host in others for key in {host, config_key(host)}}
    helpers |= {key: value for key, value in _table(own, "credHelpers").items() if host_of_key(key) in others}
    kept = {key: value for key, value in own.items() if key not in _LOGINS}
    return {**kept, "auths": auths, **({"credHelpers": helpers} if helpers else {})}


def _table(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = settings.get(name)
    return found if isinstance(found, dict) else {}


def sweep(home: Path, locks: Path) -> None:
    """Remove the folders that killed processes left."""
    folder = _folder(home)
    for path in folder.iterdir() if folder.is_dir() else ():
        with unless_held(_lock(locks, path.name)) as free:
            if free:
                shutil.rmtree(path, ignore_errors=True)


def _folder(home: Path) -> Path:
    return home / "registries" / "logins"


def _lock(locks: Path, id: str) -> Path:
    return locks / f"login-{id}"
