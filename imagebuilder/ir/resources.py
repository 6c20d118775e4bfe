"""What a sandbox of a snapshot gets; no part of the image or its key."""

from __future__ import annotations

from dataclasses import dataclass

from imagebuilder.diagnostics import CompileError, Diagnostic


@dataclass(frozen=True, slots=True)
class Resources:
    """What a sandbox of the snapshot gets: CPUs, memory and disk in GiB, GPUs.

    Raises:
        CompileError: a value is no number, or negative; only ``gpu`` may be 0.
    """

    cpu: float = 1
    memory: float = 1
    disk: float = 3
    gpu: float = 0

    def __post_init__(self) -> None:
        for name, least in (
            ("cpu", "more than 0"),
            ("memory", "more than 0"),
            ("disk", "more than 0"),
            ("gpu", "0 or more"),
        ):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 <= value < 1e9 or (value == 0 and name != "gpu"):
                unit = " of GiB" if name in ("memory", "disk") else ""
                raise CompileError(
                    Diagnostic("IB709", f"not an amount: {name}={value!r}", help=f"a number{unit}, {least}")
                )
