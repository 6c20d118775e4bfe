"""What a build is told besides its image: as a program says it, and as it is handed on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from imagebuilder.engine.protocol import Cancel, OnEvent
from imagebuilder.ir import checks
from imagebuilder.store import Resources

if TYPE_CHECKING:
    # Imported late: few builds have a cache, or a lock.
    from imagebuilder.cache.registry import Registry
    from imagebuilder.resolve.lock import LockFile


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What does not change the image: see :meth:`imagebuilder.Client.build`. A lock is made under some of them.

    ``cache`` is shared by a call's builds, and ``lock`` is the file that answered the plan.
    """

    build_args: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str | Path] = field(default_factory=dict, repr=False)
    ca: Path | None = None
    builder: str | None = None
    no_cache: bool = False
    cache: Registry | None = None
    push: str | None = None
    attest: bool = True
    lock: Path | None = None
    refresh: bool = False
    resources: Resources = field(default_factory=Resources)
    reproducible: bool = False
    cancel: Cancel | None = None

    @property
    def proxies(self) -> dict[str, str]:
        """The arguments that BuildKit takes without an ARG; the others are in the Dockerfile already."""
        return {name: value for name, value in self.build_args.items() if name in checks.PROXIES}


class BuildKeywords(TypedDict, total=False):
    """The keywords of :meth:`imagebuilder.Client.build` but the name."""

    platform: str | None
    build_args: Mapping[str, str] | None
    secrets: Mapping[str, str | Path] | None
    ca: Path | None
    builder: str | None
    no_cache: bool
    cache: str | None
    push: str | None
    attest: bool
    refresh: bool
    resources: Resources | None
    timeout: float | None
    on_event: OnEvent | None
    lock: LockFile | None
    locked: bool
    reproducible: bool | None
