"""Keys: what an image is, as one SHA-256.

The key of a step covers everything up to it: it is the hash of the key before
it and of the step's own canonical bytes, so the first key that differs between
two images is the step that made them differ. The key of an image is that of its
last step. SHA-256, since keys leave this machine and a collision would hand one
person another person's image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from typing import NamedTuple

from imagebuilder.ir.canonical import canonical
from imagebuilder.ir.heredoc import delimiter, fits
from imagebuilder.ir.ops import Add, Copy, LocalSource, Mount, Op, Run, WriteFiles
from imagebuilder.ir.packages import Distribution, Install
from imagebuilder.ir.stage import Stage, ordered
from imagebuilder.ir.words import Expansion

# Raised whenever the same spec must not be answered by an image that was built before.
SCHEMA = 2

Trees = Mapping[tuple[str, LocalSource], str]
"""The digest of each local source, by the step's root and the source."""


class StageKeys(NamedTuple):
    """``base`` is the key before the first step; ``steps`` has one key per step."""

    base: str
    steps: tuple[str, ...]

    @property
    def last(self) -> str:
        return self.steps[-1] if self.steps else self.base


Taken = Callable[[str, LocalSource, str], str | None]
"""What is taken of a local source for one path in it, as one digest that does not say where it was; None where
that depends on more than the path. Given a step's root, the source and the path."""


def keys(target: Stage, trees: Trees, platform: str, taken: Taken = lambda *_: None) -> dict[Stage, StageKeys]:
    """The keys of the target and of every stage it needs.

    Args:
        target: a stage of core operations only.
        trees, taken: as the context room computes them.
        platform: such as ``linux/amd64``.
    """
    found: dict[Stage, StageKeys] = {}

    def digest(root: str, value: LocalSource | Stage) -> str:
        if isinstance(value, Stage):
            return found[value].last
        return digest_of(value) or trees[root, value]

    for stage in ordered(target):
        start = canonical((SCHEMA, platform, stage.base), partial(digest, ""))
        base = "sha256:" + sha256(b"imagebuilder\0" + start).hexdigest()
        chain = []
        key = base
        for step in stage.steps:
            said = canonical(meaning(step.op, partial(taken, step.root)), partial(digest, step.root))
            key = "sha256:" + sha256(key.encode() + b"\0" + said).hexdigest()
            chain.append(key)
        found[stage] = StageKeys(base, tuple(chain))
    return found


class _Taken(LocalSource):
    """Files as their digest, which is its path."""


def digest_of(source: LocalSource) -> str:
    """The digest that :func:`meaning` put in the place of files; empty where it left them."""
    return source.path if isinstance(source, _Taken) else ""


def meaning(op: Op, taken: Callable[[LocalSource, str], str | None]) -> Op:
    """The operation without what is mere phrasing: two that put the same files into the same place are one.

    ``COPY src /app`` takes a folder of the context, ``add_local_dir("src", "/app")`` all of that folder. A text
    gets the name of a here-document's delimiter, which one that nobody chose says nothing about.
    """
    match op:
        case (
            Copy(origin=LocalSource() as origin, parents=False, exclude=())
            | Add(origin=LocalSource() as origin, exclude=())
        ):
            digests = [taken(origin, source) if isinstance(source, str) else None for source in op.sources]
            if None not in digests:
                return op.model_copy(update={"sources": (), "origin": _Taken(path=" ".join(map(str, digests)))})
        case Install():
            # Where a file was found, and in which layer it goes, is no part of what it is.
            each = sorted(op.distributions, key=lambda each: each.name)
            return Install(distributions=tuple(map(_bare, each)))
        case Run(mounts=mounts) if mounts:
            return op.model_copy(update={"mounts": tuple(_mounted(mount, taken) for mount in mounts)})
        case WriteFiles(files=((name, str() as content),)) if name == delimiter(content) and fits(content):
            return op.model_copy(update={"files": (("", content),)})
    return op


def _bare(distribution: Distribution) -> Distribution:
    files = tuple(file.model_copy(update={"url": "", "size": 0}) for file in distribution.files)
    return distribution.model_copy(update={"files": files})


def _mounted(mount: Mount, taken: Callable[[LocalSource, str], str | None]) -> Mount:
    if isinstance(mount.origin, LocalSource) and not isinstance(mount.source, Expansion):
        found = taken(mount.origin, mount.source or ".")
        if found is not None:
            return mount.model_copy(update={"source": None, "origin": _Taken(path=found)})
    return mount
