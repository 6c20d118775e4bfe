"""How much each step added: told by the record of the build, or by instruction where that does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder import Image
from imagebuilder.cache.record import record
from imagebuilder.cache.sizes import LayerSize, sizes
from imagebuilder.engine.protocol import HistoryEntry
from tests.unit.cache.recorded import planned

BASE = [HistoryEntry("an imported archive", 1000), HistoryEntry('CMD ["sh"]', 0)]
OWN = [
    HistoryEntry("ENV A=1", 0),
    HistoryEntry("COPY files /srv/x", 10),
    HistoryEntry("RUN make", 200),
    HistoryEntry("WORKDIR /app", 4),
]


def image() -> Image:
    return Image.base("python:3.13").env(A="1").add_text("x", "/srv/x").run_commands("make").workdir("/app")


def told(history: list[HistoryEntry], image: Image) -> list[tuple[int, str]]:
    return [(each.size, each.what) for each in sizes(history, record(planned(image), "app"))]


def test_each_step_at_its_line() -> None:
    found = sizes([*BASE, *OWN], record(planned(image()), "app"))
    assert [(each.size, each.what) for each in found] == [
        (1000, "from python:3.13"), (10, "add_text x /srv/x"), (200, "run_commands make"), (4, "workdir /app")
    ]  # fmt: skip
    assert all(each.at and Path(each.at.file) == Path(__file__) for each in found)


def test_the_stages_that_an_image_starts_from() -> None:
    on = Image.base(image().run_commands("more"))
    found = told([*BASE, *OWN, HistoryEntry("RUN more", 7), HistoryEntry("RUN last", 3)], on.run_commands("last"))
    assert found[0] == (1000, "from python:3.13") and found[-2:] == [(7, "run_commands more"), (3, "run_commands last")]


def test_a_folder_that_is_copied_in_parts() -> None:
    history = [*BASE, OWN[0], HistoryEntry("COPY files /srv/x", 30), *OWN[1:]]
    assert told(history, image())[1] == (40, "add_text x /srv/x")


@pytest.mark.parametrize(
    "history",
    [
        [*BASE, *OWN[:2]],
        [*BASE, OWN[2], OWN[1], OWN[3]],
        [*BASE, OWN[1], OWN[2], HistoryEntry("WORKDIR /other", 4)],
        [*BASE, HistoryEntry("COPY files /other", 10), *OWN[2:]],
    ],
)
def test_what_does_not_fit_is_told_by_instruction(history: list[HistoryEntry]) -> None:
    assert told(history, image()) == [(entry.size, entry.instruction) for entry in history if entry.size]


def test_without_a_record() -> None:
    history = [*BASE, HistoryEntry("RUN |1 API_TOKEN=ghp_abcdefghijklmnopqrstuvwxyz0123456789 make", 5)]
    first, second = sizes(history, None)
    assert first == LayerSize(1000, "an imported archive")
    assert second.size == 5 and "ghp_" not in second.what and second.at is None
