"""The types of parameters, and their values.

A value is what the type holds in Python; ``size`` and ``duration`` keep the text
they were written as, which is what interpolation gives back.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from imagebuilder.diagnostics import Invalid, did_you_mean
from imagebuilder.ir import checks

Scalar: TypeAlias = str | int | bool
Value: TypeAlias = Scalar | tuple[Scalar, ...]

MAX_LIST = 10_000

UNITS = {
    "B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "TB": 1000**4,
    "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4,
}  # fmt: skip
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([KMGT]i?B|B)")


def size(text: str) -> int:
    """Bytes of ``4GiB``, ``512MiB``, ``1.5GB``.

    Raises:
        Invalid: it is no size.
    """
    match = _SIZE.fullmatch(text)
    if match is None or len(text) > 30:
        hint = "a number with its unit, such as 4GiB or 512MiB"
        if re.fullmatch(r"[0-9.]+", text):
            hint = f"with its unit: {text}GiB, for example"
        elif near := re.fullmatch(r"([0-9.]+) *([kmgt])i?b?", text.lower()):
            hint = f"did you mean '{near[1]}{near[2].upper()}iB'?"
        raise Invalid("IB830", f"not a size: {text!r}", hint)
    return round(float(match[1]) * UNITS[match[2]])


def _string(text: str) -> Scalar:
    return checks.text(text)


def _int(text: str) -> Scalar:
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise Invalid("IB830", f"not an int: {text!r}", "a whole number, such as 3")
    return int(text)


def boolean(text: str) -> bool:
    """Raises: Invalid: it is neither ``true`` nor ``false``."""
    if text not in ("true", "false"):
        near = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"}
        hint = near.get(text.lower(), text.lower())
        raise Invalid("IB830", f"not a bool: {text!r}", "true or false" if hint == text else f"did you mean '{hint}'?")
    return text == "true"


def _size(text: str) -> Scalar:
    size(text)
    return text


SCALARS: dict[str, Callable[[str], Scalar]] = {
    "string": _string,
    "int": _int,
    "bool": boolean,
    "size": _size,
    "duration": checks.duration,
}
"""What each type makes of the text it is given; raises Invalid."""


@dataclass(frozen=True, slots=True)
class Type:
    """``string``, ``list[int]``, ``one of ["a", "b"]``."""

    name: str
    item: str = "string"
    choices: tuple[str, ...] = ()

    @property
    def is_list(self) -> bool:
        return self.name == "list"

    def scalar(self, text: str) -> Scalar:
        """One value of the type, or of a list's items.

        Raises:
            Invalid: it is none.
        """
        if self.name == "one of":
            if text not in self.choices:
                hint = did_you_mean(text, self.choices) or f"one of: {', '.join(self.choices)}"
                raise Invalid("IB831", f"{text!r} is not among the choices", hint)
            return text
        return SCALARS[self.item if self.is_list else self.name](text)

    def meets(self, other: Type) -> bool:
        """Whether some value of the type is also one of the other, or one of its items."""
        if self.name == "one of":
            return any(other.takes(choice) for choice in self.choices)
        if other.name == "one of":
            return any(self.takes(choice) for choice in other.choices)
        mine, theirs = (each.item if each.is_list else each.name for each in (self, other))
        return mine == theirs or "string" in (mine, theirs)

    def takes(self, text: str) -> bool:
        try:
            self.scalar(text)
        except Invalid:
            return False
        return True

    def __str__(self) -> str:
        if self.name == "one of":
            return f"one of [{', '.join(self.choices)}]"
        return f"list[{self.item}]" if self.is_list else self.name


def given(type: Type, text: str) -> Value:
    """The value of a text from outside: a list's items are parted by commas, perhaps between brackets.

    Raises:
        Invalid: it does not fit the type.
    """
    if not type.is_list:
        return type.scalar(text)
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    return tuple(type.scalar(item.strip()) for item in inner.split(",")) if inner.strip() else ()


def text_of(value: Scalar) -> str:
    """What interpolation puts in."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
