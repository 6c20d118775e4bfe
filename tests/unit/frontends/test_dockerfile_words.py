"""Words: quotes, escapes and variables as in BuildKit's shell lexer, and what they evaluate to."""

import pytest

from imagebuilder.frontends.dockerfile.scope import Refused, Scope, Unresolved, evaluate, resolve
from imagebuilder.frontends.dockerfile.words import MAX_NESTING, NotStrings, WordError, json_list, parse, split
from imagebuilder.ir.words import Expansion, Var

X = Var(name="X")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("hello", "hello"),
        ("he'll'o", "hello"),
        ('he"ll"o', "hello"),
        ("he\\'llo", "he'llo"),
        ("he\\\\llo", "he\\llo"),
        ("abc\\tdef", "abctdef"),
        ("'abc\\tdef'", "abc\\tdef"),
        ('"abc\\tdef"', "abc\\tdef"),
        ('"a\\"b"', 'a"b'),
        ('"a\\\\b"', "a\\b"),
        ("'a\\'", "a\\"),
        ("'a'\"b\"c", "abc"),
        ("a b", "a b"),
        ("trailing\\", "trailing"),
        ("\\$X", "$X"),
        ("'$X'", "$X"),
        ('"\\$X"', "$X"),
        ("$", "$"),
        ("a$", "a$"),
        ("$/", "$/"),
        ("$$", ""),
        ("a$1b", "ab"),
        ("$@x", "x"),
        ("안녕", "안녕"),
        ("안\\'녕", "안'녕"),
    ],
)
def test_literal_words(text, expected):
    """Quotes and escapes go; '$' without a name stays; shell parameters are unset."""
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("$X", (X,)),
        ("${X}", (X,)),
        ("a${X}b", ("a", X, "b")),
        ("a$X.b", ("a", X, ".b")),
        ('"$X"', (X,)),
        ("\"'$X'\"", ("'", X, "'")),
        ("$X$Y", (X, Var(name="Y"))),
        ("${X:-d}", (Var(name="X", modifier=":-", word="d"),)),
        ("${X-d}", (Var(name="X", modifier="-", word="d"),)),
        ("${X:+d e}", (Var(name="X", modifier=":+", word="d e"),)),
        ("${X+d}", (Var(name="X", modifier="+", word="d"),)),
        ("${X:?no}", (Var(name="X", modifier=":?", word="no"),)),
        ("${X?}", (Var(name="X", modifier="?", word=""),)),
        ("${X:-'$Y'}", (Var(name="X", modifier=":-", word="$Y"),)),
        ("${X:-\\}}", (Var(name="X", modifier=":-", word="}"),)),
        ("${X:-a$Y}", (Var(name="X", modifier=":-", word=Expansion(parts=("a", Var(name="Y")))),)),
        ("${X#p*}", (Var(name="X", modifier="#", word="p*"),)),
        ("${X##\\*p}", (Var(name="X", modifier="##", word="\\*p"),)),
        ("${X%.*}", (Var(name="X", modifier="%", word=".*"),)),
        ("${X%%.*}", (Var(name="X", modifier="%%", word=".*"),)),
        ("${X/a/b}", (Var(name="X", modifier="/", word="a", replacement="b"),)),
        ("${X//a\\/c/b}", (Var(name="X", modifier="//", word="a\\/c", replacement="b"),)),
        ("${X/a/}", (Var(name="X", modifier="/", word="a", replacement=""),)),
    ],
)
def test_variables_are_kept(text, parts):
    """Every form of the Dockerfile reference becomes a variable with its modifier."""
    assert parse(text) == Expansion(parts=parts)


def test_a_here_document_has_no_quotes():
    """In its body quotes are text, and the backslash escapes."""
    assert parse("'$X' \"\\$Y\" \\n", quotes=False) == Expansion(parts=("'", X, '\' "$Y" n'))


def test_the_escape_character_can_be_the_backtick():
    """Then the backslash is text."""
    assert parse("C:\\dir\\`$X", "`") == "C:\\dir\\$X"


@pytest.mark.parametrize(
    ("text", "code", "offset"),
    [
        ("a'b", "IB313", 1),
        ('a"b', "IB313", 1),
        ('"a\\"', "IB313", 0),
        ("a${X", "IB313", 1),
        ("${X:-a", "IB313", 5),
        ("${X/a", "IB313", 4),
        ("a${}", "IB314", 1),
        ("${{X}}", "IB314", 0),
        ("${:X}", "IB314", 0),
        ("${X=1}", "IB314", 0),
        ("${X:=1}", "IB314", 0),
        ("${X^^}", "IB314", 0),
        ("${!X}", "IB314", 0),
        ("${@:-a}", "IB314", 0),
        ("${X#\\q}", "IB335", 0),
        ("${X:-" * (MAX_NESTING + 1) + "}" * (MAX_NESTING + 1), "IB333", 5 * MAX_NESTING),
    ],
)
def test_refuses_what_buildkit_does(text, code, offset):
    """With the place in the word."""
    with pytest.raises(WordError) as caught:
        parse(text)
    assert (caught.value.code, caught.value.offset) == (code, offset)


