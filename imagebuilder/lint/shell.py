"""The simple commands of a shell text, as far as they can be read without a shell.

A here-document, or a text beyond the bound, ends the reading: what stands
behind it is not guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# Of a longer script, the beginning says enough.
MAX_TEXT = 20_000

_TOKEN = re.compile(
    r"""(?P<blank>(?:[ \t\r]|\\\n)+)
    | (?P<comment>(?<![^\s;&|()])\#[^\n]*)
    | (?P<document>\d*<<[^<]?)
    | (?P<redirection>&?\d*(?:>>|>\||<<<|[<>])(?:&[\d-]*)?)
    | (?P<end>&&|\|\||;;|[;&|()\n])
    | (?P<word>(?:
        [^\s;&|()<>'"\\`$]
        | \\. | '[^']*' | "(?:[^"\\]|\\.)*" | `[^`]*`
        | \$\([^()]{0,500}\) | \$\{[^{}]{0,500}\} | \$
      )+)
    | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_QUOTED = re.compile(r"""'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)""", re.DOTALL)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_BEFORE_A_PROGRAM = frozenset(("sudo", "exec", "command", "env", "time", "!", "{", "if", "then", "else", "do", "while"))


class Command(NamedTuple):
    """The words of a command without their quotes, and what stands behind it: ``&&``, a line end, nothing…"""

    words: tuple[str, ...]
    end: str

    @property
    def program(self) -> tuple[str, ...]:
        """The words from the program's name on, less ``sudo``, assignments and keywords before it."""
        words = self.words
        while words and (words[0] in _BEFORE_A_PROGRAM or _ASSIGNMENT.match(words[0])):
            words = words[1:]
        return words


def commands(text: str) -> list[Command]:
    """All of them, in order; those in parentheses and pipelines too."""
    return list(_commands(text[:MAX_TEXT]))


def _commands(text: str) -> Iterator[Command]:
    words: list[str] = []
    target = False
    for token in _TOKEN.finditer(text):
        match token.lastgroup:
            case "word":
                if not target:
                    words.append(_QUOTED.sub(lambda found: found[1] or found[2] or found[3] or "", token[0]))
                target = False
            case "redirection":
                target = "&" not in token[0][1:]
            case "end":
                if words or token[0] in "()":
                    yield Command(tuple(words), token[0])
                words, target = [], False
            case "document":
                return
    if words:
        yield Command(tuple(words), "")
