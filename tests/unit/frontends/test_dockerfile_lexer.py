"""Lines to instructions: the rules of BuildKit's parser, and the place of everything."""

import pytest

from imagebuilder.diagnostics import Span
from imagebuilder.frontends.dockerfile.lexer import Heredoc, heredoc_marker, lex


def rests(text: str) -> list[tuple[str, str]]:
    lexed = lex(text, "D")
    assert not lexed.problems
    return [(each.keyword, each.rest.text) for each in lexed.instructions]


def heredocs(text: str) -> list[list[Heredoc]]:
    lexed = lex(text, "D")
    assert not lexed.problems
    return [list(each.heredocs) for each in lexed.instructions]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a", [("FROM", "a")]),
        ("from a", [("FROM", "a")]),
        ("  \tFROM   a  \n", [("FROM", "a")]),
        ("\ufeffFROM a\n", [("FROM", "a")]),
        ("# c\n\n  # d\nFROM a\n#e", [("FROM", "a")]),
        ("RUN a \\\n  b", [("RUN", "a   b")]),
        ("RUN a\\\nb", [("RUN", "ab")]),
        ("RUN a \\  \t\n  b", [("RUN", "a   b")]),
        ("RUN a \\\n# comment\n  # another \\\n  b", [("RUN", "a   b")]),
        ("RUN something \\\n\n    following \\\n\n    more", [("RUN", "something     following     more")]),
        ("RUN a \\\\\nRUN b", [("RUN", "a \\\\"), ("RUN", "b")]),
        ("RUN a \\", [("RUN", "a")]),
        ("\\\nRUN a", [("RUN", "a")]),
        ("RUN a # no comment", [("RUN", "a # no comment")]),
        ("RUN a\r\nRUN b\r\n", [("RUN", "a"), ("RUN", "b")]),
        ("RUN a \\\r\n  b\r\n", [("RUN", "a   b")]),
        ("# escape=`\nRUN a `\n b\\\nRUN c", [("RUN", "a  b\\"), ("RUN", "c")]),
        ("# EsCaPe = `\nRUN a `\n b", [("RUN", "a  b")]),
        ("#escape=`\n# syntax=docker/dockerfile:1\nRUN a `\n b", [("RUN", "a  b")]),
        ("# unknown=1\n# escape=`\nRUN a \\\n b", [("RUN", "a  b")]),
        ("\n# escape=`\nRUN a \\\n b", [("RUN", "a  b")]),
        ("ENV\ta=b", [("ENV", "a=b")]),
    ],
)
def test_joins_physical_lines_as_buildkit_does(text, expected):
    """Continuations keep the blanks of their lines; comments and blank lines between them go."""
    assert rests(text) == expected


@pytest.mark.parametrize(
    ("text", "flags", "rest"),
    [
        ("RUN --a=b --c d", ["--a=b", "--c"], "d"),
        ("RUN --a='b c' d", ["--a=b c"], "d"),
        ('RUN --a="b\\"c" d', ['--a=b"c'], "d"),
        ("RUN --a=b\\ c d", ["--a=b c"], "d"),
        ("RUN -- --a d", [], "--a d"),
        ("RUN --a -- --b", ["--a"], "--b"),
        ("RUN a --b", [], "a --b"),
        ("RUN --a", ["--a"], ""),
        ("COPY --from=x \\\n  --link a b", ["--from=x", "--link"], "a b"),
    ],
)
def test_takes_flags_off(text, flags, rest):
    """Flags come first, lose quotes and escapes, and end at '--'."""
    (instruction,) = lex(text, "D").instructions
    assert [each.text for each in instruction.flags] == flags
    assert instruction.rest.text == rest


