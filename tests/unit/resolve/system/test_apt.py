"""Debian packages: which statements can be locked, what is read of apt's words, and what is installed then."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from imagebuilder import Image
from imagebuilder.compiler import compile
from imagebuilder.ir.packages import AptRun
from imagebuilder.resolve.ask import Left
from imagebuilder.resolve.lock import LockFile
from imagebuilder.resolve.system import apt
from imagebuilder.resolve.system.apt import AptAsk, AptGround, DebianPackage, LockedApt
from imagebuilder.resolve.system.ground import pinned

BASE, PLATFORM = "python:3.13-slim-trixie", "linux/amd64"
DIGEST = "sha256:" + "d" * 64


def slim() -> Image:
    return Image.debian_slim("3.13")


def asks(image: Image, version: str = "1") -> list[AptAsk | Left]:
    """What an image wants of apt; each gets what it names, in that version."""
    found: list[AptAsk | Left] = []

    def answer(step: object, ask: AptAsk | Left, ground: object) -> LockedApt | None:
        found.append(ask)
        if isinstance(ask, Left):
            return None
        packages = tuple(DebianPackage(name, version, "amd64") for name in ask.packages)
        return LockedApt(ask.base, PLATFORM, ask.request, ask.packages, packages)

    pinned(compile(image, platform=PLATFORM).stage, AptGround, answer)
    return found


def locked(image: Image, version: str = "1") -> LockFile:
    """A lock that has the packages of an image in that version, each with a library."""
    apts = []
    for ask in asks(image, version):
        assert isinstance(ask, AptAsk)
        packages = tuple(DebianPackage(name, version, "amd64") for name in ask.packages)
        apts.append(LockedApt(BASE, PLATFORM, ask.request, ask.packages, packages))
    return LockFile(Path("app.lock"), {(BASE, PLATFORM): DIGEST}, apts=tuple(apts))


# Where apt can be asked ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "image",
    [
        slim(),
        slim().apt_install("tini"),
        slim().pip_install("six"),
        slim().uv_pip_install("six"),
        slim().env(TZ="UTC", http_proxy="http://proxy:3128"),
        slim().workdir("/srv").label(a="b").user("root"),
        slim().add_text("x", "/opt/x"),
        slim().copy_from("busybox:1", "/bin/sh", "/opt/sh"),
        slim().add_text("deb http://snapshot.example trixie main\n", "/etc/apt/sources.list.d/x.list"),
    ],
)
def test_what_changes_nothing_for_apt(image: Image) -> None:
    assert isinstance(asks(image.apt_install("curl"))[-1], AptAsk)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (slim().run_commands("true"), "commands run before it"),
        (slim().run_commands("true").apt_install("tini"), "commands run before it"),
        (slim().user("app"), "it is not root that installs"),
        (slim().env(APT_CONFIG="/x"), "APT_CONFIG is set before it"),
        (slim().env(PATH="/x"), "PATH is set before it"),
        (slim().add_text("x", "/etc/dpkg/x"), "files are put into /etc/dpkg/x before it"),
        (slim().copy_from("busybox:1", "/a", "/etc/apt/"), "files are put into /etc/apt/ before it"),
        (slim().add_url("http://h.example/k", "/etc/apt/keyrings/k"), "files are put into /etc/apt/keyrings/k"),
        (Image.scratch(), "the base has no apt"),
    ],
)
def test_what_may_change_it(image: Image, reason: str) -> None:
    found = asks(image.apt_install("curl"))[-1]
    assert isinstance(found, Left) and found.reason.startswith(reason)


def test_an_unlocked_one_below_makes_the_next_unlockable() -> None:
    stage = compile(slim().apt_install("a").apt_install("b"), platform=PLATFORM).stage
    found: list[AptAsk | Left] = []
    pinned(stage, AptGround, lambda step, ask, ground: found.append(ask))  # type: ignore[arg-type, return-value]
    assert isinstance(found[0], AptAsk) and found[1] == Left("packages were installed before it that no lock has")


def test_the_request_covers_what_decides_the_answer() -> None:
    source = "deb http://snapshot.example/1 trixie main\n"
    images = [
        slim().apt_install("curl"),
        slim().apt_install("curl", "tini"),
        slim().apt_install("curl", recommends=True),
        slim().apt_install("tini").apt_install("curl"),
        slim().add_text(source, "/etc/apt/sources.list.d/x.list").apt_install("curl"),
        slim().add_text(source.replace("1", "2"), "/etc/apt/sources.list.d/x.list").apt_install("curl"),
    ]
    last = [asks(image)[-1] for image in images]
    last.append(asks(slim().apt_install("tini").apt_install("curl"), version="2")[-1])
    requests = {each.request for each in last if isinstance(each, AptAsk)}
    assert len(requests) == len(last)
    again = asks(slim().label(a="b").apt_install("curl"))[-1]
    assert isinstance(again, AptAsk) and again.request in requests


# What apt says ------------------------------------------------------------------------------------------

SAID = """\
Note, selecting 'zlib1g-dev' instead of 'libz-dev'
Inst libc6 [2.41-1] (2.41-2 Debian:13.8/stable, Debian-Security:13/stable-security [amd64])
Inst manpages (6.9.1-1 localhost [all]) [libc6:amd64 ]
Inst libc6:i386 (2.41-2 Debian:13.8/stable [i386])
Inst zlib1g-dev (1:1.3.dfsg+really1.3.1-1+deb13u1 Debian:13.8/stable [amd64])
Inst tini (0.19.0-3+b8 Debian:13.8/stable [amd64])
tini
  (none)
