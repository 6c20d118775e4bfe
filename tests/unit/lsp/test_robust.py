"""Whatever the text, and wherever the cursor: nothing is raised, and every place lies in the text."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagebuilder.lsp.checking import check
from imagebuilder.lsp.completion import complete
from imagebuilder.lsp.cursor import Scan
from imagebuilder.lsp.hover import look
from imagebuilder.lsp.names import Document, names_of
from imagebuilder.lsp.outline import folds, symbols
from imagebuilder.lsp.places import Places

SAMPLE = Places((Path(__file__).parents[2] / "editors/sample.snap").read_text(encoding="utf-8")).text
PIECES = [
    "snap 1\n", "image x from scratch {\n", "}", "{", "[", "]", "(", ")", '"', "'", '"""', "'''", "\n", ";", "; ", " ", "=",
    "==", "a=", "param p: one of [a] = a\n", "when ", "else ", "matrix m=[a] {", 'use "./x.snap" as x\n', "{p}", "{{{p}}}",
    "{p", "$", "\\", "#", "# c\n", "pip_install ", "secrets=[", "copy_from ", "x.y", "😀", "\u2028", ",", "from", "\t", "in [",
]  # fmt: skip


def try_everything(text: str, offsets: list[int]) -> None:
    document = Document(Path("/nowhere/app.snap"), text)
    for offset in offsets:
        found = complete(document, offset)
        assert 0 <= found.begin <= found.end == offset
        here = look(document, offset)
        if here is not None:
            assert 0 <= here.begin <= here.end <= len(text)
            assert here.target is None or 0 <= here.target.begin <= here.target.end <= len(here.target.text)
    for name in names_of(text).all:
        assert 0 <= name.at <= name.begin <= name.end <= len(text)
    for symbol in symbols(text):
        assert 0 <= symbol.begin <= symbol.name.begin <= symbol.name.end <= symbol.end <= len(text)
    for _, begin, end in folds(text):
        assert 0 <= begin <= end < len(text)


def test_every_place_of_a_file() -> None:
    try_everything(SAMPLE, list(range(len(SAMPLE) + 1)))


def test_every_beginning_of_a_file() -> None:
    for end in range(0, len(SAMPLE), 7):
        try_everything(SAMPLE[:end], [end])


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join), st.data())
def test_any_text(text: str, data: st.DataObject) -> None:
    try_everything(text, [data.draw(st.integers(0, len(text))), len(text)])
    checked = check(Document(Path("/nowhere/app.snap"), Places(text).text))
    for problem in checked.problems:
        assert 0 <= problem.begin <= problem.end <= len(text)


def test_a_long_file_takes_time_in_proportion() -> None:
    """By the number of steps that a pass takes, since a clock would be unsure on a busy machine."""
    import cProfile
    import pstats

    def steps(times: int) -> int:
        profile = cProfile.Profile()
        profile.runcall(Scan, SAMPLE * times)
        return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]

    assert steps(40) < 5 * steps(10)


def test_random_edits() -> None:
    chance = random.Random(3)
    text = SAMPLE
    for _ in range(200):
        begin = chance.randrange(len(text) + 1)
        text = text[:begin] + chance.choice(["", *PIECES]) + text[min(len(text), begin + chance.randrange(4)) :]
        try_everything(text, [begin])


@pytest.mark.parametrize(
    "text", ["when x {\n" * 20_000, "when x {\n" * 10_000 + ")" * 10_000, "a " + "[" * 20_000 + "}" * 20_000]
)
def test_brackets_without_end_cost_no_more_than_their_number(text: str) -> None:
    """The server answers nothing else while it scans; looking through all that is open took some 15 seconds."""
    before = time.process_time()
    Scan(text)
    assert time.process_time() - before < 3
