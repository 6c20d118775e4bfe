"""Strings: what is written, and the text that it stands for."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from imagebuilder.diagnostics import CompileError, Diagnostic
from imagebuilder.frontends.snap import load
from imagebuilder.ir.words import Expansion, Var
from tests.unit.frontends.snap.loading import refused, text_of, variables

# What a container can get, and a source file can hold as it is.
ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
PLAIN = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=40)


def quoted(text: str) -> str:
    """As a string in double quotes, each control character by its number."""
    found = text.replace("\\", "\\\\").replace('"', '\\"').replace("{", "{{").replace("}", "}}")
    return '"' + "".join(char if char >= " " and char != "\x7f" else f"\\u{{{ord(char):x}}}" for char in found) + '"'


@given(ANY)
@example("\r\n\t\x0b\x0c\x1c\x85\u2028\ufeff")
@example("#{x}${y}\\n'")
def test_any_text_survives_in_double_quotes(text: str) -> None:
    assert text_of(quoted(text)) == text


@given(PLAIN)
@example('{x} ${y} \\ " “#” \ufeff\u00a0')
def test_any_line_without_an_apostrophe_survives_in_single_quotes(text: str) -> None:
    assume("'" not in text and "\n" not in text)
    assert text_of(f"'{text}'") == text


@given(PLAIN)
@example('{x} {{{y} ${z} "" \\\n\n  a\n\tb')
@example("\n")
@example("")
def test_any_text_without_three_quotes_survives_in_a_block(text: str) -> None:
    """Between lines of their own, the quotes are no part of the text; a line of blanks alone loses them."""
    assume("'''" not in text and not text.endswith("'"))
    assume(all(line.strip() or not line for line in text.split("\n")))
    shifted = "".join(f"    {line}\n" if line else "\n" for line in text.split("\n"))
    lines = [line for line in text.split("\n") if line]
    assume(not lines or any(line[0] not in " \t" for line in lines))
    assert text_of(f"'''\n{shifted}'''") == text + "\n"


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (r'"\n\r\t\\\"\$"', '\n\r\t\\"$'),
        (r'"\u{41}\u{1F600}\u{7}"', "A\U0001f600\x07"),
        ('"{{x}} {{{{"', "{x} {{"),
        (r"'\n {x} ${y} \'", r"\n {x} ${y} \ ".rstrip()),
        ('"{a}-{b}"', "1-two"),
        ("{a}-{b}", "1-two"),
        ('"{{{a}}}"', "{1}"),
        (r'"\${a}"', "$1"),
        ('"""{a} {{a}} {{{a}}} ${a}"""', "{a} {{a}} 1 ${a}"),
        ("'''{{{a}}}'''", "{{{a}}}"),
        ('"""\n    a\n      b\n    """', "a\n  b\n"),
        ('"""\n    a\n    b"""', "a\nb"),
        ('"""a\n    b\n      c"""', "a\nb\n  c"),
        ('"""\n\ta:\n\t\tmake\n"""', "a:\n\tmake\n"),
        ('"""\n\n  a\n\n  b\n"""', "\na\n\nb\n"),
        ('"""\n"a"\n"""', '"a"\n'),
        ('""', ""),
        ("''", ""),
        ('""""""', ""),
        ("''''''", ""),
        ("3.10", "3.10"),
        ("https://x/y?a=b&c=#d", "https://x/y?a=b&c=#d"),
        ("$HOME", "$HOME"),
    ],
)
def test_what_is_written_and_what_it_is(written: str, text: str) -> None:
    assert text_of(written, 'param a: int = 1\nparam b: string = "two"') == text


def test_a_value_is_not_read_again() -> None:
    declarations = "param a: string = '{b} \\n ${c} {{'"
    for written in ('"{a}"', "{a}", '"""{{{a}}}"""'):
        assert text_of(written, declarations) == "{b} \\n ${c} {{"


@pytest.mark.parametrize(
    ("newline", "before", "after"), [("\r\n", "", ""), ("\r", "", ""), ("\n", "\ufeff", ""), ("\n", "", "  \t")]
)
def test_how_a_checkout_writes_lines_means_nothing(newline: str, before: str, after: str) -> None:
    lines = [
        "snap 1",
        "",
        "# comment",
        "image it from scratch {",
        '    add_text """',
        "        a",
        "\t\tb",
        '    """ /a',
        "\tuser app",
        "}",
        "",
    ]
    plain = load("it.snap", source="\n".join(lines)).images["it"]
    other = load(
        "it.snap", source=before + newline.join(line + after for line in lines[:4]) + newline + newline.join(lines[4:])
    ).images["it"]
    assert other.stage == plain.stage


def test_a_file_may_end_anywhere() -> None:
    for text in (
        "snap 1",
        "snap 1\n",
        "snap 1 # end",
        "snap 1; image a from scratch",
        "snap 1\nimage a from scratch # x",
    ):
        load("it.snap", source=text)


def test_variables_of_the_image() -> None:
    found = variables('param p: string = "$x"\nimage it from scratch { env A=$"{p}:${B:-c}:$D\\$" E=$"x" }')
    assert found["A"] == Expansion(parts=("$x:", Var(name="B", modifier=":-", word="c"), ":", Var(name="D"), "$"))
    assert found["E"] in ("x", Expansion(parts=("x",)))


def test_texts_do_not_grow_without_bound() -> None:
    declarations = "\n".join(
        ["param a0: string = " + "x" * 1000, *(f'param a{i + 1}: string = "{"{a%d}" % i * 10}"' for i in range(8))]
    )
    assert refused(declarations)[0] == ("IB102", 4)


@given(st.text(st.sampled_from("\\\"'{}$nu[](),;# \t\nax=<>“"), max_size=30))
def test_nothing_but_diagnostics(text: str) -> None:
    for source in (
        text,
        f"snap 1\nimage it from scratch {{ env A={text} }}",
        f"snap 1\nparam x: string = a\nwhen {text} {{\n}}",
    ):
        lines = source.split("\n")
        for error in mistakes(source):
            assert error.place is not None
            at = error.place.resolve()
            assert 1 <= at.line <= len(lines)
            assert 0 <= at.column <= len(lines[at.line - 1]) + 1


def mistakes(source: str) -> tuple[Diagnostic, ...]:
    try:
        load("it.snap", source=source)
    except CompileError as error:
        return error.diagnostics
    return ()