libz-dev
  (none)
tzdata
  2026a-1
libc6:i386
  (none)
""".splitlines()


def test_what_apt_says_is_read() -> None:
    packages, dependencies = apt.answered(SAID, ["tini=0.19.0-3+b8", "libz-dev", "tzdata/trixie", "libc6:i386"])
    assert list(map(str, packages)) == [
        "libc6=2.41-2 [amd64]",
        "libc6:i386=2.41-2 [i386]",
        "tini=0.19.0-3+b8 [amd64]",
        "tzdata=2026a-1",
        "zlib1g-dev=1:1.3.dfsg+really1.3.1-1+deb13u1 [amd64]",
    ]
    assert list(map(str, dependencies)) == ["manpages=6.9.1-1 [all]"]
    assert [apt.package(str(each)) for each in packages + dependencies] == packages + dependencies


def test_what_apt_would_remove_is_seen() -> None:
    assert apt.would_remove([*SAID, "Remv mawk [1.3.4-1]"]) == "mawk" and not apt.would_remove(SAID)


# What is installed --------------------------------------------------------------------------------------


def test_just_the_versions_of_the_lock_are_installed() -> None:
    image = slim().apt_install("curl", recommends=True)
    lock = locked(image)
    libraries = (DebianPackage("libcurl4", "1", "amd64"),)
    lock = replace(lock, apts=(replace(lock.apts[0], dependencies=libraries),))
    plan = compile(image, platform=PLATFORM, lock=lock)
    (step,) = plan.stage.steps
    assert not plan.open and isinstance(step.op, AptRun) and step.op.pins == ("curl=1", "libcurl4=1")
    text = plan.dockerfile().text
    assert "--no-install-recommends" in text and "curl=1 libcurl4=1\napt-mark auto libcurl4 > /dev/null\n" in text


def test_the_key_covers_the_versions() -> None:
    image = slim().apt_install("curl")
    locks = [locked(image, "1"), locked(image, "2"), replace(locked(image), apts=())]
    assert len({compile(image, platform=PLATFORM, lock=lock).key for lock in locks}) == 3


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (slim().apt_install("curl", "git"), "git is new"),
        (slim().apt_install("git"), "curl is gone"),
        (slim().apt_install("curl", recommends=True), "options of a request"),
        (slim().run_commands("true").apt_install("curl"), "apt_install of curl is left"),
        (Image.debian_slim("3.11").apt_install("curl"), "no Debian packages for python:3.11-slim-bookworm"),
    ],
)
def test_what_a_lock_does_not_answer_is_said(image: Image, said: str) -> None:
    found = compile(image, platform=PLATFORM, lock=locked(slim().apt_install("curl"))).open
    assert any(said in each for each in found)
