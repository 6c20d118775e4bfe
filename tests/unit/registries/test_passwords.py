"""Where passwords are kept, and that nobody else gets to see them."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from imagebuilder.diagnostics import CompileError, ImagebuilderError
from imagebuilder.registries import Registries
from imagebuilder.registries.passwords import Helper, SystemKeyring, Unkept
from imagebuilder.store import RegistryTable, Store
from tests.unit.registries.conftest import Docker

PASSWORD = "t0p secret äöü"
HOST = "r.example.com"


def add(registries: Registries, name: str = "r", **options: object) -> object:
    return registries.add(name, **{"url": HOST, "username": "me", "password": PASSWORD, **options})  # type: ignore[arg-type]


def secret(registries: Registries) -> str:
    return registries._login(registries.get("r")).password


class MemoryKeyring:
    """What the package has for a backend, in memory."""

    priority = 5.0

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def set_password(self, service: str, user: str, password: str) -> None:
        if self.locked:
            raise RuntimeError(f"cannot keep {password}")
        self.kept[service, user] = password

    def get_password(self, service: str, user: str) -> str | None:
        if self.locked:
            raise RuntimeError("locked")
        return self.kept.get((service, user))

    def delete_password(self, service: str, user: str) -> None:
        del self.kept[service, user]


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> MemoryKeyring:
    import keyring as package

    made = MemoryKeyring()
    monkeypatch.setattr(package, "get_keyring", lambda: made)
    for name in ("set_password", "get_password", "delete_password"):
        monkeypatch.setattr(package, name, getattr(made, name))
    return made


def test_a_file_of_the_owners_alone(registries: Registries, tmp_path: Path) -> None:
    """Whatever the umask; and nothing of it is in the store."""
    before = os.umask(0)
    try:
        found = add(registries)
    finally:
        os.umask(before)
    file = tmp_path / "home/registries/credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert secret(registries) == PASSWORD and PASSWORD not in repr(found)
    for path in (tmp_path / "home").rglob("*"):
        if path.is_file() and path != file:
            assert PASSWORD.encode() not in path.read_bytes() and b"t0p" not in path.read_bytes(), path
    assert [path.name for path in file.parent.iterdir()] == ["credentials.json"]


def test_a_file_that_others_could_read_is_mended(registries: Registries, tmp_path: Path) -> None:
    add(registries)
    file = tmp_path / "home/registries/credentials.json"
    file.chmod(0o644)
    assert secret(registries) == PASSWORD and stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("settings", [{"credsStore": "test"}, {"credHelpers": {HOST: "test"}}])
def test_dockers_helper_is_used(registries: Registries, docker: Docker, tmp_path: Path, settings: object) -> None:
    """Over standard input alone, under an address that `docker login` never has."""
    docker.configure(**settings)  # type: ignore[arg-type]
    assert add(registries).kept_in == "helper:test"  # type: ignore[attr-defined]
    ((server, told),) = docker.kept.items()
    assert server.endswith(".imagebuilder.invalid") and (told["Username"], told["Secret"]) == ("me", PASSWORD)
    docker.configure()
    assert secret(registries) == PASSWORD, "where it was kept is remembered"
    registries.remove("r")
    assert docker.kept == {} and not (tmp_path / "home/registries/credentials.json").exists()
    assert [words[-2] for words, _, _ in docker.calls] == ["store", "get", "erase"]
    for words, _, env in docker.calls:
        assert PASSWORD not in " ".join(words) and PASSWORD not in " ".join(env.values())


def test_a_helper_for_another_host_is_not_asked(registries: Registries, docker: Docker) -> None:
    docker.configure(credHelpers={"other.example.com": "test"})
    assert add(registries).kept_in == "file" and docker.calls == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["../x", "gone", "", "a b"])
def test_a_helper_that_is_not_there(registries: Registries, docker: Docker, name: str) -> None:
    docker.configure(credsStore=name)
    if name == "":
        assert add(registries).kept_in == "file"  # type: ignore[attr-defined]
        return
    with pytest.raises(ImagebuilderError) as caught:
        add(registries)
    assert caught.value.diagnostics[0].code == "IB725" and "--keep-in" in caught.value.diagnostics[0].help
    assert registries.list() == []
    assert add(registries, keep_in="file").kept_in == "file"  # type: ignore[attr-defined]


@pytest.mark.parametrize("password", ["plain-secret", "secret-ä", 'secret-"'])
def test_a_locked_helper_says_so_without_the_password(registries: Registries, docker: Docker, password: str) -> None:
    """Though it repeats what it was given."""
    docker.configure(credsStore="test")
    docker.lock()
    with pytest.raises(ImagebuilderError) as caught:
        add(registries, password=password)
    assert "locked" in str(caught.value) and "secret-" not in str(caught.value).replace("***", "")
    assert "-secret" not in str(caught.value) and registries.list() == []


def test_the_systems_keyring_comes_first(registries: Registries, docker: Docker, keyring: MemoryKeyring) -> None:
    docker.configure(credsStore="test")
    assert add(registries).kept_in == "keyring" and docker.calls == []  # type: ignore[attr-defined]
    assert list(keyring.kept.values()) == [PASSWORD] and secret(registries) == PASSWORD
    registries.remove("r")
    assert keyring.kept == {}


def test_a_keyring_that_does_not_work_is_passed_over(registries: Registries, keyring: MemoryKeyring) -> None:
    keyring.locked = True
    assert add(registries).kept_in == "file"  # type: ignore[attr-defined]
    with pytest.raises(ImagebuilderError) as caught:
        add(registries, "s", url="s.example.com", keep_in="keyring")
    assert caught.value.diagnostics[0].code == "IB725" and PASSWORD not in str(caught.value)
    keyring.priority = 0.5
    assert not SystemKeyring.works(), "one that keeps plain text is none"


def test_a_place_that_is_not_there(registries: Registries) -> None:
    for place in ("keyring", "helper"):
        with pytest.raises(ImagebuilderError) as caught:
            add(registries, keep_in=place)
        assert caught.value.diagnostics[0].code == "IB725" and "keyring" in caught.value.diagnostics[0].help
    with pytest.raises(CompileError, match="no place is called 'drawer'"):
        add(registries, keep_in="drawer")


def test_a_keyring_that_is_locked_later(registries: Registries, keyring: MemoryKeyring) -> None:
    add(registries)
    keyring.locked = True
    with pytest.raises(ImagebuilderError) as caught:
        registries.header(f"{HOST}/app")
    assert caught.value.diagnostics[0].code == "IB725" and "locked" in str(caught.value)
    with pytest.raises(ImagebuilderError) as caught:
        registries.remove("r")
    assert "still in the system's keyring" in str(caught.value) and registries.list() == []
    keyring.locked = False
    add(registries)
    assert len(keyring.kept) == 1, "and is forgotten as soon as that goes"


def test_a_password_that_is_gone(registries: Registries, tmp_path: Path) -> None:
    add(registries)
    (tmp_path / "home/registries/credentials.json").write_text("{}")
    with pytest.raises(ImagebuilderError) as caught:
        registries.header(f"{HOST}/app")
    assert "no longer" in str(caught.value) and "--replace" in caught.value.diagnostics[0].help
    (tmp_path / "home/registries/credentials.json").write_text("{")
    with pytest.raises(ImagebuilderError, match="damaged"):
        registries.header(f"{HOST}/app")


def test_a_helper_that_answers_nonsense(docker: Docker) -> None:
    (docker.bin / "docker-credential-odd").write_text("#!/bin/sh\necho hello\n")
    (docker.bin / "docker-credential-odd").chmod(0o755)
    with pytest.raises(Unkept, match="none of a credential helper's"):
        Helper("odd").read("id")


KILLED = """
import os, signal, sys
from pathlib import Path
from imagebuilder.registries import Registries, passwords
from imagebuilder.store import RegistryTable, Store

