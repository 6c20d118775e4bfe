"""A build while it runs, on a terminal and elsewhere."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest
from rich.console import Console

from imagebuilder.cli.output import ago, print_table, size
from imagebuilder.cli.progress import JsonReporter, LiveReporter, PlainReporter, labelled, reporter
from imagebuilder.diagnostics import Diagnostic
from imagebuilder.engine.protocol import Event, LogEvent, StepEvent, WarningEvent
from tests.conftest import imagebuilder

EVENTS: tuple[Event, ...] = (
    StepEvent("i", "[internal] load build definition", "started"),
    StepEvent("i", "[internal] load build definition", "done", 0.1),
    StepEvent("a", "FROM scratch", "cached", 0.0, "", 1),
    StepEvent("b", "run_commands make", "started", 0.0, "", 2),
    LogEvent("b", "compiling"),
    StepEvent("b", "run_commands make", "done", 12.34, "", 2),
    StepEvent("c", "run_commands test", "started", 0.0, "", 3),
    LogEvent("c", "testing"),
    StepEvent("c", "run_commands test", "failed", 1.0, "", 3),
    LogEvent("", "another process builds the same image; waiting for it"),
)


def test_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    shown = PlainReporter()
    for event in EVENTS:
        shown.on_event(event)
    out, err = capsys.readouterr()
    assert out == "", "standard output is for the result"
    assert err.splitlines() == [
        "#1 FROM scratch CACHED",
        "#2 run_commands make",
        "#2 compiling",
        "#2 run_commands make done in 12.3 s",
        "#3 run_commands test",
        "#3 testing",
        "#3 run_commands test FAILED",
        "another process builds the same image; waiting for it",
    ]


WARNING = WarningEvent(Diagnostic("IB641", "no cache", help="try again", severity="warning"))


@pytest.mark.parametrize("shown", [PlainReporter(), LiveReporter()])
def test_warnings(capsys: pytest.CaptureFixture[str], shown: PlainReporter | LiveReporter) -> None:
    shown.on_event(labelled("app", WARNING))
    assert capsys.readouterr() == ("", "warning[IB641]: no cache\n  = help: try again\n")


def test_builders_own_chores_are_shown_when_they_fail(capsys: pytest.CaptureFixture[str]) -> None:
    PlainReporter().on_event(StepEvent("i", "[internal] load metadata for x", "failed"))
    assert capsys.readouterr().err == "#1 [internal] load metadata for x FAILED\n"


def drawn(events: tuple[Event, ...], width: int = 60, height: int = 40) -> list[str]:
    shown = LiveReporter()
    for event in events:
        shown.on_event(event)
    text = io.StringIO()
    Console(file=text, width=width, height=height, color_system=None).print(shown)
    return text.getvalue().splitlines()


def test_on_a_terminal_there_is_a_line_for_each_step() -> None:
    lines = drawn(EVENTS[:-1])
    assert [line.split() for line in lines[:3]] == [
        ["✓", "FROM", "scratch", "CACHED"],
        ["✓", "run_commands", "make", "12.3", "s"],
        ["✗", "run_commands", "test", "1.0", "s"],
    ]
    assert lines[-1].split()[0] == "total" and len(lines) == 4


def test_on_a_terminal_the_running_step_shows_its_last_lines() -> None:
    running = (*EVENTS[:4], *(LogEvent("b", f"line {n}") for n in range(20)))
    lines = drawn(running)
    assert (
        lines[1][0] in "⣾⣽⣻⢿⡿⣟⣯⣷" and lines[1][1:].startswith(" run_commands make") and lines[1].rstrip().endswith(" s")
    )
    assert [line.strip() for line in lines[2:-1]] == [f"line {n}" for n in range(14, 20)]


@pytest.mark.parametrize(("width", "height"), [(20, 10), (60, 12), (200, 5)])
def test_on_a_terminal_it_fits_the_screen(width: int, height: int) -> None:
    """What does not fit would be drawn again and again, one below the other."""
    steps = tuple(StepEvent(str(n), f"run_commands {'é' * 300} {n}", "done", 1.0, "", n) for n in range(1, 100))
    last = StepEvent("z", "run_commands z", "started", 0.0, "", 100)
    lines = drawn((*steps, last, LogEvent("z", "x" * 500)), width, height)
    assert all(len(line) <= max(width, 30) for line in lines)
    assert any("earlier steps" in line for line in lines)
    assert len(lines) <= max(height, 3 + 6 + 3)


def test_markup_in_names_and_logs_is_text() -> None:
    """rich would take ``[red]`` for a colour, and raise at ``[/]``."""
    lines = drawn(
        (StepEvent("a", "run [red]x[/] \x1b[31m", "started", 0.0, "", 1), LogEvent("a", "[/nothing] [bold]y"))
    )
    assert "[red]x[/]" in lines[0] and "[/nothing] [bold]y" in lines[1]


def test_events(capsys: pytest.CaptureFixture[str]) -> None:
    shown = JsonReporter()
    for event in (
        StepEvent("a", "run x", "started", 0.0, "", 1),
        LogEvent("a", "ümläut \x1b[31m"),
        StepEvent("a", "run x", "done", 1.23456, "", 1),
        StepEvent("b", "[internal] load metadata for x", "done"),
        WarningEvent(Diagnostic("IB100", "odd")),
    ):
        shown.on_event(event)
    told = capsys.readouterr()
    assert told.out == "" and told.err.isascii()
    assert [json.loads(line) for line in told.err.splitlines()] == [
        {"event": "step", "step": "a", "name": "run x", "state": "started", "seconds": 0.0},
        {"event": "log", "step": "a", "line": "ümläut \x1b[31m"},
        {"event": "step", "step": "a", "name": "run x", "state": "done", "seconds": 1.235},
        {"event": "warning", **Diagnostic("IB100", "odd").as_json()},
    ]


@pytest.mark.parametrize("words", [["--progress=json"], ["--progress", "json"]])
@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_an_error_is_the_last_event(tmp_path: Path, words: list[str], as_json: list[str]) -> None:
    env = {**os.environ, "IMAGEBUILDER_HOME": str(tmp_path)}
    done = imagebuilder("snapshot", "create", "x", "--image", "python", *words, *as_json, env=env)
    (event,) = [json.loads(line) for line in done.err.splitlines()]
    assert done.code == 2 and event["event"] == "error" and event["diagnostics"][0]["code"] == "IB761"
    assert bool(done.out) == bool(as_json)


@pytest.mark.parametrize("kind", ["plain", "json"])
def test_what_was_asked_for_is_used_on_a_terminal_too(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with reporter(kind) as shown:
        assert isinstance(shown, JsonReporter if kind == "json" else PlainReporter)


@pytest.mark.parametrize("terminal", [True, False])
def test_which_one_is_used(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    monkeypatch.setattr(sys, "stderr", Stream())
    with reporter() as shown:
        assert isinstance(shown, LiveReporter if terminal else PlainReporter)


@pytest.mark.parametrize(
    ("bytes", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (180_600_000, "180.6 MB"),
        (2 * 10**9, "2.0 GB"),
        (10**13, "10.0 TB"),
    ],
)
def test_sizes(bytes: int, shown: str) -> None:
    assert size(bytes) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "just now"),
        (59, "just now"),
        (60, "1 min ago"),
        (3600, "1 h ago"),
        (86400, "1 day ago"),
        (200000, "2 days ago"),
    ],
)
def test_times(seconds: float, shown: str) -> None:
    from datetime import UTC, datetime, timedelta

    assert ago(datetime.now(UTC) - timedelta(seconds=seconds)) == shown
    assert ago(datetime.now(UTC) + timedelta(seconds=100)) == "just now"
    assert ago(None) == "never"


def test_a_table_lines_up(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "LONG"), [("xxx", "1"), ("y", "")])
    assert capsys.readouterr().out == "A    LONG\nxxx  1\ny\n"
