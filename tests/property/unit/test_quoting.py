"""Whatever text is written into a Dockerfile, its reader gets that text back."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from imagebuilder.backends.dockerfile import quote
from imagebuilder.backends.dockerfile.quote import Values
from imagebuilder.diagnostics import Invalid
from imagebuilder.frontends.dockerfile.arguments import blank_separated, quoted_words
from imagebuilder.frontends.dockerfile.lexer import Token
from imagebuilder.frontends.dockerfile.words import json_list, parse
from imagebuilder.ir.words import Modifier, Var, Word, simplified
from tests.property.hostile import BY_HAND

# A tab is one that a word in quotes can hold.
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
TEXT = (
    st.lists(
        st.sampled_from(
            [*"\"'`$\\{}[]()<>#!=-,:*?/ \n\t\r", "\x85", "\xa0", "é", "${A}", "$(x)", "<<EOF", "EOF", "\\*", "a"]
        ),
        max_size=8,
    ).map("".join)
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
    | st.sampled_from(BY_HAND)
)
NAMES = st.sampled_from(["A", "PATH", "a_1"])
VARIABLES = st.builds(lambda name: Var(name=name), NAMES)
PLAIN_MODIFIERS: list[Modifier] = [":-", ":+", ":?", "-", "+", "?"]
# Text in a pattern: escapes are its own, and there are only these.
PATTERNS = st.lists(
    st.sampled_from(["a", "*", "?", "é", " ", "'", '"', "$", "\n", "/", r"\*", r"\?", r"\\", r"\/", r"\}"]), min_size=1
).map("".join)


def variables(words: st.SearchStrategy[Word]) -> st.SearchStrategy[Var]:
    return (
        VARIABLES
        | st.builds(
            lambda name, modifier, word: Var(name=name, modifier=modifier, word=word),
            NAMES,
            st.sampled_from(PLAIN_MODIFIERS),
            words,
        )
        | st.builds(
            lambda name, modifier, word: Var(name=name, modifier=modifier, word=word),
            NAMES,
            st.sampled_from(["#", "##", "%", "%%"]),
            PATTERNS,
        )
        | st.builds(
            lambda name, modifier, word, replacement: Var(
                name=name, modifier=modifier, word=word, replacement=replacement
            ),
            NAMES,
            st.sampled_from(["/", "//"]),
            PATTERNS,
            PATTERNS | st.just(""),
        )
    )


def expansions(words: st.SearchStrategy[Word]) -> st.SearchStrategy[Word]:
    return st.lists(TEXT | variables(words), max_size=4).map(simplified)


WORDS: st.SearchStrategy[Word] = expansions(st.recursive(TEXT, expansions, max_leaves=4))


def resolved(word: Word, values: Values) -> Word:
    """The word with what build arguments hold put back in its place."""
    if isinstance(word, str):
        return word
    parts: list[str | Var] = []
    for part in word.parts:
        if isinstance(part, str):
            parts.append(part)
        elif part.name in values.arguments:
            assert part.modifier == ""
            parts.append(values.arguments[part.name])
        else:
            fields = {"word": resolved(part.word, values)}
            if part.replacement is not None:
                fields["replacement"] = resolved(part.replacement, values)
            parts.append(part.model_copy(update=fields))
    return simplified(parts)


def token(text: str) -> Token:
    return Token(text, 1, 0, len(text))


@settings(max_examples=400, deadline=None)
@given(TEXT)
@example("a" * 8193)
def test_a_text_is_read_back(text: str) -> None:
    """From the Dockerfile alone, unless it has what no Dockerfile can hold."""
    values = Values()
    written = quote.word(text, values)
    assert resolved(parse(written), values) == text
    assert list(values.arguments.values()) == ([text] if CONTROL.search(text) or len(text) > 8192 else [])
    assert not CONTROL.search(written)


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=4))
def test_words_are_read_back_one_by_one(texts: list[str]) -> None:
    """Quotes keep each together and apart from the next."""
    values = Values()
    line = " ".join(quote.word(text, values) for text in texts)
    assert [resolved(parse(each.text), values) for each in quoted_words(token(line), "\\")] == texts


@settings(max_examples=400, deadline=None)
@given(WORDS)
def test_a_word_with_variables_is_read_back(word: Word) -> None:
    values = Values()
    written = quote.word(word, values)
    assert resolved(parse(written), values) == word
    assert not CONTROL.search(written)


@settings(max_examples=300, deadline=None)
@given(WORDS)
def test_the_body_of_a_here_document_is_read_back(body: Word) -> None:
    values = Values()
    assert resolved(parse(quote.heredoc_body(body, values), quotes=False), values) == body


@settings(max_examples=300, deadline=None)
@given(WORDS)
def test_a_destination_behind_a_here_document_is_one_bare_word(word: Word) -> None:
    assume(word != "")
    values = Values()
    written = quote.heredoc_destination(word, values)
    assert resolved(parse(written), values) == word
    if isinstance(word, str) or not any(isinstance(part, Var) and part.modifier for part in word.parts):
        assert [each.text for each in blank_separated(token(written))] == [written]


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, min_size=2, max_size=4))
def test_paths_are_read_back(paths: list[Word]) -> None:
    values = Values()
    written = re.sub(r"\\\n", "", quote.paths(paths, values))
    found = json_list(written)
    words = [each.text for each in blank_separated(token(written))] if found is None else found
    assert [resolved(parse(each), values) for each in words] == paths


@settings(max_examples=300, deadline=None)
@given(TEXT)
def test_a_flag_is_read_back_or_refused(text: str) -> None:
    try:
        written = quote.flag(text)
    except Invalid:
        assert re.search(r"[\s,\"'\\$`\x00-\x20\x7f]", text)
    else:
        assert written == parse(written) == text
        assert [each.text for each in blank_separated(token("x" + written))] == ["x" + text]


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXT, max_size=5))
@example(["\\" * 3000, '"' * 3000, "\n" * 3000])
def test_a_vector_is_read_back(words: list[str]) -> None:
    written = quote.vector(words)
    assert all(line.endswith(" \\") for line in written.split("\n")[:-1])
    assert json_list(re.sub(r"\\\n", "", written)) == words


ENDS = st.lists(
    st.sampled_from(["EOF", "EOF_1", "EOF_2", "EOF\r", "\tEOF", "\t\tEOF_1\r", " EOF", "a", ""]), max_size=6
).map("\n".join)


@settings(max_examples=300, deadline=None)
@given(st.lists(ENDS | TEXT, max_size=3))
def test_a_delimiter_is_a_line_of_no_body(bodies: list[str]) -> None:
    name = quote.delimiter(*bodies)
    assert re.fullmatch(r"EOF(_\d+)?", name)
    lines = {line for body in bodies for line in body.split("\n")}
    assert not [line for line in lines if line in (name, name + "\r") or line.lstrip("\t") in (name, name + "\r")]


@settings(max_examples=200, deadline=None)
@given(TEXT)
def test_what_a_dockerfile_cannot_hold_is_refused_where_no_argument_can(text: str) -> None:
    assume(CONTROL.search(text))
    with pytest.raises(Invalid, match="cannot be written here"):
        quote.word(text)
