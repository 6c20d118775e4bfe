"""Where npm can be asked for global packages, and why it is not elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder import Image
from imagebuilder.compiler import compile
from imagebuilder.resolve.ask import Left
from imagebuilder.resolve.lock import LockFile, read
from imagebuilder.resolve.system.ground import pinned
from imagebuilder.resolve.system.npm import NpmAsk, NpmGround

PLATFORM = "linux/amd64"
BASE = Image.base("node:22-slim")


def asks(image: Image) -> list[NpmAsk | Left]:
    found = []

    def answer(step: object, ask: NpmAsk | Left, ground: object) -> None:
        found.append(ask)

    pinned(compile(image, platform=PLATFORM).stage, NpmGround, answer)
    return found


@pytest.mark.parametrize(
    "image",
    [
        BASE,
        BASE.apt_install("git"),
        BASE.pip_install("six"),
        BASE.npm_install("left-pad"),
        BASE.npm_install("typescript", g=True),
        BASE.env(TZ="UTC").workdir("/srv").label(a="b").user("root"),
        BASE.add_text("x", "/opt/x"),
    ],
)
def test_what_changes_nothing_for_npm(image: Image) -> None:
    assert isinstance(asks(image.npm_install("mocha", "@types/node@22", "a@>=1 <2", g=True))[-1], NpmAsk)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (BASE.run_commands("true").npm_install("a", g=True), "commands run before it"),
        (BASE.user("web").npm_install("a", g=True), "it is not root that installs"),
        (BASE.env(NPM_CONFIG_REGISTRY="https://r").npm_install("a", g=True), "NPM_CONFIG_REGISTRY is set before it"),
        (BASE.env(npm_config_prefix="/x").npm_install("a", g=True), "npm_config_prefix is set before it"),
        (BASE.add_text("x", "/root/.npmrc").npm_install("a", g=True), "files are put into /root/.npmrc before it"),
        (BASE.volume("/usr/local").npm_install("a", g=True), "a volume is declared before it"),
        (Image.scratch().npm_install("a", g=True), "the base has no npm"),
        (BASE.npm_install("a", g=True, secrets=["NPM_TOKEN"]), "its secrets may name another registry"),
        (BASE.npm_install("a", g=True).npm_install("me/a", g=True), "me/a is not of the registry"),
        (BASE.npm_install("/tmp/a.tgz", g=True), "/tmp/a.tgz is not of the registry"),
        (BASE.npm_install("b@npm:a@1", g=True), "b@npm:a@1 is not of the registry"),
        (BASE.npm_install("a@1", "a@2", g=True), "a is asked for twice"),
        (BASE.npm_install("a"), "only global packages (g=True) are locked, or those of a package-lock.json"),
    ],
)
def test_where_npm_is_not_asked(image: Image, reason: str) -> None:
    left = asks(image)[-1]
    assert isinstance(left, Left) and left.reason == reason


def test_a_project_with_a_lock_of_its_own_needs_no_other(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text("{}")
    image = BASE.npm_install(path=tmp_path, dest="/app")
    (left,) = asks(image)
    assert isinstance(left, Left) and left.reason == "there is no package-lock.json beside its package.json"
    (tmp_path / "package-lock.json").write_text("{}")
    assert asks(image) == []
    assert LockFile(Path("a.lock")).open(compile(image, platform=PLATFORM).stage, PLATFORM) == []


@pytest.mark.parametrize(
    "package",
    [
        'path = "../a"\nversion = "1"\nintegrity = "sha512-AA=="',
        'path = "a"\nversion = "1"',
        'path = "a"\nversion = "1"\nintegrity = "sha1-AA=="',
        'path = "a"\nversion = "1"\nintegrity = "sha512-AA=="\nurl = "file:///etc"',
        'path = "a; reboot"\nversion = "1"\nintegrity = "sha512-AA=="',
        'version = "1"\nintegrity = "sha512-AA=="',
        'path = "a"\nversion = 1\nintegrity = "sha512-AA=="',
    ],
)
def test_what_is_no_npm_package_of_a_lock(tmp_path: Path, package: str) -> None:
    path = tmp_path / "a.lock"
    head = 'version = 1\n[[npm]]\nbase = "b"\nplatform = "p"\nrequest = "r"\nasked = ["a"]\n[[npm.package]]\n'
    path.write_text(head + package)
    with pytest.raises(Exception, match="is no lock") as caught:
        read(path)
    assert "IB675" in str(caught.value.diagnostics)  # type: ignore[attr-defined]
