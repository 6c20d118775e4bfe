"""Every form of text in a Dockerfile: what stands plainly, what is quoted, what becomes a build argument, what is refused."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest

from imagebuilder.backends.dockerfile import quote
from imagebuilder.backends.dockerfile.quote import Values
from imagebuilder.diagnostics import Invalid
from imagebuilder.ir.words import Expansion, Modifier, Var, Word

# Line ends of some kind, and what terminals and parsers act on.
CONTROL = ["\n", "\r", "\x00", "\x1f", "\x7f", "\x85", "\x9f", "\u2028", "\u2029"]


def held(value: str) -> str:
    """The reference to the build argument that holds the value."""
    return "${IB_VALUE_%s}" % sha256(value.encode()).hexdigest()[:12]


def word_of(*parts: str | Var) -> Expansion:
    return Expansion(parts=parts)


def var(modifier: Modifier, word: Word, replacement: Word | None = None) -> Expansion:
    return word_of(Var(name="A", modifier=modifier, word=word, replacement=replacement))


# Words ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["a", "0", "a-b", "_", "/usr/local/bin", "k=v", "./a:b@c%d+e,f~", "x" * 8192])
def test_a_plain_word_is_written_as_it_is(value: str) -> None:
    values = Values()
    assert quote.word(value, values) == value
    assert values.arguments == {}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("", '""'),
        (" ", '" "'),
        ("a b", '"a b"'),
        ("-a", '"-a"'),
        ("it's", '"it\'s"'),
        ('say "hi"', r'"say \"hi\""'),
        ("$HOME", r'"\$HOME"'),
        ("${HOME}", r'"\${HOME}"'),
        ("C:\\new\\", r'"C:\\new\\"'),
        ("`id`", '"`id`"'),
        ("#", '"#"'),
        ("[1]", '"[1]"'),
        ("<<EOF", '"<<EOF"'),
        ("{{ x }}", '"{{ x }}"'),
        ("é\xa0", '"é\xa0"'),
        ("a\tb", '"a\tb"'),
    ],
)
def test_another_word_is_quoted(value: str, written: str) -> None:
    values = Values()
    assert quote.word(value, values) == quote.word(value) == written
    assert values.arguments == {}


@pytest.mark.parametrize("value", [*(f"a{c}b" for c in CONTROL), "x" * 8193], ids=ascii)
def test_what_no_text_can_hold_goes_through_a_build_argument(value: str) -> None:
    values = Values()
    assert quote.word(value, values) == f'"{held(value)}"'
    assert list(values.arguments.values()) == [value]
    with pytest.raises(Invalid) as caught:
        quote.word(value)
    assert caught.value.code == "IB141" and caught.value.help


def test_a_value_has_one_argument_however_often_it_is_used() -> None:
    values = Values()
    assert values.name("a\n") == values.name("a\n") != values.name("b\n")
    assert values.arguments == {values.name(value): value for value in ("a\n", "b\n")}


def test_arguments_are_asked_for_once() -> None:
    """The renderer declares them before the instruction that uses them."""
    values = Values()
    first, second = values.name("1"), values.name("2")
    values.name("1")
    assert values.asked() == (first, second)
    assert values.asked() == ()
    values.name("1")
    assert values.asked() == (first,)


# Variables in words -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "written"),
    [
        (word_of(Var(name="A")), '"${A}"'),
        (word_of("/opt:", Var(name="A"), "$x"), r'"/opt:${A}\$x"'),
        (word_of("a\n", Var(name="A")), f'"{held("a" + chr(10))}${{A}}"'),
        (var(":-", "b c"), '"${A:-b c}"'),
        (var("-", ""), '"${A-}"'),
        (var(":?", 'it\'s "so" $5 \\ }'), r'''"${A:?it\'s \"so\" \$5 \\ \}}"'''),
        (var(":+", word_of(":", Var(name="B"))), '"${A:+:${B}}"'),
        (var("+", "a\nb"), f'"${{A+{held("a" + chr(10) + "b")}}}"'),
        (var("#", "*/"), '"${A#*/}"'),
        (var("##", "*/"), '"${A##*/}"'),
        (var("%", r"\*"), r'"${A%\*}"'),
        (var("%%", "it's"), f'"${{A%%{held("it" + chr(39) + "s")}}}"'),
        (var("#", word_of(Var(name="B"), "x")), '"${A#${B}x}"'),
        (var("/", "b", "c"), '"${A/b/c}"'),
        (var("//", "b", ""), '"${A//b/}"'),
        (var("//", "a/b", "c/d"), f'"${{A//{held("a/b")}/c/d}}"'),
    ],
)
def test_variables(word: Word, written: str) -> None:
    assert quote.word(word, Values()) == written


@pytest.mark.parametrize("modifier", ["#", "%"])
def test_a_pattern_that_would_be_another_modifier_is_refused(modifier: Modifier) -> None:
    for pattern in (modifier + "x", word_of(modifier, Var(name="B"))):
        with pytest.raises(Invalid) as caught:
            quote.word(var(modifier, pattern), Values())
        assert caught.value.code == "IB145" and modifier * 2 in caught.value.help


@pytest.mark.parametrize("modifier", ["/", "//"])
def test_an_empty_pattern_is_refused(modifier: Modifier) -> None:
    """``${A//x}`` would be another expression."""
    with pytest.raises(Invalid) as caught:
        quote.word(var(modifier, "", "x"), Values())
    assert caught.value.code == "IB145"


@pytest.mark.parametrize("modifier", ["#", "##", "/", "//"])
def test_a_pattern_that_begins_with_a_byte_order_mark_is_refused(modifier: Modifier) -> None:
    with pytest.raises(Invalid, match="byte order mark") as caught:
        quote.word(var(modifier, "\ufeffx", ""), Values())
    assert caught.value.code == "IB141"


@pytest.mark.parametrize("word", [var(":-", "a\n"), var("#", "a b"), var("/", "a", "b c")])
def test_what_braces_cannot_hold_needs_an_argument(word: Word) -> None:
    with pytest.raises(Invalid, match="cannot be written here") as caught:
        quote.word(word)
    assert caught.value.code == "IB141"


# Flags ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("", ""),
        ("1000:1000", "1000:1000"),
        ("-x", "-x"),
        ("a=b", "a=b"),
        ("**/*.p[yo]", "**/*.p[yo]"),
        ("é", "é"),
        (word_of(Var(name="UID"), ":1"), "${UID}:1"),
        (var(":-", "app"), "${A:-app}"),
    ],
)
def test_a_flag_is_written_without_quotes(value: Word, written: str) -> None:
    assert quote.flag(value) == written


