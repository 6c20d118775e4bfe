"""Snapshots for programs: made of an image, a Dockerfile or a description, tried out, and looked after."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from imagebuilder.compiler import compile
from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid, SandboxError
from imagebuilder.engine.protocol import BESIDE, Engine, Event, LogEvent, OnEvent, WarningEvent
from imagebuilder.frontends.image import Image
from imagebuilder.ir import checks
from imagebuilder.locks import lock
from imagebuilder.sandbox.stays_up import SLEEP
from imagebuilder.snapshots.diff import diff
from imagebuilder.snapshots.difference import Difference
from imagebuilder.snapshots.making import CreateSnapshotParams, Making, check_entrypoint, kept_ref
from imagebuilder.store import UNUSED, Resources, Snapshot, Store, check_name, unusable

if TYPE_CHECKING:
    from imagebuilder.resolve.lock import LockFile
    from imagebuilder.sandbox import Sandboxes

OnLogs = Callable[[str], None]

_LOOK = 0.2
# What a sandbox of an image is made of; nobody gave it a name, so that it goes when nobody uses it.
_UNNAMED = "of-image/"


class Snapshots:
    """The snapshots of a client."""

    def __init__(
        self,
        store: Store,
        engine: Callable[[], Engine],
        sandboxes: Callable[[], Sandboxes],
        build: Callable[..., Snapshot],
        unused_after: float,
    ) -> None:
        """
        Args:
            engine, sandboxes: called when they are needed.
            build: :meth:`imagebuilder.Client.build`.
            unused_after: seconds after which a snapshot that nobody used is inactive; 0 is never.
        """
        self._store = store
        self._connect = engine
        self._sandboxes = sandboxes
        self._build = build
        self._unused_after = unused_after
        self._making = Making(store, engine, sandboxes)

    def create(
        self,
        params: CreateSnapshotParams,
        *,
        on_logs: OnLogs | None = None,
        on_event: OnEvent | None = None,
        timeout: float | None = None,
        build_args: Mapping[str, str] | None = None,
        resolve: bool = False,
        local: bool = False,
        replace: bool = False,
        lock: LockFile | None = None,
        locked: bool = False,
    ) -> Snapshot:
        """Build or pull the image, see that a container of it stays up, and keep it.

        A snapshot of the name that is of the same description is as good as a new one, and is what is returned.

        Args:
            on_logs: called with a line for each step, each line that it prints, and warnings.
            on_event: called for each change of a step, and what it prints; a pull and the trial are steps too.
            timeout: seconds, after which the build of an ``Image`` is given up; None and 0 wait for ever.
            build_args: for an ``Image``; see :meth:`Client.build`.
            resolve: of an image by its name, take what a tag that moves is now, by its digest.
            local: the engine has the image; no registry is asked.
            replace: take the name from a snapshot that is of something else.
            lock, locked: for an ``Image``; see :meth:`Client.build`.

        Raises:
            CompileError: the description, the name or an argument is wrong, or the name is taken.
            BuildError: a step failed, and the snapshot says ``build_failed``; or the image cannot be pulled, and it
                says ``error``.
            SandboxError: a container of it does not stay up; the snapshot says ``error``, with its last lines.
            EngineError: no engine answers.
        """
        if not isinstance(params, CreateSnapshotParams):
            help = "CreateSnapshotParams(name=…, image=…)"
            raise CompileError(Diagnostic("IB100", f"not what a snapshot is made of: {params!r}", help=help))
        if params.entrypoint is not None:
            check_entrypoint(params.entrypoint)
        hear = _hearing(on_logs, on_event)
        if isinstance(params.image, str):
            ref = params.image
            _check_reference(ref, moving=resolve)
            image = Image.base(ref)
        else:
            ref = ""
            image = params.image if params.entrypoint is None else params.image.entrypoint(params.entrypoint)
        name = check_name(params.name)
        state = self._store.home

        def key() -> str:
            return compile(image, build_args=build_args, state=state, lock=lock).key

        with self._making.replacing(params, name, key, replace=replace) as before:
            if ref:
                return self._making.pulled(params, ref, compile(image, state=state), hear, resolve=resolve, local=local)
            made = self._build(
                image,
                name=name,
                build_args=build_args,
                resources=params.resources,
                timeout=timeout,
                on_event=hear,
                lock=lock,
                locked=locked,
            )
            if before is not None and _answers_for(before, made):
                return self._making.stays_up(made, before.entrypoint)
            return self._making.tried(made, params.entrypoint, hear)

    def create_default(self, *, on_logs: OnLogs | None = None, on_event: OnEvent | None = None) -> Snapshot:
        """The snapshot ``default``, of ``default.snap`` in this package: what a sandbox is of that names none.

        Errors are those of :meth:`create`.
        """
        from imagebuilder.frontends.snap import load

        (spec,) = load(Path(__file__).with_name("default.snap")).snapshots
        params = CreateSnapshotParams(spec.name, spec.image, spec.resources)
        return self.create(params, on_logs=on_logs, on_event=on_event, replace=True)

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
        if self._unused_after:
            self._store.deactivate_unused(self._unused_after)
        unnamed = [
            each
            for each in self._store.list()
            if each.name.startswith(_UNNAMED) and each.state == "inactive" and each.reason.startswith(UNUSED)
        ]
        for each in (*self._store.expired(), *unnamed):
            # One that a sandbox was made of stays until that has gone.
            with suppress(SandboxError):
                self.delete(each.name)
        return self._store.list()

    def get(self, name: str | Snapshot) -> Snapshot:
        """The snapshot of that name or id; CompileError where there is none."""
        return self._store.get(_name(name))

    def logs(self, name: str | Snapshot) -> str:
        """What the snapshot's build printed; empty where it was not built here."""
        path = self._store.log_path(self.get(name).id)
        return path.read_text(errors="replace") if path.exists() else ""

    def follow(self, name: str | Snapshot) -> Iterator[str]:
        """The lines that its build prints, those that it has printed first, until it has ended."""
        found = self.get(name)
        path, at = self._store.log_path(found.id), 0
        while True:
            # Looked at first, so that what came before the end is read after it.
            ended = self._store.get(found.id).state not in ("pending", "building", "pulling")
            with suppress(FileNotFoundError), path.open("rb") as log:
                log.seek(at)
                whole, end, _ = log.read().rpartition(b"\n")
                at += len(whole) + len(end)
                if end:
                    yield from whole.decode(errors="replace").split("\n")
            if ended:
                return
            time.sleep(_LOOK)

    def rollback(self, name: str | Snapshot) -> Snapshot:
        """Go back to the snapshot that this one replaced; a second call goes forward again.

        Raises:
            CompileError: nothing was replaced with ``replace``, it is locked, or the image is gone.
            EngineError: the engine does not answer; nothing has changed.
        """
        engine = self._connect()
        with lock(self._store.name_lock_path(self.get(name).name)):
            found = self._store.unlocked(_name(name))
            back = found.previous
            if back is not None:
                if engine.image(back.digest) is None:
                    help = "build it again, with --replace"
                    message = f"the engine does not have the image any more that came before {found.name!r}"
                    raise CompileError(Diagnostic("IB707", message, help=help))
                self._making.swap_names(found, back)
            return self._store.put_back(found)

    def lock(self, name: str | Snapshot) -> Snapshot:
        """Let it neither be replaced nor deleted, by whomever."""
        return self._store.lock(_name(name), True)

    def unlock(self, name: str | Snapshot) -> Snapshot:
        """Undo :meth:`lock`."""
        return self._store.lock(_name(name), False)

    def expire(self, name: str | Snapshot, seconds: float | None) -> Snapshot:
        """Have it deleted when so many seconds have gone by, by the next look at the list; None keeps it."""
        return self._store.expire(self.get(name), seconds)

    def alias(self, alias: str, name: str) -> None:
        """Give a snapshot a second name, which another snapshot may have had before.

        Raises:
            CompileError: there is no such snapshot, or the alias is the name of one.
        """
        self._store.alias(check_name(alias), name)

    def activate(self, name: str | Snapshot) -> Snapshot:
        """Let it be used again.

        Raises:
            CompileError: there is none, or it has no image.
        """
        found = self.get(name)
        if found.state not in ("active", "inactive"):
            raise unusable(found)
        return self._store.set_state(found.name, "active")

    def deactivate(self, name: str | Snapshot) -> Snapshot:
        """Let nobody use it until it is activated.

        Raises:
            CompileError: there is none, or it has no image.
        """
        found = self.get(name)
        if found.state not in ("active", "inactive"):
            raise unusable(found)
        return self._store.set_state(found.name, "inactive", "deactivated")

    def delete(self, name: str | Snapshot) -> Snapshot:
        """Forget the snapshot; its image goes too, unless it has another name. Of an alias, only that goes.

        Raises:
            CompileError: there is none, or it is locked.
            SandboxError: a sandbox was made of it.
            EngineError: the engine does not answer; the snapshot stays.
        """
        engine, store, name = self._connect(), self._store, _name(name)
        found = self.get(name)
        if store.named(name) is None and store.unalias(name):
            return found
        # A build of that name is waited for: it would leave an image without a snapshot.
        with lock(store.name_lock_path(found.name)):
            found = store.unlocked(name)
            others = {each.digest for each in store.list() if each.name != found.name}
            # The engine would keep the image of the one that it replaced, and this one's would be gone by then.
            before = found.previous
            if before is not None and before.digest not in others and (in_use := self._users(before)):
                raise _in_use(in_use)
            image = engine.image(found.image)
            # One that was pulled is named by its digest, which not every engine takes for its id.
            if image is not None and (image.id == found.digest or not found.digest or "@" in found.image):
                in_use = () if found.digest in others else self._users(found)
                if in_use:
                    raise _in_use(in_use)
                engine.untag(found.image)
            engine.untag(kept_ref(found.name))
            return store.delete(found.name)

    def diff(self, a: str, b: str) -> Difference:
        """What two images differ in; nothing of either is run.

        Args:
            a, b: snapshots, or images that the engine has.

        Raises:
            CompileError: there is no such snapshot or image, or a snapshot has no image.
            EngineError: the engine does not answer, or an image has a million files or more.
        """
        return diff(self._store, self._connect(), self._sandboxes(), self._making.fetch, a, b)

    def usable(self, name: str | Snapshot) -> Snapshot:
        """The snapshot, which is active, or becomes so since it is used.

        Raises:
            CompileError: there is none, or it cannot be used.
        """
        found = self.get(name)
        if found.previous is not None and found.state not in ("active", "inactive"):
            # It is being replaced, or whoever replaced it was killed.
            found = found.previous
        if found.state == "inactive" and found.reason.startswith(UNUSED):
            found = self._store.set_state(found.name, "active")
        if found.state != "active":
            raise unusable(found)
        return found

    def of_image(
        self,
        image: str | Image,
        resources: Resources | None,
        on_logs: OnLogs | None = None,
        timeout: float | None = None,
        on_event: OnEvent | None = None,
    ) -> Snapshot:
        """The snapshot of an image that a sandbox was asked of, made where it is not there; errors as :meth:`create`.

        Its name says nothing but which image and resources it is of.
        """
        resources = resources or Resources()
        described = Image.base(image) if isinstance(image, str) else image
        if isinstance(image, str):
            _check_reference(image, moving=False)
        key = compile(described, state=self._store.home).key
        name = f"{_UNNAMED}{sha256(f'{key} {resources}'.encode()).hexdigest()[:16]}"
        found = self._store.named(name)
        usable = found is not None and found.tried and found.state in ("active", "inactive")
        if found is not None and usable and self._connect().image(found.digest) is not None:
            return self.usable(name)
        params = CreateSnapshotParams(name, image, resources)
        return self.create(params, on_logs=on_logs, on_event=on_event, timeout=timeout)

    def started(self, snapshot: Snapshot, *, privileged: bool = False) -> Snapshot:
        """The snapshot, of which it is known what keeps its containers up.

        With ``privileged`` that may be something that ends without those rights, such as Docker itself.
        """
        return self._making.started(snapshot, privileged=privileged)

    def _users(self, snapshot: Snapshot) -> Sequence[str]:
        return sorted(each.name for each in self._sandboxes().list() if each.image == snapshot.digest)


