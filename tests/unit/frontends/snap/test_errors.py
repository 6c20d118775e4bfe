"""Every chunk of the error corpus is refused with exactly the errors that are written in it; see ``corpus``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from imagebuilder.diagnostics import Span
from imagebuilder.frontends.snap import CODES
from tests.unit.frontends.snap.corpus import Chunk, Expected, chunks, described

CHUNKS = list(chunks())


@pytest.mark.parametrize("chunk", CHUNKS, ids=[f"{chunk.corpus}:{chunk.line}" for chunk in CHUNKS])
def test_a_chunk_is_refused_as_it_says(chunk: Chunk, tmp_path: Path) -> None:
    waiting = list(chunk.expected)
    assert waiting, "nothing is expected of this chunk"
    odd: list[str] = []
    for error in chunk.diagnostics(tmp_path):
        place = error.place
        assert place is None or isinstance(place, Span)
        found = next((each for each in waiting if _is(error.code, described(error), place, each)), None)
        if found is None:
            odd.append(f"{place.line if place else '-'}: {error.code} {described(error)!r}")
            continue
        waiting.remove(found)
        if place is not None:
            text = chunk.text if Path(place.file).name == "it.snap" else chunk.beside[Path(place.file).name]
            _check_carets(place, text.split("\n")[place.line - 1])
    assert not odd and not waiting, "\n".join(
        ["not expected:", *odd, "missing:", *(f"{each.line}: {each.code} {each.pattern}" for each in waiting)]
    )


def _is(code: str, text: str, place: Span | None, expected: Expected) -> bool:
    where = (Path(place.file).name, place.line) if place else ("it.snap", 0)
    same = code == expected.code and where == (expected.file, expected.line)
    return same and re.search(expected.pattern, text, re.DOTALL) is not None


def _check_carets(place: Span, line: str) -> None:
    """Inside of the line, and not on the comment that expects them."""
    if place.column == 0:
        return
    statement = re.sub(r"#:[\^-]* IB.*", "", line)
    assert 1 <= place.column <= len(statement.rstrip()) + 1, (place, line)
    if place.end_line == place.line:
        assert place.column < place.end_column <= len(line) + 2, (place, line)


def test_every_code_of_the_language_is_in_the_corpus() -> None:
    said = {expected.code for chunk in CHUNKS for expected in chunk.expected}
    assert sorted(set(CODES) - said) == ["IB860"], "which only a fault of the formatter gives"
