"""Comments that silence a warning, in each language, and those that silence nothing."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from imagebuilder import Image
from imagebuilder.diagnostics import Diagnostic, Span
from imagebuilder.ir.ops import Scratch
from imagebuilder.ir.stage import Stage
from imagebuilder.lint import lint
from tests.unit.lint.linting import TOKENS, codes, dockerfile, found


def spec(folder: Path, text: str) -> Image:
    path = folder / "spec.py"
    path.write_text("from imagebuilder import Image\n" + text)
    image = runpy.run_path(str(path))["image"]
    assert isinstance(image, Image)
    return image


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('image = Image.base("x")\n', ["IB901"]),
        ('image = Image.base("x")  # check: ignore\n', []),
        ('image = Image.base("x")  # check: ignore IB901\n', []),
        ('image = Image.base("x")  #check:ignore ib901, moves on purpose\n', []),
        ('image = Image.base("x")  # noqa # check: ignore IB903 IB901 since it moves\n', []),
        ('image = Image.base("x")  # check: ignore IB903\n', ["IB901"]),
        ('# check: ignore IB901 it is ours\nimage = Image.base("x")\n', []),
        ('# check: ignore IB901\n# and this is why\nimage = Image.base("x")\n', []),
        ('# check: ignore IB901\n\nimage = Image.base("x")\n', ["IB901"]),
        ('y = 1  # check: ignore\nimage = Image.base("x")\n', ["IB901"]),
        ('y = """\n# check: ignore"""\nimage = Image.base("x")\n', ["IB901"]),
        ('image = Image.base("x")\n# check: ignore\n', ["IB901"]),
        ('image = Image.base("x")  # recheck: ignored\n', ["IB901"]),
        ('image = Image.base("x")  # check: ignored\n', ["IB901"]),
        ('image = Image.base(  # check: ignore IB901\n    "x"\n)\n', []),
        ('image = Image.base(\n    # check: ignore IB901\n    "x"\n)\n', []),
        ('image = Image.base(\n    "x"\n)  # check: ignore IB901\n', []),
        # In a chain, a comment belongs to the call on its line.
        ('image = (\n    Image.base("x")  # check: ignore\n    .env(API_KEY="abc1234")\n)\n', ["IB903"]),
        ('image = (\n    Image.base("x")\n    .env(API_KEY="abc1234")  # check: ignore\n)\n', ["IB901"]),
        ('image = (\n    Image.base("x")\n    # check: ignore\n    .env(API_KEY="abc1234")\n)\n', ["IB901"]),
        ('image = (\n    Image.base("x:1")\n    .env(\n        API_KEY="abc1234",  # check: ignore IB903\n    )\n)\n', []),
        ('image = Image.base("x").env(API_KEY="abc1234")  # check: ignore IB901\n', ["IB903"]),
        ('image = Image.base("x").env(API_KEY="abc1234")  # check: ignore IB901, IB903\n', []),
    ],
)  # fmt: skip
def test_in_python(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert codes(spec(tmp_path, text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM x\n", ["IB901"]),
        ("# check: ignore IB901\nFROM x\n", []),
        ("  # check: ignore IB901\nFROM x\n", []),
        ("# check: ignore IB901\n# and why\nFROM x\n", []),
        ("# syntax=docker/dockerfile:1\n# check: ignore IB901\nFROM x\n", []),
        ("# check: ignore IB901\n\nFROM x\n", ["IB901"]),
        ("# check: ignore IB901\nFROM x\nRUN cd /a\n", ["IB905"]),
        ("FROM x:1\n# check: ignore\nRUN cd /a\n", []),
        ("FROM x:1\nRUN a && \\\n# check: ignore IB905\n    cd /a\n", []),
        ("FROM x:1\nRUN cd /a # check: ignore IB905\n", []),
        ("FROM x:1\nRUN <<EOF\n# check: ignore IB905\ncd /a\nEOF\n", []),
        ("FROM x:1\nENV API_KEY=abc1234\n# check: ignore\n", ["IB903"]),
        ("FROM x:1\n# check: ignore IB903\nENV A=b \\\n  API_KEY=abc1234\n", []),
        ("# check: ignore IB909\nARG A\nFROM x:1\n", []),
        ("FROM x:1\n# check: ignore IB908\nFROM y:1\nFROM z:1\n", ["IB908"]),
        ("# check: ignore IB908\nFROM x:1\nFROM z:1\n", []),
    ],
)
def test_in_a_dockerfile(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert codes(dockerfile(tmp_path, text)) == expected


def test_in_both(tmp_path: Path) -> None:
    """What a Dockerfile says is silenced in it, and what Python adds in Python."""
    dockerfile(tmp_path, "# check: ignore IB901\nFROM x\nENV API_KEY=abc1234\n")
    image = spec(tmp_path, 'image = Image.from_dockerfile("Dockerfile").label(token="abc1234")  # check: ignore\n')
    (warning,) = found(image)
    assert warning.place.file.endswith("Dockerfile") and warning.code == "IB903"  # type: ignore[union-attr]


def test_what_a_front_end_found_is_silenced_too(tmp_path: Path) -> None:
    path = tmp_path / "a.snap"
    path.write_text('snap 1\n# check: ignore IB909 wanted\nparam a\nparam b  # check: ignore IB909\nparam c\nx "# y"\n')
    more = [Diagnostic("IB909", f"{n}", Span(str(path), n, 1, n, 8), severity="warning") for n in (3, 4, 5)]
    assert [each.message for each in lint(Stage(Scratch()), more=more)] == ["5"]


@pytest.mark.parametrize(
    ("comment", "told", "help"),
    [
        ("# check: ignore IB9Y1", "no lint is called 'IB9Y1'", "the lints are IB901, IB902"),
        ("# check: ignore IB901, IB113 x", "no lint is called 'IB113'", "the lints are"),
        ("# check: ignore DL3006", "no lint is called 'DL3006'", "the lints are IB901, IB902"),
        ("# check: ignore E501,IB901", "no lint is called 'E501'", "the lints are"),
    ],
)
def test_an_unknown_code(tmp_path: Path, comment: str, told: str, help: str) -> None:
    (warning,) = [
        each for each in found(spec(tmp_path, f'image = Image.base("x")  {comment}\n')) if each.code == "IB910"
    ]
    assert warning.message == told and help in warning.help
    assert isinstance(warning.place, Span) and warning.place.line == 2
    code = told.split("'")[1]
    line = f'image = Image.base("x")  {comment}'
    assert line[warning.place.column - 1 : warning.place.end_column - 1] == code


def test_an_unknown_code_silences_nothing(tmp_path: Path) -> None:
    assert codes(spec(tmp_path, 'image = Image.base("x")  # check: ignore IB9X9\n')) == ["IB901", "IB910"]
    # Where nothing is wrong, the comment is looked at all the same.
    assert codes(spec(tmp_path, 'image = Image.base("x:1")  # check: ignore IB9X9\n')) == ["IB910"]
    path = dockerfile(tmp_path, "FROM x:1\n# check: ignore IB9X9\nRUN true\n")
    assert [(each.code, each.place.line) for each in found(path)] == [("IB910", 2)]  # type: ignore[union-attr]


def test_places_that_have_no_file() -> None:
    image = eval(compile('Image.base("x")', "<nowhere>", "eval"), {"Image": Image})
    assert codes(image) == ["IB901"]
    assert [each.code for each in lint(Stage(image.stage.base))] == ["IB901"]


@pytest.mark.parametrize("text", ["# \x85\u2028\x0b\n# check: ignore\nFROM x\n", "# check: ignore\r\nFROM x\r\n"])
def test_odd_line_ends(tmp_path: Path, text: str) -> None:
    path = tmp_path / "Dockerfile"
    path.write_bytes(text.encode())
    assert codes(path) == []


def test_a_silenced_secret_is_none_the_less_one(tmp_path: Path) -> None:
    """Another warning about the same line does not show it."""
    token = TOKENS["a GitHub token"]
    path = dockerfile(tmp_path, f"FROM x:1\n# check: ignore IB902\nRUN curl -H {token} x && cd /a\n")
    (warning,) = found(path)
    assert warning.code == "IB905" and token not in warning.render()
