"""Ages and sizes as people write them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace

from imagebuilder.diagnostics import CompileError, Diagnostic

_SECONDS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_BYTES = {
    "b": 1,
    "": 1,
    "k": 1000,
    "kb": 1000,
    "m": 10**6,
    "mb": 10**6,
    "g": 10**9,
    "gb": 10**9,
    "t": 10**12,
    "tb": 10**12,
}
_BYTES |= {"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}
_AMOUNT = re.compile(r"(?P<number>\d{1,15}(?:\.\d{1,3})?)\s*(?P<unit>[a-z]*)", re.IGNORECASE)


def age(text: str) -> float:
    """Seconds of ``12h``, ``7d`` or ``2w``.

    Raises:
        CompileError: it is none.
    """
    return _amount(text, _SECONDS, "an age", "12h, 7d or 2w")


def age_of(variable: str, default: str) -> float:
    """Seconds of an age that an environment variable says, where ``0`` needs no unit.

    Raises:
        CompileError: it says something else.
    """
    given = os.environ.get(variable, default)
    try:
        return 0.0 if given.strip() == "0" else age(given)
    except CompileError as error:
        (wrong,) = error.diagnostics
        raise CompileError(replace(wrong, message=f"{variable} is {wrong.message}")) from None


def byte_count(text: str) -> float:
    """Bytes of ``500MB`` or ``2GiB``.

    Raises:
        CompileError: it is no size.
    """
    return _amount(text, _BYTES, "a size", "500MB or 2GiB")


def gibibytes(text: str) -> float:
    """GiB of ``4``, ``4GiB`` or ``512MiB``.

    Raises:
        CompileError: it is none.
    """
    try:
        return float(text)
    except ValueError:
        return _amount(text, _BYTES, "a size", "4, 4GiB or 512MiB") / (1 << 30)


def _amount(text: str, units: Mapping[str, int], what: str, example: str) -> float:
    match = _AMOUNT.fullmatch(text.strip())
    unit = units.get(match["unit"].lower()) if match else None
    if match is None or unit is None:
        raise CompileError(Diagnostic("IB712", f"not {what}: {text!r}", help=f"such as {example}"))
    return float(match["number"]) * unit
