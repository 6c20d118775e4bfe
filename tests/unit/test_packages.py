"""What a plan's packages have to say while they come."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder import Image, packages
from imagebuilder.compiler import Plan, compile
from imagebuilder.engine.fake import FakeEngine
from imagebuilder.engine.protocol import Event, StepEvent
from imagebuilder.options import BuildOptions
from imagebuilder.resolve.shelf import UV, Shelf
from imagebuilder.steps import beside
from imagebuilder.store import Store


def test_how_much_has_come_is_told_at_times(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(packages.time, "monotonic", lambda: now[0])
    told: list[str] = []
    on_bytes = packages._told(3, 9.5, told.append)
    for seconds, more in ((0.5, 1_000_000), (0.6, 2_000_000), (0.1, 100_000), (1.0, -500_000)):
        now[0] += seconds
        on_bytes(more)
    assert told == ["fetching 3 packages (3.0 of 9.5 MB)", "fetching 3 packages (2.6 of 9.5 MB)"]
    one = packages._told(1, 9.5, told.append)
    now[0] += 1
    one(100_000)
    assert told[2:] == ["fetching 1 package (0.1 of 9.5 MB)"]


def test_a_step_beside_the_build_may_say_more_meanwhile() -> None:
    events: list[Event] = []
    with beside("fetching", events.append) as say:
        say("fetching, half")
    steps = [event for event in events if isinstance(event, StepEvent)]
    assert [(each.name, each.state) for each in steps] == [
        ("fetching", "started"),
        ("fetching, half", "started"),
        ("fetching", "done"),
    ]
    assert len({each.id for each in steps}) == 1


def test_nothing_is_taken_away_while_packages_are_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(tmp_path)
    cache = shelf.new(UV, "")

    def resolved(self: object, plan: Plan) -> Plan:
        shelf.prune(0, 0)
        assert cache.exists(), "another build ended meanwhile"
        return plan

    monkeypatch.setattr(packages.Resolver, "resolved", resolved)
    plan = compile(Image.base("debian:12").pip_install("a"), platform="linux/amd64")
    with packages.at_hand(plan, Store(tmp_path), FakeEngine, lambda event: None, BuildOptions()) as found:
        assert found.stage == plan.stage
    shelf.prune(0, 0)
    assert not cache.exists()
