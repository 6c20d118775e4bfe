"""How much each step of an image added: the layers that the engine has, told by the record of the build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagebuilder.cache.record import At, Part, Record, StepRecord, masked_line
from imagebuilder.engine.protocol import HistoryEntry

# What makes a layer, by the operation that it is of.
_KEYWORDS = {"run": "RUN", "copy": "COPY", "add": "ADD", "write_files": "COPY", "workdir": "WORKDIR"}


@dataclass(frozen=True, slots=True)
class LayerSize:
    """``what`` is the step, or the builder's instruction where the build is not on record."""

    size: int
    what: str
    at: At | None = None

    def as_json(self) -> dict[str, Any]:
        return {"size": self.size, "what": self.what, "at": self.at.as_json() if self.at else None}


def sizes(history: Sequence[HistoryEntry], record: Record | None) -> tuple[LayerSize, ...]:
    """The sizes per step where every step is found in the history, else per instruction; the oldest first."""
    if record and (found := _by_step(history, record)):
        return found
    return tuple(LayerSize(entry.size, masked_line(entry.instruction)) for entry in history if entry.size)


def _by_step(history: Sequence[HistoryEntry], record: Record) -> tuple[LayerSize, ...]:
    base, steps = _chain(record)
    parts = [(step, part) for step in steps for part in step.parts if part.works]
    layers = _layers(history)
    # The base's come first, and nobody knows how many those are.
    own = layers[len(layers) - len(parts) :] if len(parts) <= len(layers) else []
    if not parts or not own or not all(_is_of(layer[0], part) for layer, (_, part) in zip(own, parts, strict=True)):
        return ()
    each = [sum(entry.size for entry in layer) for layer in own]
    found = [LayerSize(sum(entry.size for entry in history) - sum(each), base, record.target.at)]
    for step in steps:
        added = sum(size for size, (of, _) in zip(each, parts, strict=True) if of is step)
        if step.works:
            found.append(LayerSize(added, step.shown, step.at))
    return tuple(found)


def _chain(record: Record) -> tuple[str, list[StepRecord]]:
    """The base of the image, and its steps with those of the stages that it starts from."""
    stage, steps = record.target, list(record.target.steps)
    while isinstance(stage.base, int):
        stage = record.stages[stage.base]
        steps[:0] = stage.steps
    return f"from {stage.base.get('ref', 'scratch')}" if isinstance(stage.base, Mapping) else "from", steps


def _layers(history: Sequence[HistoryEntry]) -> list[list[HistoryEntry]]:
    """Those of one instruction; a large folder is copied in parts, to one place."""
    found: list[list[HistoryEntry]] = []
    for entry in history:
        if entry.keyword not in _KEYWORDS.values():
            continue
        if found and entry.keyword == "COPY" and entry.instruction == found[-1][0].instruction:
            found[-1].append(entry)
        else:
            found.append([entry])
    return found


def _is_of(entry: HistoryEntry, part: Part) -> bool:
    dest = part.data.get("path" if part.verb == "workdir" else "dest", "")
    return entry.keyword == _KEYWORDS.get(part.verb) and (
        not isinstance(dest, str) or "$" in dest or dest in entry.instruction
    )


__all__ = ["LayerSize", "sizes"]
