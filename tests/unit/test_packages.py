"""What a plan's packages have to say while they come."""

from __future__ import annotations

import pytest

from imagebuilder import packages
from imagebuilder.engine.protocol import Event, StepEvent
from imagebuilder.steps import beside


def test_how_much_has_come_is_told_at_times(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(packages.time, "monotonic", lambda: now[0])
    told: list[str] = []
    on_bytes = packages._told(3, 9.5, told.append)
    for seconds, more in ((0.5, 1_000_000), (0.6, 2_000_000), (0.1, 100_000), (1.0, -500_000)):
        now[0] += seconds
        on_bytes(more)
    assert told == ["fetching 3 packages (3.0 of 9.5 MB)", "fetching 3 packages (2.6 of 9.5 MB)"]


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
