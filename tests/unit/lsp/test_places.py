"""Between offsets and the positions of an editor, which counts in UTF-16."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebuilder.diagnostics import Span
from imagebuilder.lsp.places import Places, utf16

TEXTS = st.text(st.sampled_from("ab \t\n\r😀é\u2028\f\x85中"), max_size=40)


def test_characters_beyond_the_first_plane_count_twice() -> None:
    places = Places('env A="😀" B=c\n')
    assert places.position(places.text.index("B")) == (0, 11)
    assert places.offset(0, 11) == places.text.index("B")
    assert places.offset(0, 8) == 7, "in the middle of a character is before it"


def test_lines_end_where_the_protocol_says() -> None:
    places = Places("a\r\nb\rc\nd\u2028e\x85f\fg")
    assert places.text == "a\nb\nc\nd\u2028e\x85f\fg"
    assert [places.position(places.text.index(char)) for char in "abcdefg"] == [
        (0, 0), (1, 0), (2, 0), (3, 0), (3, 2), (3, 4), (3, 6),
    ]  # fmt: skip


def test_a_byte_order_mark_is_part_of_the_editors_first_line() -> None:
    places = Places("\ufeffsnap 1\nx")
    assert places.position(0) == (0, 1) and places.offset(0, 1) == 0 == places.offset(0, 0)
    assert places.position(7) == (1, 0)


def test_units_that_the_client_chose() -> None:
    assert Places("é😀b", len).position(2) == (0, 2)
    assert Places("é😀b", lambda text: len(text.encode())).position(2) == (0, 6)


@pytest.mark.parametrize(
    ("line", "column", "offset"), [(-1, 5, 0), (0, 99, 2), (7, 0, 5), (1, -3, 3), (10**9, 10**9, 5)]
)
def test_positions_outside_of_the_text(line: int, column: int, offset: int) -> None:
    assert Places("ab\ncd").offset(line, column) == offset


@given(TEXTS)
def test_there_and_back(source: str) -> None:
    places = Places(source)
    for offset in range(len(places.text) + 1):
        line, column = places.position(offset)
        assert places.offset(line, column) == offset
        assert column <= utf16(source)


@given(TEXTS, st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_a_span_lies_inside_of_the_text(source: str, line: int, column: int, end_line: int, end_column: int) -> None:
    places = Places(source)
    begin, end = places.of_span(Span("f", line, column, end_line, end_column))
    assert 0 <= begin <= end <= len(places.text)


def test_a_line_alone_is_all_that_is_written_on_it() -> None:
    places = Places("a\n  bc \nd")
    assert places.of_span(Span("f", 2)) == (4, 7)
    assert places.of_span(Span("f", 2, 3, 2, 5)) == (4, 6)
