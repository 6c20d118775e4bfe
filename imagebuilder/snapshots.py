"""Snapshots for programs: made of an image, a Dockerfile or a description, tried out, and looked after."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from hashlib import sha256
from typing import TYPE_CHECKING

from imagebuilder.builder import image_ref
from imagebuilder.cache.history import History
from imagebuilder.cache.sizes import LayerSize, sizes
from imagebuilder.comparison import Difference, compare
from imagebuilder.compiler import compile
from imagebuilder.diagnostics import (
    BuildError,
    CompileError,
    Diagnostic,
    EngineError,
    ImagebuilderError,
    Invalid,
    SandboxError,
)
from imagebuilder.engine.contents import Contents, read
from imagebuilder.engine.protocol import Engine, Event, ImageInfo, LogEvent, WarningEvent
from imagebuilder.frontends.image import Image
from imagebuilder.ir import checks
from imagebuilder.locks import lock
from imagebuilder.sandbox.stays_up import SLEEP, Started
from imagebuilder.store import UNUSED, Resources, Snapshot, Store, check_name

if TYPE_CHECKING:
    from imagebuilder.sandbox import Sandboxes

UNUSED_AFTER = 14 * 86400.0
"""Seconds after which a snapshot that nobody used is inactive."""

OnLogs = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class CreateSnapshotParams:
    """What :meth:`Snapshots.create` makes: an ``Image``, or the name of one, under a name of its own.

    ``entrypoint`` is what keeps its containers up; None is the image's own, and ``sleep infinity`` where that ends.
    """

    name: str
    image: str | Image
    resources: Resources | None = None
    entrypoint: Sequence[str] | None = None


class Snapshots:
    """The snapshots of a client."""

    def __init__(
        self,
        store: Store,
        engine: Callable[[], Engine],
        sandboxes: Callable[[], Sandboxes],
        build: Callable[..., Snapshot],
    ) -> None:
        """
        Args:
            engine, sandboxes: called when they are needed.
            build: :meth:`imagebuilder.Client.build`.
        """
        self._store = store
        self._connect = engine
        self._sandboxes = sandboxes
        self._build = build

    def create(
        self,
        params: CreateSnapshotParams,
        *,
        on_logs: OnLogs | None = None,
        timeout: float | None = None,
        build_args: Mapping[str, str] | None = None,
        resolve: bool = False,
        local: bool = False,
        replace: bool = False,
    ) -> Snapshot:
        """Build or pull the image, see that a container of it stays up, and keep it.

        A snapshot of the name that is of the same description is as good as a new one, and is what is returned.

        Args:
            on_logs: called with each line that the build prints, and with warnings.
            timeout: seconds, after which the build of an ``Image`` is given up; None and 0 wait for ever.
            build_args: for an ``Image``; see :meth:`Client.build`.
            resolve: of an image by its name, take what a tag that moves is now, by its digest.
            local: the engine has the image; no registry is asked.
            replace: take the name from a snapshot that is of something else.

        Raises:
            CompileError: the description, the name or an argument is wrong, or the name is taken.
            BuildError: a step failed, and the snapshot says ``build_failed``; or the image cannot be pulled, and it
                says ``error``.
            SandboxError: a container of it does not stay up; the snapshot says ``error``, with its last lines.
            EngineError: no engine answers.
        """
        tell = on_logs or (lambda line: None)
        if isinstance(params.image, str):
            made = self._pulled(params, params.image, tell, resolve=resolve, local=local, replace=replace)
        else:
            image = params.image if params.entrypoint is None else params.image.entrypoint(params.entrypoint)
            if not replace:
                self._refuse_taken(
                    params.name, lambda: compile(image, build_args=build_args, state=self._store.home).key
                )
            made = self._build(
                image,
                name=params.name,
                build_args=build_args,
                resources=params.resources,
                timeout=timeout,
                on_event=lambda event: _line(event, tell),
            )
            made = self._tried(made, params.entrypoint, tell)
        return made

    def push(
        self,
        image: str,
        *,
        name: str,
        resources: Resources | None = None,
        entrypoint: Sequence[str] | None = None,
        replace: bool = False,
        on_logs: OnLogs | None = None,
    ) -> Snapshot:
        """An image that the engine has already as a snapshot; as :meth:`create` with ``local``."""
        params = CreateSnapshotParams(name, image, resources, entrypoint)
        return self.create(params, on_logs=on_logs, local=True, replace=replace)

    def list(self) -> Sequence[Snapshot]:
        """All snapshots, the newest first."""
        self._store.deactivate_unused(UNUSED_AFTER)
        return self._store.list()

    def get(self, name: str) -> Snapshot:
        """The snapshot of that name or id; CompileError where there is none."""
        return self._store.get(name)

    def logs(self, name: str) -> str:
        """What the snapshot's build printed; empty where it was not built here."""
        path = self._store.log_path(self.get(name).id)
        return path.read_text(errors="replace") if path.exists() else ""

    def activate(self, name: str) -> Snapshot:
        """Let it be used again.

        Raises:
            CompileError: there is none, or it has no image.
        """
        found = self.get(name)
        if found.state not in ("active", "inactive"):
            raise _unusable(found)
        return self._store.set_state(found.name, "active")

    def deactivate(self, name: str) -> Snapshot:
        """Let nobody use it until it is activated.

        Raises:
            CompileError: there is none, or it has no image.
        """
        found = self.get(name)
        if found.state not in ("active", "inactive"):
            raise _unusable(found)
        return self._store.set_state(found.name, "inactive", "deactivated")

    def delete(self, name: str) -> Snapshot:
        """Forget the snapshot; its image goes too, unless it has another name.

        Raises:
            CompileError: there is none.
            SandboxError: a sandbox was made of it.
            EngineError: the engine does not answer; the snapshot stays.
        """
        engine, store = self._connect(), self._store
        # A build of that name is waited for: it would leave an image without a snapshot.
        with lock(store.name_lock_path(self.get(name).name)):
            found = self.get(name)
            image = engine.image(found.image)
            # One that was pulled is named by its digest, which not every engine takes for its id.
            if image is not None and (image.id == found.digest or not found.digest or "@" in found.image):
                others = {each.digest for each in store.list() if each.name != found.name}
                in_use = () if found.digest in others else self._users(found)
                if in_use:
                    help = f"`imagebuilder sandbox delete {in_use[0]}` first"
                    raise SandboxError(Diagnostic("IB762", f"sandboxes use it: {', '.join(in_use)}", help=help))
                engine.untag(found.image)
            return store.delete(found.name)

    def diff(self, a: str, b: str) -> Difference:
        """What two images differ in; nothing of either is run.

        Args:
            a, b: snapshots, or images that the engine has.

        Raises:
            CompileError: there is no such snapshot or image, or a snapshot has no image.
            EngineError: the engine does not answer, or an image has a million files or more.
        """
        first, second = self._image_of(a), self._image_of(b)
        before = self._contents(first.ref)
        after = before if second.id == first.id else self._contents(second.ref)
        layers = (self._layers(first), self._layers(second))
        return changed(compare(before, after), layers=layers)

    def usable(self, name: str) -> Snapshot:
        """The snapshot, which is active, or becomes so since it is used.

        Raises:
            CompileError: there is none, or it cannot be used.
        """
        found = self.get(name)
        if found.state == "inactive" and found.reason.startswith(UNUSED):
            found = self._store.set_state(found.name, "active")
        if found.state != "active":
            raise _unusable(found)
        return found

    def of_image(
        self,
        image: str | Image,
        resources: Resources | None,
        on_logs: OnLogs | None = None,
        timeout: float | None = None,
    ) -> Snapshot:
        """The snapshot of an image that a sandbox was asked of, made where it is not there; errors as :meth:`create`.

        Its name says nothing but which image and resources it is of.
        """
        resources = resources or Resources()
        described = Image.base(image) if isinstance(image, str) else image
        if isinstance(image, str):
            _check_reference(image, moving=False)
        key = compile(described, state=self._store.home).key
        name = f"of-image/{sha256(f'{key} {resources}'.encode()).hexdigest()[:16]}"
        found = self._store.named(name)
        usable = found is not None and found.tried and found.state in ("active", "inactive")
        if found is not None and usable and self._connect().image(found.digest) is not None:
            return self.usable(name)
        return self.create(CreateSnapshotParams(name, image, resources), on_logs=on_logs, timeout=timeout)

    def started(self, snapshot: Snapshot, *, privileged: bool = False) -> Snapshot:
        """The snapshot, of which it is known what keeps its containers up.

        With ``privileged`` that may be something that ends without those rights, such as Docker itself.
        """
        snapshot = snapshot if snapshot.tried else self._tried(snapshot, None, lambda line: None)
        image = self._connect().image(snapshot.digest) if privileged and snapshot.entrypoint == SLEEP else None
        if image is None:
            return snapshot
        own = Started(image.entrypoint, image.command)
        found = self._sandboxes().keep_up(snapshot.digest, own, None, snapshot.resources, privileged=True)
        return changed(snapshot, entrypoint=found)

    # ---------------------------------------------------------------------------------------------------

    def _pulled(
        self, params: CreateSnapshotParams, ref: str, tell: OnLogs, *, resolve: bool, local: bool, replace: bool
    ) -> Snapshot:
        name = check_name(params.name)
        _check_reference(ref, moving=resolve)
        store, engine = self._store, self._connect()
        plan = compile(Image.base(ref), state=self._store.home)
        if not replace:
            self._refuse_taken(name, lambda: plan.key)
        started = time.monotonic()
        with lock(store.name_lock_path(name)):
            snapshot = store.begin(name, plan.key, plan.platform, image_ref(name), params.resources or Resources())
            store.pulling(snapshot)
            try:
                found = engine.image(ref)
                if found is None or (resolve and not local):
                    if local:
                        help = "`docker images` lists those that it has"
                        raise CompileError(Diagnostic("IB760", f"the engine has no image {ref!r}", help=help))
                    tell(f"pulling {ref}")
                    try:
                        engine.fetch(ref)
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
        return self._tried(made, params.entrypoint, tell, found)

    def _tried(
        self, snapshot: Snapshot, entrypoint: Sequence[str] | None, tell: OnLogs, image: ImageInfo | None = None
    ) -> Snapshot:
        """The snapshot once a container of it was seen to stay up."""
        engine = self._connect()
        tell("waiting for a container of it to stay up")
        ref = snapshot.image if "@" in snapshot.image else snapshot.digest
        if "@" in ref:
            engine.fetch(ref)
        image = image or engine.image(ref)
        own = Started() if image is None else Started(image.entrypoint, image.command)
        try:
            found = self._sandboxes().keep_up(ref, own, entrypoint, snapshot.resources)
        except (SandboxError, EngineError) as error:
            self._store.failed(snapshot, error.diagnostics[0].message, "error")
            raise
        kept = self._store.stays_up(snapshot, found)
        return changed(kept, reused=snapshot.reused, seconds=snapshot.seconds)

    def _refuse_taken(self, name: str, key: Callable[[], str]) -> None:
        found = self._store.named(check_name(name))
        if found is None or found.state not in ("active", "inactive") or found.key == key():
            return
        help = "take another name, or replace it: --replace, or replace=True"
        raise CompileError(Diagnostic("IB763", f"there is a snapshot {found.name!r} of something else", help=help))

    def _image_of(self, name: str) -> _Compared:
        """The image of a snapshot, or else the image of that name."""
        engine = self._connect()
        try:
            found = self.get(name)
        except CompileError as error:
            # What is no reference at all the engine would refuse.
            image = engine.image(name) if _is_reference(name) else None
            if error.diagnostics[0].code != "IB702" or image is None:
                raise
            return _Compared(image.id, name, None)
        if found.state not in ("active", "inactive"):
            raise _unusable(found)
        ref = found.image if "@" in found.image else found.digest
        if "@" in ref:
            engine.fetch(ref)
        image = engine.image(ref)
        if image is None:
            help = "build it again"
            raise CompileError(
                Diagnostic("IB707", f"the engine does not have the image of {found.name!r} any more", help=help)
            )
        return _Compared(image.id, ref, found)

    def _contents(self, ref: str) -> Contents:
        containers = self._connect().containers
        with self._sandboxes().unstarted(ref) as id, containers.export(id) as archive:
            return read(archive)

    def _layers(self, image: _Compared) -> tuple[LayerSize, ...]:
        builds = History(self._store.home).of(image.snapshot.name) if image.snapshot else ()
        record = next((kept.load() for kept in builds if image.snapshot and kept.id == image.snapshot.id), None)
        return sizes(self._connect().history(image.ref), record)

    def _users(self, snapshot: Snapshot) -> Sequence[str]:
        return sorted(each.name for each in self._sandboxes().list() if each.image == snapshot.digest)


