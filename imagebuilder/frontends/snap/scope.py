"""What the names in a statement mean: parameters, images and secrets of one file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from lark import Token

from imagebuilder.diagnostics import CompileError, Diagnostic, Note, Span, did_you_mean
from imagebuilder.frontends.image import Image
from imagebuilder.frontends.snap.bounds import Budget
from imagebuilder.frontends.snap.params import Type, Value, text_of
from imagebuilder.frontends.snap.places import span
from imagebuilder.frontends.snap.text import expansion, hole, text


class Images(Protocol):
    """The images that names mean: ``tools``, ``common.tools``."""

    def __contains__(self, name: object) -> bool:
        """Whether the name is declared, be the image sound or not."""
        ...

    def __call__(self, name: str, place: Span) -> Image:
        """
        Raises:
            CompileError: there is none, at the place.
        """
        ...

    def untaken(self) -> Images:
        """The same for a statement that is only looked at: an image of any branch will do."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """A parameter: its type, its value, and where it is declared."""

    type: Type
    value: Value
    place: Span


@dataclass(frozen=True, slots=True)
class Scope:
    """``broken`` are parameters whose declaration was refused: what needs them is left alone.

    ``later`` are those that are declared below, for the defaults of those above.
    ``used`` collects every parameter and secret that a statement mentions, for the lints. ``project`` is the
    folder outside of which no text is read as a spec: an error would quote it.
    """

    file: str
    root: Path
    params: Mapping[str, Known]
    secrets: Mapping[str, Span]
    images: Images
    broken: Set[str] = frozenset()
    used: set[str] = field(default_factory=set)
    later: Mapping[str, Span] = field(default_factory=dict)
    budget: Budget = field(default_factory=Budget)
    project: Path | None = None

    def inner(self, params: Mapping[str, Known]) -> Scope:
        return replace(self, params={**self.params, **params})

    def untaken(self) -> Scope:
        """The same for statements that are only looked at."""
        return replace(self, images=self.images.untaken())

    def param(self, name: str, place: Span) -> Known:
        name = str(name)
        self.used.add(name)
        if name in self.params:
            return self.params[name]
        if name in self.broken:
            raise Silent
        if name in self.later:
            note = Note("it is declared here", self.later[name])
            help = "a default refers to what is declared above it"
            raise CompileError(Diagnostic("IB811", f"no parameter {name!r} yet", place, (note,), help))
        if name in self.secrets:
            note = Note("declared here", self.secrets[name])
            help = f"its value is in no text; a step that needs it says secrets=[{name}]"
            raise CompileError(
                Diagnostic("IB811", f"the secret {name!r} in place of a parameter", place, (note,), help)
            )
        hint = did_you_mean(name, list(self.params))
        raise CompileError(
            Diagnostic("IB811", f"no parameter {name!r}", place, help=hint or f"declare it: param {name}: string")
        )

    def text(self, name: str, place: Span) -> str:
        known = self.param(name, place)
        if isinstance(known.value, tuple):
            raise CompileError(
                Diagnostic(
                    "IB835",
                    f"the list {name!r} inside a text",
                    place,
                    (Note("declared here", known.place),),
                    f"alone, {{{name}}} gives its items where several are taken",
                )
            )
        found = text_of(known.value)
        self.budget.interpolate(len(found), 0, place)
        return found

    def check(self, token: Token) -> None:
        """What is wrong with a token, whatever takes it; for what is not evaluated."""
        if (name := hole(token)) is not None:
            self.param(name, span(self.file, token))
        elif token.type == "EXPAND":
            expansion(token, self.text, self.file)
        else:
            text(token, self.text, self.file)

    def inside(self, written: str, place: Span, target: str | None = None) -> None:
        """
        Args:
            target: what is opened for ``written``; None is that itself, from the file's folder.

        Raises:
            CompileError: it leaves the project; links are followed before that is decided.
        """
        if self.project is None or "\0" in written:
            return
        real = Path(os.path.realpath(self.root / written if target is None else target))
        if not real.is_relative_to(os.path.realpath(self.project)):
            help = f"the project is {str(self.project)!r}; --project names another folder"
            raise CompileError(Diagnostic("IB850", f"{written!r} is outside of the project", place, help=help))

    def secret(self, token: Token, name: str) -> str:
        self.used.add(name)
        if name not in self.secrets:
            hint = did_you_mean(name, list(self.secrets)) or f"declare it at the top: secret {name}"
            raise CompileError(
                Diagnostic("IB813", f"the secret {name!r} is not declared", span(self.file, token), help=hint)
            )
        return name


class Silent(CompileError):
    """Something that is needed was refused already, and said so."""

    def __init__(self) -> None:
        super().__init__(())
