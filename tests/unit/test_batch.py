"""Several builds at once: one that fails leaves the others alone, and what they share is read once."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest

from imagebuilder import Client, Image, compiler
from imagebuilder.batch import PARALLEL, run_all
from imagebuilder.builder import Build
from imagebuilder.client import Wanted
from imagebuilder.diagnostics import BuildError, Diagnostic, Interrupted
from imagebuilder.engine.fake import FakeEngine
from imagebuilder.engine.protocol import Cancel, Event
from imagebuilder.locks import lock
from imagebuilder.options import BuildOptions
from imagebuilder.store import Snapshot


def never() -> Snapshot:
    raise AssertionError


def test_a_failure_is_an_outcome_like_others() -> None:
    def full() -> Snapshot:
        raise OSError(errno.ENOSPC, "No space left on device", "/home")

    def failing() -> Snapshot:
        raise BuildError(Diagnostic("IB600", "it failed"))

    outcomes = run_all([full, failing] * PARALLEL, Cancel())
    assert [str(outcome) for outcome in outcomes[:2]] == [
        "error[IB710]: no space left on device: '/home'\n"
        "  = help: is there space, and may it be written? `imagebuilder doctor` looks at the home folder",
        "error[IB600]: it failed",
    ]
    assert len(outcomes) == 2 * PARALLEL


def test_an_interrupt_while_the_builds_are_started(monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(threading.Thread):
        def start(self) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(threading, "Thread", Late)
    cancel = Cancel()
    with pytest.raises(Interrupted):
        run_all([never], cancel)
    assert cancel.is_set


def test_a_fault_of_this_program_is_none() -> None:
    with pytest.raises(AssertionError):
        run_all([never], Cancel())


def test_files_that_several_copy_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a").write_text("a")
    read: list[str] = []

    def reading(root: str, source: compiler.LocalSource, seen: Path) -> compiler.Tree:
        read.append(source.path)
        return original(root, source, seen)

    original = compiler.read_tree
    monkeypatch.setattr(compiler, "read_tree", reading)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    image = Image.base("debian").add_local_dir(tmp_path / "src", "/src")
    client = Client(home=tmp_path / "home", engine=FakeEngine())
    outcomes = client.build_all([Wanted(f"app:{number}", image.label({"n": str(number)})) for number in range(9)])
    assert read == [str(tmp_path / "src")]
    assert {outcome.name for outcome in outcomes if isinstance(outcome, Snapshot)} == {f"app:{n}" for n in range(9)}


def test_a_build_that_waits_for_another_ends_with_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    client, cancel = Client(home=tmp_path / "home", engine=FakeEngine()), Cancel()
    options = BuildOptions(cancel=cancel)
    plan = compiler.compile(Image.base("debian"))

    def on_event(event: Event) -> None:
        assert "waiting" in str(event)
        cancel.cancel()

    build = Build(plan, "app", options, client.store, lambda: client.engine, on_event)
    with lock(client.store.lock_path(plan.key)), pytest.raises(Interrupted):
        build.run()
    with pytest.raises(Interrupted):
        build.run()
    assert client.snapshot.list() == [], "one that had not begun leaves no row"
