"""What a step's layer depends on, as one hash: two builds in which it is equal share the layer.

A key covers everything that was said before it. BuildKit looks at less: a label
runs nothing again that comes after it, a copy takes no notice of the
environment, and a copied folder that is linked of nothing below it. Whoever
foretells what will run has to look at just as much, so this follows BuildKit
where the key does not; a test lets the real one judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256

from imagebuilder.backends.dockerfile.link import LinkRule
from imagebuilder.compiler import Plan
from imagebuilder.context import taken
from imagebuilder.ir.canonical import canonical
from imagebuilder.ir.keys import digest_of, meaning
from imagebuilder.ir.ops import (
    Add,
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Label,
    LocalSource,
    Maintainer,
    Onbuild,
    Op,
    Run,
    Shell,
    StopSignal,
    User,
    Volume,
    Workdir,
    WriteFiles,
)
from imagebuilder.ir.packages import Install
from imagebuilder.ir.stage import Stage, Step, ordered
from imagebuilder.ir.words import Expansion

# They stand in the image's configuration and change no command.
_SETTINGS = (Cmd, Entrypoint, Expose, Healthcheck, Label, Maintainer, Onbuild, StopSignal, Volume)


@dataclass(frozen=True, slots=True)
class Layer:
    """``id`` is equal where the layer is; ``own`` where the step is, whatever came before.

    ``works`` says whether the step does anything when it is built, and does not only set something.
    """

    id: str
    own: str
    works: bool


@dataclass(frozen=True, slots=True)
class StageLayers:
    base: str
    steps: tuple[Layer, ...]

    @property
    def last(self) -> str:
        return self.steps[-1].id if self.steps else self.base


@dataclass(frozen=True, slots=True)
class _State:
    """What a stage has said so far that its next step may depend on."""

    files: str
    variables: str = ""
    user: str = ""
    folder: str = ""
    shell: str = ""


@dataclass(slots=True)
class _Walk:
    plan: Plan
    found: dict[Stage, StageLayers] = field(default_factory=dict)
    ends: dict[Stage, _State] = field(default_factory=dict)

    def stage(self, stage: Stage) -> None:
        base = stage.base
        if isinstance(base, Stage):
            state = self.ends[base]
        else:
            state = _State(_hash(self.plan.platform, canonical(base, lambda value: "").hex()))
        start, rule, layers = state.files, LinkRule(stage), []
        for step in stage.steps:
            own = self._own(step)
            linked = isinstance(step.op, Copy) and rule.allows(step.op)
            rule.note(step.op)
            before, state = state, _after(state, step.op, own, linked)
            works = isinstance(step.op, Run | Install | Copy | Add | WriteFiles | Workdir)
            id = _hash("linked", own) if linked else state.files if works else _hash(before.files, "set", own)
            layers.append(Layer(id, own, works))
        self.found[stage] = StageLayers(start, tuple(layers))
        self.ends[stage] = state

    def _own(self, step: Step) -> str:
        trees = self.plan.trees

        def take(source: LocalSource, path: str) -> str | None:
            return taken(trees[step.root, source], source, path)

        def digest(value: LocalSource | Stage) -> str:
            if isinstance(value, Stage):
                return self.ends[value].files
            return digest_of(value) or trees[step.root, value].digest

        return sha256(canonical(meaning(step.op, take), digest)).hexdigest()


def layers(plan: Plan) -> Mapping[Stage, StageLayers]:
    """The layers of the plan's stages, each stage after those that it needs."""
    walk = _Walk(plan)
    for stage in ordered(plan.stage):
        walk.stage(stage)
    return walk.found


def _after(state: _State, op: Op, own: str, linked: bool) -> _State:
    match op:
        case Run():
            shell = state.shell if isinstance(op.command, str) else ""
            parts = (state.files, own, state.variables, state.user, state.folder, shell)
            return replace(state, files=_hash(*parts))
        case Install():
            return replace(state, files=_hash(state.files, own))
        case Copy() | Add() | WriteFiles():
            seen = (_expanded(op) and state.variables) or ""
            folder = "" if isinstance(op.dest, str) and op.dest.startswith("/") else state.folder
            return replace(state, files=_hash(state.files, "" if linked else own, own, seen, folder))
        case Workdir():
            seen = (isinstance(op.path, Expansion) and state.variables) or ""
            folder = _hash(state.folder, own, seen)
            return replace(state, files=_hash(state.files, folder), folder=folder)
        case Env() | Arg():
            return replace(state, variables=_hash(state.variables, own))
        case User():
            return replace(state, user=own)
        case Shell():
            return replace(state, shell=own)
    assert isinstance(op, _SETTINGS)
    return state


def _expanded(op: Copy | Add | WriteFiles) -> bool:
    words = [op.dest, op.chown, op.chmod]
    if isinstance(op, WriteFiles):
        words += [content for _, content in op.files]
    else:
        words += [*op.sources, *op.exclude, op.checksum if isinstance(op, Add) else ""]
    return any(isinstance(word, Expansion) for word in words)


def _hash(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()
