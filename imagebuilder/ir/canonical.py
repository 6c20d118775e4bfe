"""One byte string for one meaning.

Every value is a tag, the length of its content, a colon and the content, so no
two different values share a form and nothing needs escaping. Models are written
as their verb and the fields that differ from their defaults, sorted by name: a
field that is added later, with a default, moves no key.

    text 'ab'      s2:ab          none  n0:        true  b1:1
    the tuple (1,) l4:i1:1        model m…:<verb><name><value>…

Two things are written otherwise than they are held. A local source is its
path's *tree* (the digest of its content), never its path. A stage is its key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from imagebuilder.ir.ops import LocalSource
from imagebuilder.ir.stage import Stage

Substitute = Callable[[LocalSource | Stage], str]


def canonical(value: Any, substitute: Substitute) -> bytes:
    """The canonical bytes of an operation, a base, or any value in one.

    Args:
        substitute: gives the digest that stands for a local source or a stage.
    """
    match value:
        case None:
            return b"n0:"
        case bool():
            return _tagged(b"b", b"1" if value else b"0")
        case int():
            return _tagged(b"i", str(value).encode())
        case str():
            return _tagged(b"s", value.encode())
        case bytes():
            return _tagged(b"y", value)
        case tuple() | list():
            return _tagged(b"l", b"".join(canonical(item, substitute) for item in value))
        case LocalSource():
            return _tagged(b"t", substitute(value).encode())
        case Stage():
            return _tagged(b"k", substitute(value).encode())
        case BaseModel():
            return _model(value, substitute)
    raise TypeError(f"{type(value).__name__} has no canonical form")


def _model(model: BaseModel, substitute: Substitute) -> bytes:
    name = getattr(model, "verb", "") or type(model).__name__
    parts = [canonical(name, substitute)]
    for field, info in sorted(type(model).model_fields.items()):
        value = getattr(model, field)
        if info.is_required() or value != info.default:
            parts += (canonical(field, substitute), canonical(value, substitute))
    return _tagged(b"m", b"".join(parts))


def _tagged(tag: bytes, content: bytes) -> bytes:
    return b"%s%d:%s" % (tag, len(content), content)
