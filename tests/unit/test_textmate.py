"""The TextMate grammar: what it takes the parts of a text for."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from imagebuilder.frontends.snap.verbs import FACTORIES, verbs
from tests.unit.textmate import Engine, patterns

ROOT = Path(__file__).parents[2]
GRAMMAR = json.loads((ROOT / "grammars/snap.tmLanguage.json").read_text(encoding="utf-8"))
SAMPLE = (ROOT / "tests/editors/sample.snap").read_text(encoding="utf-8")


def scoped(text: str) -> list[tuple[str, str]]:
    """The words of a text, with their scopes."""
    pieces = [piece for line in Engine(GRAMMAR).lines(text) for piece in line]
    return [(text.strip(), scope.removesuffix(".snap")) for text, scope in pieces if text.strip()]


@pytest.mark.parametrize("pattern", sorted(set(patterns(GRAMMAR))))
def test_a_pattern_compiles(pattern: str) -> None:
    re.compile(pattern)


@pytest.mark.parametrize("name", verbs())
def test_a_verb_is_coloured(name: str) -> None:
    assert scoped(f"image x from scratch {{\n    {name} a\n}}")[5] == (name, "support.function")
    assert scoped(f"image x from scratch {{\n    {name}x a\n}}")[5][1] != "support.function"


@pytest.mark.parametrize("name", FACTORIES)
def test_a_factory_is_coloured(name: str) -> None:
    assert (name, "support.function") in scoped(f"image x from {name}")
    assert (f"{name}_2", "entity.name.type") in scoped(f"image x from {name}_2")


@pytest.mark.parametrize("word", ["use", "param", "secret", "image", "snapshot", "matrix", "when"])
def test_a_keyword_begins_a_statement(word: str) -> None:
    (first, scope), *_ = scoped(f"{word} x")
    assert (first, scope.partition(".")[0]) in ((word, "keyword"), (word, "storage"))
    assert scoped(f"    pip_install {word}")[-1][1] == "meta.statement"


def test_the_sample() -> None:
    found = scoped(SAMPLE)
    for expected in (
        ("snap", "keyword.control"), ("1", "constant.numeric"), ("# language version, first line", "comment.line.number-sign"),
        ("common", "entity.name.namespace"), ("profile", "variable.parameter"), ("one of", "support.type"),
        ("int", "support.type"), ("PIP_TOKEN", "variable.other.constant"), ("toolchain", "entity.name.type"),
        ("{python}", "variable.parameter"), ("debian", "variable.parameter.option"), ("${PATH}", "variable.other.environment"),
        (r"\n", "constant.character.escape"), (r"\q", "invalid.illegal.escape"), ("true", "constant.language"),
        ("4GiB", "constant.numeric"), ("==", "keyword.operator.comparison"), ("and", "keyword.operator.logical"),
        ("else", "keyword.control.conditional"), ("./x{y}", "string.quoted.single"), ("{{{python}}}", "variable.parameter"),
        ("none", "constant.language"), ("base", "support.function"), ("p", "variable.parameter.option"),
        ("workdir", "support.function"), ("# no operation", "comment.line.number-sign"),
    ):  # fmt: skip
        assert expected in found


def test_lines_of_a_list_and_of_a_text_are_no_statements() -> None:
    inside = [(text, scope) for text, scope in scoped(SAMPLE) if text.split()[0] in ("env", "user,", "image")]
    assert [scope for text, scope in inside if text in ("env", "user,", "image x")] == [
        "support.function", "meta.list", "meta.list", "string.quoted.triple", "support.function",
    ]  # fmt: skip


def test_a_version_is_part_of_its_word() -> None:
    assert scoped("    pip_install torch==2.5.1 numpy>=2 git#x")[1:] == [
        ("torch==2.5.1 numpy>=2 git#x", "meta.statement")
    ]


def test_a_string_that_is_not_closed_ends_with_its_line() -> None:
    assert scoped('    env A="b\n    user c')[-2:] == [("user", "support.function"), ("c", "meta.statement")]


def test_the_other_editor_file_is_json() -> None:
    found = json.loads((ROOT / "grammars/language-configuration.json").read_text(encoding="utf-8"))
    assert found["comments"] == {"lineComment": "#"}
    for pattern in (found["wordPattern"], *found["indentationRules"].values()):
        re.compile(pattern)
