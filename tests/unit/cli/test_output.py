"""Text of strangers: what a build, a sandbox or a registry says is shown, and no terminal obeys it."""

from __future__ import annotations

import sys
from io import StringIO

import pytest

from imagebuilder.cli import snapshot
from imagebuilder.cli.output import print_rows, print_table, tell
from imagebuilder.cli.progress import LiveReporter, PlainReporter
from imagebuilder.engine.protocol import LogEvent, StepEvent

EVIL = "\x1b]0;evil\x07\x9b31mred"
SHOWN = "␛]0;evil␇\ufffd31mred"


def test_lines_rows_and_tables(capsys: pytest.CaptureFixture[str]) -> None:
    tell(EVIL)
    print_rows({"state": f"error: {EVIL}\nand"}, 10)
    print_table(("NAME", "X"), [(f"a\n{EVIL}", "x")])
    said = capsys.readouterr()
    assert said.err == f"{SHOWN}\n"
    assert said.out == f"state      error: {SHOWN}\nand\nNAME{' ' * len(SHOWN)}X\na {SHOWN}  x\n"


def test_a_build(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    step = StepEvent("a", EVIL, "started", 0.0, "", 2)
    plain, live = PlainReporter(), LiveReporter()
    for reporter in (plain, live):
        reporter.on_event(step)
        reporter.on_event(LogEvent("a", EVIL))
    screen = StringIO()
    Console(file=screen, width=100).print(live)
    assert "\x1b" not in screen.getvalue() and screen.getvalue().count(SHOWN) == 2
    assert capsys.readouterr().err.count(SHOWN) == 2


@pytest.mark.parametrize("terminal", [True, False])
def test_a_log_is_whole_where_a_program_reads_it(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    assert snapshot._shown(EVIL) == (SHOWN if terminal else EVIL)
