"""``lock`` and ``outdated``: which file is written, for which target, and what is refused."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from imagebuilder.engine.fake import FakeEngine
from imagebuilder.engine.protocol import ImageInfo
from tests.unit.cli.conftest import Machine, Run

SPEC = """\
from imagebuilder import Image
image = Image.base("debian:13")
"""
SNAP = """\
snap 1
snapshot "team/app:1" from base "debian:13" {
}
snapshot "team-app:1" from base "debian:13" {
    env A=B
}
"""
DIGEST = "sha256:" + "d" * 64


@pytest.fixture
def spec(machine: Machine, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert isinstance(machine.engine, FakeEngine)
    machine.engine.images["debian:13"] = DIGEST
    monkeypatch.setattr("imagebuilder.locking.asker", lambda home: lambda ref: None)
    (project / "app.py").write_text(SPEC)
    return project / "app.py"


def test_what_is_written_names_its_target(cli: Run, spec: Path) -> None:
    done = cli("lock", "app.py")
    assert done.code == 0 and done.out.endswith("app.lock: 1 image\n")
    assert 'target = "app.py"' in spec.with_suffix(".lock").read_text()
    assert cli("build", "app.py", "--locked").code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("--upgrade", "app.py"),
        ("app.py", "--upgrade"),
        ("--upgrade", "app.py", "curl"),
        ("--upgrade", "curl", "app.py"),
        ("app.py", "--upgrade", "curl"),
        ("--upgrade", "app.py", "--json"),
    ],
)
def test_the_target_may_stand_before_and_after_what_is_upgraded(cli: Run, spec: Path, words: tuple[str, ...]) -> None:
    done = cli("lock", *words)
    assert done.code == 0 and spec.with_suffix(".lock").exists(), done.err
    assert ("not upgraded: app.lock has no curl" in done.err) == ("curl" in words)


@pytest.mark.parametrize("words", [(), ("--upgrade",), ("--upgrade", "curl", "nowhere.py")])
def test_a_missing_target_is_told(cli: Run, spec: Path, words: tuple[str, ...]) -> None:
    done = cli("lock", *words)
    assert done.code == 2 and "no target is named" in done.err and "lock TARGET --upgrade" in done.err
    assert ("nowhere.py" in done.err) == ("nowhere.py" in words)


def test_two_names_are_never_one_file(cli: Run, spec: Path) -> None:
    spec.with_name("all.snap").write_text(SNAP)
    assert cli("lock", "all.snap").code == 0
    assert {path.name for path in spec.parent.glob("*.lock")} == {"team+app@1.lock", "team-app@1.lock"}
    keys = json.loads(cli("hash", "all.snap", "--json", "--locked").out)
    assert len({each["key"] for each in keys}) == 2


@pytest.mark.parametrize("command", ["lock", "outdated", "build", "hash"])
def test_the_lock_of_another_target_is_refused(cli: Run, spec: Path, command: str) -> None:
    spec.with_name("app.snap").write_text('snap 1\nsnapshot "app" from base "debian:13" {\n}\n')
    assert cli("lock", "app.snap").code == 0
    text = spec.with_suffix(".lock").read_text()
    done = cli(command, "app.py")
    assert done.code == 2 and "IB679" in done.err and "app.lock is the lock of app.snap, not of app.py" in done.err
    assert spec.with_suffix(".lock").read_text() == text


def test_that_of_a_target_that_has_another_name_now_is_taken(cli: Run, spec: Path) -> None:
    spec.with_name("app.snap").write_text('snap 1\nsnapshot "app" from base "debian:13" {\n}\n')
    assert cli("lock", "app.snap").code == 0
    spec.with_name("app.snap").unlink()
    assert cli("hash", "app.py", "--locked").code == 0


def test_the_lock_of_a_folder_names_its_dockerfile(cli: Run, spec: Path) -> None:
    (spec.parent / "web").mkdir()
    (spec.parent / "web" / "Dockerfile").write_text("FROM debian:13\n")
    assert cli("lock", "web").code == 0
    assert 'target = "Dockerfile"' in (spec.parent / "web" / "web.lock").read_text()
    assert cli("hash", "web/Dockerfile", "--locked").code == 0


def test_a_lock_that_cannot_be_written_is_still_what_it_was(
    cli: Run, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk, or where `lock` is killed."""
    assert cli("lock", "app.py").code == 0
    text = spec.with_suffix(".lock").read_text()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("imagebuilder.files.os.fsync", full)
    spec.write_text(SPEC.replace("debian:13", "debian:12"))
    monkeypatch.setattr("imagebuilder.locking.asker", lambda home: lambda ref: DIGEST)
    done = cli("lock", "app.py")
    assert done.code != 0 and "app.lock" in done.err and "no space left" in done.err
    assert spec.with_suffix(".lock").read_text() == text
    assert not [path for path in spec.parent.iterdir() if "lock" in path.name and path.name != "app.lock"]


def test_a_lock_that_is_a_link_stays_one(cli: Run, spec: Path) -> None:
    (spec.parent / "locks").mkdir()
    spec.with_suffix(".lock").symlink_to("locks/app.lock")
    assert cli("lock", "app.py").code == 0
    assert spec.with_suffix(".lock").is_symlink() and (spec.parent / "locks" / "app.lock").is_file()


def test_a_snapshot_of_something_else_is_not_built_again_to_say_so(cli: Run, machine: Machine, spec: Path) -> None:
    assert cli("build", "app.py").code == 0
    spec.write_text(f'{SPEC.rstrip()}.env({{"A": "B"}})\n')
    assert isinstance(machine.engine, FakeEngine)
    before = len(machine.engine.requests)
    done = cli("verify", "app.py")
    assert done.code == 2 and "IB676" in done.err and "build app.py" in done.err
    assert len(machine.engine.requests) == before


def test_who_built_it_under_another_name_is_told_how_to_say_that(cli: Run, spec: Path) -> None:
    assert cli("build", "app.py", "--name", "other").code == 0
    done = cli("verify", "app.py")
    assert done.code == 2 and "IB702" in done.err and "--name" in done.err


def test_an_image_of_another_platform_is_not_locked_for_this(
    cli: Run, machine: Machine, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no registry answers, the engine's image is what a tag is; for its own platform alone."""
    found = ImageInfo(DIGEST, 1000, ("debian:13",), (), (), (), "linux/amd64")
    monkeypatch.setattr(machine.engine, "image", lambda ref: found)
    done = cli("lock", "app.py", "--platform", "linux/arm64")
    assert done.code == 1 and "IB645" in done.err and "for linux/amd64 alone" in done.err
    assert not spec.with_suffix(".lock").exists()
    assert cli("lock", "app.py", "--platform", "linux/amd64").code == 0


def test_a_package_may_be_named_as_people_write_it(cli: Run, spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagebuilder.resolve.lock.LockFile.names", property(lambda lock: {"ruamel-yaml"}))
    assert "not upgraded" not in cli("lock", "app.py", "--upgrade", "Ruamel.YAML").err
