"""What variables are worth while a Dockerfile is read.

COPY sources and FROM must be known then; all else keeps its variables. A value
is a plain text, or unknown: given by the base image or by the platform of the
build. Unknown values are carried along as the variable that they come from, so
that the message can name it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from imagebuilder.ir.checks import PROXIES
from imagebuilder.ir.words import Expansion, Var, Word, simplified

AUTOMATIC = frozenset(
    f"{side}{part}" for side in ("TARGET", "BUILD") for part in ("PLATFORM", "OS", "ARCH", "VARIANT")
) | {"TARGETOSVERSION", "BUILDOSVERSION"}
MAX_VALUE = 100_000
# Characters written, and steps of pattern matching, for one file.
MAX_WORK = 10_000_000


class Unresolved(Exception):
    """A value that is not known yet; ``name`` is the first variable that it depends on, of all ``names``."""

    def __init__(self, *names: str) -> None:
        super().__init__(*names)
        self.names = tuple(dict.fromkeys(names))
        self.name = self.names[0]


class Refused(Exception):
    """A word that has no value: ``${NAME:?message}``, a wrong pattern, or more text and work than the bound."""

    def __init__(self, code: str, message: str, help: str) -> None:
        super().__init__(message)
        self.code, self.message, self.help = code, message, help


@dataclass(slots=True)
class Scope:
    """The variables of a stage. ``complete`` says that there are no others, as from a base image."""

    values: dict[str, Word] = field(default_factory=dict)
    declared: set[str] = field(default_factory=set)
    complete: bool = False
    work: list[int] = field(default_factory=lambda: [0])

    def copy(self) -> Scope:
        return replace(self, values=dict(self.values), declared=set(self.declared))

    def spend(self, work: int) -> None:
        """Count work; the scopes of one file share the sum."""
        self.work[0] += work
        if self.work[0] > MAX_WORK:
            raise _too_much()

    def __call__(self, name: str) -> Word | None:
        """The value; None where it is unset, the variable itself where that is not known."""
        found = self.values.get(name)
        return unknown(name) if found is None and not self.complete else found

    def worth(self, name: str, value: Word) -> Word:
        """The value as text; where that is not known yet, the variable that it depends on."""
        try:
            return evaluate(value, self)
        except Unresolved as error:
            return unknown(error.name)
        except Refused as error:
            if error.code == "IB333":
                raise
            return unknown(name)


def unknown(name: str) -> Expansion:
    return Expansion(parts=(Var(name=name),))


def evaluate(word: Word, scope: Scope) -> str:
    """The word as plain text.

    Raises:
        Unresolved: it depends on a variable whose value is not known.
        Refused: it has no value.
    """
    found = resolve(word, scope)
    if isinstance(found, Expansion):
        raise Unresolved(*(part.name for part in found.parts if isinstance(part, Var)))
    return found


def resolve(word: Word, scope: Scope) -> Word:
    """The word with all variables replaced whose values are known."""
    if isinstance(word, str):
        return word
    parts: list[str | Var] = []
    size = 0
    for part in word.parts:
        found = part if isinstance(part, str) else _variable(part, scope)
        pieces = found.parts if isinstance(found, Expansion) else (found,)
        size += sum(len(piece) if isinstance(piece, str) else 100 for piece in pieces)
        if size > MAX_VALUE:
            raise _too_much()
        parts += pieces
    scope.spend(size)
    return simplified(parts)


def _variable(var: Var, scope: Scope) -> Word:
    value = scope(var.name)
    modifier = var.modifier
    if isinstance(value, Expansion):
        if not modifier:
            return value
        if value.parts != (Var(name=var.name),):
            raise Unresolved(next(part.name for part in value.parts if isinstance(part, Var)))
        # Only plain words are kept, so that values built on values stay flat.
        replacement = None if var.replacement is None else evaluate(var.replacement, scope)
        kept = Var(name=var.name, modifier=modifier, word=evaluate(var.word, scope), replacement=replacement)
        return Expansion(parts=(kept,))
    empty = value is None or (value == "" and modifier.startswith(":"))
    if modifier.endswith("-"):
        return resolve(var.word, scope) if empty else value or ""
    if modifier.endswith("+"):
        return "" if empty else resolve(var.word, scope)
    if modifier.endswith("?"):
        if empty:
            message = evaluate(var.word, scope) or "it has no value"
            raise Refused("IB334", f"{var.name}: {message}", f"pass build_args={{{var.name!r}: …}}")
        return value or ""
    if not modifier:
        return value or ""
    pattern = evaluate(var.word, scope)
    if modifier in ("/", "//"):
        replaced = evaluate(var.replacement or "", scope)
        compiled = _compiled(_tokens(pattern), value or "", scope, greedy=True)
        count = 1 if modifier == "/" else 0
        scope.spend(len(replaced) * (count or len(value or "")))
        return compiled.sub(lambda _: replaced, value or "", count=count)
    return _trimmed(value or "", pattern, modifier, scope)


def _trimmed(value: str, pattern: str, modifier: str, scope: Scope) -> str:
    tokens = _tokens(pattern)
    backwards = modifier.startswith("%")
    if backwards:
        # The shortest match at an end is the first one of the text read backwards.
        tokens, value = tokens[::-1], value[::-1]
    match = _compiled(tokens, value, scope, greedy=len(modifier) == 2).match(value)
    rest = value[match.end() :] if match else value
    return rest[::-1] if backwards else rest


def _tokens(pattern: str) -> list[str]:
    r"""Characters, ``*``, ``?``, and escapes such as ``\*``; an escaped ``}`` or ``/`` is itself."""
    found: list[str] = []
    for each in re.findall(r"\\.|[^\\]|\\", pattern, re.DOTALL):
        if each[0] == "\\" and each[1:] not in tuple("\\*?}/"):
            raise Refused("IB335", f"an escape that no pattern has: {each!r}", r"only \* \? \\ \} and \/")
        if each != "*" or found[-1:] != ["*"]:
            found.append(each[1:] if each in ("\\}", "\\/") else each)
    return found


def _compiled(tokens: list[str], value: str, scope: Scope, *, greedy: bool) -> re.Pattern[str]:
    # Each star may try every character again, from every character on.
    scope.spend(len(tokens) + (len(value) + 1) ** (tokens.count("*") + 1))
    wild = {"*": ".*" if greedy else ".*?", "?": "."}
    return re.compile("".join(wild.get(each) or re.escape(each[-1]) for each in tokens))


def undeclared(build_args: Mapping[str, str], declared: set[str]) -> list[str]:
    """The build arguments that no ARG takes and that do not exist by themselves."""
    known = declared | AUTOMATIC | PROXIES
    return [name for name in build_args if name not in known]


def _too_much() -> Refused:
    return Refused("IB333", "a value of more than 100,000 characters, or as much work", "shorten it")
