"""What a compilation is given besides the spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Options:
    """``build_args`` are values for ``arg`` operations, by name."""

    build_args: Mapping[str, str] = field(default_factory=dict)
