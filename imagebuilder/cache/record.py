"""What a build was made of, as data that can be kept and compared.

A key says that something changed, and never what. A record has what the key
covers in words: each step with its arguments, the place that asked for it, and
the digests of the trees that it read. It is written in the author's terms (the
intent, such as ``pip_install``) beside the operations that it became. Values
that look like secrets are in no record.
"""

from __future__ import annotations

import json
import linecache
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from imagebuilder.cache.layers import Layer, layers
from imagebuilder.cache.packages import packages_in
from imagebuilder.compiler import Plan
from imagebuilder.diagnostics import Place
from imagebuilder.diagnostics.excerpt import source_line
from imagebuilder.ir import ops
from imagebuilder.ir.describe import describe
from imagebuilder.ir.keys import SCHEMA
from imagebuilder.ir.ops import LocalSource, Op
from imagebuilder.ir.packages import AptRun, Install, NpmRun
from imagebuilder.ir.stage import Stage, Step, ordered
from imagebuilder.ir.words import Expansion, Word
from imagebuilder.lint.credentials import asks_for_secret, is_value, redacted
from imagebuilder.version import __version__

VERSION = 1
"""Raised when a record of before would be read as something else; such a one is as good as none."""

HIDDEN = "***"
LOCK = "the lock"
"""What packages of a lock are told of by, beside those of files."""
# Of a longer text the beginning is kept; that the rest changed shows in its hash.
_LONGEST = 20_000
_CREDENTIAL = re.compile(r"(?<=://)[^/\s@]+(?=@)")


@dataclass(frozen=True, slots=True)
class At:
    """Where something stood, and the text of its line then; ``column`` 0 means that only the line is known."""

    file: str
    line: int
    column: int = 0
    end_line: int = 0
    end_column: int = 0
    text: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"file": from_here(self.file), "line": self.line, "column": self.column}

    def __str__(self) -> str:
        return f"{from_here(self.file)}:{self.line}"


@dataclass(frozen=True, slots=True)
class Part:
    """One of the core operations that a step became. ``trees`` are the digests of what it read, by path."""

    verb: str
    data: Mapping[str, Any]
    key: str
    layer: str
    own: str
    works: bool
    trees: Mapping[str, str] = field(default_factory=dict)
    reads: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step as its author wrote it. ``packages`` are those that its files name, by the file.

    ``shown`` is the step in one short line.
    """

    verb: str
    shown: str
    data: Mapping[str, Any]
    parts: tuple[Part, ...]
    at: At | None = None
    packages: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def works(self) -> bool:
        return any(part.works for part in self.parts)

    @property
    def own(self) -> tuple[str, ...]:
        return tuple(part.own for part in self.parts)

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(part.layer for part in self.parts if part.works)

    @property
    def trees(self) -> dict[str, str]:
        return {path: digest for part in self.parts for path, digest in part.trees.items()}


@dataclass(frozen=True, slots=True)
class StageRecord:
    """``base`` is a stage's number or the data of a base; ``key`` and ``layer`` are those before the first step."""

    name: str
    base: Any
    key: str
    layer: str
    steps: tuple[StepRecord, ...]
    at: At | None = None

    @property
    def last(self) -> str:
        return self.steps[-1].parts[-1].key if self.steps else self.key


@dataclass(frozen=True, slots=True)
class Record:
    """A build: ``stages`` after those that they need, the image's own last.

    ``id`` is its snapshot's, ``built`` when it began (seconds since 1970); a description that was never built has
    neither. ``schema`` and ``version`` are those of the imagebuilder that made it.
    """

    name: str
    key: str
    platform: str
    stages: tuple[StageRecord, ...]
    id: str = ""
    built: float = 0.0
    schema: int = SCHEMA
    version: str = __version__

    @property
    def target(self) -> StageRecord:
        return self.stages[-1]

    @property
    def trees(self) -> set[str]:
        return {digest for stage in self.stages for step in stage.steps for digest in step.trees.values()}

    @property
    def layers(self) -> set[str]:
        return {layer for stage in self.stages for step in stage.steps for layer in step.layers}

    def dumped(self) -> bytes:
        return json.dumps({"record": VERSION, **asdict(self)}, ensure_ascii=False, separators=(",", ":")).encode()

    @staticmethod
    def loaded(text: bytes) -> Record | None:
        """The record; None where the text is none, or of another version."""
        try:
            found = json.loads(text)
            if found.pop("record") != VERSION:
                return None
            found["stages"] = tuple(map(_stage, found["stages"]))
            return Record(**found)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


