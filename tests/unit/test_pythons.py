"""What is known of a base's Python: asked of the base once, and of which nothing can be laid out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from imagebuilder.diagnostics import BuildError, Diagnostic, EngineError
from imagebuilder.engine.fake import FakeEngine
from imagebuilder.engine.protocol import ImageInfo, Output
from imagebuilder.ir.ops import BaseImage
from imagebuilder.ir.packages import Python
from imagebuilder.pythons import Pythons
from imagebuilder.resolve.ground import HARMLESS
from imagebuilder.store import Store
from tests.unit.resolve.making import BIN, SITE

PLATFORM = "linux/amd64"
BASE = BaseImage(ref="python:3.12-slim")
SAID: dict[str, Any] = {
    "version": "3.12.4",
    "implementation": "cpython",
    "executable": "/usr/local/bin/python3.12",
    "purelib": SITE,
    "platlib": SITE,
    "scripts": BIN,
    "data": "/usr/local",
    "include": "/usr/local/include/python3.12",
    "glibc": "2.36",
    "uid": 0,
    "in_venv": False,
    "folders": [["/usr", 493, 0, 0], ["/usr/local", 493, 0, 0]],
    "links": [["/usr/local/lib64", "/usr/local/lib"]],
    "there": [["Pip", "24.0"], ["My_Pkg.x", "1"]],
    "settings": [],
    "takes_venv": True,
    "uv_settings": "/app/uv.toml",
    "free_threaded": False,
}


class Engine(FakeEngine):
    """Answers as a base's Python would; ``asked`` are the images that were."""

    def __init__(self, said: object = SAID, code: int = 0) -> None:
        super().__init__()
        self.said, self.code = said, code
        self.asked: list[str] = []
        self.commands: list[Sequence[str]] = []
        self.platform = ""
        self.triggers: tuple[str, ...] = ()

    def run(self, image: str, command: Sequence[str], timeout: float = 60.0) -> Output:
        self.asked.append(image)
        self.commands.append(command)
        if isinstance(self.said, Exception):
            raise self.said
        return Output(self.code, self.said if isinstance(self.said, str) else json.dumps(self.said), "")

    def image(self, ref: str) -> ImageInfo | None:
        found = super().image(ref)
        return found and found._replace(platform=self.platform, triggers=self.triggers)


def pythons(home: Path, engine: FakeEngine, platform: str = PLATFORM) -> Pythons:
    return Pythons(Store(home), lambda: engine, platform)


def test_what_a_base_says(home: Path) -> None:
    engine = Engine()
    found = pythons(home, engine).of(BASE)
    assert isinstance(found, Python)
    assert (found.version, found.glibc, found.purelib, found.scripts) == ("3.12.4", "2.36", SITE, BIN)
    assert found.folders == (("/usr", 493, 0, 0), ("/usr/local", 493, 0, 0))
    assert found.links == (("/usr/local/lib64", "/usr/local/lib"),)
    assert found.takes_venv and found.uv_settings == "/app/uv.toml"
    assert found.there == (("my-pkg-x", "1"), ("pip", "24.0")), "by the names that indexes compare"
    assert engine.fetched == [BASE.ref], "an image that is not there is pulled"
    ((shell, option, find, probe),) = engine.commands
    assert (shell, option) == ("/bin/sh", "-c") and "-IB" in find and "def folders" in probe


def test_each_base_is_asked_once(home: Path) -> None:
    """By the digest of its image: a tag may have moved."""
    engine = Engine()
    first = pythons(home, engine)
    assert first.of(BASE) is first.of(BASE)
    assert pythons(home, engine).of(BASE) == first.of(BASE) and len(engine.asked) == 1
    engine.images[BASE.ref] = "sha256:" + "1" * 64
    assert pythons(home, engine).of(BASE) == first.of(BASE) and len(engine.asked) == 2


@pytest.mark.parametrize("damage", [b"", b"{", b"{}", b"\xff", b"[]", b'{"version": 3}'])
def test_a_damaged_answer_is_asked_again(home: Path, damage: bytes) -> None:
    engine = Engine()
    found = pythons(home, engine).of(BASE)
    (kept,) = (home / "packages" / "answers").iterdir()
    kept.write_bytes(damage)
    assert pythons(home, engine).of(BASE) == found and len(engine.asked) == 2


