"""How diagnostics are drawn, and what they cost."""

from __future__ import annotations

from pathlib import Path

from imagebuilder.diagnostics import CompileError, Diagnostic, Span, did_you_mean


def test_a_short_line_is_shown_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.snap"
    file.write_text("one two\n")
    assert Diagnostic("IB808", "x", Span(str(file), 1, 5, 1, 8)).render().splitlines()[-2:] == [
        "1 | one two",
        "  |     ^^^",
    ]


def test_a_line_ends_where_editors_end_it(tmp_path: Path) -> None:
    """A coding cookie that Python does not know is none of a .snap file's business."""
    file = tmp_path / "a.snap"
    file.write_text("# coding: nothing\na\u2028b\x0cc\nsecond\n")
    assert Diagnostic("IB808", "x", Span(str(file), 3, 1, 3, 7)).render().splitlines()[-2] == "3 | second"


def test_an_error_is_drawn_when_it_is_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "a.snap"
    error = CompileError(Diagnostic("IB808", "x", Span(str(file), 1, 1, 1, 2)))
    file.write_text("word\n")
    assert "1 | word" in str(error)


def test_the_nearest_of_many_names() -> None:
    names = [f"name{number}" for number in range(1000)] + ["python"]
    assert did_you_mean("pythn", names) == "did you mean 'python'?"
    assert did_you_mean("name12x", names).startswith("did you mean 'name12")
    assert did_you_mean("zzz", names) == ""
    assert did_you_mean("x" * 100, names) == ""
