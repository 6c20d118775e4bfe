"""What the server does with a fault of its own; the protocol itself is in tests/editors."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
from lsprotocol.types import PositionEncodingKind

from imagebuilder.lsp import convert
from imagebuilder.lsp.completion import complete
from imagebuilder.lsp.places import Places
from imagebuilder.lsp.server import _guarded, create
from tests.unit.lsp.editing import at


def test_a_fault_costs_its_answer_alone(caplog: pytest.LogCaptureFixture) -> None:
    @_guarded
    def broken(value: int) -> int:
        return 1 // value

    with caplog.at_level(logging.ERROR):
        assert broken(0) is None
    assert "broken failed" in caplog.text and "ZeroDivisionError" in caplog.text
    assert broken(1) == 1


def test_nothing_is_served_that_is_not_announced() -> None:
    features = set(create().protocol.fm.features)
    assert {"textDocument/completion", "textDocument/hover", "textDocument/definition"} <= features


@pytest.mark.parametrize(
    "marked", ["§", "image x from §", "image x from scratch {\n    §\n}", "when profile == §", "param x: §"]
)
def test_every_kind_of_suggestion_has_its_icon(marked: str) -> None:
    document, place = at(marked)
    found = complete(document, place)
    items = convert.completion(found, Places(document.text), snippets=True).items
    assert len(items) == len(found.suggestions)
    assert [item.sort_text for item in items] == sorted(str(item.sort_text) for item in items)


def test_columns_of_another_file_are_in_the_units_of_the_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, text = tmp_path / "other.snap", "# ééé\nimage é from scratch"
    path.write_text(text, encoding="utf-8")
    server = create()
    monkeypatch.setattr(type(server), "workspace", SimpleNamespace(position_encoding=PositionEncodingKind.Utf8))
    found = server.location(path, text, 0, 5)
    assert found is not None and found.range.end.character == 8
    there = server._places_of(str(path))
    assert there is not None and there[1].position(5) == (0, 8)


@pytest.mark.parametrize("uri", ["file:///tmp/%00.snap", "untitled:Untitled-1", "vscode-notebook:/x%00y.snap"])
def test_a_name_that_no_system_takes_costs_the_others_nothing(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server = create()
    monkeypatch.setattr(type(server), "workspace", SimpleNamespace(root_path="/project"))
    assert str(server._path(uri)) == "/project/untitled.snap"
