"""Which instruction BuildKit means by the name of a step.

The name is the instruction on one line, with its variables expanded, its
here-document cut to ``(first line...)``, and a base written in full. So its
text is found again piece by piece, without what BuildKit writes anew.
"""

from __future__ import annotations

import re

_CONTINUED = re.compile(r"\\\n")
_VARIABLE = re.compile(r"\$\{[^}]*\}|\$\w+|\\.")


def names(name: str, text: str) -> bool:
    """Whether a step of this name is the instruction of this text.

    >>> names("RUN cc -O2 x.c", "RUN cc $CFLAGS \\\\\\n    x.c")
    True
    >>> names("RUN cc -O2 y.c", "RUN cc $CFLAGS x.c")
    False
    """
    words = " ".join(name.split())
    first, *pieces = _pieces(text)
    if not pieces:
        return words == first
    *pieces, last = pieces
    if not words.startswith(first):
        return False
    at = len(first)
    for piece in pieces:
        found = words.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return words.endswith(last) and at <= len(words) - len(last)


def _pieces(text: str) -> list[str]:
    """What has to stand in the name in this order, its start and its end included."""
    line, _, document = _CONTINUED.sub("", text).partition("\n")
    line = " ".join(line.split())
    if line.startswith("FROM "):
        ref = next(word for word in line.split()[1:] if not word.startswith("--"))
        return ["FROM ", ref, ""]
    if document:
        opening = " ".join(document.lstrip().partition("\n")[0].split())
        return [*_parted(line), f"({opening}", ")"]
    return _parted(line)


def _parted(line: str) -> list[str]:
    # Where a variable is empty, the blanks around it are one.
    return [piece.strip() for piece in _VARIABLE.split(line)]
