"""What goes wrong with snapshots and sandboxes: what is said, the exit code, and what the row says afterwards."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebuilder import Client, Image
from tests.conftest import Cli, Done
from tests.engine.registry import PASSWORD, USER, Registry, free_port, running

PYTHON = "python:3.13-slim-trixie"


@pytest.fixture(autouse=True)
def _cleaned(client: Client, env: dict[str, str]) -> Iterator[None]:
    yield
    for sandbox in client.list():
        sandbox.delete()
    for snapshot in client.snapshot.list():
        client.snapshot.delete(snapshot.name)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running(tmp_path / "registry", password=True) as found:
        yield found


def told(done: Done, exit_code: int, code: str, *parts: str) -> None:
    """One diagnostic, which says what to do."""
    (error,) = done.json["error"]
    assert (done.code, error["code"]) == (exit_code, code), done.err
    assert error["help"] and "Traceback" not in done.err
    for part in parts:
        assert part in error["message"] + error["help"]


def row(cli: Cli, name: str) -> tuple[str, str]:
    found = cli("snapshot", "info", name, "--json").json
    return found["state"], found["reason"]


def test_an_unknown_snapshot(cli: Cli) -> None:
    cli("snapshot", "create", "numpy", "--image", PYTHON)
    told(cli("sandbox", "create", "nunpy", "--json"), 2, "IB702", "nunpy", "numpy")
    assert cli("sandbox", "list", "--json").json == []


def test_an_inactive_snapshot(cli: Cli) -> None:
    cli("snapshot", "create", "a", "--image", PYTHON)
    cli("snapshot", "deactivate", "a")
    told(cli("sandbox", "create", "a", "--json"), 2, "IB707", "snapshot activate a")
    assert row(cli, "a") == ("inactive", "deactivated")
    cli("snapshot", "activate", "a")
    assert cli("sandbox", "create", "a", "--json").code == 0


def test_a_name_that_is_taken(cli: Cli) -> None:
    cli("snapshot", "create", "a", "--image", PYTHON)
    told(cli("snapshot", "create", "a", "--image", "python:3.11-slim-bookworm", "--json"), 2, "IB763", "--replace")
    assert row(cli, "a") == ("active", "")
    assert cli("sandbox", "create", "a", "--name", "one").code == 0
    told(cli("sandbox", "create", "a", "--name", "one", "--json"), 2, "IB751", "sandbox delete one")


@pytest.mark.parametrize("ref", ["python", "python:latest"])
def test_an_image_without_a_version(cli: Cli, ref: str) -> None:
    told(cli("snapshot", "create", "a", "--image", ref, "--json"), 2, "IB761", "--resolve")
    told(cli("sandbox", "create", "--image", ref, "--json"), 2, "IB761")
    assert cli("snapshot", "list", "--json").json == []


def test_a_wrong_password(client: Client, cli: Cli, registry: Registry) -> None:
    host = f"127.0.0.1:{registry.port}"
    client.registry.add("r", url=host, username=USER, password="not-it")
    told(cli("registry", "test", "r", "--json"), 1, "IB728", "password")
    told(cli("snapshot", "create", "a", "--image", f"{host}/team/app:1", "--json"), 1, "IB645", "registry")
    state, reason = row(cli, "a")
    assert state == "error" and "not-it" not in reason and PASSWORD not in reason


def test_a_registry_that_is_down(cli: Cli) -> None:
    ref = f"127.0.0.1:{free_port()}/team/app:1"
    told(cli("snapshot", "create", "a", "--image", ref, "--json"), 1, "IB645", ref)
    state, reason = row(cli, "a")
    assert state == "error" and "refused" in reason


def test_an_image_that_ends_at_once(cli: Cli) -> None:
    words = ("--entrypoint", "sh -c 'echo what is wrong >&2; exit 3'")
    told(cli("snapshot", "create", "a", "--image", PYTHON, *words, "--json"), 1, "IB759", "what is wrong", "code 3")
    state, reason = row(cli, "a")
    assert state == "error" and "what is wrong" in reason
    told(cli("sandbox", "create", "a", "--json"), 2, "IB707", "making it failed", "what is wrong")


def test_an_image_that_gives_up_after_a_while(cli: Cli) -> None:
    words = ("--entrypoint", "sh -c 'sleep 1.5; echo no database >&2; exit 3'")
    told(cli("snapshot", "create", "a", "--image", PYTHON, *words, "--json"), 1, "IB759", "no database", "code 3")


def test_an_image_for_another_architecture(client: Client, cli: Cli, tmp_path: Path) -> None:
    machine, platform = (62, "linux/amd64") if os.uname().machine == "aarch64" else (183, "linux/arm64")
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, machine, 1, 0x400078, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, 128, 128, 0x1000)
    (tmp_path / "program").write_bytes(header + segment + b"\0" * 8)
    image = Image.scratch().add_local_file(str(tmp_path / "program"), "/program", chmod="755").entrypoint(["/program"])
    built = client.build(image, name="theirs:1.0", platform=platform)
    told(cli("snapshot", "push", built.image, "--name", "a", "--json"), 1, "IB759", "architecture")
    state, reason = row(cli, "a")
    assert state == "error" and platform in reason


def test_a_disk_that_is_full(cli: Cli, client: Client, env: dict[str, str], tmp_path: Path) -> None:
    """Of the home: what was there before still is, and goes on when there is space."""
    home = tmp_path / "small"
    home.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", home], check=True)
    try:
        small = {**env, "IMAGEBUILDER_HOME": str(home)}
        assert cli("snapshot", "create", "a", "--image", PYTHON, env=small).code == 0
        full = subprocess.run(["dd", "if=/dev/zero", f"of={home}/ballast", "bs=512"], capture_output=True, check=False)
        assert b"No space" in full.stderr
        done = cli("snapshot", "create", "b", "--image", PYTHON, "--json", env=small)
        told(done, done.code, done.json["error"][0]["code"], "space")
        assert done.code in (1, 2)
        (home / "ballast").unlink()
        assert [each["name"] for each in cli("snapshot", "list", "--json", env=small).json] in (["a"], ["b", "a"])
        assert cli("snapshot", "create", "b", "--image", PYTHON, env=small).code == 0
        assert cli("sandbox", "create", "a", "--name", "one", env=small).code == 0
        assert cli("sandbox", "delete", "one", env=small).code == 0
        for name in "ab":
            assert cli("snapshot", "delete", name, env=small).code == 0
    finally:
        subprocess.run(["umount", home], check=True)


def test_no_engine(cli: Cli, env: dict[str, str], tmp_path: Path) -> None:
    nowhere = {**env, "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    for words in (
        ("snapshot", "create", "a", "--image", PYTHON),
        ("snapshot", "push", PYTHON, "--name", "a"),
        ("sandbox", "create", "--image", PYTHON),
        ("sandbox", "list"),
    ):
        told(cli(*words, "--json", env=nowhere), 3, "IB500", "engine start")
    assert cli("snapshot", "list", "--json").json == []
