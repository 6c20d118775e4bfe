"""Secrets that stand in the spec, and so in the image, its history and its key.

A secret is not shown again: the message names what holds it, and the excerpt
masks it (``Diagnostic.hidden``).
"""

from __future__ import annotations

import linecache
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from imagebuilder.diagnostics import Diagnostic, Place, Span
from imagebuilder.ir.ops import Arg, Env, Label, Op
from imagebuilder.ir.stage import Stage, ordered
from imagebuilder.ir.words import Expansion, Var, Word
from imagebuilder.lint.credentials import asks_for_secret, in_script, in_urls, is_value
from imagebuilder.lint.saying import said
from imagebuilder.lint.tokens import tokens

# A shorter value would take letters out of every other word of a message.
_QUOTED = 6


def secrets(target: Stage) -> Iterator[Diagnostic]:
    """Tokens of a known form anywhere, and values under names that ask for a secret."""
    for stage in ordered(target):
        for step in stage.steps:
            known: set[str] = set()
            for what, text in _texts(step.op):
                for kind, token in (*tokens(text), *(("a password in a URL", found) for found in in_urls(text))):
                    if token not in known:
                        known.add(token)
                        message = f"{what} holds what has the form of {kind}"
                        yield _warning("IB902", message, token, step.place, what)
            for what, value in _named(step.op):
                if not any(token in value or value in token for token in known):
                    known.add(value)
                    yield _warning("IB903", f"{what} has a value of its own", value, step.place, what)


def _warning(code: str, message: str, value: str, place: Place | None, what: str) -> Diagnostic:
    name = what.rpartition(" ")[2].strip("'") if what.startswith("the ") else "TOKEN"
    build = said(
        place,
        python=f".run_commands(…, secrets=['{name}'])",
        dockerfile=f"RUN --mount=type=secret,id={name},env={name} …",
        snap=f"run_commands … secrets=[{name}]",
    )
    help = f"whoever has the image can read it; give it where it is needed: {build} or docker run --env {name} …"
    lines = tuple(line.strip() for line in value.splitlines() if line.strip())
    return Diagnostic(code, message, place, help=help, severity="warning", hidden=lines)


def _named(op: Op) -> Iterator[tuple[str, str]]:
    pairs: Iterable[tuple[str, Word, str]] = ()
    match op:
        case Env():
            pairs = ((name, value, "variable") for name, value in op.variables)
        case Label():
            pairs = ((_plain(name) or "", value, "label") for name, value in op.labels)
        case Arg(default=str() | Expansion() as default):
            pairs = ((op.name, default, "argument"),)
        case _:
            for _, text in _texts(op):
                yield from ((f"the value of '{name}'", value) for name, value in in_script(text))
    for name, word, kind in pairs:
        value = _plain(word)
        if value is not None and asks_for_secret(name) and is_value(value):
            yield f"the {kind} '{name}'", value


def _texts(op: Op) -> Iterator[tuple[str, str]]:
    """Every text of the operation, and what to call it."""
    match op:
        case Env():
            yield from ((f"the variable '{name}'", text) for name, value in op.variables for text in _strings(value))
        case Label():
            yield from ((f"the label '{_plain(name)}'", text) for name, value in op.labels for text in _strings(value))
        case Arg():
            yield from ((f"the argument '{op.name}'", text) for text in _strings(op.default))
        case _:
            yield from ((op.verb, text) for text in _strings(op))


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case tuple():
            for item in value:
                yield from _strings(item)
        case Var():
            yield from _strings((value.word, value.replacement))
        case BaseModel():
            for name in type(value).model_fields:
                yield from _strings(getattr(value, name))


def _plain(word: Word) -> str | None:
    """The text of a word that refers to nothing."""
    if isinstance(word, str):
        return word
    texts = [part for part in word.parts if isinstance(part, str)]
    return "".join(texts) if len(texts) == len(word.parts) else None


_FOUND_HERE = ("IB902", "IB903")


def masked(found: list[Diagnostic], silenced: Sequence[Diagnostic] = ()) -> list[Diagnostic]:
    """The same, each secret at the place where it is written, and neither text nor excerpt that shows one.

    Another diagnostic of the same line, or one that quotes a command, would show it otherwise.

    Args:
        silenced: what is not told of; a secret is none the less one.
    """
    # What was masked before hides its neighbours' secrets too, and stands where it stands.
    placed, more = (
        [_narrowed(each) if each.hidden and each.code in _FOUND_HERE else each for each in part]
        for part in (found, silenced)
    )
    known = (*placed, *more)
    lines: dict[tuple[str, int], tuple[str, ...]] = {}
    for each in known:
        if each.hidden and isinstance(each.place, Span):
            at = each.place.file, each.place.line
            lines[at] = lines.get(at, ()) + each.hidden
    if not lines:
        return placed
    values = sorted({value for each in known for value in each.hidden if len(value) >= _QUOTED}, key=len, reverse=True)
    return [_covered(replace(each, hidden=_hidden(each, lines)), values) for each in placed]


def _covered(found: Diagnostic, values: list[str]) -> Diagnostic:
    def cover(text: str) -> str:
        for value in values:
            text = text.replace(value, "***")
        return text

    notes = tuple(replace(note, message=cover(note.message)) for note in found.notes)
    return replace(found, message=cover(found.message), help=cover(found.help), notes=notes)


def _hidden(found: Diagnostic, lines: dict[tuple[str, int], tuple[str, ...]]) -> tuple[str, ...]:
    hidden = found.hidden
    for place in (found.place, *(note.place for note in found.notes)):
        if place is not None:
            span = place.resolve()
            hidden += lines.get((span.file, span.line), ())
    return tuple(dict.fromkeys(hidden))


def _narrowed(found: Diagnostic) -> Diagnostic:
    """At the secret itself; where it is written otherwise than it reads, the whole line is masked."""
    if found.place is None:
        return found
    span = found.place.resolve()
    lines = linecache.getlines(span.file)
    for number in range(span.line, max(span.line, span.end_line) + 1):
        line = lines[number - 1].rstrip("\r\n") if number <= len(lines) else ""
        for value in found.hidden:
            if (at := line.find(value)) >= 0:
                return replace(found, place=Span(span.file, number, at + 1, number, at + 1 + len(value)))
    text = lines[span.line - 1].rstrip("\r\n") if span.line <= len(lines) else ""
    return replace(found, hidden=(*found.hidden, text[max(0, span.column - 1) :]))
