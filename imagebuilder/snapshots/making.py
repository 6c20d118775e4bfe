"""How a snapshot is made: its image pulled, tried out, and put in the place of the one that had the name."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from dataclasses import replace as changed
from typing import TYPE_CHECKING

from imagebuilder.builder import image_ref
from imagebuilder.compiler import Plan
from imagebuilder.diagnostics import (
    BuildError,
    CompileError,
    Diagnostic,
    EngineError,
    ImagebuilderError,
    SandboxError,
)
from imagebuilder.engine.protocol import Engine, ImageInfo, OnEvent
from imagebuilder.frontends.image import Image
from imagebuilder.locks import lock
from imagebuilder.sandbox.stays_up import SLEEP, Started
from imagebuilder.steps import beside
from imagebuilder.store import Resources, Snapshot, Store, check_name

if TYPE_CHECKING:
    from imagebuilder.sandbox import Sandboxes


@dataclass(frozen=True, slots=True)
class CreateSnapshotParams:
    """What :meth:`Snapshots.create` makes: an ``Image``, or the name of one, under a name of its own.

    ``entrypoint`` is what keeps its containers up; None is the image's own, and ``sleep infinity`` where that ends.
    """

    name: str
    image: str | Image
    resources: Resources | None = None
    entrypoint: Sequence[str] | None = None


class Making:
    """The parts that :class:`~imagebuilder.snapshots.Snapshots` makes a snapshot of; errors are those of its create."""

    def __init__(self, store: Store, engine: Callable[[], Engine], sandboxes: Callable[[], Sandboxes]) -> None:
        self._store = store
        self._connect = engine
        self._sandboxes = sandboxes

    def pulled(
        self, params: CreateSnapshotParams, ref: str, plan: Plan, on_event: OnEvent, *, resolve: bool, local: bool
    ) -> Snapshot:
        name = check_name(params.name)
        store, engine = self._store, self._connect()
        started = time.monotonic()
        with lock(store.name_lock_path(name)):
            found = engine.image(ref)
            if found is None and local:
                help = "`docker images` lists those that it has; `snapshot create --image` pulls one"
                raise CompileError(Diagnostic("IB760", f"the engine has no image {ref!r}", help=help))
            snapshot = store.begin(name, plan.key, plan.platform, image_ref(name), params.resources or Resources())
            store.pulling(snapshot)
            try:
                if found is None or (resolve and not local):
                    with beside(f"pulling {ref}", on_event):
                        try:
                            self.fetch(ref)
                        except EngineError as error:
                            engine.info()  # Whether it answers.
                            raise BuildError(error.diagnostics) from None
                    found = engine.image(ref)
                if found is None:
                    raise BuildError(Diagnostic("IB645", f"cannot pull {ref}", help="does the registry have it?"))
                engine.tag(found.id, snapshot.image)
                made = store.active(
                    snapshot, digest=found.id, size=found.size, seconds=time.monotonic() - started, steps=()
                )
            except BaseException as error:
                store.failed(snapshot, _reason(error), "error")
                raise
        return self.tried(made, params.entrypoint, on_event, found)

    def tried(
        self, snapshot: Snapshot, entrypoint: Sequence[str] | None, on_event: OnEvent, image: ImageInfo | None = None
    ) -> Snapshot:
        """The snapshot once a container of it was seen to stay up."""
        engine = self._connect()
        ref = snapshot.image if "@" in snapshot.image else snapshot.digest
        image = image or engine.image(ref)
        if image is None and "@" in ref:
            self.fetch(ref)
            image = engine.image(ref)
        own = Started() if image is None else Started(image.entrypoint, image.command)
        try:
            with beside("waiting for a container of it to stay up", on_event):
                found = self._sandboxes().keep_up(ref, own, entrypoint, snapshot.resources)
        except (SandboxError, EngineError) as error:
            told = error if image is None else self._explained(error, image)
            self._store.failed(snapshot, told.diagnostics[0].message, "error")
            raise told from None
        return self.stays_up(snapshot, found)

    def _explained(self, error: SandboxError | EngineError, image: ImageInfo) -> SandboxError | EngineError:
        """What went wrong, as that of an image for another machine where it is one."""
        ours = self._connect().info().platform
        if not image.platform or image.platform == ours:
            return error
        (why,) = error.diagnostics
        message = f"the image is for another architecture, {image.platform}, and the engine's machine is {ours}"
        help = f"take the image for {ours}, or have the engine's machine emulate the other"
        return SandboxError(changed(why, message=f"{message}: {why.message}", help=help))

    def stays_up(self, snapshot: Snapshot, entrypoint: Sequence[str] | None) -> Snapshot:
        """The snapshot as one of which it is known what keeps its containers up."""
        kept = self._store.stays_up(snapshot, entrypoint)
        return changed(kept, reused=snapshot.reused, seconds=snapshot.seconds)

    def fetch(self, ref: str) -> None:
        """Pull an image, with the login of its registry where that is one of ours."""
        from imagebuilder.registries import Registries

        self._connect().fetch(ref, Registries(self._store).header(ref))

    @contextmanager
    def replacing(
        self, params: CreateSnapshotParams, name: str, key: Callable[[], str], *, replace: bool
    ) -> Iterator[Snapshot | None]:
        """Whatever has the name serves until the block has ended, and goes on to where that fails; it is what is given.

        Raises:
            CompileError: the name is taken by something else, and not to be replaced.
        """
        found = self._store.named(name)
        if found is None or found.state not in ("active", "inactive") or not found.digest:
            yield None
            return
        same = found.key == key()
        if not same and not replace:
            help = "take another name, or replace it: --replace, or replace=True"
            raise CompileError(Diagnostic("IB763", f"there is a snapshot {name!r} of something else", help=help))
        engine = self._connect()
        # Of the same image, other resources or another entrypoint may fail as well.
        same = same and found.resources == (params.resources or Resources())
        same = same and (params.entrypoint is None or tuple(params.entrypoint) == found.entrypoint)
        if same:
            with self._store.keeping_previous(name):
                yield found
            return
        if engine.image(found.digest) is None:
            yield found
            return
        # An engine may drop an image that has no name left.
        engine.tag(found.digest, kept_ref(name))
        self._store.serve(found)
        try:
            yield found
        except BaseException as error:
            with suppress(CompileError):
                now = self._store.get(name)
                if now.id != found.id:
                    back = self._store.put_back(now, f"the one that was to replace it failed: {_reason(error)}")
                    self._store.forget_files(now.id)
                    with suppress(EngineError):
                        engine.tag(back.digest, back.image)
                        engine.untag(kept_ref(name))
            raise

    def swap_names(self, now: Snapshot, back: Snapshot) -> None:
        """Give the image of ``back`` the snapshot's name, and that of ``now`` the one of what was replaced, or neither.

        The store is told afterwards. Whatever cuts this off, the image that it says has a name, without which an engine
        may drop it.
        """
        engine, kept = self._connect(), kept_ref(now.name)
        stays = now.state == "active" and engine.image(now.digest) is not None
        if stays:
            engine.tag(now.digest, kept)
        try:
            # One that a registry has is named by its digest there.
            if "@" not in back.image:
                engine.tag(back.digest, back.image)
        except BaseException:
            if stays:
                with suppress(EngineError):
                    engine.tag(back.digest, kept)
            raise

    def started(self, snapshot: Snapshot, *, privileged: bool = False) -> Snapshot:
        """See :meth:`imagebuilder.snapshots.Snapshots.started`."""
        snapshot = snapshot if snapshot.tried else self.tried(snapshot, None, lambda event: None)
        image = self._connect().image(snapshot.digest) if privileged and snapshot.entrypoint == SLEEP else None
        if image is None:
            return snapshot
        own = Started(image.entrypoint, image.command)
        found = self._sandboxes().keep_up(snapshot.digest, own, None, snapshot.resources, privileged=True)
        return changed(snapshot, entrypoint=found)


def check_entrypoint(words: Sequence[str]) -> None:
    """CompileError where it is not the words of a command."""
    if not isinstance(words, list | tuple) or not words or not all(isinstance(word, str) for word in words):
        given = ["sleep", "infinity"]
        if isinstance(words, str):
            with suppress(ValueError):
                given = shlex.split(words)
        help = f"its words: {given}"
        raise CompileError(Diagnostic("IB755", f"not an entrypoint: {words!r}", help=help))


def kept_ref(name: str) -> str:
    """What the image of a snapshot is called that was replaced."""
    return image_ref(name).replace("imagebuilder/", "imagebuilder-before/", 1)


def _reason(error: BaseException) -> str:
    if isinstance(error, ImagebuilderError):
        return error.diagnostics[0].message
    return "interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