def record(plan: Plan, name: str, *, id: str = "", built: float = 0.0) -> Record:
    """The record of a plan, under the name of a snapshot."""
    stages = ordered(plan.stage)
    # A program that builds several times may have read its files' lines before they were edited.
    places = [place for stage in stages for place in (stage.place, *(step.place for step in stage.steps))]
    for file in {place.resolve().file for place in places if place}:
        linecache.checkcache(file)
    writer = _Writer(plan, {stage: number for number, stage in enumerate(stages)})
    found = layers(plan)
    recorded = []
    for stage in stages:
        keys = plan.keys[stage]
        rows = list(zip(stage.steps, keys.steps, found[stage].steps, strict=True))
        base = writer.number(stage.base) if isinstance(stage.base, Stage) else writer.value(stage.base, "")
        steps = tuple(writer.step(group) for group in _by_intent(rows))
        recorded.append(StageRecord(stage.name, base, keys.base, found[stage].base, steps, _at(stage.place)))
    return Record(name, plan.key, plan.platform, tuple(recorded), id, built)


_Row = tuple[Step, str, Layer]


def _by_intent(rows: list[_Row]) -> Iterator[list[_Row]]:
    """The core steps that one statement became stand together."""
    group: list[_Row] = []
    for row in rows:
        step = row[0]
        before = group[-1][0] if group else None
        if before and not (step.intent is not None and step.intent is before.intent and step.place is before.place):
            yield group
            group = []
        group.append(row)
    if group:
        yield group


class _Writer:
    def __init__(self, plan: Plan, numbers: Mapping[Stage, int]) -> None:
        self._plan = plan
        self._numbers = numbers

    def number(self, stage: Stage) -> int:
        return self._numbers[stage]

    def step(self, rows: list[_Row]) -> StepRecord:
        first = rows[0][0]
        said = first.intent or first.op
        parts = tuple(self._part(*row) for row in rows)
        sources = [(step, source) for step, _, _ in rows for source in step.op.locals()]
        at = _at(first.place)
        return StepRecord(
            said.verb,
            shown(said),
            self.value(said, first.root),
            parts,
            at,
            packages_in(said, [self._plan.trees[step.root, source] for step, source in sources]) | _locked(rows),
        )

    def _part(self, step: Step, key: str, layer: Layer) -> Part:
        trees = {}
        for source in step.op.locals():
            tree = self._plan.trees[step.root, source]
            trees[source_name(source)] = tree.digest
        reads = tuple(self._numbers[stage] for stage in step.op.stages())
        data = self.value(step.op, step.root)
        return Part(step.op.verb, data, key, layer.id, layer.own, layer.works, trees, reads)

    def value(self, value: Any, root: str) -> Any:
        match value:
            case Stage():
                return {"stage": self._numbers[value]} if value in self._numbers else {"stage": value.name}
            case Expansion():
                return _cut(redacted(_word(value)))
            case BaseModel():
                return self._fields(value, root)
            case tuple():
                return [self.value(item, root) for item in value]
            case str():
                return _cut(_CREDENTIAL.sub(HIDDEN, redacted(value)))
        return value

    def _fields(self, model: BaseModel, root: str) -> dict[str, Any]:
        verb = getattr(model, "verb", "")
        found: dict[str, Any] = {"op": verb} if verb else {}
        if isinstance(model, LocalSource):
            tree = self._plan.trees.get((root, model))
            found["tree"] = tree.digest if tree else ""
        for name, info in type(model).model_fields.items():
            held = getattr(model, name)
            # Where the files lie differs from one machine to the next, and what they hold is the tree.
            if isinstance(model, LocalSource) and name in ("path", "dockerignore"):
                continue
            if info.is_required() or held != info.default:
                found[name] = self._named(model, name, held) or self.value(held, root)
        return found

    def _named(self, model: BaseModel, name: str, held: Any) -> Any:
        """Values under names, those of secrets without the value; None for what is something else."""
        match model:
            case ops.Env() | ops.Label() if name in ("variables", "labels"):
                return [[key, self._unless_secret(key, value)] for key, value in held]
            case ops.Arg() if name == "default" and held is not None:
                return self._unless_secret(model.name, held)
        return None

    def _unless_secret(self, name: Word, value: Word) -> str:
        text = _word(value)
        return HIDDEN if asks_for_secret(_word(name)) and is_value(text) else str(self.value(text, ""))


