"""The command line inside of this process, with a home of its own and an engine in memory."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from imagebuilder.cli.main import run
from imagebuilder.diagnostics import Diagnostic, EngineError
from imagebuilder.engine.fake import FakeEngine
from tests.conftest import Done

Run = Callable[..., Done]

SPEC = """\
from imagebuilder import Image

image = Image.scratch().label(a="b").add_text("x", "/x")
other = image.env(A="B")
"""


class Machine:
    """What the commands find: an engine, or None where none answers, and an embedded engine that may run."""

    def __init__(self) -> None:
        self.engine: FakeEngine | None = FakeEngine()
        self.embedded = False
        self.calls: list[object] = []

    def connect(self, home: Path) -> FakeEngine:
        if self.engine is None:
            raise EngineError(Diagnostic("IB500", "no Docker Engine answers", help="start Docker"))
        return self.engine

    def status(self, home: Path) -> SimpleNamespace:
        return SimpleNamespace(running=self.embedded, docker_host="fake://")

    def start(self, home: Path, on_line: Callable[[str], None]) -> None:
        on_line("starting")
        self.calls.append("start")
        self.engine = FakeEngine()
        self.embedded = True

    def stop(self, home: Path) -> bool:
        was, self.embedded = self.embedded, False
        return was

    def build_bases(
        self, names: list[str], api: object, home: Path, on_line: Callable[[str], None], **options: bool
    ) -> list[str]:
        on_line("assembling")
        self.calls.append((names, options))
        return names


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr("imagebuilder.client.connect", made.connect)
    monkeypatch.setattr("imagebuilder.engine.docker.connect", made.connect)
    monkeypatch.setattr("imagebuilder.engine.health.connect", made.connect)
    for name in ("start", "stop", "status"):
        monkeypatch.setattr(f"imagebuilder.engine.embedded.engine.{name}", getattr(made, name))
    monkeypatch.setattr("imagebuilder.engine.embedded.base.build_bases", made.build_bases)
    return made


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a target in it and an empty home beside it."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "spec.py").write_text(SPEC)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("IMAGEBUILDER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    return folder


@pytest.fixture
def cli(machine: Machine, project: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str) -> Done:
        capsys.readouterr()
        modules = set(sys.modules)
        code = run(list(words))
        for name in set(sys.modules) - modules:
            # What a target imported is not to be seen by the next.
            if getattr(sys.modules[name], "__file__", None) and str(project) in str(sys.modules[name].__file__):
                del sys.modules[name]
        out, err = capsys.readouterr()
        return Done(code, out, err)

    return call
