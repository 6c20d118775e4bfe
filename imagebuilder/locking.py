"""Making a lock: what a plan asks the network for, asked, and written down."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from imagebuilder.cache.refresh import asker
from imagebuilder.compiler import Plan
from imagebuilder.diagnostics import BuildError, Diagnostic, EngineError
from imagebuilder.engine.imagetools import RegistryError
from imagebuilder.engine.protocol import Engine, OnEvent
from imagebuilder.ir.ops import BaseImage
from imagebuilder.ir.stage import ordered
from imagebuilder.pythons import Pythons
from imagebuilder.resolve.lock import LockFile
from imagebuilder.resolve.logins import Values
from imagebuilder.resolve.resolver import LeftOut, Resolver
from imagebuilder.steps import beside
from imagebuilder.store import Store


@dataclass(frozen=True, slots=True)
class Change:
    """A package whose version moved; empty where there is none."""

    name: str
    before: str
    now: str


def locked(
    plan: Plan,
    path: Path,
    before: LockFile | None,
    store: Store,
    engine: Callable[[], Engine],
    on_event: OnEvent,
    *,
    upgrade: Collection[str] | None = None,
    ca: Path | None = None,
    secrets: Values | None = None,
) -> tuple[LockFile, list[LeftOut]]:
    """A lock that answers the plan, and the requests that no lock can answer.

    Args:
        plan: one that was compiled without a lock.
        path: where the lock is to be.
        before: versions in it stay where they still fit, and what it says for other platforms.
        upgrade: packages that take their newest versions all the same; None is all.
        ca: a CA bundle; None is that of ``SSL_CERT_FILE``, or the system's.
        secrets: values of build secrets that were given; the others are in the environment.

    Raises:
        CompileError: packages cannot be had together, at their line.
        BuildError: an index or a registry does not answer.
        EngineError: the engine does not answer.
    """
    old = before or LockFile(path)
    keep = LockFile(path) if upgrade is None else old
    pythons = Pythons(store, engine, plan.platform)
    resolver = Resolver(store.home, pythons.of, anew=True, ca=ca, lock=keep, upgrade=upgrade or (), secrets=secrets)
    with beside("resolving packages", on_event):
        resolver.resolved(plan)
        bases = _bases(plan, {} if upgrade is None else old.bases, store, engine)
    others = {at: digest for at, digest in old.bases.items() if at[1] != plan.platform}
    installs = [each for each in old.installs if each.platform != plan.platform]
    return LockFile(path, {**others, **bases}, (*installs, *resolver.locked)), resolver.left


def changes(before: LockFile | None, now: LockFile) -> list[Change]:
    """The packages of two locks that differ, by name."""
    old, new = _versions(before), _versions(now)
    names = sorted(old.keys() | new.keys())
    return [Change(name, old.get(name, ""), new.get(name, "")) for name in names if old.get(name) != new.get(name)]


def _versions(lock: LockFile | None) -> dict[str, str]:
    found: dict[str, dict[str, None]] = {}
    for install in lock.installs if lock is not None else ():
        for each in install.distributions:
            found.setdefault(each.name, {})[each.version] = None
    return {name: ", ".join(versions) for name, versions in found.items()}


def _bases(
    plan: Plan, known: Mapping[tuple[str, str], str], store: Store, engine: Callable[[], Engine]
) -> dict[tuple[str, str], str]:
    found = {}
    for stage in ordered(plan.stage):
        base = stage.base
        if isinstance(base, BaseImage) and "@" not in base.ref:
            at = base.ref, plan.platform
            found[at] = known.get(at) or _digest(base.ref, store, engine)
    return found


def _digest(ref: str, store: Store, engine: Callable[[], Engine]) -> str:
    """What a tag is now: in its registry, or else in the engine, where nobody has it but that."""
    try:
        if answer := asker(store.home)(ref):
            return answer
        why = "its registry has no such tag"
    except (RegistryError, EngineError) as error:
        why = error.reason if isinstance(error, RegistryError) else error.diagnostics[0].message
    image = engine().image(ref)
    if image is None:
        message = f"which image {ref} is cannot be found out: {why}"
        raise BuildError(Diagnostic("IB645", message, help="is the name right, and can its registry be reached?"))
    return next(iter(image.digests), image.id)