def _locked(rows: list[_Row]) -> dict[str, dict[str, str]]:
    """What a lock says is installed, as the packages of a file."""
    found = {
        each.name: each.version for step, _, _ in rows if isinstance(step.op, Install) for each in step.op.distributions
    }
    pins = (pin.partition("=") for step, _, _ in rows if isinstance(step.op, AptRun | NpmRun) for pin in step.op.pins)
    found |= {name: version for name, _, version in pins}
    return {LOCK: found} if found else {}


def shown(op: Op) -> str:
    """The operation in one short line, without what looks like a secret."""
    match op:
        case ops.Env():
            return f"env {' '.join(_word(name) for name, _ in op.variables)}"
        case ops.Label():
            return f"label {' '.join(_word(name) for name, _ in op.labels)}"
        case ops.Arg():
            return f"arg {op.name}"
    return _CREDENTIAL.sub(HIDDEN, redacted(describe(op)))


def _word(word: Word) -> str:
    if isinstance(word, str):
        return word
    written = ""
    for part in word.parts:
        written += part if isinstance(part, str) else "${%s%s%s}" % (part.name, part.modifier, _word(part.word))
    return written


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST]


def _at(place: Place | None) -> At | None:
    if place is None:
        return None
    span = place.resolve()
    text = source_line(span.file, span.line) or ""
    file = str(Path(span.file).absolute())
    return At(file, span.line, span.column, span.end_line, span.end_column, masked_line(text))


_ASSIGNED = re.compile(r"""(?P<name>[\w.\-]+)(?P<quote>["']?\s*[=:]\s*)(?P<value>"[^"]*"|'[^']*'|[^\s,;)}\]]+)""")


def masked_line(text: str) -> str:
    """A line of a spec without the values in it that look like secrets; as long as it was."""

    def mask(found: re.Match[str]) -> str:
        value = found["value"].strip("\"'")
        if not (asks_for_secret(found["name"]) and is_value(value)):
            return found[0]
        return found["name"] + found["quote"] + found["value"].replace(value, "*" * len(value))

    text = _CREDENTIAL.sub(lambda found: "*" * len(found[0]), text)
    return redacted(_ASSIGNED.sub(mask, text))[:_LONGEST]


def source_name(source: LocalSource) -> str:
    """What a person calls the source: the path that the spec says, without ``./``."""
    path = re.sub(r"^(\./)+", "", source.path).rstrip("/") or "."
    if source.kind == "file":
        # The entry has the file's name already.
        return path.rpartition("/")[0] or ("/" if path.startswith("/") else ".")
    return path


def from_here(file: str) -> str:
    """A file's path from the current folder, where it lies below it."""
    try:
        return str(Path(file).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return file


def _stage(found: dict[str, Any]) -> StageRecord:
    found["steps"] = tuple(map(_step, found["steps"]))
    found["at"] = At(**found["at"]) if found["at"] else None
    return StageRecord(**found)


def _step(found: dict[str, Any]) -> StepRecord:
    found["parts"] = tuple(Part(**{**part, "reads": tuple(part["reads"])}) for part in found["parts"])
    found["at"] = At(**found["at"]) if found["at"] else None
    return StepRecord(**found)
