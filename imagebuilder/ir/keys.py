"""Keys: what an image is, as one SHA-256.

The key of a step covers everything up to it: it is the hash of the key before
it and of the step's own canonical bytes, so the first key that differs between
two images is the step that made them differ. The key of an image is that of its
last step. SHA-256, since keys leave this machine and a collision would hand one
person another person's image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

from imagebuilder.ir.canonical import canonical
from imagebuilder.ir.ops import LocalSource
from imagebuilder.ir.stage import Stage, ordered

# Raised whenever the same spec must not be answered by an image that was built before.
SCHEMA = 1

Trees = Mapping[tuple[str, LocalSource], str]
"""The digest of each local source, by the step's root and the source."""


@dataclass(frozen=True, slots=True)
class StageKeys:
    """``base`` is the key before the first step; ``steps`` has one key per step."""

    base: str
    steps: tuple[str, ...]

    @property
    def last(self) -> str:
        return self.steps[-1] if self.steps else self.base


def keys(target: Stage, trees: Trees, platform: str) -> dict[Stage, StageKeys]:
    """The keys of the target and of every stage it needs.

    Args:
        target: a stage of core operations only.
        trees: as the context room computes them.
        platform: such as ``linux/amd64``.
    """
    found: dict[Stage, StageKeys] = {}

    def digest(root: str, value: LocalSource | Stage) -> str:
        return found[value].last if isinstance(value, Stage) else trees[root, value]

    for stage in ordered(target):
        start = canonical((SCHEMA, platform, stage.base), partial(digest, ""))
        base = "sha256:" + sha256(b"imagebuilder\0" + start).hexdigest()
        chain = []
        key = base
        for step in stage.steps:
            meaning = canonical(step.op, partial(digest, step.root))
            key = "sha256:" + sha256(key.encode() + b"\0" + meaning).hexdigest()
            chain.append(key)
        found[stage] = StageKeys(base, tuple(chain))
    return found
