"""Text in a here-document: which can stand in one, and what its end is called where nobody chose a name."""

from __future__ import annotations

# A here-document is for text that a person reads in the Dockerfile; longer files go through a context.
_LIMIT = 4096


def fits(content: str) -> bool:
    """A here-document ends in a line end and cannot hold control characters but tabs."""
    plain = content.replace("\n", "").replace("\t", "")
    return content.endswith("\n") and plain.isprintable() and len(content) <= _LIMIT


def delimiter(*bodies: str) -> str:
    """A delimiter that is a line of none of the bodies."""
    lines = {line.strip("\t\r") for body in bodies for line in body.split("\n")}
    number = 0
    while (name := f"EOF_{number}" if number else "EOF") in lines:
        number += 1
    return name
