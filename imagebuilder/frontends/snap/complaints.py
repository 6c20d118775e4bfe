"""What is wrong with a statement that does not parse, in words: by what stands there, and what could."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from imagebuilder.diagnostics import Diagnostic, did_you_mean
from imagebuilder.frontends.snap.structure import Lines
from imagebuilder.frontends.snap.verbs import FACTORIES, verbs

ITEMS = ("snap", "use", "param", "secret", "image", "snapshot", "matrix", "when")
OPERATIONS = frozenset((*verbs(), "resources"))
_TYPOGRAPHIC = "“”‘’„‚«»"
# The few terminals that something can be said about, in the order in which it is worth saying.
_NAMES = {
    "_FROM": "`from` and what it starts from",
    "_AS": "`as` and a name",
    "COLON": "':' and a type",
    "LSQB": "a list in brackets",
    "NAME": "a name",
    "KEY": "name=value",
    "STRING": "a text",
    "WORD": "a word",
}
_SHAPES = {
    "use": 'use "./other.snap" as NAME [with name=value …]',
    "param": "param NAME: TYPE [= DEFAULT]",
    "secret": "secret NAME …",
    "image": "image NAME from SOURCE { … }",
    "snapshot": 'snapshot "NAME:TAG" from SOURCE { … }',
    "matrix": "matrix name=[…] { snapshot … }",
    "when": "when NAME == TEXT { … } else { … }",
    "else": "when … { … } else { … }, or else when … { … }",
    "snap": "snap 1",
}
# Statements of other languages.
FOREIGN = {
    **dict.fromkeys(("if", "unless", "switch", "case"), "a condition is written: when NAME == TEXT { … } else { … }"),
    **dict.fromkeys(("elif", "elsif", "elseif"), "a further condition is written: } else when …"),
    **dict.fromkeys(
        ("for", "foreach", "while", "loop"), "no loops: an operation takes a list, a `matrix` several values"
    ),
}
_INSTRUCTIONS = ("FROM", "RUN", "COPY", "ADD", "ENV", "ARG", "WORKDIR", "CMD", "ENTRYPOINT", "LABEL", "EXPOSE", "USER")
_OPERATORS = {
    "=": "==",
    "===": "==",
    "&&": "and",
    "||": "or",
    "!": "not",
    "&": "and",
    "|": "or",
    "eq": "==",
    "is": "==",
}


@dataclass(frozen=True, slots=True)
class Stuck:
    """A statement from ``first`` to ``last`` in a text, of which nothing can be made from ``at`` on.

    ``expected`` are the terminals that could stand there.
    """

    first: int
    at: int
    last: int
    expected: frozenset[str]


def about(text: str, lines: Lines, stuck: Stuck, start: str) -> Diagnostic:
    """The diagnostic; ``start`` is the rule that the statement was read by."""
    head, rest = text[stuck.first : stuck.at], text[stuck.at : stuck.last]
    word = re.match(r"[A-Za-z_]\w*", text[stuck.first : stuck.last])
    statement = word[0] if word else ""
    if not head.strip() and rest:
        return _first_word(rest.split(None, 1)[0] if not rest[0].isspace() else rest[0], start, lines, stuck.at)
    found = _ended(statement, head, stuck.expected) if not rest else _stopped(statement, head, rest, stuck.expected)
    message, help, width = found
    begin = stuck.at if rest else stuck.last
    return Diagnostic("IB808", message, lines.span(begin, begin + width), help=help or _shape(statement))


# How many characters before a mistake are looked at: a search for what ends there begins at each of them anew.
_BEFORE = 200
_Found = tuple[str, str, int]
"""The message, the help, and how many characters are to blame."""


def _ended(statement: str, head: str, expected: frozenset[str]) -> _Found:
    last = head.split()[-1] if head.split() else ""
    if not last:
        return "a block without a head", "its '{' stands in the line that says what it is of: image NAME from … {", 1
    if last == "from":
        wanted = f"{', '.join(FACTORIES)} or an image's name"
    elif last in ("in", "of"):
        wanted = "a list in brackets"
    elif statement == "secret":
        wanted = "a name"
    elif last == "=":
        wanted = "a value"
    else:
        wanted = next((name for terminal, name in _NAMES.items() if terminal in expected), "something")
    return f"the statement ends where {wanted} should follow", "", 1


def _stopped(statement: str, head: str, rest: str, expected: frozenset[str]) -> _Found:
    char = rest[0]
    shown = _shown(rest)
    glued = not head[-1:].isspace()
    if found := _character(char, head, rest, glued):
        return found
    if statement == "when" or head.split()[:2] == ["else", "when"]:
        if found := _condition(head, rest):
            return found
    elif statement == "else":
        help = "a further condition is written: } else when …" if shown in ("if", "elif") else ""
        return f"{shown!r} after `else`", help, len(shown)
    if statement in ITEMS:
        return _item(statement, head, rest, glued, expected)
    if char in "=<>" or rest.startswith(("!=", "~=")):
        return _blank_before(head, rest)
    if {"COMMA", "RSQB"} <= expected:
        return f"a comma is missing before {shown!r}", "commas or line ends part the items of a list", len(shown)
    return f"{shown!r} does not fit here", "", len(shown)


def _character(char: str, head: str, rest: str, glued: bool) -> _Found | None:
    if char in _TYPOGRAPHIC:
        return f"a typographic quote {char!r}", "strings stand in straight quotes: \"…\" or '…'", 1
    if char.isspace() or unicodedata.category(char) in ("Cf", "Zs"):
        name = unicodedata.name(char, "blank").lower()
        return f"a {name} (U+{ord(char):04X})", "ordinary blanks part words", 1
    if char == "\\":
        end = "a list or a block goes on over lines" if rest[1:2] in ("", "\n") else "in '…' it is a backslash"
        return "a backslash outside of a string", f"{end}; no line is continued by one", 1
    if char in "()":
        verb = head.split()[0]
        return f"a {char!r} outside of a condition", f"operations take words: {verb} numpy six", 1
    if char in "\"'":
        closed = re.match(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', rest)
        if closed and len(rest) > closed.end() and rest[closed.end()] not in " \t\n,;])}":
            return "a string with text glued to its end", "part them by a blank, or quote the whole", closed.end() + 1
        return ("a string in the middle of a word", "quote the whole word", 1) if glued else None
    if char == "[" and glued:
        return "a '[' in the middle of words", "a list begins after a blank or a '='", 1
    if char == "]":
        return "text glued to a ']'", "a blank parts what follows a list", 1
    if char == ",":
        return "a comma between words", "words are parted by blanks; commas part the items of a list", 1
    if char == "{":
        hole = re.match(r"\{[A-Za-z_]\w*\}", rest)
        if hole:
            return None
        return "a '{' that begins neither a block nor a {parameter}", "a brace in a text stands in quotes: '{'", 1
    if char == ";":
        return "a ';' in the middle of a statement", "a blank after it parts two statements", 1
    return None


def _condition(head: str, rest: str) -> _Found | None:
    operator = re.match(r"[^\w\s\"'{}()\[\]]+|\w+", rest)
    found = operator[0] if operator else rest[0]
    if found in _OPERATORS:
        return f"{found!r} in a condition", f"it is written: {_OPERATORS[found]}", len(found)
    if found[0] in "<>":
        return f"{found!r} in a condition", "texts are compared by ==, != and `in`", len(found)
    if found[0] == "!":
        return "'!' in a condition", "it is written: not", 1
    if re.search(r"(?:when|and|or|not|\()\s*$", head[-_BEFORE:]):
        side = re.match(r"\{(\w+)\}", rest)
        help = f"it stands without braces: {side[1]} == …" if side else "on the right is the text: when NAME == TEXT"
        return "a parameter's name stands on the left", help, len(side[0] if side else _shown(rest))
    if re.search(r"(?:[=!]=|in)\s*$", head[-_BEFORE:]):
        return None
    if re.match(r"[\"'\w{]", rest) and re.search(r"[=!]=|\bin\b", head):
        help = "a text with blanks stands in quotes; a block in braces follows a condition"
        return f"the condition ends before {_shown(rest)!r}", help, len(_shown(rest))
    return None


def _item(statement: str, head: str, rest: str, glued: bool, expected: frozenset[str]) -> _Found:
    shown = _shown(rest)
    width = len(shown)
    name = re.search(r"[A-Za-z_]\w*$", head[-_BEFORE:])
    if glued and name and not rest[0].isspace() and rest[0] not in "\"'{":
        whole = name[0] + re.split(r"[\s:]", rest, maxsplit=1)[0]
        return (
            f"{whole!r} is not a name",
            "letters, digits and '_', not a digit first",
            max(1, len(whole) - len(name[0])),
        )
    if "NAME" in expected and "$END" not in expected:
        return f"{shown.rstrip(':')!r} is not a name", "letters, digits and '_', not a digit first", width
    if "_FROM" in expected:
        if head.split()[1:] == ["from"]:
            return f"the {statement} has no name", "", width
        return f"`from` is missing before {shown!r}", "", width
    if "_AS" in expected:
        return f"`as` and a name are missing before {shown!r}", "", width
    if "COLON" in expected:
        return f"':' and a type are missing before {shown!r}", "", width
    if statement == "param" and "$END" in expected:
        if "=" in head.partition(":")[2]:
            return f"a default is one value; {shown!r} is left over", "a text with blanks stands in quotes", width
        return f"a '=' is missing before {shown!r}", "", width
    if statement == "use" and "$END" in expected and rest.startswith("with"):
        return f"{shown!r} does not fit here", "", width
    if {"COMMA", "RSQB"} <= expected:
        return f"a comma is missing before {shown!r}", "commas or line ends part the items of a list", width
    if "LSQB" in expected and "WORD" not in expected:
        return f"a list in brackets should stand in place of {shown!r}", "", width
    if "KEY" in expected and "WORD" not in expected:
        return f"name=value should stand in place of {shown!r}", "", width
    if rest[0] in "=<>" or rest.startswith(("!=", "~=")):
        return _blank_before(head, rest)
    if "$END" in expected:
        return f"the statement should end before {shown!r}", "", width
    return f"{shown!r} does not fit here", "", width


def _blank_before(head: str, rest: str) -> _Found:
    if head.split()[:1] == ["secret"]:
        help = "only its name stands here; its value comes when building, from the environment or by --secret"
        return "a secret with a value", help, 1
    operator = re.match(r"[=<>!~]+", rest)
    sign = operator[0] if operator else rest[0]
    before = re.search(r"[^\s\"'\[\](),;]+(?=\s*$)", head[-_BEFORE:])
    after = re.match(r"[^\s,\])};]*", rest[len(sign) :].lstrip(" \t"))
    whole = f"{before[0] if before else ''}{sign}{after[0] if after else ''}"
    if before is None or len(head.split()) < 2:
        return f"{sign!r} without a name before it", "such as numpy>=2, or NAME=value", len(sign)
    return f"a blank beside {sign!r}", f"write it as one word: {whole}", len(sign)


def outside(word: str, lines: Lines, begin: int) -> Diagnostic:
    help = "it stands in a block: image NAME from … { … }"
    if word == "resources":
        help = 'it stands in the block of a snapshot: snapshot "NAME" from … { … }'
    place = lines.span(begin, begin + len(word))
    return Diagnostic("IB809", f"the operation {word!r} outside of an image", place, help=help)


def inside(word: str, lines: Lines, begin: int) -> Diagnostic:
    place = lines.span(begin, begin + len(word))
    return Diagnostic("IB809", f"{word!r} inside of a block", place, help=INSIDE)


INSIDE = "it belongs to the file, outside of a block"


def _first_word(word: str, start: str, lines: Lines, begin: int) -> Diagnostic:
    place = lines.span(begin, begin + max(1, len(word)))
    found = re.match(r"[A-Za-z_]\w*", word)
    name = found[0] if found else ""
    whole = re.match(r"[\w-]*", word)
    if word[0] in _TYPOGRAPHIC or (not word[0].isprintable() and not name):
        message, help, width = _character(word[0], "", word, False) or (f"not a word: {word!a}", "", len(word))
        return Diagnostic("IB808", message, lines.span(begin, begin + width), help=help)
    if start == "head_item":
        help = did_you_mean(word, ITEMS) or f"a file has: {', '.join(ITEMS[1:])}"
        if name in _INSTRUCTIONS:
            help = "a Dockerfile is a TARGET by itself; here it is: image NAME from from_dockerfile ./Dockerfile"
        return Diagnostic("IB809", f"not a part of a file: {word[:60]!r}", place, help=help)
    if name in OPERATIONS and word[len(name) :][:1] in ("(", "[", "{", '"', "'"):
        at = begin + len(name)
        help = f"a blank, then words: {name} …"
        return Diagnostic("IB808", f"a {word[len(name)]!r} right after {name!r}", lines.span(at, at + 1), help=help)
    if name in OPERATIONS:
        help = f"a blank follows the operation: {name} …"
        return Diagnostic("IB808", f"text glued to {name!r}: {word[:60]!r}", place, help=help)
    help = (
        did_you_mean(whole[0] if whole else word, [*OPERATIONS, "when"])
        or "a statement begins with an operation, such as env"
    )
    return Diagnostic("IB810", f"not an operation: {word[:60]!r}", place, help=help)


def _shown(rest: str) -> str:
    string = re.match(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', rest)
    found = string[0] if string else re.split(r"[\s,;\])]", rest, maxsplit=1)[0] or rest[0]
    return found[:60]


def _shape(statement: str) -> str:
    return f"it reads: {_SHAPES[statement]}" if statement in _SHAPES else ""
