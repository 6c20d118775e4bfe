"""What stands around a place, and how a text is parted into statements."""

from __future__ import annotations

import pytest

from imagebuilder.lsp.cursor import Scan, Word


def scan(marked: str) -> Scan:
    place = marked.index("§")
    return Scan(marked.replace("§", "", 1), place)


def heads(text: str) -> list[tuple[str, str]]:
    return [(head.level, text[head.begin : head.end]) for head in Scan(text).heads]


def word(marked: str) -> Word:
    found = scan(marked).word
    assert found is not None
    return found


def test_the_word_under_the_cursor() -> None:
    here = scan('image x from base {\n    env A=b "c d" e§f g\n}')
    assert here.word is not None and here.word.text == "ef"
    assert [each.text for each in here.statement.words] == ["env", "A=b", '"c d"', "ef"]
    assert [each.text for each in here.statement.head] == ["image", "x", "from", "base"]


@pytest.mark.parametrize("marked", ["a §b", "§", "a\n§", "a [§", "a {}§", "a; §"])
def test_no_word_under_the_cursor(marked: str) -> None:
    assert scan(marked).word is None


def test_a_value_that_is_glued_to_its_key() -> None:
    for text, kind, unquoted in (
        ("a=b§", "word", "b"),
        ('a="b"§', "string", "b"),
        ('a=$"b"§', "string", "b"),
        ("a='b'§", "raw", "b"),
    ):
        found = word(text)
        assert (found.key, found.kind, found.unquoted) == ("a", kind, unquoted)
        assert found.text[found.content - found.begin :].startswith("b")


@pytest.mark.parametrize(
    "text", ["a==1§", "--x=1§", "numpy>=2,<3§", "requests[socks]>=2§", "a{b}c§", "git+https://h/x@v1§"]
)
def test_words_that_have_no_key(text: str) -> None:
    assert (word(text).key, word(text).text) == ("", text[:-1])


def test_lists_are_words_of_their_statement() -> None:
    here = scan("pip_install [a, b] secrets=[x, y§")
    assert [(each.kind, each.key) for each in here.statement.words] == [("word", ""), ("list", ""), ("list", "secrets")]
    assert [frame.owner.key for frame in here.inner if frame.owner] == ["secrets"]
    assert [each.text for each in here.inner[-1].words] == ["x", "y"]


def test_levels() -> None:
    assert scan("when a {\n §").level == "file"
    assert scan('matrix a=[b] {\n snapshot "x" from y {\n when a {\n §').level == "block"
    assert scan("image x from y { } §").level == "file"


def test_statements() -> None:
    assert heads(
        'snap 1\nimage x from y { env A=b; user c } # d\nwhen a { image z from y } else { use "b" as c }\n'
    ) == [
        ("file", "snap 1"),
        ("file", "image x from y"),
        ("block", "env A=b"),
        ("block", "user c"),
        ("file", "when a"),
        ("file", "image z from y"),
        ("file", "else"),
        ("file", 'use "b" as c'),
    ]


def test_lines_of_lists_and_texts_are_no_statements() -> None:
    assert heads(
        'image x from y {\n    pip_install [\n        a\n        b\n    ]\n    run_commands """\n}\nuse\n"""\n}\n'
    ) == [
        ("file", "image x from y"),
        ("block", "pip_install [\n        a\n        b\n    ]"),
        ("block", 'run_commands """\n}\nuse\n"""'),
    ]


@pytest.mark.parametrize("broken", ["{", "{\n    pip_install [a", '{\n    env A="b', "{\n    when a {", "[(", '"'])
def test_an_item_that_begins_a_line_ends_what_is_open(broken: str) -> None:
    assert heads(f"image x from y {broken}\nimage z from y\n")[-1] == ("file", "image z from y")


def test_a_text_in_three_quotes_that_is_not_closed_goes_on_to_the_end() -> None:
    assert heads('image x from y {\n    run_commands """\nimage z from y\n')[-1] == (
        "block",
        'run_commands """\nimage z from y\n',
    )


def test_a_brace_is_a_block_or_a_parameter() -> None:
    assert scan("image x from base {§").level == "block"
    assert scan("image x from base{§").word is not None, "a parameter in a word, as far as one can tell"
    assert scan("image x from base {\n    user {§").word is not None
    assert scan("when x == {§").word is not None
    assert scan("when x {§").word is None
