"""Whatever stands in a file, importing it gives a stage or diagnostics with places inside of it."""

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagebuilder.diagnostics import CompileError, Span
from imagebuilder.frontends.dockerfile import load, parse_commands
from imagebuilder.frontends.dockerfile.scope import Refused, Scope, evaluate
from imagebuilder.frontends.dockerfile.words import WordError, parse
from imagebuilder.ir.stage import Stage

SAMPLES = {
    file.stem: file.read_text()
    for file in sorted((Path(__file__).parents[1] / "unit/frontends/dockerfiles").glob("*.Dockerfile"))
}
CUTS = (
    "",
    "\\",
    "'",
    '"',
    "$",
    "${",
    "}",
    "<<EOF",
    "<<-'X'",
    "\n",
    "\r\n",
    "\t",
    " ",
    "=",
    "[",
    "]",
    ",",
    "#",
    "--",
    "`",
)
WORDS = ("FROM a", "RUN x", "COPY . /", "ENV A=1", "ARG", "ONBUILD", "scratch", "AS b", "--from=0", "--mount=type=")
PIECES = st.sampled_from((*CUTS, *WORDS)) | st.text(max_size=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("import")


def check(folder: Path, text: str, **options: object) -> Stage | None:
    """Import the text; the stage, or None after diagnostics that are fit to show."""
    file = folder / "Dockerfile"
    file.write_text(text, newline="")
    try:
        found = load(file, **options)
    except CompileError as error:
        inside(error, text, str(file))
        return None
    lines = text.count("\n") + 1
    for step in found.steps:
        assert isinstance(step.place, Span)
        assert 1 <= step.place.line <= step.place.end_line <= lines
    assert hash(found) == hash(load(file, **options))
    return found


def inside(error: CompileError, text: str, file: str) -> None:
    lines = text.removeprefix("\ufeff").split("\n")
    assert error.diagnostics
    for each in error.diagnostics:
        assert each.help
        assert each.render()
        if each.place is not None:
            span = each.place.resolve()
            assert span.file == file
            assert 1 <= span.line <= max(1, len(lines))
            assert 0 <= span.column <= len(lines[span.line - 1]) + 1


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_mutated_dockerfile_is_read_or_refused(folder, data):
    """Real files with pieces cut out, doubled or put in; never another exception."""
    text = SAMPLES[data.draw(st.sampled_from(sorted(SAMPLES)))]
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 30)))
        text = text[:start] + data.draw(PIECES) + text[end:]
    text = text.encode("utf-8", "replace").decode()
    check(folder, text)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from((*CUTS, *WORDS, "EOF\n", "X\n", "a", "$A", "${A:-")), max_size=40))
def test_any_sequence_of_pieces_is_read_or_refused(folder, pieces):
    """Syntax in the wrong order."""
    check(folder, "".join(pieces))
    check(folder, "FROM a\n" + "".join(pieces))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=5))
def test_commands_are_read_or_refused(folder, lines):
    """Any text as a command, lone surrogates included."""
    with contextlib.suppress(CompileError):
        parse_commands(lines, context_dir=folder)


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet="ab$\\'\"{}:-+?#%/* `\n<", max_size=30))
def test_any_word_is_parsed_or_refused(text):
    """The word lexer ends, and its result evaluates or says why not."""
    with contextlib.suppress(WordError, Refused):
        word = parse(text)
        assert isinstance(evaluate(word, Scope({"a": "aab", "b": "*"}, complete=True)), str)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=("Cs",), exclude_characters="'\0"), max_size=40))
def test_single_quotes_keep_every_character(text):
    """Between single quotes a word is its own text."""
    assert parse(f"'{text}'") == text


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_samples_are_read_in_any_form(folder, name):
    """Real files of many languages; CRLF, a BOM and a missing last line end change nothing."""
    text = SAMPLES[name]
    found = check(folder, text)
    assert found is not None
    assert found == check(folder, "\ufeff" + text.replace("\n", "\r\n"))
    assert found == check(folder, text.removesuffix("\n"))


HOSTILE = {
    "instructions": "FROM a\n" + "RUN x\n" * 20_000,
    "continuations": "FROM a\nRUN x" + " \\\n y" * 100_000,
    "comments": "FROM a\nRUN x \\\n" + "# c\n" * 200_000 + " y",
    "quotes": "FROM a\nENV A=" + "'\"" * 20_000,
    "escapes": "FROM a\nENV A=" + "\\a" * 40_000,
    "dollars": "FROM a\nENV A=" + "$a" * 5_000,
    "braces": "FROM a\nRUN <<" + "${a:-" * 50_000,
    "here-documents": "FROM a\nCOPY " + "".join(f"<<E{n} " for n in range(3000)) + "/x/\n",
    "open here-document": "FROM a\nRUN <<E\n" + "x\n" * 300_000,
    "words": "FROM a\nLABEL " + "a=b " * 50_000,
    "mount": "FROM a\nRUN --mount=" + "a=b," * 100_000 + " x",
    "flags": "FROM a\nCOPY " + "--exclude=a " * 20_000 + "a b",
    "json": "FROM a\nCMD " + "[" * 500_000,
    "doubling": "FROM scratch\nENV A=xxxxxxxx\n" + "ENV A=$A$A\n" * 500,
    "globals": "ARG A=$TARGETARCH\n" + "ARG A=${TARGETARCH:-$A}$A\n" * 500 + "FROM --platform=$A a",
    "patterns": "FROM scratch\nENV A=" + "a" * 90_000 + "\n" + "ENV B=${A%%*a*b}\n" * 500,
    "small patterns": "FROM scratch\nENV A=" + "a" * 1000 + "\n" + "ENV B=${A//*b/}\n" * 20_000,
    "large values": "FROM scratch\nENV A=" + "a" * 90_000 + "\n" + "".join(f"ENV B{n}=$A\n" for n in range(20_000)),
    "no dockerfile": "FROM a\n" + "".join(f"word{n} x\n" for n in range(50_000)),
    "open here-documents": "FROM a\n" + "RUN <<E\n" * 50_000,
    "directive": "# syntax=a" + " " * 900_000 + "b\nFROM a",
    "url": "FROM a\nADD https://" + "a" * 900_000 + " /x",
    "unknown values": "FROM a\n" + "".join(f"ENV A{n}=1\nCOPY $B{n} /\n" for n in range(15_000)) + "FROM b",
    "unknown globals": "".join(f"ARG A{n}\n" for n in range(50_000)) + "FROM $B\n" * 150,
    "stages": "FROM a\n" * 100_000,
    "triggers": "FROM a AS x\n" + "ONBUILD RUN x\n" * 20_000 + "FROM x\n" * 150,
    "mode": "FROM a\nCOPY --chmod=" + "0" * 500_000 + "x a /x",
    "reference": "FROM " + "a-" * 400_000,
    "nesting": "FROM a\nUSER " + "${a:-" * 100_000,
    "blanks": "FROM a\nRUN x" + " \t" * 400_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_the_file(folder, name):
    """A file near the bound takes seconds at most, whatever it repeats."""
    start = time.perf_counter()
    check(folder, HOSTILE[name])
    assert time.perf_counter() - start < 30
