"""Whatever stands in a .snap file: diagnostics that point into it, soon; see tests/fuzz/snap.py for longer runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time

import pytest

from imagebuilder.compiler import compile
from imagebuilder.diagnostics import CompileError
from imagebuilder.frontends.snap import SnapFile, load
from tests.property.unit.snap_bombs import KINDS, numbered, valid
from tests.property.unit.snap_outcome import outcome
from tests.property.unit.snaps import generated, mutated, project, seeds

SEEDS = seeds()


@pytest.fixture(scope="module")
def main() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        yield project(Path(folder))


def test_the_seeds_are_valid(main: Path) -> None:
    for text in SEEDS:
        assert outcome(main, text)[1] == (), text


@pytest.mark.parametrize("part", range(4))
def test_a_changed_text_is_described_or_refused(main: Path, part: int) -> None:
    for number in range(500):
        outcome(main, mutated(Random(f"{part}:{number}"), SEEDS))


def test_a_text_by_the_grammar_is_described_or_refused(main: Path) -> None:
    for number in range(250):
        outcome(main, generated(Random(number)))


def test_random_bytes_are_refused(main: Path) -> None:
    for number in range(200):
        random = Random(number)
        text = random.randbytes(random.randrange(200)).decode("latin-1")
        assert outcome(main, random.choice(["", "snap 1\n", "snap 1\nimage a from scratch {\n"]) + text)[1], text


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_text_of_one_kind_is_described_or_refused(main: Path, kind: str) -> None:
    outcome(main, KINDS[kind](3_000))


@pytest.mark.parametrize(
    "text",
    [
        "snap 1\n" + "[" * 100_000,
        "snap 1\nimage a from scratch {\ncmd " + "[" * 50_000 + "]" * 50_000 + "\n}\n",
        "snap 1\nparam a: bool = true\nwhen " + "not " * 50_000 + "a { }\n",
        "snap 1\nparam a: bool = true\nwhen " + "(" * 50_000 + "a" + ")" * 50_000 + " { }\n",
        KINDS["a chain of images"](10_000 * 30),
        KINDS["a cycle of images"](10_000 * 30),
    ],
    ids=["brackets", "lists", "not", "parentheses", "chain", "cycle"],
)
def test_depth_is_no_matter_of_the_stack(main: Path, text: str) -> None:
    outcome(main, text)


SIZE = 20_000
# A valid text may say more in as many characters than the ordinary one.
TIMES, TIMES_VALID = 5, 12


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_takes_longer_than_a_valid_one_of_its_size(main: Path, kind: str) -> None:
    text, ordinary = KINDS[kind](SIZE), valid(SIZE)
    spent, found = seconds(main, text)
    limit = (TIMES_VALID if found else TIMES) * len(text) / len(ordinary)
    if spent > limit * once(main, ordinary):
        # Once more, in turn, before anybody is blamed for what else this machine does.
        pairs = [(seconds(main, text)[0], seconds(main, ordinary)[0]) for _ in range(5)]
        assert median(ours / theirs for ours, theirs in pairs) <= limit


def test_ten_times_the_statements_take_ten_times_as_long(main: Path) -> None:
    def whole(statements: int) -> float:
        text = "snap 1\nimage a from debian_slim {\n" + numbered("workdir /{number}\n", statements * 14) + "}\n"
        began = process_time()
        compile(load(main, source=text, project=main.parent).images["a"]).dockerfile()
        return process_time() - began

    whole(100)
    assert min(whole(5_000) for _ in range(3)) < 10 * 1.6 * min(whole(500) for _ in range(5))


def seconds(main: Path, text: str) -> tuple[float, SnapFile | None]:
    """Of this process alone, whatever others do meanwhile."""
    found: SnapFile | None = None
    began = process_time()
    with suppress(CompileError):
        found = load(main, source=text, project=main.parent)
    return process_time() - began, found


@cache
def once(main: Path, text: str) -> float:
    return median(seconds(main, text)[0] for _ in range(5))