def test_a_comma_is_of_no_weight_but_in_a_field() -> None:
    assert quote.flag("u=rwX,go=rX") == "u=rwX,go=rX"
    with pytest.raises(Invalid) as caught:
        quote.field("/a,b")
    assert caught.value.code == "IB142"


@pytest.mark.parametrize("character", [*" \"'$\\`", "\t", "\n", "\x00", "\x7f", "\xa0", "\u2028"], ids=ascii)
def test_a_flag_refuses_what_it_cannot_hold(character: str) -> None:
    for value in (f"a{character}b", word_of(f"a{character}", Var(name="A")), var(":-", f"a{character}b")):
        for write in (quote.flag, quote.field):
            with pytest.raises(Invalid) as caught:
                write(value)
            assert caught.value.code == "IB142" and caught.value.help


# Vectors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ([], "[]"),
        (["a"], '["a"]'),
        (["echo", "$HOME", "it's"], '["echo", "$HOME", "it\'s"]'),
        (['"', "\\"], r'["\"", "\\"]'),
        (["a\nb", "\t", "é"], r'["a\nb", "\t", "é"]'),
    ],
)
def test_a_vector_is_json(words: list[str], written: str) -> None:
    assert quote.vector(words) == written


def test_a_long_vector_stands_on_several_lines() -> None:
    words = ["x" * 5000] * 20
    lines = quote.vector(words).split("\n")
    assert len(lines) == 20 and max(map(len, lines)) < 6000
    assert all(line.endswith(" \\") for line in lines[:-1])
    assert json.loads("".join(line.removesuffix("\\") for line in lines)) == words


