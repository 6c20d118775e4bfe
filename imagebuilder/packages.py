"""The packages that a plan asks for: resolved, and laid out in layers whose archives are at hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import groupby
from threading import Lock

from imagebuilder.backends.dockerfile import lay_out
from imagebuilder.compiler import Plan
from imagebuilder.engine.protocol import Engine, LogEvent, OnEvent, WarningEvent
from imagebuilder.from_source import FromSource
from imagebuilder.ir.packages import Distribution, Layer
from imagebuilder.ir.stage import Stage, Step, ordered, rewrite
from imagebuilder.layering import oci
from imagebuilder.layering.layers import LayerStore
from imagebuilder.options import BuildOptions
from imagebuilder.pythons import Pythons
from imagebuilder.resolve import sources, uv
from imagebuilder.resolve.lock import fit
from imagebuilder.resolve.resolver import LeftOut, Resolver, logins_of, requests, verb
from imagebuilder.resolve.sources import NotHere, metadata
from imagebuilder.steps import beside
from imagebuilder.store import Store

_EVERY = 1.0


def laid_out(plan: Plan) -> list[str]:
    """The packages that are in layers, as ``name==version``."""
    return sorted({f"{each.name}=={each.version}" for layer in _layers(plan) for each in layer.distributions})


def _told(count: int, megabytes: float, say: Callable[[str], None]) -> Callable[[int], None]:
    """Says once a second how many of the bytes have come; called from several threads."""
    lock, come, said = Lock(), 0, time.monotonic()

    def on_bytes(more: int) -> None:
        nonlocal come, said
        with lock:
            come += more
            if (now := time.monotonic()) - said >= _EVERY:
                said = now
                say(f"fetching {_packages(count)} ({come / 1e6:.1f} of {megabytes:.1f} MB)")

    return on_bytes


def _packages(count: int) -> str:
    return "1 package" if count == 1 else f"{count} packages"


def _said(archives: LayerStore, each: Distribution) -> uv.Metadata | None:
    """What a package says of itself, where its wheel is here."""
    with suppress(NotHere):
        return metadata(archives.wheel(each.files[0]), each.name, each.version)
    return None


def _layers(plan: Plan) -> list[Layer]:
    return [step.op for stage in ordered(plan.stage) for step in stage.steps if isinstance(step.op, Layer)]


def _joined(target: Stage, archives: LayerStore, on_event: OnEvent) -> Stage:
    """The graph with one layer in the place of those of an install whose order would be seen."""

    def change(stage: Stage) -> Stage:
        steps: list[Step] = []
        for _, together in groupby(stage.steps, key=lambda step: isinstance(step.op, Layer) and id(step.planned)):
            some = list(together)
            layers = [step.op for step in some if isinstance(step.op, Layer)]
            found, told = archives.joined(layers)
            for each in told:
                on_event(LogEvent("", each))
            steps += (replace(some[-1], op=layer) for layer in found) if told else some
        same = len(steps) == len(stage.steps)
        return stage if same else replace(stage, steps=tuple(steps))

    return rewrite(target, change)


@contextmanager
def at_hand(
    plan: Plan,
    store: Store,
    engine: Callable[[], Engine],
    on_event: OnEvent,
    options: BuildOptions,
) -> Iterator[Plan]:
    """The plan with layers in the place of its requests for packages. What cannot be resolved stays, which is told.

    Raises:
        CompileError: packages cannot be had together, at their line.
        BuildError: one cannot be fetched or built, or is not what it has to be.
        EngineError: the engine does not answer, or there is no uv.
    """
    if not requests(plan):
        yield plan
        return
    logins = logins_of(plan, options.secrets)
    pythons = Pythons(store, engine, plan.platform)
    wheels = FromSource(store, engine, plan.platform, on_event, options, logins)
    resolver = Resolver(
        store.home, pythons.of, anew=options.no_cache, ca=options.ca, wheels=wheels, secrets=options.secrets
    )
    archives = LayerStore(store.home, options.ca, logins)
    with archives.using():
        with beside("resolving packages", on_event):
            resolved = resolver.resolved(plan)
        for told in resolver.yanked:
            on_event(WarningEvent(told))
        for left in resolver.left:
            on_event(LogEvent("", str(left)))
        with_wheels = sources.with_wheels(
            resolved.stage,
            plan.platform,
            pythons.of,
            wheels,
            lambda step, why: on_event(LogEvent("", str(LeftOut(verb(step), step.place, why)))),
        )
        resolved = replace(resolved, stage=lay_out(with_wheels))
        layers = _layers(resolved)
        if missing := archives.missing(layers):
            megabytes = sum(file.size for file in missing) / 1e6
            with beside(f"fetching {_packages(len(missing))} ({megabytes:.1f} MB)", on_event) as say:
                archives.fetch(missing, _told(len(missing), megabytes, say))
        fit.check_requirements(plan.stage, with_wheels, plan.platform, pythons.of, partial(_said, archives))
        archives.write(layers)
        resolved = replace(resolved, stage=_joined(resolved.stage, archives, on_event))
        archives.write(_layers(resolved))
        # What an engine makes of an archive is the same on every machine; what is packed here need not be.
        if options.builder is None and not options.reproducible and not options.refresh:
            manifests = oci.Manifests(store.home)
            resolved = replace(resolved, stage=oci.packed(resolved.stage, lambda base: manifests.ask(base, engine())))
        yield resolved
