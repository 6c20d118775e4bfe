"""What the names in a statement mean: parameters, images and secrets of one file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from lark import Token

from imagebuilder.diagnostics import CompileError, Diagnostic, Note, Span, did_you_mean
from imagebuilder.frontends.image import Image
from imagebuilder.frontends.snap.params import Type, Value, text_of
from imagebuilder.frontends.snap.places import span, within
from imagebuilder.frontends.snap.text import holes


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


@dataclass(frozen=True, slots=True)
class Known:
    """A parameter: its type, its value, and where it is declared."""

    type: Type
    value: Value
    place: Span


@dataclass(frozen=True, slots=True)
class Scope:
    """``broken`` are parameters whose declaration was refused: what needs them is left alone.

    ``used`` collects every name that a statement mentions, for the lints. ``project`` is the folder outside of
    which no text is read as a spec: an error would quote it.
    """

    file: str
    root: Path
    params: Mapping[str, Known]
    secrets: Mapping[str, Span]
    images: Images
    broken: frozenset[str] = frozenset()
    used: set[str] = field(default_factory=set)
    project: Path | None = None

    def inner(self, params: Mapping[str, Known]) -> Scope:
        return replace(self, params={**self.params, **params})

    def param(self, name: str, place: Span) -> Known:
        self.used.add(name)
        if name in self.params:
            return self.params[name]
        if name in self.broken:
            raise Silent
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
        return text_of(known.value)

    def check(self, token: Token) -> None:
        """That the parameters exist which a token names; for what is not evaluated."""
        for name, begin, end in holes(token):
            self.param(name, within(self.file, token, begin, end))

    def inside(self, written: str, place: Span) -> None:
        """
        Raises:
            CompileError: the path leaves the project; links are followed before that is decided.
        """
        if self.project is None or "\0" in written:
            return
        real = Path(os.path.realpath(self.root / written))
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
