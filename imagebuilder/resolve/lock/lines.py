"""How a lock writes a value as TOML."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator


def text(value: str) -> str:
    # What JSON escapes, TOML's basic strings escape in the same way.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def listed(name: str, values: Iterable[str]) -> Iterator[str]:
    yield f"{name} = ["
    yield from (f"    {text(value)}," for value in values)
    yield "]"


def inline(value: object) -> str:
    """
    >>> inline({"bin": {"tsc": "bin/tsc"}, "os": ["!win32"], "optional": True})
    '{ "bin" = { "tsc" = "bin/tsc" }, "os" = ["!win32"], "optional" = true }'

    Raises:
        TypeError: TOML has no such value.
    """
    match value:
        case dict():
            return "{ " + ", ".join(f"{text(name)} = {inline(each)}" for name, each in value.items()) + " }"
        case list():
            return "[" + ", ".join(map(inline, value)) + "]"
        case str():
            return text(value)
        case bool() | int():
            return json.dumps(value)
    raise TypeError(f"not a value of a lock: {value!r}")
