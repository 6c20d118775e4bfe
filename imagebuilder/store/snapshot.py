"""What is remembered of one snapshot."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from imagebuilder.diagnostics import CompileError, Diagnostic
from imagebuilder.ir.resources import Resources

State = Literal["pending", "building", "pulling", "active", "inactive", "error", "build_failed", "removing"]

UNUSED = "unused"
"""What the reason of a snapshot begins with that is inactive since nobody used it: using it wakes it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a build: what it was, how long it ran in seconds, and whether it came from the cache."""

    op: str
    name: str
    seconds: float
    cached: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A named image.

    ``image`` is a reference that ``docker run`` takes, ``digest`` the image's,
    ``size`` its bytes. ``seconds`` and ``steps`` are those of the build; where
    ``reused`` says that the call which returned this did not have to build,
    ``seconds`` is that call's. ``reason`` tells why ``state`` is ``build_failed``, ``error`` or ``inactive``.
    ``entrypoint`` is what keeps its containers up; None is the image's own, or was not tried yet, which ``tried`` says.
    ``previous`` is the one that it took the place of, where that was kept: it serves until this one is active. One
    that is ``locked`` is neither replaced nor deleted; ``expires_at`` is when it may go. ``pushed`` is what the name in
    a registry stands for that the call which returned this gave it, ``REPOSITORY@DIGEST``.
    """

    name: str
    id: str
    state: State
    key: str
    platform: str
    image: str
    digest: str = ""
    size: int = 0
    reason: str = ""
    resources: Resources = field(default_factory=Resources)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    last_used_at: datetime | None = None
    reused: bool = False
    seconds: float = 0.0
    steps: tuple[Step, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    tried: bool = False
    previous: Snapshot | None = None
    locked: bool = False
    expires_at: datetime | None = None
    pushed: str = ""

    def as_json(self) -> dict[str, Any]:
        """All fields; times in ISO 8601, UTC."""
        return {
            "name": self.name,
            "id": self.id,
            "state": self.state,
            "reason": self.reason,
            "key": self.key,
            "platform": self.platform,
            "image": self.image,
            "digest": self.digest,
            "size": self.size,
            "resources": {
                "cpu": self.resources.cpu,
                "memory": self.resources.memory,
                "disk": self.resources.disk,
                "gpu": self.resources.gpu,
            },
            "created_at": self.created_at.isoformat() if self.created_at else None,
            "updated_at": self.updated_at.isoformat() if self.updated_at else None,
            "last_used_at": self.last_used_at.isoformat() if self.last_used_at else None,
            "expires_at": self.expires_at.isoformat() if self.expires_at else None,
            "locked": self.locked,
            "previous": self.previous.digest if self.previous else None,
            "entrypoint": None if self.entrypoint is None else list(self.entrypoint),
            "reused": self.reused,
            "pushed": self.pushed or None,
            "seconds": round(self.seconds, 3),
            "steps": [
                {"op": s.op, "name": s.name, "seconds": round(s.seconds, 3), "cached": s.cached} for s in self.steps
            ],
        }


def unusable(found: Snapshot) -> CompileError:
    """What is told of a snapshot that is not active."""
    # The reason comes last: it may be the engine's words, of several lines.
    why = f": {found.reason}" if found.reason else ""
    if found.state == "inactive":
        what, help = f"it is inactive{why}", f"`imagebuilder snapshot activate {found.name}`"
    elif found.state in ("error", "build_failed"):
        what, help = f"making it failed{why}", "make it again"
    else:
        what, help = f"it is {found.state}", f"`imagebuilder snapshot logs -f {found.name}` waits for it"
    return CompileError(Diagnostic("IB707", f"the snapshot {found.name!r} cannot be used, since {what}", help=help))