def _name(of: str | Snapshot) -> str:
    """What a snapshot is asked for by; whoever has one may give that."""
    name = of.name if isinstance(of, Snapshot) else of
    if not isinstance(name, str):
        raise CompileError(Diagnostic("IB701", f"not a snapshot name: {of!r}", help="its name, or a Snapshot"))
    return name


def _in_use(names: Sequence[str]) -> SandboxError:
    help = f"`imagebuilder sandbox delete {names[0]}` first"
    return SandboxError(Diagnostic("IB762", f"sandboxes use it: {', '.join(names)}", help=help))


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


def _answers_for(before: Snapshot, made: Snapshot) -> bool:
    """Whether a container of ``made`` stays up as one of ``before`` did."""
    # What else an entrypoint may be was asked for, of an image by its name.
    alike = before.digest == made.digest and before.resources == made.resources
    return alike and before.tried and before.entrypoint in (None, SLEEP)


def _hearing(on_logs: OnLogs | None, on_event: OnEvent | None) -> OnEvent:
    """What hears of everything, for those who want lines and those who want events."""
    lines = None if on_logs is None else _Lines(on_logs)

    def hear(event: Event) -> None:
        if on_event is not None:
            on_event(event)
        if lines is not None:
            lines(event)

    return hear


class _Lines:
    """A line for each step as it begins, each line that it prints, and each warning."""

    def __init__(self, tell: OnLogs) -> None:
        self._tell = tell
        self._begun: dict[str, int] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, LogEvent):
            self._tell(event.line)
        elif isinstance(event, WarningEvent):
            self._tell(event.diagnostic.render())
        elif event.position == BESIDE:
            if event.state == "started":
                self._tell(event.name)
        elif not event.is_chore and event.id not in self._begun:
            self._begun[event.id] = len(self._begun) + 1
            cached = " (cached)" if event.state == "cached" else ""
            self._tell(f"Step {self._begun[event.id]}: {event.name}{cached}")