# Paths ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paths", "written"),
    [
        (["a", "/b"], "a /b"),
        (["a*[0-9]?", "é#~;|&(", "/b"], "a*[0-9]? é#~;|&( /b"),
        ([word_of("/", Var(name="A")), "/b"], "/${A} /b"),
        (["a b", "/b"], '["\\"a b\\"", "/b"]'),
        (["-a", "/b"], '["\\"-a\\"", "/b"]'),
        (["[a", "/b"], '["\\"[a\\"", "/b"]'),
        (["", "/b"], '["\\"\\"", "/b"]'),
        (["$a", "/b"], r'["\"\\$a\"", "/b"]'),
        (["it's", "/b"], '["\\"it\'s\\"", "/b"]'),
        (["<<EOF", "/b"], '["\\"<<EOF\\"", "/b"]'),
        (["\ufeffa", "/b"], '["\\"\ufeffa\\"", "/b"]'),
        ([var(":-", "a b"), "/b"], '["\\"${A:-a b}\\"", "/b"]'),
        (["a\n", "/b"], f'["\\"{held("a" + chr(10))}\\"", "/b"]'),
    ],
)
def test_paths_are_plain_or_json(paths: list[Word], written: str) -> None:
    assert quote.paths(paths, Values()) == written


@pytest.mark.parametrize(
    ("port", "written"),
    [
        ("8080/tcp", "8080/tcp"),
        (Expansion(parts=(Var(name="P"),)), "${P}"),
        (Expansion(parts=(Var(name="P"), "/udp")), "${P}/udp"),
        (Expansion(parts=(Var(name="P", modifier=":-", word="80"),)), "${P:-80}"),
        (Expansion(parts=(Var(name="P", modifier=":-", word="80 81"),)), '"${P:-80 81}"'),
    ],
)
def test_a_variable_of_expose_may_be_several_ports(port: Word, written: str) -> None:
    """Without quotes; but where a blank stands in the text, BuildKit would cut there."""
    assert quote.ports(port, Values()) == written


@pytest.mark.parametrize(
    ("dest", "written"),
    [
        ("/etc/a.conf", "/etc/a.conf"),
        (word_of(Var(name="DIR"), "/a"), "${DIR}/a"),
        ("/with blank", held("/with blank")),
        ('/"', held('/"')),
        ("/$a", held("/$a")),
        (word_of(Var(name="DIR"), "/a b"), "${DIR}" + held("/a b")),
    ],
)
def test_a_destination_behind_a_here_document_has_no_quotes(dest: Word, written: str) -> None:
    assert quote.heredoc_destination(dest, Values()) == written


# Shell text and here-documents ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["true", "a\tb", "echo \"$HOME\" 'x' \\\\ x", "a # b", "a < b", "é", "a\\ b", "[ -f x ] && y", "[a]"]
)
def test_shell_text_that_can_stand_on_its_line(text: str) -> None:
    assert quote.is_one_line(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " a",
        "a ",
        "\ta",
        "\xa0a",
        "-a",
        '["a"]',
        "[1]",
        "[]",
        "#a",
        "<<EOF",
        "cat <<EOF",
        "a\\",
        "a\nb",
        "a\r",
        "a\x85b",
        "a\u2028b",
        "[" * 9999,
    ],
    ids=lambda text: ascii(text[:9]),
)
def test_shell_text_that_cannot(text: str) -> None:
    """It would be a flag, JSON, a comment, a here-document, a continuation, or lose its blanks."""
    assert not quote.is_one_line(text)


@pytest.mark.parametrize(
    ("bodies", "name"),
    [
        ((), "EOF"),
        (("",), "EOF"),
        (("xEOF\nEOF x\n EOF",), "EOF"),
        (("a\nEOF\nb",), "EOF_1"),
        (("EOF",), "EOF_1"),
        (("EOF\r\n",), "EOF_1"),
        (("\tEOF\n",), "EOF_1"),
        (("EOF\n", "EOF_1\n"), "EOF_2"),
        (("EOF_1\n",), "EOF"),
    ],
)
def test_a_delimiter_is_no_line_of_a_body(bodies: tuple[str, ...], name: str) -> None:
    assert quote.delimiter(*bodies) == name


@pytest.mark.parametrize(
    ("body", "written"),
    [
        ("a \"b\" 'c' `d`\n", "a \"b\" 'c' `d`\n"),
        ("$5 \\ \n", "\\$5 \\\\ \n"),
        (word_of("a=", Var(name="A"), "\n$\n"), "a=${A}\n\\$\n"),
        (word_of(var(":-", "}").parts[0], "\n"), "${A:-\\}}\n"),
    ],
)
def test_the_body_of_an_unquoted_here_document(body: Word, written: str) -> None:
    values = Values()
    assert quote.heredoc_body(body, values) == written
    assert values.arguments == {}