def test_an_answer_that_cannot_be_kept_is_one(home: Path) -> None:
    (home / "packages" / "answers").parent.mkdir(parents=True)
    (home / "packages" / "answers").write_text("in the way")
    assert isinstance(pythons(home, Engine()).of(BASE), Python)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"implementation": "pypy"}, "not CPython"),
        ({"glibc": ""}, "not CPython on the GNU C library"),
        ({"uid": 1000}, "another user than root"),
        ({"in_venv": True}, "virtual environment"),
        ({"free_threaded": True}, "free-threaded"),
        ({"settings": ["PIP_NO_CACHE_DIR", "PIP_INDEX_URL"]}, "has settings for installers: PIP_INDEX_URL"),
        ({"settings": ["/etc/pip.conf"]}, "has settings for installers: /etc/pip.conf"),
        ({"executable": "/opt/my python/bin/python"}, "scripts cannot name"),
        ({"executable": ""}, "scripts cannot name"),
        ({"executable": "python"}, "scripts cannot name"),
        ({"executable": "/" + "x" * 100}, "scripts cannot name"),
        ({"purelib": "/usr/\nlib"}, "scripts cannot name"),
        ({"purelib": "//usr/lib"}, "scripts cannot name"),
        ({"purelib": "/usr/../lib"}, "scripts cannot name"),
        ({"data": "/usr/"}, "scripts cannot name"),
        ({"data": None}, "does not say"),
        ({"folders": [["/usr", "mode"]]}, "does not say"),
        ({"folders": None}, "does not say"),
        ({"there": [["a"]]}, "does not say"),
        ({"version": None}, "does not say"),
    ],
)
def test_where_nothing_can_be_laid_out(home: Path, said: dict[str, object], reason: str) -> None:
    found = pythons(home, Engine(SAID | said)).of(BASE)
    assert isinstance(found, str) and reason in found


def test_settings_that_change_nothing(home: Path) -> None:
    said = SAID | {"settings": sorted(name for name in HARMLESS if name.startswith("PIP_"))}
    assert isinstance(pythons(home, Engine(said)).of(BASE), Python)


@pytest.mark.parametrize("said", ["", "hello", "[]", "3", "null", "{}", "[" * 100_000, '{"a": ' * 100_000])
def test_an_answer_that_makes_no_sense(home: Path, said: str) -> None:
    assert pythons(home, Engine(said)).of(BASE) == "the base's Python does not say where its packages go"


@pytest.mark.parametrize(
    ("code", "reason"), [(127, "has no Python"), (126, "has no Python"), (1, "does not work"), (139, "does not work")]
)
def test_a_base_that_does_not_answer(home: Path, code: int, reason: str) -> None:
    found = pythons(home, Engine("", code)).of(BASE)
    assert isinstance(found, str) and reason in found


def test_a_base_that_does_not_end(home: Path) -> None:
    engine = Engine(BuildError(Diagnostic("IB600", "not ended after 120 s")))
    assert pythons(home, engine).of(BASE) == "the base's Python does not answer: not ended after 120 s"


def test_why_not_is_asked_once_in_a_build(home: Path) -> None:
    engine = Engine("")
    found = pythons(home, engine)
    assert found.of(BASE) == found.of(BASE) and len(engine.asked) == 1


def test_other_platforms_are_not_asked(home: Path) -> None:
    """The engine could run nothing of them."""
    engine = Engine()
    assert "not the engine's own" in str(pythons(home, engine, "linux/arm64").of(BASE))
    other = BaseImage(ref=BASE.ref, platform="linux/arm64")
    assert "linux/arm64" in str(pythons(home, engine).of(other)) and engine.asked == []
    engine.platform = "linux/arm64"
    assert pythons(home, engine).of(BASE) == "the base here is for linux/arm64" and engine.asked == []


def test_a_base_that_cannot_be_pulled(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(ref: str, login: str | None = None) -> None:
        raise EngineError(Diagnostic("IB500", "no such image"))

    engine = Engine()
    monkeypatch.setattr(engine, "fetch", refuse)
    assert pythons(home, engine).of(BASE) == "the base cannot be asked: no such image"
    monkeypatch.setattr(engine, "fetch", lambda *_: None)
    assert pythons(home, engine).of(BASE) == "the base cannot be asked"


def test_a_base_that_begins_builds_with_steps_of_its_own(home: Path) -> None:
    """They may install packages, or be another user, after the base was asked."""
    engine = Engine()
    engine.triggers = ("USER 1000",)
    assert pythons(home, engine).of(BASE) == "the base has ONBUILD instructions, which come before it"
    assert not engine.asked
