"""What is wrong with a statement that does not parse, in words: by what stands there, and what could."""

from __future__ import annotations

import re

from imagebuilder.diagnostics import Diagnostic, did_you_mean
from imagebuilder.frontends.snap.structure import Lines
from imagebuilder.frontends.snap.verbs import FACTORIES, verbs

_ITEMS = ("use", "param", "secret", "image", "snapshot", "matrix", "when")
_SMART = "“”‘’"
# What a terminal is to a person, in the order in which it is worth saying.
_NAMES = {
    "_FROM": "`from` and what it starts from",
    "_AS": "`as` and a name",
    "_OF": "`of` and a list",
    "COLON": "':' and a type",
    "LBRACE": "a block in braces",
    "NAME": "a name",
    "VERB": "an operation",
    "KEY": "name=value",
    "LSQB": "a list",
    "STRING": "a text",
    "VALUE": "a value",
}
_SHAPES = {
    "use": 'use "./other.snap" as NAME [with name=value …]',
    "param": "param NAME: TYPE [= DEFAULT]",
    "secret": "secret NAME …",
    "image": "image NAME from SOURCE { … }",
    "snapshot": 'snapshot "NAME:TAG" from SOURCE { … }',
    "matrix": "matrix name=[…] { snapshot … }",
    "when": "when NAME == TEXT { … } else { … }",
    "snap": "snap 1",
}


def at(
    path: str,
    text: str,
    lines: Lines,
    begin: int,
    end: int,
    expected: frozenset[str],
    kind: str,
    first: int = 0,
    last: int = 0,
) -> Diagnostic:
    """The diagnostic for ``text[begin:end]``, which nothing can be made of.

    Args:
        expected: the terminals that could stand there.
        kind: ``item`` or ``statement``: what the whole was read as.
        first, last: where the whole statement is.
    """
    rest = text[begin:last] if last else text[begin:]
    head = text[first:begin] if last else ""
    word = re.match(r"\S*", rest)
    shown = (word[0] if word else "")[:40]
    place = lines.span(begin, max(end, begin + 1) if begin < (last or len(text)) else begin + 1)
    if begin >= (last or len(text)):
        statement = text[first:last].split(None, 1)[0] if text[first:last].split() else ""
        return Diagnostic(
            "IB808", f"the statement ends where {_wanted(expected)} should follow", place, help=_shape(statement)
        )
    char = rest[0]
    for code, message, help in _characters(char, rest, text[max(0, begin - 1) : begin]):
        return Diagnostic(code, message, place, help=help)
    if not head.strip() and first == begin:
        return _first_word(shown, kind, lines, begin)
    statement = head.split(None, 1)[0] if head.split() else ""
    return Diagnostic("IB808", f"{shown!r} does not fit here; {_wanted(expected)} could", place, help=_shape(statement))


def _characters(char: str, rest: str, before: str) -> list[tuple[str, str, str]]:
    if char in _SMART:
        return [("IB808", f"a typographic quote {char!r}", "strings stand in straight quotes: \"…\" or '…'")]
    if char == "\\":
        return [
            (
                "IB808",
                "a backslash outside of a string",
                "a list or a block goes on over lines; a path with one stands in '…'",
            )
        ]
    if char in "()":
        return [("IB808", f"a {char!r} outside of a condition", "operations take words: pip_install numpy six")]
    if char in "\"'":
        closed = re.match(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', rest)
        if closed and len(rest) > closed.end() and not rest[closed.end()].isspace():
            return [("IB808", "a string with text glued to its end", "part them by a blank, or quote the whole")]
        return [("IB808", "a string in the middle of a word", "quote the whole word")]
    if char == "[":
        return [("IB808", "a '[' in the middle of words", "a list begins after a blank or a '='")]
    if char == "]":
        return [("IB808", "text glued to a ']'", "a blank parts what follows a list")]
    if char == ",":
        return [("IB808", "a comma between words", "words are parted by blanks; commas part the items of a list")]
    if char == "{":
        return [
            (
                "IB808",
                "a '{' that begins neither a block nor a {parameter}",
                "a brace in a text stands in quotes, as '{' or \"{{\"",
            )
        ]
    if char in "<>=" or rest.startswith(("!=", "~=")):
        return [("IB808", f"a comparison after a blank: {rest.split()[0]!r}", "glue it to the name: numpy>=2")]
    if char == ";":
        return [("IB808", "a ';' inside of a word", "a blank after it parts two statements")]
    return []


def _first_word(word: str, kind: str, lines: Lines, begin: int) -> Diagnostic:
    place = lines.span(begin, begin + max(1, len(word)))
    name = re.match(r"[A-Za-z_]\w*", word)
    if kind == "item":
        if name and name[0] in verbs():
            return Diagnostic(
                "IB809",
                f"the operation {name[0]!r} outside of an image",
                place,
                help="it stands in a block: image NAME from … { … }",
            )
        if name and name[0] == "else":
            return Diagnostic("IB808", "an `else` without a `when`", place, help="it follows the '}' on the same line")
        help = did_you_mean(word, _ITEMS) or f"a file has: {', '.join(_ITEMS)}"
        return Diagnostic("IB809", f"not a part of a file: {word!r}", place, help=help)
    if name and name[0] in _ITEMS and name[0] != "when":
        return Diagnostic(
            "IB809", f"{name[0]!r} inside of a block", place, help="it belongs to the file, outside of a block"
        )
    known = [*verbs(), "resources", "when"]
    near = did_you_mean(name[0] if name else word, known)
    if name and word.startswith(name[0] + "("):
        near = f"operations take words, without parentheses: {name[0]} …"
    elif name and name[0] in known:
        near = f"a blank follows the operation: {name[0]} …"
    return Diagnostic(
        "IB810",
        f"not an operation: {word!r}",
        place,
        help=near or f"an image starts from {', '.join(FACTORIES)}; the reference lists the operations",
    )


def _wanted(expected: frozenset[str]) -> str:
    names = [name for terminal, name in _NAMES.items() if terminal in expected]
    return " or ".join(names[:2]) if names else "nothing more"


def _shape(statement: str) -> str:
    return f"it reads: {_SHAPES[statement]}" if statement in _SHAPES else ""
