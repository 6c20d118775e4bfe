"""The programmatic face: build images, keep them as snapshots, run commands in them.

>>> from imagebuilder import Client, CreateSnapshotParams, Image, Resources
>>> client = Client()                                                    # doctest: +SKIP
>>> client.snapshot.create(                                              # doctest: +SKIP
...     CreateSnapshotParams(name="my-snapshot", image=Image.debian_slim("3.12")), on_logs=print
... )
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Unpack

from imagebuilder.amounts import age_of
from imagebuilder.batch import Wanted, given_up, planned, run_all
from imagebuilder.builder import Build, OnBuildEvent
from imagebuilder.compiler import Described
from imagebuilder.diagnostics import CompileError, Diagnostic, ImagebuilderError
from imagebuilder.engine.docker import connect
from imagebuilder.engine.protocol import Cancel, Engine, Event, Output
from imagebuilder.home import home as default_home
from imagebuilder.options import BuildKeywords, BuildOptions
from imagebuilder.store import Resources, Snapshot, Store, check_name

if TYPE_CHECKING:
    # Imported late: a build needs neither.
    from imagebuilder.registries import Registries
    from imagebuilder.resolve.lock import LockFile
    from imagebuilder.sandbox import CreateSandboxFromImageParams, CreateSandboxFromSnapshotParams, Sandbox, Sandboxes
    from imagebuilder.snapshots import OnLogs, Snapshots

__all__ = ["Client", "Resources", "Snapshot", "Wanted", "build"]


DEFAULT = "default"
"""The snapshot of a sandbox that names none."""


class Client:
    """One home folder, and the engine that answers.

    Args:
        home: where state is kept; None is ``IMAGEBUILDER_HOME`` or the platform's data folder.
        engine: None finds one when it is first needed.
        cache: a repository in a registry, such as ``ghcr.io/team/app-cache``, through which machines reuse one
            another's builds; None is that of ``IMAGEBUILDER_CACHE``, and an empty text is none.
        unused_after: seconds after which a snapshot that nobody used is inactive, and 0 is never; None is that of
            ``IMAGEBUILDER_UNUSED_AFTER``, such as ``30d``, and 14 days where that is not set.

    Raises:
        CompileError: ``IMAGEBUILDER_UNUSED_AFTER`` is no time.
    """

    def __init__(
        self,
        *,
        home: Path | None = None,
        engine: Engine | None = None,
        cache: str | None = None,
        unused_after: float | None = None,
    ) -> None:
        self.home = home or default_home()
        self.cache = os.environ.get("IMAGEBUILDER_CACHE", "") if cache is None else cache
        self._unused_after = age_of("IMAGEBUILDER_UNUSED_AFTER", "14d") if unused_after is None else unused_after
        self._engine = engine
        self.store = Store(self.home)

    @cached_property
    def snapshot(self) -> Snapshots:
        """What can be done with snapshots."""
        from imagebuilder.snapshots import Snapshots

        return Snapshots(self.store, lambda: self.engine, lambda: self.sandboxes, self.build, self._unused_after)

    @cached_property
    def sandboxes(self) -> Sandboxes:
        """The sandboxes of the home; :meth:`create`, :meth:`get` and :meth:`list` are the way to them."""
        from imagebuilder.sandbox import Sandboxes

        return Sandboxes(self.home, lambda: self.engine.containers, self._network_tool)

    @cached_property
    def registry(self) -> Registries:
        """The registries that want a login: ``add``, ``list``, ``get``, ``test`` and ``remove``."""
        from imagebuilder.registries import Registries

        return Registries(self.store)

    @property
    def engine(self) -> Engine:
        """The engine in use.

        Raises:
            EngineError: none answers.
        """
        if self._engine is None:
            self._engine = connect(self.home)
        return self._engine

    def build(
        self,
        image: Described,
        *,
        name: str,
        platform: str | None = None,
        build_args: Mapping[str, str] | None = None,
        secrets: Mapping[str, str | Path] | None = None,
        ca: Path | None = None,
        builder: str | None = None,
        no_cache: bool = False,
        cache: str | None = None,
        push: str | None = None,
        attest: bool = True,
        refresh: bool = False,
        resources: Resources | None = None,
        timeout: float | None = None,
        on_event: OnBuildEvent | None = None,
        lock: LockFile | None = None,
        locked: bool = False,
        reproducible: bool | None = None,
    ) -> Snapshot:
        """Build an image, unless it is there already, and keep it as a snapshot.

        Args:
            name: ``name`` or ``name:tag``; an earlier snapshot of that name is replaced.
            platform: such as ``linux/arm64``; None is this machine's.
            build_args: values for ``arg`` operations; part of the key.
            secrets: values for build secrets: text, or the Path of a file. Those that are not given come
                from environment variables of their names.
            ca: a CA bundle for the network inside the build; None is that of ``SSL_CERT_FILE``.
            builder: a builder of ``docker buildx ls``; None is the engine's own.
            no_cache: run every step again; what was built before is neither taken from here nor from the cache.
            cache: the repository that serves as a cache; None is the client's, and an empty text is none. An image
                that it has is not built and not pulled: the snapshot's ``image`` is its name there, with its digest.
                Where the registry fails, the build goes on, and ``on_event`` gets one WarningEvent.
            push: a name in a registry, such as ``ghcr.io/team/app:1.0``, that the image is pushed under, also where it
                did not have to be built; the snapshot's ``pushed`` is what the name stands for then.
            attest: push the image with its SBOM, its provenance and annotations beside it, as an index of its manifest
                and theirs; one that is in the cache alone is pulled for that. Without, the name stands for the image
                itself.
            refresh: ask whether the tags of its bases have moved, and where one has, build with what it is now.
            timeout: seconds, after which the build is given up; None and 0 wait for ever.
            on_event: called for each change of a step and each line it prints.
            lock: what packages and bases were resolved to; :func:`imagebuilder.resolve.lock.read` reads one.
            locked: refuse to build where the lock does not answer the description.
            reproducible: let nothing in the image tell when it was made, so that the same steps give the same digest;
                None is so where a lock answers the description. An image that is there is taken as it is.

        Raises:
            CompileError: the description or an argument is wrong; nothing was built.
            EngineError: no engine answers.
            BuildError: a step failed, or it was given up, and the snapshot says ``build_failed``; or the image could
                not be pushed, and the snapshot is there.
            Interrupted: Ctrl-C.
        """
        name = check_name(name)
        if not hasattr(image, "stage"):
            help = "Image.base(NAME) describes an image by its name"
            raise CompileError(Diagnostic("IB100", f"not an Image: {image!r}", help=help))
        options = self._options(secrets, ca, builder, cache, no_cache=no_cache, refresh=refresh)
        if push is not None:
            from imagebuilder.publishing.push import pushable, refuse_secrets

            push = pushable(push)
        options = replace(options, push=push, attest=attest, cancel=Cancel() if timeout else None)
        hear = on_event or (lambda event: None)
        wanted = Wanted(name, image, resources or Resources(), build_args or {}, lock)
        ((plan, options),) = planned(
            [wanted],
            options,
            self.home,
            lambda _, event: hear(event),
            platform=platform,
            locked=locked,
            reproducible=reproducible,
        )
        if push is not None:
            refuse_secrets(plan)
        build = Build(plan, name, options, self.store, lambda: self.engine, hear)
        with given_up(options.cancel, timeout, name):
            return build.run()

    def _options(
        self,
        secrets: Mapping[str, str | Path] | None,
        ca: Path | None,
        builder: str | None,
        cache: str | None,
        *,
        no_cache: bool,
        refresh: bool,
    ) -> BuildOptions:
        """What all builds of a call are told alike."""
        ref = self.cache if cache is None else cache
        shared = None
        if ref:
            from imagebuilder.cache import registry

            shared = registry.connect(ref, self.home, builder)
        return BuildOptions(
            secrets=dict(secrets or {}), ca=ca, builder=builder, cache=shared, no_cache=no_cache, refresh=refresh
        )

    def build_all(
        self,
        wanted: Sequence[Wanted],
        *,
        platform: str | None = None,
        secrets: Mapping[str, str | Path] | None = None,
        ca: Path | None = None,
        builder: str | None = None,
        no_cache: bool = False,
        cache: str | None = None,
        refresh: bool = False,
        locked: bool = False,
        reproducible: bool | None = None,
        on_event: Callable[[str, Event], None] | None = None,
    ) -> list[Snapshot | ImagebuilderError]:
        """Build several images at the same time; each one's snapshot, or what it failed with, in their order.

        Args:
            wanted: names that differ.
            on_event: called with the snapshot's name, from several threads but never at once.

        The others are those of :meth:`build`.

        Raises:
            CompileError: a description or an argument is wrong; nothing was built.
            EngineError: no engine answers.
            Interrupted: Ctrl-C; the builds have stopped.
        """
        names = [check_name(each.name) for each in wanted]
        if twice := next((name for number, name in enumerate(names) if name in names[:number]), ""):
            help = "NAME and NAME:latest are one snapshot"
            raise CompileError(Diagnostic("IB125", f"several images for one snapshot: {twice!r}", help=help))
        cancel, telling, connecting = Cancel(), Lock(), Lock()
        options = self._options(secrets, ca, builder, cache, no_cache=no_cache, refresh=refresh)

        def engine() -> Engine:
            with connecting:
                return self.engine

        def tell(name: str, event: Event) -> None:
            with telling:
                if on_event is not None:
                    on_event(name, event)

        plans = planned(
            wanted,
            replace(options, cancel=cancel),
            self.home,
            tell,
            platform=platform,
            locked=locked,
            reproducible=reproducible,
        )
        builds = [
            Build(plan, name, its, self.store, engine, partial(tell, name)).run
            for name, (plan, its) in zip(names, plans, strict=True)
        ]
        return run_all(builds, cancel)

    def builder_cache(self, *, unused: bool = False) -> int:
        """Bytes of the layers that the engine's builder keeps; ``unused`` are those that no build uses right now.

        Raises:
            EngineError: no engine answers.
        """
        return self.engine.builder_cache(unused=unused)

    def prune_builder_cache(self, older_than: float | None = None) -> int:
        """Have the engine's builder drop its layers, or those not used for so many seconds; the bytes that went.

        Raises:
            EngineError: no engine answers.
        """
        return self.engine.prune_builder_cache(older_than)

    def create(
        self,
        params: CreateSandboxFromSnapshotParams | CreateSandboxFromImageParams | None = None,
        *,
        timeout: float | None = None,
        on_snapshot_create_logs: OnLogs | None = None,
        on_event: OnBuildEvent | None = None,
    ) -> Sandbox:
        """Make and start a sandbox.

        Args:
            params: of a snapshot, or of an image; the latter is built or pulled where that was not done before, and
                kept as a snapshot under a name of its own. None is the snapshot ``default``, which is built
                when it is first needed: Python, Node.js and common packages.
            timeout: seconds, after which a build that it needs is given up; None and 0 wait for ever.
            on_snapshot_create_logs: called with each line that the build prints.
            on_event: called for each change of a step of what it needs.

        Raises:
            CompileError: a name or an argument is wrong, or the snapshot cannot be used.
            SandboxError: it does not start.
            BuildError: the image cannot be built.
            EngineError: the engine does not answer.
        """
        from imagebuilder.sandbox import CreateSandboxFromImageParams, CreateSandboxFromSnapshotParams

        params = params or CreateSandboxFromSnapshotParams()
        if not isinstance(params, CreateSandboxFromImageParams | CreateSandboxFromSnapshotParams):
            shown = repr(params) if isinstance(params, str) else "…"
            help = f"CreateSandboxFromSnapshotParams(snapshot={shown}), or CreateSandboxFromImageParams(image=…)"
            raise CompileError(Diagnostic("IB755", f"not what a sandbox is made of: {params!r}", help=help))
        # What is wrong is told before anything is built for it.
        wanted = self.sandboxes.check(params)
        if isinstance(params, CreateSandboxFromImageParams):
            snapshot = self.snapshot.of_image(
                params.image, params.resources, on_snapshot_create_logs, timeout or None, on_event
            )
            shown = params.image if isinstance(params.image, str) else snapshot.name
        else:
            if params.snapshot is None and self.store.named(DEFAULT) is None:
                self.snapshot.create_default(on_logs=on_snapshot_create_logs, on_event=on_event)
            snapshot = self.snapshot.usable(params.snapshot or DEFAULT)
            shown = snapshot.name
        snapshot = self.snapshot.started(snapshot, privileged=params.privileged)
        made = self.sandboxes.create(
            params,
            image=snapshot.image if "@" in snapshot.image else snapshot.digest,
            snapshot=shown,
            resources=snapshot.resources,
            entrypoint=snapshot.entrypoint,
            wanted=wanted,
        )
        self.store.used(snapshot.name)
        return made

    def _network_tool(self) -> str:
        """The image that holds sandboxes to their allow lists, built where it is not there."""
        from imagebuilder.sandbox.allow_list import TOOL

        found = self.snapshot.of_image(TOOL, None)
        self.store.used(found.name)
        return found.digest

    def get(self, name: str) -> Sandbox:
        """The sandbox of that name or id, whoever made it; CompileError where there is none."""
        return self.sandboxes.get(name)

    def find_one(self, id_or_name: str | None = None, labels: Mapping[str, str] | None = None) -> Sandbox:
        """The sandbox of that name or id, or else the newest that has the labels; CompileError where there is none."""
        return self.sandboxes.find_one(id_or_name, labels)

    def list(self, labels: Mapping[str, str] | None = None) -> Sequence[Sandbox]:
        """The sandboxes, the newest first; with labels, those that have them."""
        return self.sandboxes.list(labels)

    def delete(self, sandbox: Sandbox | str) -> None:
        """Remove a sandbox with its files."""
        (self.get(sandbox) if isinstance(sandbox, str) else sandbox).delete()

    def run(self, snapshot: str, command: Sequence[str], *, timeout: float = 60.0) -> Output:
        """Run a command in a new container of the snapshot, without a network, and remove the container.

        Args:
            timeout: seconds.

        Raises:
            CompileError: there is no such snapshot, or it has no image.
            BuildError: the command did not end in time.
            EngineError: the engine does not answer.
        """
        if isinstance(command, str):
            help = "give its words: ['ls', '-l'], or ['sh', '-c', '…'] for a shell's"
            raise CompileError(Diagnostic("IB100", f"a command that is one text: {command!r}", help=help))
        found = self.snapshot.usable(snapshot)
        # By digest: another home may have given the name to an image of its own.
        image = found.digest
        if "@" in found.image:
            image = found.image
            if self.engine.image(image) is None:
                self.engine.fetch(image, self.registry.header(image))
        output = self.engine.run(image, command, timeout)
        self.store.used(found.name)
        return output


def build(image: Described, *, name: str, **keywords: Unpack[BuildKeywords]) -> Snapshot:
    """Build an image with a client of its own; see :meth:`Client.build`."""
    return Client().build(image, name=name, **keywords)
