"""Python's collector of cycles, paused: what was made meanwhile is not looked through when it goes on."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from imagebuilder import collector
from imagebuilder.compiler import compile
from imagebuilder.frontends.snap import load


@pytest.fixture(autouse=True)
def enabled() -> Iterator[None]:
    gc.enable()
    yield
    gc.unfreeze()


def test_what_was_made_meanwhile_is_old() -> None:
    passes = gc.get_stats()
    with collector.paused():
        kept = [[number] for number in range(100_000)]
    assert gc.isenabled() and gc.get_freeze_count() == 0
    [[number] for number in range(500)]
    assert gc.get_stats() == passes, "nothing was looked through"
    assert any(each is kept for each in gc.get_objects(generation=2))


def test_what_a_program_froze_stays_so() -> None:
    gc.freeze()
    frozen = gc.get_freeze_count()
    with collector.paused():
        pass
    assert gc.isenabled() and gc.get_freeze_count() == frozen > 0


def test_within_another_pause_it_stays_off() -> None:
    with collector.paused():
        with collector.paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_the_work_makes_no_cycles() -> None:
    """So nothing is lost by not looking for them."""
    text = "snap 1\nsnapshot a from debian_slim 3.13 {\n" + "".join(f"env V{n}=x\n" for n in range(200)) + "}\n"
    compile(load("a.snap", source=text).snapshots[0].image).dockerfile()
    gc.collect()
    gc.disable()
    try:
        compile(load("a.snap", source=text).snapshots[0].image).dockerfile()
        assert gc.collect() == 0
    finally:
        gc.enable()
