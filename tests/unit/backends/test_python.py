"""Python source as a person would write it. That it is formatted and means the same, the golden cases show."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from imagebuilder import Image, Secret, expand
from imagebuilder.backends.python import literal, write
from imagebuilder.frontends.python_source import read_source

HERE = Path(__file__).parent
START = Image.base("python:3.13")


def source(image: Image) -> str:
    text = write(image.stage, str(HERE))
    assert read_source(text, HERE) == image.stage
    return text


def test_a_short_image_stands_on_one_line() -> None:
    assert (
        source(START.user("app")) == 'from imagebuilder import Image\n\nimage = Image.base("python:3.13").user("app")\n'
    )


def test_only_what_is_used_is_imported() -> None:
    assert source(START.env(A="expand(")).startswith("from imagebuilder import Image\n")
    used = START.env(A=expand("$B")).run_commands("x", secrets=Secret(name="S", target="/s"))
    assert source(used).startswith("from imagebuilder import Image, Secret, expand\n")


def test_a_variable_for_each_stage_and_each_once() -> None:
    build = START.run_commands("make")
    image = Image.scratch().copy_from(build, "/a", "/a").copy_from(build, "/b", "/b")
    assert source(image) == dedent("""\
        from imagebuilder import Image

        stage1 = Image.base("python:3.13").run_commands("make")

        image = Image.scratch().copy_from(stage1, "/a", "/a").copy_from(stage1, "/b", "/b")
        """)


def test_an_image_that_goes_on_from_another() -> None:
    build = START.run_commands("make")
    image = build.copy_from(build, "/a", "/b")
    assert 'image = stage1.copy_from(stage1, "/a", "/b")' in source(image)
    assert 'image = Image.base(stage1).user("x")' in source(Image.base(build).user("x"))


def test_text_of_several_lines() -> None:
    assert source(START.add_text('{\n  "a": "\\d"\n}\n', "/x")) == dedent('''\
        from imagebuilder import Image

        image = Image.base("python:3.13").add_text(
            """\\
        {
          "a": "\\\\d"
        }
        """,
            "/x",
        )
        ''').replace('        {\n          "a"', '{\n  "a"').replace("        }", "}").replace('        """,', '""",')


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("", '""'),
        ("a", '"a"'),
        ('say "x"', "'say \"x\"'"),
        ('it\'s "x"', "'it\\'s \"x\"'"),
        ("a\\b", '"a\\\\b"'),
        ("a\n", '"a\\n"'),
        ("\x07\x85\u2028\U000e0001", '"\\x07\\x85\\u2028\\U000e0001"'),
        ("a\nb", '"""\\\na\nb"""'),
        ("a\n\tb\\n\n", '"""\\\na\n\\tb\\\\n\n"""'),
        ('a\nb"', "'a\\nb\"'"),
        ('a\n"""', '\'a\\n"""\''),
        ("a \nb", '"a \\nb"'),
        ("a\r\nb\r\n", '"a\\r\\nb\\r\\n"'),
    ],
)
def test_literals(text: str, written: str) -> None:
    assert literal(text) == written


def test_names_that_python_would_change_are_keys() -> None:
    assert 'env({"ſ": "1"})' in source(START.env({"ſ": "1"}))
    assert 'env({"class": "1"})' in source(START.env({"class": "1"}))
    assert 'env(self="1")' in source(START.env({"self": "1"}))