stop = sys.argv[2]
def killing(owner, name):
    method = getattr(owner, name)
    def call(*words, **options):
        if stop == "before " + name:
            os.kill(os.getpid(), signal.SIGKILL)
        done = method(*words, **options)
        if stop == "after " + name:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    setattr(owner, name, call)
for owner, names in ((RegistryTable, ("begin", "ready", "leave")), (passwords.PasswordFile, ("keep", "forget"))):
    for name in names:
        killing(owner, name)
registries = Registries(Store(Path(sys.argv[1])))
given = dict(url="r.example.com", username="me", password="new")
if "leave" in stop or "forget" in stop:
    registries.remove("r")
else:
    registries.add("r", replace=True, **given)
"""


@pytest.mark.parametrize(
    "stop",
    [f"{when} {name}" for when in ("before", "after") for name in ("begin", "keep", "ready", "leave", "forget")],
)
def test_killed_at_any_moment(registries: Registries, tmp_path: Path, stop: str) -> None:
    """There is the old login, the new one or none; no password is left that nothing knows of."""
    home = tmp_path / "home"
    add(registries, password="old")
    done = subprocess.run([sys.executable, "-c", KILLED, str(home), stop], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    removing = "leave" in stop or "forget" in stop
    names = [r.name for r in registries.list()]
    assert names == (["r"] if not removing or stop == "before leave" else [])
    if names:
        assert secret(registries) == ("new" if stop == "after ready" else "old")
    add(registries, "other", url="o.example.com")
    table = RegistryTable(Store(home))
    assert table.cut_off() == []
    import json

    kept = json.loads((home / "registries/credentials.json").read_text())
    assert set(kept) == {r.id for r in registries.list()}
