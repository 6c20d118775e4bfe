"""Strings that break naive quoting: a list made by hand, and 200 that are drawn, the same in every run."""

from __future__ import annotations

import functools
import random

_SHELL = [
    "$", "$$", "$HOME", "${HOME}", "${HOME:-x}", "${", "${}", "$(id)", "$((1+1))", "`id`", "\\$HOME", "\\\\$HOME", "a$", "$1",
    "'", "''", "it's", '"', '""', 'say "hi"', "'\"'\"'", "\\'", '\\"', "\"'`$\\", "unclosed ' quote", 'unclosed " quote',
    "\\", "\\\\", "\\\\\\", "trailing\\", "trailing \\ ", "a\\nb", "\\x41", "C:\\new\\table", "a\\", "\\ ", " \\",
    ";", "a;b", "&&", "|", ">", "> /tmp/x", "<", "<<", "!", "!!", "*", "?", "[a-z]", "{a,b}", "~", "~root", "(x)", "#!/bin/sh",
    "%s", "%%", "%n", "a=b", "=", "==", "=x", "x=", "a=b=c", "--", "-", "-n", "--from=x", "-e a", "--mount=type=cache,target=/x",
]  # fmt: skip
_DOCKERFILE = [
    "#", "# comment", "#x", " # x", "# syntax=docker/dockerfile:1", "# escape=`", "#check=skip=all", "FROM scratch", "RUN id",
    "<<EOF", "<<'EOF'", "<<-EOF", "3<<EOF", " <<EOF", "<<EOF\nx\nEOF", "EOF", "EOF_1", "EOF\n", "\nEOF\n", "\tEOF", "EOF\r\nEOF\r",
    "a\nEOF\nb\nEOF_1\nc", "[", "]", "[]", '["a"]', '["a", "b"', "[1]", "{}", '{"a": 1}', "null", "true", "0", "-1", "1e9",
    "x AS y", "IB_VALUE_1", "${IB_VALUE_1}", "`", "a`b", "a` ", "a\\\nb", "a \\\n b", "a \\\n# b\n c", "\\\n", "line\\\n",
    "https://example.org/x?a=1&b=2#c", "git@host:x.git", "../..", "..", ".", "./", "a/../b", "a//b", ",", "a,b", "target=/x,id=y",
]  # fmt: skip
_TEMPLATE = ["{{", "}}", "{{ x }}", "{%", "{% raw %}", "{#", "{{ 7*7 }}", "{{ op.command }}", "%}", "{{'", "{%- x -%}"]
_BLANK = [
    "", " ", "  ", "\t", "\n", "\r", "\r\n", "\n\n", " \n ", " a", "a ", " a ", "a  b", "a\tb", "\ta", "a\t", "a\nb", "\na",
    "a\n", "a\rb", "a\r", "\ra", "a\r\nb", "a\r\nb\r\n", "a\n\nb", "\n\n\n", "a\n \n b",
]  # fmt: skip
_CONTROL = [f"c{chr(n)}d" for n in (*range(1, 32), 127, *range(128, 160))] + [
    chr(n) for n in (1, 7, 8, 11, 12, 27, 28, 31, 127)
]
_UNICODE = [
    "\x85", "a\x85b", "\xa0", "\xa0a\xa0", "\u2028", "a\u2028b", "\u2029", "\u1680", "\u2000", "\u200b", "\u202f", "\u205f",
    "\u3000", "\u3000a\u3000", "\ufeff", "\ufeffa", "a\ufeff", "é", "e\u0301", "\u0301", "ß", "İ", "日本語", "😀", "a😀b", "👩‍👩‍👧‍👦",
    "🏳️‍🌈", "\U0010ffff", "\U000e0001", "\u202eabc", "\ufffd", "\ufffe", "\uffff", "ﷺ", "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯", "µs", "ſ",
]  # fmt: skip
LONG = [
    "x" * 50_000,
    "\\" * 20_000,
    '"' * 20_000,
    "$" * 20_000,
    "\x01" * 5_000,
    "é" * 20_000,
    "ab " * 5_000,
    "line\n" * 5_000,
    "'" * 9_000,
    "1234567890" * 6_500,
]

BY_HAND = [*_SHELL, *_DOCKERFILE, *_TEMPLATE, *_BLANK, *_CONTROL, *_UNICODE]

_PIECES = [
    *"\"'`$\\{}[]()<>#!=-,;:*?~&|% \t\n\r/",
    "\x85",
    "\u2028",
    "\xa0",
    "é",
    "😀",
    "EOF",
    "<<",
    "${A}",
    "a",
    "B",
    "0",
    "--",
]


@functools.cache
def drawn(count: int) -> tuple[str, ...]:
    """That many different strings, drawn from what means something somewhere and from all of Unicode."""
    source = random.Random(1)
    found: dict[str, None] = {}
    while len(found) < count:
        length = source.randint(2, 14)
        found.setdefault("".join(_character(source) for _ in range(length)))
    return tuple(found)


def _character(source: random.Random) -> str:
    if source.random() < 0.75:
        return source.choice(_PIECES)
    while "\ud800" <= (character := chr(source.randrange(1, 0x110000))) <= "\udfff":
        pass
    return character


@functools.cache
def hostile() -> tuple[str, ...]:
    """All of them but the long ones, each once."""
    return tuple(dict.fromkeys((*BY_HAND, *drawn(200))))
