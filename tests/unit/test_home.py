"""What tells one home from another at an engine that both use."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from imagebuilder import home
from imagebuilder.home import id_of


def test_a_home_that_was_emptied_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    before = id_of(tmp_path / "a")
    shutil.rmtree(tmp_path / "a")
    assert id_of(tmp_path / "a") == before != id_of(tmp_path / "b")


def test_a_link_to_it_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert id_of(tmp_path / "a") == id_of(tmp_path / "b")


def test_of_two_machines_each_has_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One path, one engine: neither may clear up what the other is making."""
    monkeypatch.setattr(home, "_machine", lambda: "one")
    one = id_of(tmp_path)
    monkeypatch.setattr(home, "_machine", lambda: "two")
    assert id_of(tmp_path) != one


def test_a_machine_without_an_id_has_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home.Path, "read_text", lambda *_, **__: "\n")
    assert home._machine() == os.uname().nodename
