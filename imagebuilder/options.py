"""What a build is told that does not change the image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from imagebuilder.engine.protocol import Cancel
from imagebuilder.ir import checks
from imagebuilder.store import Resources

if TYPE_CHECKING:
    # Imported late: few builds have a cache.
    from imagebuilder.cache.registry import Registry


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """See :meth:`imagebuilder.Client.build`; a lock is made under some of them. ``cache`` is shared by a call's builds,
    and ``lock`` is the file that answered the plan."""

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
