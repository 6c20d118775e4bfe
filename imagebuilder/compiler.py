"""The pipeline: a description becomes a plan, and something else carries it out.

    description → PASSES → core operations → local trees → keys → Plan
                                                             └→ Dockerfile, when asked for

Compiling runs nothing and asks nobody. Besides the spec it reads the local
files that the spec names, once; of large folders it remembers in the home what
their files looked like, which saves time and decides nothing.
"""

from __future__ import annotations

import platform as host
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from imagebuilder import collector
from imagebuilder.context import SEEN, Tree, read_tree, taken
from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid, Place
from imagebuilder.home import home
from imagebuilder.ir import checks
from imagebuilder.ir.keys import StageKeys, keys
from imagebuilder.ir.ops import BaseImage, ImageSource, LocalSource, Run
from imagebuilder.ir.packages import Install
from imagebuilder.ir.stage import Stage, ordered
from imagebuilder.passes import PASSES, Options

if TYPE_CHECKING:
    from imagebuilder.backends.dockerfile import Cuts, Dockerfile


Trees = MutableMapping[tuple[str, LocalSource], Tree]
"""What local sources hold, by the step's root and the source."""


class Described(Protocol):
    """Anything that a front end made: it has a stage."""

    @property
    def stage(self) -> Stage: ...


class Pins(Protocol):
    """What the network decided before; see :class:`imagebuilder.resolve.lock.LockFile`."""

    @property
    def path(self) -> Path: ...

    def pinned(self, target: Stage, platform: str) -> tuple[Stage, Sequence[str]]:
        """The graph of core operations with what is known, and what is not, in words."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled image: what to build, from which files, and the key it will have.

    ``open`` is what its lock has no answer to, in words.
    """

    stage: Stage
    platform: str
    trees: Mapping[tuple[str, LocalSource], Tree]
    keys: Mapping[Stage, StageKeys]
    open: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The content key, ``sha256:…``."""
        return self.keys[self.stage].last

    @property
    def secrets(self) -> Mapping[str, Place | None]:
        """The names of the build secrets that a RUN demands, and who asked first."""
        found: dict[str, Place | None] = {}
        for stage in ordered(self.stage):
            for step in stage.steps:
                if isinstance(step.op, Run):
                    for mount in step.op.mounts:
                        if mount.type == "secret" and isinstance(mount.id, str) and mount.id and mount.required:
                            found.setdefault(mount.id, step.place)
                elif isinstance(step.op, Install):
                    for secret in step.op.secrets:
                        found.setdefault(secret.name, step.place)
        return found

    @property
    def images(self) -> Mapping[str, Place | None]:
        """The images that it starts or copies from, by the names it has for them, and who names each first."""
        found: dict[str, Place | None] = {}
        for stage in ordered(self.stage):
            if isinstance(stage.base, BaseImage):
                found.setdefault(stage.base.ref, stage.place)
            for step in stage.steps:
                mounts = step.op.mounts if isinstance(step.op, Run) else ()
                for origin in (getattr(step.op, "origin", None), *(mount.origin for mount in mounts)):
                    if isinstance(origin, ImageSource):
                        found.setdefault(origin.ref, step.place)
        return found

    @collector.paused()
    def dockerfile(self, *, ca: bool = False, cuts: Cuts | None = None) -> Dockerfile:
        """The Dockerfile of the plan; ``ca`` adds the optional mounts for a CA bundle, ``cuts`` copies in parts.

        Packages that were resolved are in layers of their own.

        Raises:
            CompileError: a value cannot be written in a Dockerfile.
        """
        from imagebuilder.backends.dockerfile import lay_out, render

        digests = {source: tree.digest for source, tree in self.trees.items()}
        return render(lay_out(self.stage), digests, ca=ca, cuts=cuts or {})


@collector.paused()
def compile(
    image: Described,
    *,
    platform: str | None = None,
    build_args: Mapping[str, str] | None = None,
    known: Trees | None = None,
    state: Path | None = None,
    lock: Pins | None = None,
) -> Plan:
    """Compile a description.

    Args:
        platform: such as ``linux/arm64``; None is this machine's. It is part of the key, since the bytes differ.
        build_args: values for the image's ``arg`` operations; part of the key.
        known: what was read for other images a moment ago, and need not be read again; gets what is read for this one.
        state: the home that remembers what files looked like; None is this user's.
        lock: what requests for packages and bases were resolved to; part of the key as far as it answers them.

    Raises:
        CompileError: with everything that the first failing phase found.
    """
    where = _platform(platform)
    stage = image.stage
    for rewrite in PASSES:
        stage = rewrite(stage, Options(build_args or {}))
    open: Sequence[str] = ()
    if lock is not None:
        stage, open = lock.pinned(stage, where)
    trees = _trees(stage, {} if known is None else known, (state or home()) / SEEN)
    digests = {source: tree.digest for source, tree in trees.items()}
    return Plan(
        stage,
        where,
        trees,
        keys(stage, digests, where, lambda root, source, path: taken(trees[root, source], source, path)),
        tuple(open),
    )


def check_lock(plan: Plan, lock: Pins | None, *, locked: bool) -> Diagnostic | None:
    """A warning where the plan's lock does not answer it.

    Raises:
        CompileError: it does not, and has to.
    """
    if lock is None or not plan.open:
        return None
    told = Diagnostic(
        "IB674",
        f"{lock.path.name} does not answer the spec: {'; '.join(plan.open)}",
        plan.stage.place,
        help=f"`imagebuilder lock{_option(plan.platform)}` of the target brings it up to date",
    )
    if locked:
        raise CompileError(told)
    return replace(told, severity="warning")


def _option(platform: str) -> str:
    return "" if platform == host_platform() else f" --platform {platform}"


def host_platform() -> str:
    """This machine's platform in the form that builders use."""
    machine = host.machine().lower()
    return "linux/" + {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def _platform(wanted: str | None) -> str:
    try:
        return checks.platform(wanted) if wanted else host_platform()
    except Invalid as error:
        raise CompileError(error.at(None)) from None


def _trees(target: Stage, known: Trees, seen: Path) -> dict[tuple[str, LocalSource], Tree]:
    trees: dict[tuple[str, LocalSource], Tree] = {}
    errors: list[Diagnostic] = []
    for stage in ordered(target):
        for step in stage.steps:
            for source in step.op.locals():
                at = step.root, source
                if at in trees:
                    continue
                try:
                    trees[at] = known[at] if at in known else known.setdefault(at, read_tree(*at, seen))
                except Invalid as error:
                    errors.append(error.at(step.place))
    if errors:
        raise CompileError(errors)
    return trees
