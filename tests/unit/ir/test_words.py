"""Words: what :func:`expand` takes for a variable, and one form for words that mean the same."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from imagebuilder.diagnostics import Invalid
from imagebuilder.ir.words import Expansion, Var, Word, expand, merged, simplified, variables

A, B = Var(name="A"), Var(name="B")


@pytest.mark.parametrize(
    ("template", "parts"),
    [
        ("", ()),
        ("plain text", ("plain text",)),
        ("$A", (A,)),
        ("${A}", (A,)),
        ("$A$B", (A, B)),
        ("${A}${B}", (A, B)),
        ("/opt/bin:${PATH}", ("/opt/bin:", Var(name="PATH"))),
        ("a $A b", ("a ", A, " b")),
        ("$A.txt", (A, ".txt")),
        ("$A-$B", (A, "-", B)),
        ("$A_1", (Var(name="A_1"),)),
        ("$_a9", (Var(name="_a9"),)),
        ("${A}_1", (A, "_1")),
        ("$A}", (A, "}")),
        ("{$A}", ("{", A, "}")),
        ("${A:-x}", (Var(name="A", modifier=":-", word="x"),)),
        ("${A:-}", (Var(name="A", modifier=":-"),)),
        ("${A:-a b:c-d}", (Var(name="A", modifier=":-", word="a b:c-d"),)),
        ("${A:+x}", (Var(name="A", modifier=":+", word="x"),)),
        ("${A:-\n'\"}", (Var(name="A", modifier=":-", word="\n'\""),)),
        (r"\$A", ("$A",)),
        (r"\$", ("$",)),
        (r"\$$A", ("$", A)),
        (r"$A\$", (A, "$")),
        (r"\${A}", ("${A}",)),
        (r"\\", ("\\",)),
        (r"\\$A", ("\\", A)),
        (r"\\\$A", (r"\$A",)),
        (r"\\\\", (r"\\",)),
        (r"a\nb\c", (r"a\nb\c",)),
        ("'$A' \"$B\"", ("'", A, "' \"", B, '"')),
        ("a\n$A\n", ("a\n", A, "\n")),
        ("é$A日", ("é", Var(name="A日"))),
    ],
)
def test_expand(template: str, parts: tuple[str | Var, ...]) -> None:
    """No part is empty and no two texts stand side by side, so that equal words are equal."""
    assert expand(template) == Expansion(parts=parts)


@pytest.mark.parametrize(
    "template",
    ["$", "a$", "$ A", "$1", "$$", "$$A", "${", "${}", "${A", "${1}", "${A B}", "${ A}", "$(id)", "$-", "$é", "$\n", r"\\$"]
    + ["${A-x}", "${A+x}", "${A:?x}", "${A?x}", "${A#x}", "${A%x}", "${A/x/y}", "${A:x}", "${A:-$B}", "${A:-${B}}", "${A:-{}}"]
    + [r"${A:-\$}", "$A$", "ok $A and ${"],
)  # fmt: skip
def test_a_dollar_sign_that_begins_no_variable(template: str) -> None:
    with pytest.raises(Invalid) as caught:
        expand(template)
    assert caught.value.code == "IB104" and repr(template) in caught.value.message and r"\$" in caught.value.help


def test_an_expansion_is_a_value() -> None:
    assert expand("a$A") == expand("a${A}") and hash(expand("a$A")) == hash(expand("a${A}"))
    assert expand("a") != "a" and expand("$A") != expand(r"\$A")
    with pytest.raises(ValidationError):
        expand("$A").parts = ()  # type: ignore[misc]
    with pytest.raises(ValidationError):
        A.name = "B"  # type: ignore[misc]


@pytest.mark.parametrize("modifier", ["=", ":=", ":", "^", "-:"])
def test_an_unknown_modifier(modifier: str) -> None:
    with pytest.raises(ValidationError):
        Var.model_validate({"name": "A", "modifier": modifier})


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], ()),
        ([""], ()),
        (["", ""], ()),
        (["a"], ("a",)),
        (["a", "b", "c"], ("abc",)),
        (["a", "", "b"], ("ab",)),
        ([A], (A,)),
        (["", A, ""], (A,)),
        ([A, A], (A, A)),
        (["a", "b", A, "c", "", "d"], ("ab", A, "cd")),
        ([A, "", B], (A, B)),
    ],
)
def test_merged(parts: list[str | Var], expected: tuple[str | Var, ...]) -> None:
    before = [*parts]
    assert merged(parts) == expected
    assert parts == before


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], ""),
        ([""], ""),
        (["a", "", "b"], "ab"),
        (["$A"], "$A"),
        ([A], Expansion(parts=(A,))),
        (["", "a", "b", A, ""], Expansion(parts=("ab", A))),
    ],
)
def test_simplified(parts: list[str | Var], expected: Word) -> None:
    assert simplified(parts) == expected


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("", set()),
        ("$A", set()),
        (expand("none"), set()),
        (expand("$A ${B} $A"), {"A", "B"}),
        (expand("${A:-B}"), {"A"}),
        (Expansion(parts=(Var(name="A", modifier=":-", word=expand("$B")),)), {"A", "B"}),
        (Expansion(parts=(Var(name="A", modifier="/", word=expand("$B"), replacement=expand("x$C")),)), {"A", "B", "C"}),
        (Expansion(parts=(Var(name="A", modifier=":+", word=Expansion(parts=(Var(name="B", word=expand("$C")),))),)), {"A", "B", "C"}),
    ],
)  # fmt: skip
def test_variables(word: Word, names: set[str]) -> None:
    assert variables(word) == names
