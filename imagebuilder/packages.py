"""The packages that a plan asks for: resolved, and laid out in layers whose archives are at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from imagebuilder.backends.dockerfile import lay_out
from imagebuilder.compiler import Plan
from imagebuilder.engine.protocol import Engine, LogEvent, OnEvent, WarningEvent
from imagebuilder.ir.packages import Layer
from imagebuilder.ir.stage import ordered
from imagebuilder.pythons import Pythons
from imagebuilder.resolve import oci
from imagebuilder.resolve.layers import LayerStore
from imagebuilder.resolve.logins import Values
from imagebuilder.resolve.resolver import Resolver, logins_of, requests
from imagebuilder.steps import beside
from imagebuilder.store import Store


def laid_out(plan: Plan) -> list[str]:
    """The packages that are in layers, as ``name==version``."""
    layers = [step.op for stage in ordered(plan.stage) for step in stage.steps if isinstance(step.op, Layer)]
    return sorted({f"{each.name}=={each.version}" for layer in layers for each in layer.distributions})


@contextmanager
def at_hand(
    plan: Plan,
    store: Store,
    engine: Callable[[], Engine],
    on_event: OnEvent,
    *,
    anew: bool,
    ca: Path | None,
    pack: bool,
    secrets: Values | None = None,
) -> Iterator[Plan]:
    """The plan with layers in the place of its requests for packages. What cannot be resolved stays, which is told.

    Args:
        anew: ask the indexes also where an answer is remembered.
        ca: a CA bundle; None is that of ``SSL_CERT_FILE``, or the system's.
        pack: layers that stand right upon an image of the engine's come as one image with it.
        secrets: values of build secrets that were given; the others are in the environment.

    Raises:
        CompileError: packages cannot be had together, at their line.
        BuildError: one cannot be fetched, or is not what it has to be.
        EngineError: the engine does not answer, or there is no uv.
    """
    if not requests(plan):
        yield plan
        return
    resolver = Resolver(store.home, Pythons(store, engine, plan.platform).of, anew=anew, ca=ca, secrets=secrets)
    with beside("resolving packages", on_event):
        resolved = resolver.resolved(plan)
    for told in resolver.yanked:
        on_event(WarningEvent(told))
    for left in resolver.left:
        on_event(LogEvent("", str(left)))
    resolved = replace(resolved, stage=lay_out(resolved.stage))
    layers = [step.op for stage in ordered(resolved.stage) for step in stage.steps if isinstance(step.op, Layer)]
    archives = LayerStore(store.home, ca, logins_of(plan, secrets or {}))
    with archives.using():
        if missing := archives.missing(layers):
            megabytes = sum(file.size for file in missing) / 1e6
            with beside(f"fetching {len(missing)} packages ({megabytes:.1f} MB)", on_event):
                archives.fetch(missing)
        archives.write(layers)
        if clash := archives.clash(layers):
            on_event(LogEvent("", f"packages are left to the image's own installer, since {clash}"))
            yield plan
            return
        if pack:
            manifests = oci.Manifests(store.home)
            resolved = replace(resolved, stage=oci.packed(resolved.stage, lambda base: manifests.ask(base, engine())))
        yield resolved
