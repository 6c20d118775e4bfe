"""Carrying out a plan: reuse or build, and a snapshot that says how it went.

One build per key: whoever asks for a key takes its lock first, and whoever had
to wait finds the image there. The lock ends with its process, and the folder of
staged files belongs to the lock, so a build that was killed leaves nothing that
the next one would trip over.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from imagebuilder.cache.history import History
from imagebuilder.compiler import Plan
from imagebuilder.diagnostics import (
    BuildError,
    Diagnostic,
    EngineError,
    ImagebuilderError,
    Interrupted,
)
from imagebuilder.engine.protocol import (
    BuildFailed,
    BuildRequest,
    Engine,
    Event,
    LogEvent,
    SecretValue,
)
from imagebuilder.locks import lock, unless_held
from imagebuilder.options import BuildOptions
from imagebuilder.reproducible import EPOCH, UNDATED, dated
from imagebuilder.secret_values import secret_values
from imagebuilder.store import Follower, Snapshot, Store
from imagebuilder.telling import Telling

if TYPE_CHECKING:
    # Imported late: an image that is there already is answered without its Dockerfile, and mostly without a registry.
    from imagebuilder.backends.dockerfile import Dockerfile
    from imagebuilder.cache.recorder import Recorder
    from imagebuilder.cache.refresh import Fresh
    from imagebuilder.cache.registry import Found
    from imagebuilder.staged import StagedFiles
    from imagebuilder.steps import Steps

OnBuildEvent = Callable[[Event], None]


class Build:
    """One plan under one name."""

    def __init__(
        self,
        plan: Plan,
        name: str,
        options: BuildOptions,
        store: Store,
        engine: Callable[[], Engine],
        on_event: OnBuildEvent,
    ) -> None:
        """
        Args:
            engine: called when one is needed; what the cache has needs none.
        """
        self._plan = plan
        self._options = options
        self._store = store
        self._connect = engine
        self._told = Telling(on_event)
        self._name = name
        self._ref = image_ref(name)
        self._kept: Snapshot | None = None
        self._history = History(store.home)

    @property
    def _engine(self) -> Engine:
        return self._connect()

    def run(self) -> Snapshot:
        """Errors are those of :meth:`imagebuilder.Client.build`."""
        plan, store = self._plan, self._store
        started = time.monotonic()
        # By name first, so that of two builds of one name the later one has the last word; then by key.
        with (
            store.held(),
            lock(store.name_lock_path(self._name), self._waiting, self._following(Follower.of_name(store, self._name))),
            lock(store.lock_path(plan.key), self._waiting, self._following(Follower.of_key(store, plan.key))) as held,
        ):
            self._still()
            # What a build of this key left that was killed once its image was there: nothing else may be built now.
            shutil.rmtree(store.home / "staging" / store.lock_path(plan.key).name, ignore_errors=True)
            # Looked for first: the new row takes the place of the name's last one, which may be the one to reuse.
            fresh = self._refreshed()
            anew = self._options.no_cache or (fresh is not None and fresh.stale)
            existing = None if anew else self._existing()
            wants_cache = existing is None or self._options.push is not None
            found = self._find() if wants_cache and not anew else None
            if existing is not None:
                reused = self._reuse(*existing, started)
                return self._pushed(reused, shared=found is not None and found.digest == reused.digest)
            if found is not None:
                return self._pushed(self._take(found, started), shared=True)
            self._connect()  # That no engine answers is told before anything is prepared.
            return self._make(held, fresh, started)

    def _make(self, held: int, fresh: Fresh | None, started: float) -> Snapshot:
        plan, store = self._plan, self._store
        with self._packages() as resolved:
            files = self._files(resolved)
            told = dated(resolved) if self._options.reproducible else resolved
            dockerfile = told.dockerfile(ca=True, cuts=files.cuts)
            secrets = secret_values(plan, self._options.secrets, self._options.ca)
            if self._options.builder is not None:
                self._engine.require_builder(self._options.builder)
            self._sweep()
            snapshot = self._begin()
            try:
                # Who asked for a build, or learned that a base has moved, knows why.
                explained = not self._options.no_cache and not (fresh and fresh.stale)
                recording = self._told.recording(self._recorder(snapshot), explained=explained)
                with self._told.logging(store.log_path(snapshot.id)), recording:
                    store.building(snapshot)
                    self._write_packages(resolved)
                    return self._build(snapshot, resolved, dockerfile, files, secrets, held, fresh, started)
            except BaseException as error:
                # What ended while it was pushed is built all the same.
                if self._kept is None:
                    store.failed(snapshot, _reason(error))
                raise

    def _begin(self, image: str | None = None) -> Snapshot:
        plan = self._plan
        return self._store.begin(self._name, plan.key, plan.platform, image or self._ref, self._options.resources)

    def _existing(self) -> tuple[Snapshot, Sequence[str]] | None:
        """A snapshot of this key whose image the engine still has, and the names of the image."""
        for other in self._store.built(self._plan.key, self._plan.platform):
            try:
                if "@" not in other.image:
                    names = self._engine.names(other.digest)
                # An engine without containerd's image store knows what was pulled by its name alone.
                elif image := self._engine.image(other.digest) or self._engine.image(other.image):
                    other, names = replace(other, digest=image.id, size=image.size), image.tags
                else:
                    names = None
            except EngineError:
                if self._options.cache is None:
                    raise
                return None
            if names is not None:
                return other, names
        return None

    def _find(self) -> Found | None:
        """The image of this key in the registry."""
        cache = self._options.cache
        return None if cache is None else cache.find(self._plan.key, self._told.warn)

    def _take(self, found: Found, started: float) -> Snapshot:
        """An image of the registry under this name, by its digest; it is pulled when it is run."""
        before = self._store.named(self._name)
        snapshot = self._begin(found.ref)
        with self._told.logging(self._store.log_path(snapshot.id)):
            self._told.write(f"# found in the cache, nothing was built: {found.ref}")
        self._record_reuse(snapshot)
        kept = self._store.active(snapshot, digest=found.digest, size=found.size, seconds=0.0, steps=())
        if before is not None and before.image == self._ref:
            # The name in the engine would go on to say what the snapshot was before.
            with suppress(EngineError):
                image = self._engine.image(self._ref)
                if image is not None and image.id == before.digest:
                    self._engine.untag(self._ref)
        return replace(kept, reused=True, seconds=time.monotonic() - started)

    def _reuse(self, other: Snapshot, names: Sequence[str], started: float) -> Snapshot:
        """The image under this name, with the log and the steps of the build that made it."""
        from imagebuilder.publishing import provenance

        if self._ref not in names:
            self._engine.tag(other.digest, self._ref)
        log = self._store.log_path(other.id)
        text = log.read_text(encoding="utf-8") if log.exists() else ""
        recorded = provenance.kept(self._store.provenance_path(other.id))
        snapshot = self._begin()
        provenance.keep(recorded, self._store.provenance_path(snapshot.id))
        with self._told.logging(self._store.log_path(snapshot.id)):
            self._told.write(text.rstrip("\n"))
        self._record_reuse(snapshot)
        kept = self._store.active(
            snapshot, digest=other.digest, size=other.size, seconds=other.seconds, steps=other.steps
        )
        return replace(kept, reused=True, seconds=time.monotonic() - started)

    def _finish(self, snapshot: Snapshot, digest: str, steps: Steps, started: float) -> Snapshot:
        image = self._engine.image(self._ref)
        return self._store.active(
            snapshot,
            digest=digest,
            size=image.size if image else 0,
            seconds=time.monotonic() - started,
            steps=steps.ended,
        )

    def _refreshed(self) -> Fresh | None:
        """What has become of the bases' tags, where that was asked for."""
        if not self._options.refresh:
            return None
        from imagebuilder.cache.refresh import asker, refreshed

        def local(ref: str) -> tuple[str, ...]:
            image = self._engine.image(ref)
            return image.digests if image else ()

        fresh = refreshed(self._plan, self._history, asker(self._store.home), local)
        if fresh.warning:
            self._told.warn(fresh.warning)
        for line in fresh.said:
            self._told.on_event(LogEvent("", line))
        return fresh

    def _record_reuse(self, snapshot: Snapshot) -> None:
        if not self._history.is_last(self._name, self._plan.key):
            self._recorder(snapshot).reused()

    def _recorder(self, snapshot: Snapshot) -> Recorder:
        from imagebuilder.cache.recorder import Recorder

        return Recorder(self._plan, snapshot, self._history)

    def _write_packages(self, resolved: Plan) -> None:
        """What requests were resolved to, into the log: without a lock, nothing else says it."""
        if resolved is not self._plan:
            from imagebuilder.packages import laid_out

            for each in laid_out(resolved):
                self._told.write(f"# {each}")

    def _packages(self) -> AbstractContextManager[Plan]:
        """The plan with its packages at hand."""
        from imagebuilder.packages import at_hand

        return at_hand(self._plan, self._store, self._connect, self._told.on_event, self._options)

    def _files(self, plan: Plan) -> StagedFiles:
        from imagebuilder.staged import StagedFiles

        return StagedFiles(plan, self._store.home, self._store.lock_path(self._plan.key).name)

    def _build(
        self,
        snapshot: Snapshot,
        resolved: Plan,
        dockerfile: Dockerfile,
        files: StagedFiles,
        secrets: Mapping[str, SecretValue],
        held: int,
        fresh: Fresh | None,
        started: float,
    ) -> Snapshot:
        from imagebuilder.engine.buildx import provenance_of
        from imagebuilder.failure import explain_failure
        from imagebuilder.publishing import provenance
        from imagebuilder.steps import Steps

        cache = None if self._options.no_cache else self._options.cache
        with files.staged(dockerfile) as (main, contexts, file), self._logged_in() as logins:
            request = BuildRequest(
                dockerfile=file,
                context=main,
                tag=self._ref,
                platform=self._plan.platform,
                contexts={**contexts, **(fresh.contexts if fresh else {})},
                build_args={**dockerfile.build_args, **self._options.proxies},
                secrets=secrets,
                no_cache=self._options.no_cache,
                builder=self._options.builder,
                cache_from=cache.layers(self._name, self._told.warn) if cache is not None else (),
                cancel=self._options.cancel,
                docker_config=logins,
                epoch=EPOCH if self._options.reproducible else None,
                lock=held,
            )
            steps = Steps(dockerfile)
            try:
                digest = self._engine.build(request, lambda event: self._told.event(steps, event))
            except BuildFailed as failure:
                raise BuildError(explain_failure(failure, dockerfile, self._name)) from failure
            self._kept = self._finish(snapshot, digest, steps, started)
            if fresh is not None:
                self._history.started_from(self._plan.key, fresh.digests)
            recorded = provenance.completed(provenance_of(request), resolved)
            provenance.keep(recorded, self._store.provenance_path(snapshot.id))
            shared = self._publish(request, self._kept)
        return self._pushed(self._kept, shared=shared)

    def _logged_in(self) -> AbstractContextManager[Path | None]:
        """Docker's configuration with the logins of the images that the build names, and no others."""
        from imagebuilder.registries import Registries

        shared = [self._options.cache.ref] if self._options.cache is not None else []
        return Registries(self._store).docker_config([*self._plan.images, *shared])

    def _publish(self, request: BuildRequest, built: Snapshot) -> bool:
        """Whether the registry has what was built, by now."""
        if self._options.cache is None:
            return False
        from imagebuilder.cache.publish import publish

        return publish(self._options.cache, self._plan, built, request, self._engine, self._told.warn, self._told.tell)

    def _pushed(self, built: Snapshot, *, shared: bool) -> Snapshot:
        """The snapshot, its image pushed where that was asked for; ``shared`` says that the cache has that image."""
        options = self._options
        if options.push is None:
            return built
        from imagebuilder.publishing.push import Publication, push

        pushed = push(
            Publication(self._plan, options.push, options.lock, options.attest, UNDATED),
            built,
            shared=options.cache if shared else None,
            engine=self._connect,
            store=self._store,
            cancel=options.cancel,
            warn=self._told.warn,
            tell=self._told.tell,
        )
        return replace(built, pushed=pushed)

    def _sweep(self) -> None:
        """Remove what builds left that were killed: locks, and staging folders, which belong to the lock of a key."""
        staging = self._store.home / "staging"
        found = {path.name for folder in (staging, self._store.locks) if folder.is_dir() for path in folder.iterdir()}
        for name in found:
            with unless_held(self._store.locks / name) as free:
                if free:
                    shutil.rmtree(staging / name, ignore_errors=True)

    def _still(self) -> None:
        if self._options.cancel is not None and self._options.cancel.is_set:
            raise Interrupted(Diagnostic("IB601", "interrupted before it began"))

    def _waiting(self) -> None:
        self._told.on_event(LogEvent("", "another process builds this; waiting for it"))

    def _following(self, follower: Follower) -> Callable[[], None]:
        """What is done while waiting: show what the one that builds prints."""

        def follow() -> None:
            self._still()
            for line in follower.lines():
                self._told.on_event(LogEvent("", line))

        return follow


def _reason(error: BaseException) -> str:
    """What the snapshot says of a build that ended with it."""
    if isinstance(error, ImagebuilderError):
        return error.diagnostics[0].message
    return "interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"


def image_ref(name: str) -> str:
    """The reference of a snapshot's image: ``imagebuilder/<name>:<tag>``, with ``latest`` for no tag."""
    return f"imagebuilder/{name}" if ":" in name else f"imagebuilder/{name}:latest"
