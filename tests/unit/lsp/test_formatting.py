"""The one form of a text, as a change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebuilder.frontends.snap.format import format_text
from imagebuilder.lsp.formatting import difference, formatted
from imagebuilder.lsp.names import Document
from tests.unit.lsp.editing import BEFORE, FOLDER

TEXTS = st.lists(st.sampled_from(["a\n", "b\n", "\n", "c", "😀\n"]), max_size=8).map("".join)


@given(TEXTS, TEXTS)
def test_a_difference_leads_to_the_other_text(old: str, new: str) -> None:
    begin, end, text = difference(old, new)
    assert 0 <= begin <= end <= len(old)
    assert old[:begin] + text + old[end:] == new


def test_only_what_changes() -> None:
    assert difference("a\nb\nc\n", "a\nB\nc\n") == (2, 4, "B\n")
    assert difference("a\nb", "a\nb\n") == (2, 3, "b\n")
    assert difference("a\n", "a\n") == (2, 2, "")


def test_a_file() -> None:
    text = BEFORE + "image   x from  tools {\nuser   a\n}\n"
    change = formatted(Document(FOLDER / "app.snap", text))
    assert change is not None
    begin, end, made = change
    assert text[:begin] + made + text[end:] == format_text(text, "app.snap")


@pytest.mark.parametrize("text", ["image x from {", "\0", '"', "{" * 500])
def test_what_does_not_parse_stays(text: str) -> None:
    assert formatted(Document(FOLDER / "app.snap", text)) is None


def test_what_has_its_form_already_stays() -> None:
    text = format_text(BEFORE, "app.snap")
    assert formatted(Document(FOLDER / "app.snap", text)) is None
