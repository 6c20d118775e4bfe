"""Handing on what was built: an image under its key, and its layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from imagebuilder.cache.registry import Registry, Warn, leaks, push_limit
from imagebuilder.compiler import Plan
from imagebuilder.diagnostics import Diagnostic, EngineError, Interrupted
from imagebuilder.engine.protocol import BuildFailed, BuildRequest, Engine
from imagebuilder.store import Snapshot

Tell = Callable[[str], None]


def publish(
    cache: Registry, plan: Plan, snapshot: Snapshot, request: BuildRequest, engine: Engine, warn: Warn, tell: Tell
) -> bool:
    """Push what a request has built under its key, and its layers; no step runs again.

    Args:
        snapshot: what was built; its size decides how long this may take.
        warn: told where the registry would not; that ends nothing.
        tell: told what is done, in a line.

    Returns:
        Whether the registry has it now.
    """
    if not cache.usable:
        return False
    if leak := leaks(plan.stage):
        warn(leak)
        return False
    ref = cache.tag(plan.key)
    tell(f"pushing to {ref}")
    limit, layers = push_limit(snapshot.size), cache.written(snapshot.name)
    push = replace(request, push=ref, cache_from=(), cache_to=layers, no_cache=False, limit=limit)
    try:
        try:
            engine.build(push, lambda event: None)
        except BuildFailed as failure:
            if push.cache_to is None or "ache export is not supported" not in failure.message:
                raise
            # An engine without containerd's image store. It keeps the name, too.
            engine.build(replace(push, cache_to=None), lambda event: None)
            engine.untag(ref)
    except BuildFailed as failure:
        cache.not_pushed(failure.message, warn)
        return False
    except EngineError as error:
        cache.not_pushed(error.diagnostics[0].message, warn)
        return False
    except Interrupted:
        raise Interrupted(
            Diagnostic("IB601", "interrupted while the image was pushed; the snapshot is there")
        ) from None
    return True