@dataclass(frozen=True, slots=True)
class _Compared:
    id: str
    ref: str
    snapshot: Snapshot | None


def _is_reference(name: str) -> bool:
    try:
        checks.image_reference(name)
    except Invalid:
        return bool(re.fullmatch(r"(sha256:)?[0-9a-f]{12,64}", name))
    return True


def _check_reference(ref: str, *, moving: bool) -> None:
    """A tag or digest is demanded, and ``latest`` is none: what it means today is not what it means tomorrow."""
    try:
        checks.image_reference(ref)
    except Invalid as error:
        raise CompileError(error.at(None)) from None
    tag = "" if "@" in ref else ref.rpartition("/")[2].partition(":")[2]
    if "@" in ref or (tag and tag != "latest") or moving:
        return
    what = "the tag latest moves" if tag else "an image needs a tag or a digest"
    plain = ref.removesuffix(":latest")
    help = f"name a version, such as {plain}:1.2; --resolve, or resolve=True, takes its digest"
    raise CompileError(Diagnostic("IB761", f"{what}: {ref!r}", help=help))


def _line(event: Event, tell: OnLogs) -> None:
    if isinstance(event, LogEvent):
        tell(event.line)
    elif isinstance(event, WarningEvent):
        tell(event.diagnostic.render())


def _unusable(found: Snapshot) -> CompileError:
    why = f"{found.state}: {found.reason}" if found.reason else found.state
    help = f"`imagebuilder snapshot activate {found.name}`" if found.state == "inactive" else "build it again"
    return CompileError(Diagnostic("IB707", f"the snapshot {found.name!r} cannot be used ({why})", help=help))


def _reason(error: BaseException) -> str:
    if isinstance(error, ImagebuilderError):
        return error.diagnostics[0].message
    return "interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"


__all__ = ["CreateSnapshotParams", "Snapshots"]
