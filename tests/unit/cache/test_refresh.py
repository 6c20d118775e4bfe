"""Tags that have moved: what is asked, what follows, and a registry that does not answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder import Image
from imagebuilder.cache.history import History
from imagebuilder.cache.refresh import Ask, refreshed, tags
from imagebuilder.engine.imagetools import RegistryError
from imagebuilder.engine.protocol import LogEvent, WarningEvent
from tests.unit.building import Bench
from tests.unit.cache.recorded import planned

OLD, NEW = ("sha256:" + digit * 64 for digit in "12")
IMAGE = Image.base("debian:12").run_commands("x")


class Registry:
    def __init__(self) -> None:
        self.has: dict[str, str] = {"debian:12": OLD}
        self.down = False
        self.asked: list[str] = []

    def ask(self, ref: str) -> str | None:
        self.asked.append(ref)
        if self.down:
            raise RegistryError("no answer within 15 s")
        return self.has.get(ref)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    made = Registry()

    def asker(home: Path) -> Ask:
        return made.ask

    monkeypatch.setattr("imagebuilder.cache.refresh.asker", asker)
    return made


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    return Bench(tmp_path)


def test_what_can_move() -> None:
    tool = Image.base("golang:1").run_commands("x")
    image = (
        Image.debian_slim("3.13").copy_from("busybox:1", "/a", "/b").copy_from(f"pinned@{OLD}", "/c", "/d")
        .copy_from(tool, "/e", "/f").copy_from("imagebuilder/own:1", "/g", "/h")
    )  # fmt: skip
    assert set(tags(planned(image))) == {"python:3.13-slim-trixie", "busybox:1", "golang:1"}
    assert tags(planned(Image.scratch())) == {}


def test_the_build_starts_from_what_the_tag_is_now(bench: Bench, registry: Registry) -> None:
    assert not bench.build(IMAGE, refresh=True).reused
    assert bench.request.contexts["debian:12"] == f"docker-image://debian:12@{OLD}"
    assert bench.build(IMAGE, refresh=True).reused, "it has not moved since"
    registry.has["debian:12"] = NEW
    assert bench.build(IMAGE).reused, "nobody asked"
    moved = bench.build(IMAGE, refresh=True)
    assert not moved.reused and bench.request.contexts["debian:12"].endswith(NEW) and not bench.request.no_cache
    assert moved.key == planned(IMAGE).key
    lines = [event.line for event in bench.events if isinstance(event, LogEvent) and not event.id]
    assert lines == [f"debian:12 has moved ({OLD[:19]}… → {NEW[:19]}…)"]
    assert bench.build(IMAGE, refresh=True).reused


def test_nothing_is_asked_unless_wanted(bench: Bench, registry: Registry) -> None:
    bench.build(IMAGE)
    assert registry.asked == []


def test_a_registry_that_is_down_is_one_warning(bench: Bench, registry: Registry) -> None:
    bench.build(IMAGE)
    registry.down = True
    image = IMAGE.copy_from("busybox:1", "/a", "/b")
    assert bench.build(IMAGE, refresh=True).reused
    assert bench.build(image, refresh=True).state == "active" and "debian:12" not in bench.request.contexts
    (first, second) = [e.diagnostic.render() for e in bench.events if isinstance(e, WarningEvent)]
    assert "whether debian:12 has moved could not be asked: no answer within 15 s" in first
    assert "debian:12 and 1 more" in second


def test_what_the_engine_has_is_what_was_started_from(tmp_path: Path, registry: Registry) -> None:
    history = History(tmp_path)
    same = refreshed(planned(IMAGE), history, registry.ask, lambda ref: ("sha256:other", OLD))
    other = refreshed(planned(IMAGE), history, registry.ask, lambda ref: (NEW,))
    nothing = refreshed(planned(IMAGE), history, registry.ask)
    assert [fresh.bases[0].moved for fresh in (same, other, nothing)] == [False, True, None]
    assert [fresh.stale for fresh in (same, other, nothing)] == [False, True, True]
