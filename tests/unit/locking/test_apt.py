"""Apt as it is asked by a build: what the build is, what is made of its answer, and how it fails."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from imagebuilder import Image
from imagebuilder.compiler import Plan, compile
from imagebuilder.diagnostics import BuildError, CompileError, ImagebuilderError
from imagebuilder.engine.fake import FakeEngine
from imagebuilder.engine.protocol import BuildFailed, BuildRequest, LogEvent, OnEvent
from imagebuilder.ir.packages import AptRun
from imagebuilder.locking import Change, changes, locked
from imagebuilder.options import BuildOptions
from imagebuilder.resolve.lock import LockFile
from imagebuilder.store import Store

BASE, PLATFORM = "python:3.13-slim-trixie", "linux/amd64"
DIGEST = "sha256:" + "d" * 64


class Apt(FakeEngine):
    """Its builds print what apt says of the packages that the script asks for, each with a library."""

    def __init__(self) -> None:
        super().__init__()
        self.versions: dict[str, str] = {}
        self.said: list[str] | None = None

    def build(self, request: BuildRequest, on_event: OnEvent) -> str:
        script = request.dockerfile.read_text()
        answer = re.search(r"^ANSWER=(\S+)$", script, re.M)
        words = re.search(r"^WORDS='?([^'\n]*)'?$", script, re.M)
        assert answer and words and request.no_cache
        for line in [answer[1], *(self.said or self._installs(words[1].split())), answer[1]]:
            on_event(LogEvent("a", line))
        return super().build(request, on_event)

    def _installs(self, names: list[str]) -> list[str]:
        each = [*names, *(f"lib{name}" for name in names)]
        return [f"Inst {name} ({self.versions.get(name, '1-1')} Debian:13/stable [amd64])" for name in each]


@pytest.fixture
def engine() -> Apt:
    return Apt()


def plan(image: Image) -> Plan:
    return compile(image, platform=PLATFORM)


def lock(
    image: Image, engine: Apt, home: Path, before: LockFile | None = None, upgrade: list[str] | None = None
) -> tuple[LockFile, list[str]]:
    known = before or LockFile(home / "app.lock", {(BASE, PLATFORM): DIGEST})
    found, left = locked(
        plan(image),
        known.path,
        known,
        Store(home),
        lambda: engine,
        lambda event: None,
        BuildOptions(),
        upgrade=upgrade or [],
    )
    return found, [each.reason for each in left]


def test_a_lock_has_all_that_apt_would_install(engine: Apt, tmp_path: Path) -> None:
    image = Image.debian_slim("3.13").apt_install("curl")
    found, left = lock(image, engine, tmp_path)
    assert not left and [(list(map(str, a.packages)), list(map(str, a.dependencies))) for a in found.apts] == [
        (["curl=1-1 [amd64]"], ["libcurl=1-1 [amd64]"])
    ]
    built = compile(image, platform=PLATFORM, lock=found)
    assert not built.open and isinstance(built.stage.steps[0].op, AptRun)
    (text,) = engine.dockerfiles
    assert text.startswith(f"FROM {BASE}@{DIGEST}\n") and not engine.images, "the image that was asked is gone"


def test_it_is_asked_in_the_state_that_it_will_find(engine: Apt, tmp_path: Path) -> None:
    source = "deb http://snapshot.example trixie main\n"
    image = (
        Image.debian_slim("3.13")
        .env(https_proxy="http://proxy:3128")
        .add_text(source, "/etc/apt/sources.list.d/x.list")
        .apt_install("tini")
        .copy_from("busybox:1", "/bin/sh", "/opt/sh")
        .apt_install("curl", recommends=True)
    )
    known = LockFile(tmp_path / "app.lock", {(BASE, PLATFORM): DIGEST, ("busybox:1", PLATFORM): DIGEST})
    lock(image, engine, tmp_path, known)
    first, second = engine.dockerfiles
    assert all(source in text and "http://proxy:3128" in text and "busybox" not in text for text in (first, second))
    assert "THERE=''" in first and "THERE='libtini=1-1 tini=1-1'" in second
    assert "OPTIONS=--no-install-recommends" in first and "OPTIONS=''" in second


def test_versions_stay_unless_they_are_to_be_upgraded(engine: Apt, tmp_path: Path) -> None:
    image = Image.debian_slim("3.13").apt_install("curl")
    before, _ = lock(image, engine, tmp_path)
    again, _ = lock(image, engine, tmp_path, before)
    assert again == before and "KEPT='curl=1-1\nlibcurl=1-1'" in engine.dockerfiles[-1]
    engine.versions = {"curl": "2-1"}
    now, _ = lock(image, engine, tmp_path, before, ["curl"])
    assert "KEPT=libcurl=1-1" in engine.dockerfiles[-1]
    assert changes(before, now) == [Change("apt", "curl", "1-1", "2-1")]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (["No apt"], "the base has no apt"),
        (["Inst curl (1 D [amd64])", "Remv wget [1]"], "apt would remove wget for it"),
        (["what?"], "apt does not say what it would install"),
    ],
)
def test_what_cannot_be_locked_is_left_knowingly(engine: Apt, tmp_path: Path, said: list[str], reason: str) -> None:
    image = Image.debian_slim("3.13").apt_install("curl")
    engine.said = said
    found, left = lock(image, engine, tmp_path)
    assert left == [reason] and [each.left for each in found.apts] == [reason]
    built = compile(image, platform=PLATFORM, lock=found)
    assert not built.open and not isinstance(built.stage.steps[0].op, AptRun)


def test_so_is_what_nobody_is_asked_about(engine: Apt, tmp_path: Path) -> None:
    image = Image.debian_slim("3.13").run_commands("true").apt_install("curl").pip_install("six", find_links="/w")
    found, left = lock(image, engine, tmp_path)
    python = "the base's Python does not say where its packages go"
    assert not engine.requests and left == [python, "commands run before it"]
    assert [each.left for each in (*found.installs, *found.apts)] == left
    assert not compile(image, platform=PLATFORM, lock=found).open


def test_what_is_locked_for_another_platform_stays(engine: Apt, tmp_path: Path) -> None:
    image = Image.debian_slim("3.13").apt_install("curl")
    before, _ = lock(image, engine, tmp_path)
    other = compile(image, platform="linux/arm64")
    known = LockFile(before.path, {**before.bases, (BASE, "linux/arm64"): DIGEST}, apts=before.apts)
    both, _ = locked(
        other, known.path, known, Store(tmp_path), lambda: engine, lambda event: None, BuildOptions(), upgrade=[]
    )
    assert [each.platform for each in both.apts] == [PLATFORM, "linux/arm64"]
    assert not compile(image, platform=PLATFORM, lock=both).open


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        (71, CompileError, "apt_install: Unable to locate package curl"),
        (70, BuildError, "not all of apt's archives answer"),
        (2, BuildError, "apt_install failed with exit code 2"),
    ],
)
def test_a_failure_is_told_at_its_line(
    engine: Apt, tmp_path: Path, code: int, error: type[ImagebuilderError], said: str
) -> None:
    image = Image.debian_slim("3.13").apt_install("curl")
    line = 2
    engine.fail = BuildFailed("x", line=line, exit_code=code, log=["Get:1 x", "E: Unable to locate package curl"])
    with pytest.raises(error, match=re.escape(said)) as caught:
        lock(image, engine, tmp_path)
    (told,) = caught.value.diagnostics
    assert told.place is not None and told.place.resolve().file == __file__ and told.help
