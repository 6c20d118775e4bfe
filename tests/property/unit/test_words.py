"""Joining the parts of a word changes how it is written, and never what it means."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from imagebuilder.diagnostics import Invalid
from imagebuilder.ir.words import Expansion, Var, Word, expand, merged, simplified, variables

SETTINGS = settings(max_examples=200, deadline=None, derandomize=True)

TEXT = st.text("ab$\\{}:-+ \n", max_size=4) | st.text(max_size=3)
NAMES = st.sampled_from(["A", "B", "_c1"])


def variables_over(words: st.SearchStrategy[Word]) -> st.SearchStrategy[Var]:
    return st.builds(Var, name=NAMES, modifier=st.sampled_from(["", ":-", ":+", "-", "+"]), word=words)


def expansions(words: st.SearchStrategy[Word]) -> st.SearchStrategy[Word]:
    return st.lists(TEXT | variables_over(words), max_size=4).map(lambda parts: Expansion(parts=tuple(parts)))


WORDS: st.SearchStrategy[Word] = st.recursive(TEXT, expansions, max_leaves=6)
PARTS = st.lists(TEXT | variables_over(WORDS), max_size=6)
VALUES = st.dictionaries(NAMES, st.sampled_from(["", "x", "y z", "$A"]))


def evaluated(parts: Iterable[str | Var], values: Mapping[str, str]) -> str:
    """What a builder makes of the parts where the variables have these values."""
    return "".join(part if isinstance(part, str) else variable(part, values) for part in parts)


def variable(var: Var, values: Mapping[str, str]) -> str:
    held = values.get(var.name)
    is_set = bool(held) if ":" in var.modifier else held is not None
    word = evaluated((var.word,) if isinstance(var.word, str) else var.word.parts, values)
    if var.modifier.endswith("+"):
        return word if is_set else ""
    return word if var.modifier and not is_set else held or ""


@SETTINGS
@given(PARTS, VALUES)
def test_merging_keeps_the_meaning(parts: list[str | Var], values: dict[str, str]) -> None:
    assert evaluated(merged(parts), values) == evaluated(parts, values)
    assert [part for part in merged(parts) if isinstance(part, Var)] == [
        part for part in parts if isinstance(part, Var)
    ]


@SETTINGS
@given(PARTS)
def test_merging_twice_is_merging_once(parts: list[str | Var]) -> None:
    assert merged(list(merged(parts))) == merged(parts)


@SETTINGS
@given(PARTS)
def test_what_is_merged_has_neither_empty_nor_neighbouring_texts(parts: list[str | Var]) -> None:
    texts = [isinstance(part, str) for part in merged(parts)]
    assert "" not in merged(parts) and not any(one and other for one, other in zip(texts, texts[1:], strict=False))


@SETTINGS
@given(PARTS, st.data())
def test_how_a_text_was_divided_does_not_matter(parts: list[str | Var], data: st.DataObject) -> None:
    divided: list[str | Var] = []
    for part in parts:
        at = data.draw(st.integers(0, len(part))) if isinstance(part, str) else 0
        divided += [part[:at], part[at:]] if isinstance(part, str) else [part]
    assert merged(divided) == merged(parts) and simplified(divided) == simplified(parts)


@SETTINGS
@given(PARTS, VALUES)
def test_simplifying_keeps_the_meaning_and_is_done_once(parts: list[str | Var], values: dict[str, str]) -> None:
    word = simplified(parts)
    held = (word,) if isinstance(word, str) else word.parts
    assert evaluated(held, values) == evaluated(parts, values)
    assert isinstance(word, str) is not any(isinstance(part, Var) for part in parts)
    assert simplified(list(held)) == word


@SETTINGS
@given(TEXT)
def test_what_is_escaped_is_literal(text: str) -> None:
    found = expand(text.replace("\\", "\\\\").replace("$", "\\$"))
    assert found.parts == ((text,) if text else ())


@SETTINGS
@given(PARTS.filter(bool))
def test_a_template_says_its_parts(parts: list[str | Var]) -> None:
    """Of the variables that a template can write: those whose own word is plain."""
    plain = [part for part in parts if isinstance(part, str) or writable(part)]
    template = "".join(
        part.replace("\\", "\\\\").replace("$", "\\$")
        if isinstance(part, str)
        else "${%s%s%s}" % (part.name, part.modifier, part.word)
        for part in plain
    )
    assert expand(template).parts == merged(plain)


def writable(var: Var) -> bool:
    if not isinstance(var.word, str) or set(var.word) & set("${}"):
        return False
    return var.modifier in (":-", ":+") or (var.modifier, var.word) == ("", "")


@SETTINGS
@given(TEXT)
def test_any_template_is_taken_or_refused(template: str) -> None:
    """Refused only for a dollar sign, and taken as it is where there is nothing to read."""
    with contextlib.suppress(Invalid):
        found = expand(template)
        assert found.parts == merged(list(found.parts))
        assert set(template) & {"$", "\\"} or found.parts == merged([template])
        return
    assert "$" in template


@SETTINGS
@given(WORDS, VALUES)
def test_only_its_variables_change_what_a_word_means(word: Word, values: dict[str, str]) -> None:
    parts = (word,) if isinstance(word, str) else word.parts
    named = {name: value for name, value in values.items() if name in variables(word)}
    assert evaluated(parts, values) == evaluated(parts, named)
