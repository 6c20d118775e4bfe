"""How an image was built, as its builder recorded it: kept beside the snapshot's log, pushed with the image."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from imagebuilder.compiler import Plan
from imagebuilder.ir.checks import PROXIES
from imagebuilder.ir.packages import Layer, Packed
from imagebuilder.ir.stage import ordered

_LOGIN = re.compile(r"(://)[^/@\s:]*:[^/@\s]*@")
_OF_THE_NETWORK = frozenset(f"build-arg:{name}" for name in PROXIES)
# What a proxy is called holds its password, and how busy the builder's machine was is nobody's business.
_DROPPED = frozenset({"proxy_env", "sysUsage", *_OF_THE_NETWORK})


def predicate_type(found: Mapping[str, Any]) -> str:
    return "https://slsa.dev/provenance/v1" if "buildDefinition" in found else "https://slsa.dev/provenance/v0.2"


def completed(found: Mapping[str, Any] | None, plan: Plan) -> Mapping[str, Any] | None:
    """What a builder recorded, with what it was handed ready-made: packages, and the bases that came with them.

    Args:
        plan: with layers in the place of requests for packages.
    """
    handed = list(_handed(plan))
    if found is None or not handed:
        return found
    if "buildDefinition" in found:
        definition = found["buildDefinition"]
        known = definition.get("resolvedDependencies") or []
        return {**found, "buildDefinition": {**definition, "resolvedDependencies": [*known, *handed]}}
    return {**found, "materials": [*(found.get("materials") or []), *handed]}


def _handed(plan: Plan) -> Iterator[dict[str, Any]]:
    """As provenance has materials (SLSA): a package URL and a digest of each."""
    images: dict[str, str] = {}
    packages: dict[str, str] = {}
    for stage in ordered(plan.stage):
        if isinstance(stage.base, Packed):
            name, _, tag = stage.base.ref.partition("@")[0].rpartition(":")
            version = f"{name}@{tag}" if name and "/" not in tag else stage.base.ref.partition("@")[0]
            images[f"pkg:docker/{version}?platform={quote(plan.platform, safe='')}"] = stage.base.image
        for layer in (step.op for step in stage.steps if isinstance(step.op, Layer)):
            for each in layer.distributions:
                packages[f"pkg:pypi/{each.name}@{quote(each.version)}"] = each.files[0].sha256
    for uri, digest in (*images.items(), *sorted(packages.items())):
        yield {"uri": uri, "digest": {"sha256": digest.removeprefix("sha256:")}}


def keep(found: Mapping[str, Any] | None, path: Path) -> None:
    """Write what a builder recorded, without what must not leave this machine; None removes what is there."""
    if found is None:
        path.unlink(missing_ok=True)
        return
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(cleaned(found), file)


def kept(path: Path) -> dict[str, Any] | None:
    """What was kept; None where there is nothing, or it is damaged."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def cleaned(found: Any) -> Any:
    """The record without proxies, logins in URLs, and what tells of the builder's machine alone."""
    if isinstance(found, Mapping):
        return {name: cleaned(value) for name, value in found.items() if name not in _DROPPED}
    if isinstance(found, list):
        return [cleaned(each) for each in found]
    return _LOGIN.sub(r"\1", found) if isinstance(found, str) else found
