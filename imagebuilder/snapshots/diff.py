"""Two images that the engine has, read and compared; nothing of either is run."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from imagebuilder.cache.history import History
from imagebuilder.cache.sizes import LayerSize, sizes
from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid
from imagebuilder.engine.contents import Contents, read
from imagebuilder.engine.protocol import Engine
from imagebuilder.ir import checks
from imagebuilder.snapshots.difference import Difference, compare
from imagebuilder.store import Snapshot, Store, unusable

if TYPE_CHECKING:
    from imagebuilder.sandbox import Sandboxes


def diff(
    store: Store, engine: Engine, sandboxes: Sandboxes, fetch: Callable[[str], None], a: str, b: str
) -> Difference:
    """See :meth:`imagebuilder.snapshots.Snapshots.diff`; ``fetch`` pulls an image."""
    first, second = (_image_of(store, engine, fetch, name) for name in (a, b))
    before = _contents(engine, sandboxes, first.ref)
    after = before if second.id == first.id else _contents(engine, sandboxes, second.ref)
    layers = (_layers(store, engine, first), _layers(store, engine, second))
    return replace(compare(before, after), layers=layers)


@dataclass(frozen=True, slots=True)
class _Compared:
    id: str
    ref: str
    snapshot: Snapshot | None


def _image_of(store: Store, engine: Engine, fetch: Callable[[str], None], name: str) -> _Compared:
    """The image of a snapshot, or else the image of that name."""
    try:
        found = store.get(name)
    except CompileError as error:
        # What is no reference at all the engine would refuse.
        image = engine.image(name) if _is_reference(name) else None
        if error.diagnostics[0].code != "IB702" or image is None:
            raise
        return _Compared(image.id, name, None)
    if found.state not in ("active", "inactive"):
        raise unusable(found)
    ref = found.image if "@" in found.image else found.digest
    if "@" in ref:
        fetch(ref)
    image = engine.image(ref)
    if image is None:
        message = f"the engine does not have the image of {found.name!r} any more"
        raise CompileError(Diagnostic("IB707", message, help="build it again"))
    return _Compared(image.id, ref, found)


def _contents(engine: Engine, sandboxes: Sandboxes, ref: str) -> Contents:
    with sandboxes.unstarted(ref) as id, engine.containers.export(id) as archive:
        return read(archive)


def _layers(store: Store, engine: Engine, image: _Compared) -> tuple[LayerSize, ...]:
    builds = History(store.home).of(image.snapshot.name) if image.snapshot else ()
    record = next((kept.load() for kept in builds if image.snapshot and kept.id == image.snapshot.id), None)
    return sizes(engine.history(image.ref), record)


def _is_reference(name: str) -> bool:
    try:
        checks.image_reference(name)
    except Invalid:
        return bool(re.fullmatch(r"(sha256:)?[0-9a-f]{12,64}", name))
    return True
