"""The form of a .snap file: ugly files and what becomes of them, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder.diagnostics import CompileError
from imagebuilder.frontends.snap.format import format_text

SAMPLES = Path(__file__).parent / "format"
DESIGN = Path(__file__).parents[3] / "engine" / "snap" / "design"
NAMES = sorted(path.name.removesuffix(".ugly.snap") for path in SAMPLES.glob("*.ugly.snap"))


@pytest.mark.parametrize("name", NAMES)
def test_an_ugly_file(name: str, pytestconfig: pytest.Config) -> None:
    made = format_text((SAMPLES / f"{name}.ugly.snap").read_text(encoding="utf-8"), name)
    pretty = SAMPLES / f"{name}.pretty.snap"
    if pytestconfig.getoption("--update"):
        pretty.write_text(made, encoding="utf-8", newline="")
    assert pretty.read_bytes().decode() == made
    assert format_text(made, name) == made


def test_there_are_samples() -> None:
    assert len(NAMES) >= 5
    assert {path.name for path in SAMPLES.iterdir()} == {
        f"{n}.{kind}.snap" for n in NAMES for kind in ("ugly", "pretty")
    }


def statements(*lines: str) -> str:
    return "snap 1\n\nimage a from scratch {\n" + "".join(f"    {line}\n" if line else "\n" for line in lines) + "}\n"


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("", ""),
        ("\n \t\n", ""),
        ("# a", "# a\n"),
        ("\ufeffsnap 1", "snap 1\n"),
        ("snap\t1\r\n\r\n\r\nsecret  A\r", "snap 1\n\nsecret A\n"),
        ("secret A; secret B;", "secret A\nsecret B\n"),
        ("secret A # \xa0a\u2028b \f \n", "secret A  # \xa0a\u2028b\n"),
    ],
)
def test_small_files(text: str, made: str) -> None:
    assert format_text(text, "a.snap") == made
    assert format_text(made, "a.snap") == made


@pytest.mark.parametrize("length", [100, 101])
def test_a_line_has_a_hundred_columns(length: int) -> None:
    flat = f"    cmd [aa, {'b' * (length - 14)}]"
    assert len(flat) == length
    made = format_text(f"image a from scratch {{\n{flat}\n}}", "a.snap")
    assert (flat in made) == (length == 100)
    block = f"image a from {'b' * (length - 19)} {{ x }}"
    assert len(block) == length
    assert (format_text(block, "a.snap") == f"{block}\n") == (length == 100)


def test_what_cannot_be_parted_may_be_longer() -> None:
    text = statements(f"run_commands '{'a' * 200}' b")
    assert format_text(text, "a.snap") == text


def test_a_comment_does_not_part_a_list() -> None:
    text = statements(f"cmd [a, b]  # {'c' * 200}")
    assert format_text(text, "a.snap") == text


def test_the_list_that_has_no_room_is_parted() -> None:
    words = [f"word-{index:03}" for index in range(9)]
    text = f"image a from scratch {{ x [a, b] y=[{', '.join(words)}] z=[c] }}"
    inner = [f"        {word}," for word in words]
    assert format_text(text, "a.snap").splitlines() == [
        "image a from scratch {", "    x [a, b] y=[", *inner, "    ] z=[c]", "}"
    ]  # fmt: skip


@pytest.mark.parametrize("body", ["a\n\x0cb\n ", "  a\n\tb\n\n", "\t\n \t", "a\\\n  b\\", "x\n   \n  y\n \t "])
@pytest.mark.parametrize("quotes", ['"""', "'''"])
def test_a_text_of_several_lines_stays_the_same_text(body: str, quotes: str) -> None:
    from imagebuilder.frontends.snap.grammar import tokens
    from imagebuilder.frontends.snap.text import dedented

    for first in ("", "  ", "z "):
        text = f"image a from scratch {{ x {quotes}{first}\n{body}{quotes} }}\n"
        made = format_text(text, "a.snap")
        before, after = ([t for t in tokens(each) if "BLOCK" in t.type] for each in (text, made))
        assert [dedented(t[3:-3]) for t in before] == [dedented(t[3:-3]) for t in after]


def test_a_text_that_would_change_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagebuilder.frontends.snap.printer.dedented", lambda body: body)
    text = 'image a from scratch {\n    x """\n  a\n  """\n}\n'
    assert format_text(text, "a.snap") == text


@pytest.mark.parametrize("name", ["ml.snap", "common.snap"])
def test_the_sample_of_the_design_loses_only_its_columns_of_comments(name: str) -> None:
    text = (DESIGN / name).read_text()
    made = format_text(text, name)
    assert [line.split() for line in made.splitlines()] == [line.split() for line in text.splitlines()]


def refusal(text: str) -> list[tuple[str, str]]:
    with pytest.raises(CompileError) as caught:
        format_text(text, "a.snap")
    return [(found.code, str(found.place)) for found in caught.value.diagnostics]


def test_every_syntax_error_is_told() -> None:
    assert refusal('snap 1\nuse\nimage a from b {\n    env "x\n}\nparam\n') == [
        ("IB808", "a.snap:2:4"), ("IB806", "a.snap:4:9"), ("IB808", "a.snap:6:6")
    ]  # fmt: skip
    assert refusal("snap 1\nimage a from b {\n") == [("IB806", "a.snap:2:16")]
    assert refusal("snap 1\n\0") == [("IB802", "a.snap:2:1")]


@pytest.mark.parametrize("rest", ["}", ";}", " }", "['x']}", "'x'}"])
def test_a_value_does_not_end_in_a_comma(rest: str) -> None:
    """What follows would have to stay glued to it."""
    assert refusal(f"image a from b {{ env A=b,{rest}") == [("IB808", "a.snap:1:25")]


@pytest.mark.parametrize("depth", [64, 65, 20_000])
@pytest.mark.parametrize(("begin", "end"), ["[]", "{}"])
def test_brackets_nest_as_deep_as_the_language_allows(depth: int, begin: str, end: str) -> None:
    text = (
        f"image a from b {'[' * depth}{']' * depth}"
        if begin == "["
        else f"when {'a { when ' * (depth - 1)}a {{{'}' * depth}"
    )
    if depth > 64:
        ((code, _),) = refusal(text)
        assert code == "IB852"
    else:
        made = format_text(text, "a.snap")
        assert format_text(made, "a.snap") == made


def test_a_result_that_no_file_may_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagebuilder.frontends.snap.format.MAX_SIZE", 100)
    assert refusal("image a from b {\n" + "x\n" * 40 + "}") == [("IB803", "None")]