VALUES = {"X": "a.b.c", "E": "", "P": "/usr/lib/usr/x", "G": "a*b"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$X", "a.b.c"),
        ("$NONE", ""),
        ("${X:-d}", "a.b.c"),
        ("${E:-d}", "d"),
        ("${E-d}", ""),
        ("${NONE-d}", "d"),
        ("${NONE:-$X}", "a.b.c"),
        ("${X:+d}", "d"),
        ("${E:+d}", ""),
        ("${E+d}", "d"),
        ("${NONE+d}", ""),
        ("${X:?}", "a.b.c"),
        ("${E?}", ""),
        ("${X#*.}", "b.c"),
        ("${X##*.}", "c"),
        ("${X%.*}", "a.b"),
        ("${X%%.*}", "a"),
        ("${X%?c}", "a.b"),
        ("${X#z}", "a.b.c"),
        ("${G#a\\*}", "b"),
        ("${X/./-}", "a-b.c"),
        ("${X//./-}", "a-b-c"),
        ("${P//\\/usr/}", "/lib/x"),
        ("${P/u*r/}", "//x"),
        ("${X//?/z}", "zzzzz"),
        ("${NONE#*}", ""),
    ],
)
def test_evaluates_each_modifier(text, expected):
    """As the tables of BuildKit's shell tests have it."""
    assert evaluate(parse(text), Scope(dict(VALUES), complete=True)) == expected


def test_a_value_from_outside_is_not_guessed():
    """An unset variable of an image may be set there; the name of the culprit is known through assignments."""
    scope = Scope({"X": "x"})
    scope.values["Y"] = scope.worth("Y", parse("a$BASE"))
    with pytest.raises(Unresolved) as caught:
        evaluate(parse("$X-$Y"), scope)
    assert caught.value.name == "BASE"
    assert resolve(parse("$X-$BASE"), scope) == Expansion(parts=("x-", Var(name="BASE")))


def test_a_required_variable_says_its_message():
    """``${X:?message}``."""
    with pytest.raises(Refused, match="E: set me"):
        evaluate(parse("${E:?set me}"), Scope(dict(VALUES), complete=True))


@pytest.mark.parametrize("word", ["$X" * 11, "${X#*a*a*a*b}", "${X//x/" + "y" * 2000 + "}", "${X/*a/}"])
def test_values_and_work_are_bounded(word):
    """A small file can neither fill the memory nor run a pattern for minutes."""
    with pytest.raises(Refused, match="100,000"):
        evaluate(parse(word), Scope({"X": "x" * 10_000}, complete=True))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a  b\tc", ["a", "b", "c"]),
        ("a 'b c' d", ["a", "'b c'", "d"]),
        ('a "b \\" c" d', ["a", '"b \\" c"', "d"]),
        ("a\\ b c", ["a\\ b", "c"]),
        ("<<  EOF x", ["<<  EOF", "x"]),
        ("a < b", ["a", "<", "b"]),
        ("${X:-a b} c", ["${X:-a", "b}", "c"]),
        ("a 'b", None),
        ("a ${b", None),
        ("${X,,} <<A", None),
    ],
)
def test_splits_lines_for_here_documents(line, words):
    """Quotes hold blanks together and stay; an open one gives up on the line, as BuildKit does."""
    assert split(line, raw_quotes=True, raw_escapes=True) == words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('["a", "b"]', ["a", "b"]),
        ("[]", []),
        ('  ["\\u00e9\\n"]', ["é\n"]),
        ('["\\ud800"]', ["\ufffd"]),
        ("['a']", None),
        ('["a",]', None),
        ('["a"] b', None),
        ("[NaN]", None),
        ('{"a": 1}', None),
        ('["a\tb"]', None),
        ("[" * 100_000, None),
        ("echo", None),
    ],
)
def test_json_arrays(text, expected):
    """What is no JSON array is left to the shell."""
    assert json_list(text) == expected


@pytest.mark.parametrize("text", ["[1]", '["a", null]', '[["a"]]'])
def test_json_of_other_things_is_refused(text):
    """An array of anything but strings is a mistake and no shell command."""
    with pytest.raises(NotStrings):
        json_list(text)