@pytest.mark.parametrize(
    ("word", "name", "expand", "chomp"),
    [
        ("<<EOF", "EOF", True, False),
        ("<<'EOF'", "EOF", False, False),
        ('<<"EOF"', "EOF", False, False),
        ("<<-EOF", "EOF", True, True),
        ("<<-'EOF'", "EOF", False, True),
        ('<<EO"F"', "EOF", False, False),
        ("<< EOF", "EOF", True, False),
        ("<<- EOF", "EOF", True, True),
        ("3<<EOF", "EOF", True, False),
        ("<<eo'f'", "eof", False, False),
        ("<<eo\\'f", "eo'f", True, False),
        ("<<'e'o\\'f", "eo'f", False, False),
        ("<<'one two'", "one two", False, False),
        ("<<$EOF", "$EOF", True, False),
        ("<<file.txt", "file.txt", True, False),
    ],
)
def test_reads_delimiters_of_here_documents(word, name, expand, chomp):
    """The cases of BuildKit's own test of heredoc words."""
    marker = heredoc_marker(word)
    assert marker is not None
    assert (marker.name, marker.expand, marker.chomp) == (name, expand, chomp)


@pytest.mark.parametrize("word", ["", "EOF", "<<", "<<-", "<EOF", "<<<EOF", "<<EOF sh", "<<'EOF", '<<"EOF', "<<EOF'"])
def test_other_words_begin_no_here_document(word):
    """A here-string, a single '<' or an open quote is text."""
    assert heredoc_marker(word) is None


@pytest.mark.parametrize(
    ("text", "bodies"),
    [
        ("RUN <<EMPTY\nEMPTY", [""]),
        ("RUN <<A\n\tfoo\n\tbar\nA", ["\tfoo\n\tbar\n"]),
        ("RUN <<-A\n\tfoo\n\tA", ["\tfoo\n"]),
        ("RUN <<A\n# kept\n\n\\\nA", ["# kept\n\n\\\n"]),
        ("COPY <<X <<Y /dest\nY\nX\nX\nY", ["Y\n", "X\n"]),
        ("RUN <<A python3\nprint(1)\nA", ["print(1)\n"]),
        ("RUN --mount=type=cache,target=/x <<A\na\nA", ["a\n"]),
        ("RUN cat \\\n <<A\na\nA", ["a\n"]),
        ("ONBUILD RUN <<A\na\nA", ["a\n"]),
        ("RUN <<  A\na\nA", ["a\n"]),
        ("RUN <<A\r\na\r\nA\r\n", ["a\n"]),
        ("RUN <<A\na\r\nA\r", ["a\r\n"]),
        ('RUN "<<A"', []),
        ("RUN '<<A'", []),
        ('RUN ["<<A"]', []),
        ("USER <<A", []),
        ("RUN cat <<< A", []),
        ("RUN echo it's <<A", []),
        ("RUN echo $((1 <<2))\n2))", [""]),
        ("RUN echo ${x:-a} <<A\nA", [""]),
    ],
)
def test_finds_here_documents_where_buildkit_does(text, bodies):
    """In RUN, COPY and ADD in their shell form, outside of quotes; their lines are kept as they are."""
    assert [each.body for each in heredocs(text)[0]] == bodies


def test_knows_the_place_of_every_word():
    """Line and column of a word hold through continuations, comments and tabs."""
    (instruction,) = lex("\n  COPY --link \\\n# c\n\ta.txt \\\n   /b", "D").instructions
    assert instruction.span == Span("D", 2, 3, 5, 6)
    assert instruction.word.span == Span("D", 2, 3, 2, 7)
    assert instruction.flags[0].span == Span("D", 2, 8, 2, 14)
    rest = instruction.rest
    assert rest.span == Span("D", 4, 2, 5, 6)
    assert rest.at(rest.text.index("/b")) == Span("D", 5, 4, 5, 6)


def test_an_instruction_ends_where_its_here_documents_do():
    """The span covers the lines of the document, its end included."""
    first, second = lex("RUN <<A\nx\nA\nUSER b", "D").instructions
    assert first.span == Span("D", 1, 1, 3, 2)
    assert second.span.line == 4
    assert first.heredocs[0].line == 2


def test_an_uneven_mix_of_line_ends_is_kept():
    """Only a file that is CRLF throughout is one whose checkout changed it."""
    (instruction, _) = lex("RUN <<A\nx\r\nA\nUSER b\n", "D").instructions
    assert instruction.heredocs[0].body == "x\r\n"
