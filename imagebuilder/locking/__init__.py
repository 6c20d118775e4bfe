"""Making a lock: what a plan asks the network for, asked, and written down."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from imagebuilder.cache.refresh import asker
from imagebuilder.compiler import Plan
from imagebuilder.diagnostics import BuildError, Diagnostic, EngineError
from imagebuilder.engine.imagetools import RegistryError
from imagebuilder.engine.protocol import Engine, OnEvent
from imagebuilder.from_source import FromSource
from imagebuilder.locking.apt import AptAsker
from imagebuilder.locking.npm import NpmAsker
from imagebuilder.locking.throwaway import ThrowAway
from imagebuilder.options import BuildOptions
from imagebuilder.pythons import Pythons
from imagebuilder.resolve.ask import Answer, Locked
from imagebuilder.resolve.lock import LockFile, Open, image_refs
from imagebuilder.resolve.resolver import LeftOut, Resolver, logins_of
from imagebuilder.resolve.shelf import Shelf
from imagebuilder.resolve.system.apt import LockedApt
from imagebuilder.resolve.system.npm import LockedNpm
from imagebuilder.steps import beside
from imagebuilder.store import Store


@dataclass(frozen=True, slots=True)
class Change:
    """A package whose version moved; empty where there is none. ``manager`` is ``pip``, ``apt`` or ``npm``."""

    manager: str
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
    options: BuildOptions,
    *,
    upgrade: Collection[str] | None = None,
    target: str = "",
) -> tuple[LockFile, list[LeftOut]]:
    """A lock that answers the plan, and the requests that no lock can answer.

    Args:
        plan: one that was compiled without a lock.
        path: where the lock is to be.
        before: versions in it stay where they still fit, and what it says for other platforms.
        options: of which the secrets, the CA bundle and the proxies are taken.
        upgrade: packages that take their newest versions all the same; None is all.
        target: the spec's file, which the lock names.

    Raises:
        CompileError: packages cannot be had together, at their line.
        BuildError: an index, an archive of Debian's or a registry does not answer.
        EngineError: the engine does not answer.
    """
    old = before or LockFile(path)
    keep = LockFile(path) if upgrade is None else old
    pythons = Pythons(store, engine, plan.platform)
    wheels = FromSource(store, engine, plan.platform, on_event, options, logins_of(plan, options.secrets))
    resolver = Resolver(
        store.home,
        pythons.of,
        anew=True,
        ca=options.ca,
        lock=keep,
        upgrade=upgrade or (),
        wheels=wheels,
        secrets=options.secrets,
    )
    with Shelf(store.home).using(), beside("resolving packages", on_event):
        resolver.resolved(plan)
        bases = _bases(plan, {} if upgrade is None else old.bases, store, engine)
    build = ThrowAway(store, engine, options)
    based = LockFile(path, bases).based(plan.stage, plan.platform)
    apt = AptAsker(plan, keep.apts, upgrade or (), build, on_event)
    apt.ask(based)
    npm = NpmAsker(plan, keep.npms, upgrade or (), build, on_event)
    npm.ask(based)
    answers = LockFile(path, bases, tuple(resolver.locked), tuple(apt.locked), npms=tuple(npm.locked))
    left = [*resolver.left, *apt.left, *npm.left]
    opens = [_reasoned(each, left) for each in answers.open(plan.stage, plan.platform)]
    others = {at: digest for at, digest in old.bases.items() if at[1] != plan.platform}
    installs = [each for each in old.installs if each.platform != plan.platform]
    installs += [*answers.installs, *(each for each in opens if isinstance(each, Locked))]
    apts = [each for each in old.apts if each.platform != plan.platform]
    apts += [*answers.apts, *(each for each in opens if isinstance(each, LockedApt))]
    npms = [each for each in old.npms if each.platform != plan.platform]
    npms += [*answers.npms, *(each for each in opens if isinstance(each, LockedNpm))]
    return LockFile(path, {**others, **bases}, tuple(installs), tuple(apts), target, tuple(npms)), left


def _reasoned(open: Open, left: Sequence[LeftOut]) -> Answer:
    """The answer that leaves a request, with the reason that was found for it when it was asked."""
    assert open.answer is not None and open.step is not None
    verb = (open.step.intent or open.step.op).verb
    why = next((each.reason for each in left if each.place is open.step.place and each.verb == verb), "")
    return replace(open.answer, left=why or open.answer.left or "it could not be resolved")


def changes(before: LockFile | None, now: LockFile) -> list[Change]:
    """The packages of two locks that differ, by name."""
    old, new = _versions(before), _versions(now)
    names = sorted(old.keys() | new.keys())
    return [Change(*name, old.get(name, ""), new.get(name, "")) for name in names if old.get(name) != new.get(name)]


def _versions(lock: LockFile | None) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], dict[str, None]] = {}
    for install in lock.installs if lock is not None else ():
        for each in install.distributions:
            found.setdefault(("pip", each.name), {})[each.version] = None
    for answer in lock.apts if lock is not None else ():
        for package in answer.all:
            found.setdefault(("apt", package.name), {})[package.version] = None
    for modules in lock.npms if lock is not None else ():
        for module in modules.packages:
            found.setdefault(("npm", module.name), {})[module.version] = None
    return {name: ", ".join(versions) for name, versions in found.items()}


def _bases(
    plan: Plan, known: Mapping[tuple[str, str], str], store: Store, engine: Callable[[], Engine]
) -> dict[tuple[str, str], str]:
    found = {}
    for ref in image_refs(plan.stage):
        at = ref, plan.platform
        found[at] = known.get(at) or _digest(ref, plan.platform, store, engine)
    return found


def _digest(ref: str, platform: str, store: Store, engine: Callable[[], Engine]) -> str:
    """What a tag is now: in its registry, or else in the engine, where nobody has it but that."""
    try:
        if answer := asker(store.home)(ref):
            return answer
        why = "its registry has no such tag"
    except (RegistryError, EngineError) as error:
        why = error.reason if isinstance(error, RegistryError) else error.diagnostics[0].message
    image = engine().image(ref)
    if image is not None and image.platform not in ("", platform):
        why += f"; and the engine has it for {image.platform} alone"
        image = None
    if image is None:
        message = f"which image {ref} is for {platform} cannot be found out: {why}"
        raise BuildError(Diagnostic("IB645", message, help="is the name right, and can its registry be reached?"))
    return next(iter(image.digests), image.id)
