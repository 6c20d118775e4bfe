"""Text that may hold references to build-time variables.

A plain ``str`` is literal: every character, ``$`` included, arrives as it is.
Only an :class:`Expansion` refers to variables, so nothing is ever expanded by
accident.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict

from imagebuilder.diagnostics import Invalid

Modifier = Literal["", ":-", ":+", ":?", "-", "+", "?", "#", "##", "%", "%%", "/", "//"]


class Var(BaseModel):
    """``$name`` or ``${name<modifier><word>}``, as the Dockerfile reference has it.

    ``replacement`` belongs to the modifiers ``/`` and ``//`` alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    name: str
    modifier: Modifier = ""
    word: Word = ""
    replacement: Word | None = None


class Expansion(BaseModel):
    """Literal text and variables, in order. Build one from text with :func:`expand`."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    parts: tuple[str | Var, ...]


Word = str | Expansion

_REFERENCE = re.compile(
    r"\\(?P<escaped>[\\$])|\$(?P<bare>[A-Za-z_]\w*)|\$\{(?P<name>[A-Za-z_]\w*)(?:(?P<modifier>:[-+])(?P<word>[^{}$]*))?\}"
)


def expand(template: str) -> Expansion:
    r"""A word in which ``$NAME``, ``${NAME}``, ``${NAME:-default}`` and ``${NAME:+text}`` are replaced
    at build time by the image's own variables; ``\$`` is a dollar sign.

    ``Image.env({"PATH": expand("/opt/bin:${PATH}")})`` is its usual use.

    Raises:
        Invalid: a ``$`` that begins no reference.
    """
    parts: list[str | Var] = []
    at = 0
    for match in _REFERENCE.finditer(template):
        parts.append(_literal(template, template[at : match.start()]))
        if match["escaped"]:
            parts.append(match["escaped"])
        else:
            fields = {"modifier": match["modifier"] or "", "word": match["word"] or ""}
            parts.append(Var.model_validate({"name": match["bare"] or match["name"], **fields}))
        at = match.end()
    parts.append(_literal(template, template[at:]))
    return Expansion(parts=merged(parts))


def template(value: Expansion) -> str | None:
    r"""The text of which :func:`expand` makes this word; None where there is none.

    >>> template(expand(r"${HOME}/\$x"))
    '${HOME}/\\$x'
    """
    written = "".join(
        re.sub(r"([\\$])", r"\\\1", part)
        if isinstance(part, str)
        else "${%s%s%s}" % (part.name, part.modifier, part.word)
        for part in value.parts
    )
    try:
        return written if expand(written) == value else None
    except Invalid:
        return None


def merged(parts: list[str | Var]) -> tuple[str | Var, ...]:
    """The parts with neighbouring texts joined and empty ones dropped, so that equal words are equal."""
    joined: list[str | Var] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif part != "":
            joined.append(part)
    return tuple(joined)


def simplified(parts: list[str | Var]) -> Word:
    """The same as a plain string where no variable is among the parts."""
    whole = merged(parts)
    if all(isinstance(part, str) for part in whole):
        return "".join(part for part in whole if isinstance(part, str))
    return Expansion(parts=whole)


def literal_pattern(path: str) -> str:
    """A path as a COPY source, which is a pattern: a class of one character is that character."""
    return re.sub(r"[*?\[\\]", lambda found: "[\\\\]" if found[0] == "\\" else f"[{found[0]}]", path)


def variables(word: Word) -> set[str]:
    """The names that a word refers to, nested ones included."""
    if isinstance(word, str):
        return set()
    found: set[str] = set()
    for part in word.parts:
        if isinstance(part, Var):
            found |= {part.name} | variables(part.word) | variables(part.replacement or "")
    return found


def _literal(template: str, text: str) -> str:
    if "$" in text:
        raise Invalid("IB104", f"a '$' that begins no variable in {template!r}", r"write \$ for a dollar sign")
    return text
