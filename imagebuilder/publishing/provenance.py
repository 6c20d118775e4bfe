"""How an image was built, as its builder recorded it: kept beside the snapshot's log, pushed with the image."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagebuilder.ir.checks import PROXIES

_LOGIN = re.compile(r"(://)[^/@\s:]*:[^/@\s]*@")
_OF_THE_NETWORK = frozenset(f"build-arg:{name}" for name in PROXIES)
# What a proxy is called holds its password, and how busy the builder's machine was is nobody's business.
_DROPPED = frozenset({"proxy_env", "sysUsage", *_OF_THE_NETWORK})


def predicate_type(found: Mapping[str, Any]) -> str:
    return "https://slsa.dev/provenance/v1" if "buildDefinition" in found else "https://slsa.dev/provenance/v0.2"


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
