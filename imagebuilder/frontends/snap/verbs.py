"""The verbs: what each takes, read off the signature of the fluent method of the same name.

Nothing is said twice, so the two front ends cannot differ. What an annotation
means for the words of a file stands in ``KINDS``; a method with another one
cannot be imported here, and is noticed at once.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from imagebuilder.frontends.image import Image

Kind = Literal[
    "text", "word", "path", "bool", "int", "choice", "command", "texts", "paths", "secrets", "argv", "pairs",
    "word pairs", "image", "images",
]  # fmt: skip
"""A ``word`` may hold the image's variables; ``word pairs`` are name=value with words; ``images`` name=image."""

KINDS: dict[str, Kind] = {
    "str": "text",
    "str | None": "text",
    "str | int": "text",
    "int | str": "text",
    "int | str | Expansion": "word",
    "str | Expansion": "word",
    "PathLike": "path",
    "PathLike | None": "path",
    "PathLike | Iterable[PathLike]": "paths",
    "Texts": "texts",
    "Texts | None": "texts",
    "bool": "bool",
    "int | None": "int",
    "Literal['default', 'none', 'host']": "choice",
    "Secrets": "secrets",
    "Argv": "argv",
    "str | Argv": "command",
    "str | Argv | None": "command",
    "Mapping[str, str] | None": "pairs",
    "Variables | None": "word pairs",
    "Image | str": "image",
    "str | Image": "image",
    "str | Expansion | None": "word",
    "Mapping[str, Image] | None": "images",
}

# Where an operation calls a parameter otherwise than the method does.
FIELDS = {
    "local_path": "path",
    "remote_path": "dest",
    "dst": "dest",
    "image": "source",
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """``many`` takes all words that are left; ``none`` says that the bare word ``none`` stands for nothing."""

    name: str
    kind: Kind
    required: bool
    positional: bool
    many: bool = False
    none: bool = False
    choices: tuple[str, ...] = ()
    default: object = None


@dataclass(frozen=True, slots=True)
class Verb:
    """``mapping`` is the parameter that takes every name=value (``env``, ``label``), empty where there is none."""

    name: str
    parameters: Mapping[str, Parameter]
    mapping: str
    doc: str

    @property
    def positional(self) -> list[Parameter]:
        return [parameter for parameter in self.parameters.values() if parameter.positional]

    @property
    def options(self) -> list[str]:
        return [parameter.name for parameter in self.parameters.values() if not parameter.many]


FACTORIES = ("debian_slim", "base", "scratch", "from_dockerfile")
# `from base REF` is an image of a registry; an image of one's own may be called base all the same.
RESERVED = tuple(name for name in FACTORIES if name != "base")
_OTHERS = ("key", "dockerfile")


def is_factory(name: str, arguments: int) -> bool:
    """Whether `from NAME …` with so many arguments starts from a factory, and not from an image of that name."""
    return name in FACTORIES and (name != "base" or arguments > 0)


@cache
def verbs() -> Mapping[str, Verb]:
    """The verbs of a block, by name."""
    names = [name for name, value in vars(Image).items() if inspect.isfunction(value) and not name.startswith("_")]
    return {name: _verb(name) for name in names if name not in _OTHERS}


@cache
def factories() -> Mapping[str, Verb]:
    """What an image may start from."""
    return {name: _verb(name) for name in FACTORIES}


def _verb(name: str) -> Verb:
    method = getattr(Image, name)
    found: dict[str, Parameter] = {}
    mapping = ""
    for parameter in inspect.signature(method).parameters.values():
        if parameter.name == "self":
            continue
        annotation = str(parameter.annotation).replace('"', "'")
        kind = KINDS[annotation]
        if kind == "word pairs":
            mapping = parameter.name
        if parameter.kind is parameter.VAR_KEYWORD:
            continue
        required = parameter.default is parameter.empty
        found[parameter.name] = Parameter(
            parameter.name,
            kind,
            required and parameter.kind is not parameter.VAR_POSITIONAL,
            parameter.kind is not parameter.KEYWORD_ONLY,
            parameter.kind is parameter.VAR_POSITIONAL,
            required and annotation.endswith("| None"),
            tuple(annotation[9:-2].split("', '")) if kind == "choice" else (),
            None if required else parameter.default,
        )
    return Verb(name, found, mapping, inspect.cleandoc(method.__doc__ or ""))
