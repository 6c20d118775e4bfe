"""The Dockerfile reference, section by section: cases of our own for all that it describes.

Each section names the project in tests/engine/dockerfiles that a real engine builds;
or, in brackets, why none can.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from imagebuilder.ir import ops
from imagebuilder.ir.ops import ImageSource, LocalSource, Mount, Op
from imagebuilder.ir.words import Expansion, Modifier, Var, Word

B = ImageSource(ref="b")


class Case(NamedTuple):
    """A Dockerfile, and the operations of its last stage; or the code with which it is refused."""

    text: str
    expected: Sequence[Op] | str
    args: tuple[tuple[str, str], ...] = ()


class Section(NamedTuple):
    engine: str
    cases: tuple[Case, ...]


def on(text: str, *expected: Op) -> Case:
    """Instructions on top of an image."""
    return Case(f"FROM a\n{text}\n", expected)


def refused(code: str, text: str) -> Case:
    return Case(f"FROM a\n{text}\n", code)


def mounted(options: str, **fields: object) -> Case:
    return on(f"RUN --mount={options} x", run("x", Mount.model_validate(fields)))


def var(name: str, modifier: Modifier = "", word: Word = "", replacement: Word | None = None) -> Expansion:
    return Expansion(parts=(Var(name=name, modifier=modifier, word=word, replacement=replacement),))


def text_of(*parts: str | Var) -> Expansion:
    return Expansion(parts=parts)


def local(*patterns: str, literal: bool = False) -> LocalSource:
    return LocalSource(path=".", include=tuple((each,) for each in patterns), literal=literal)


def copy(*sources: Word, dest: Word = "/x", **more: object) -> Op:
    fields = {"origin": local(*(str(each).rstrip("/") for each in sources)), **more}
    return ops.Copy.model_validate({"sources": sources, "dest": dest, **fields})


def add(*sources: Word, dest: Word = "/x", **more: object) -> Op:
    return ops.Add.model_validate({"sources": sources, "dest": dest, **more})


def run(command: str | tuple[str, ...], *mounts: Mount, **more: object) -> Op:
    return ops.Run.model_validate({"command": command, "mounts": mounts, **more})


def env(**variables: Word) -> Op:
    return ops.Env(variables=tuple(variables.items()))


def arg(name: str, default: Word | None = None) -> Op:
    return ops.Arg(name=name, default=default)


def label(*labels: tuple[Word, Word]) -> Op:
    return ops.Label(labels=labels)
