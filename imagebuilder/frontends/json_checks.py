"""What the other front ends make sure of before an operation is made, for operations from a document.

The fluent API has no way to say these wrong, and a Dockerfile's words are read
by rules that leave nothing else. A document may hold anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from imagebuilder.diagnostics import CompileError, Invalid
from imagebuilder.frontends.dockerfile import parse_commands
from imagebuilder.frontends.dockerfile.lexer import heredoc_marker
from imagebuilder.ir import checks, ops
from imagebuilder.ir.words import Expansion, Var, Word


def check_base(base: Any) -> None:
    """Refuse a platform that is none.

    Raises:
        Invalid: as the fluent API does.
    """
    if isinstance(base, ops.BaseImage) and isinstance(base.platform, str) and base.platform:
        checks.platform(base.platform)
    _check_parts(base)


def check_op(op: ops.Op) -> None:
    """Refuse what would be another instruction once it is written in a Dockerfile.

    Raises:
        Invalid: the first such value.
    """
    _check_parts(op)
    match op:
        case ops.WriteFiles():
            for name, content in op.files:
                _check_file(name, content)
        case ops.Onbuild():
            _check_instruction(f"ONBUILD {op.instruction}", op)
        case ops.Maintainer():
            _check_instruction(f"MAINTAINER {op.name}", op)


def _check_parts(value: BaseModel) -> None:
    for part in _parts(value):
        match part:
            case Var() if not re.fullmatch(r"[^\W\d]\w*", part.name):
                raise Invalid("IB111", f"not a variable name: {part.name[:60]!a}", "letters, digits and '_'")
            case ops.ImageSource():
                checks.image_reference(part.ref)
            case ops.Mount(type="bind" | "cache" | "tmpfs", target=None):
                raise Invalid("IB125", f"a {part.type} mount without a target", "add its target")
            case ops.Mount(type="bind", origin=None):
                raise Invalid("IB125", "a bind mount without an origin", "say where its files are")


def _parts(value: Any) -> Iterator[BaseModel]:
    if isinstance(value, BaseModel):
        yield value
        for name in type(value).model_fields:
            yield from _parts(getattr(value, name))
    elif isinstance(value, tuple):
        for item in value:
            yield from _parts(item)


def _check_file(name: str, content: Word) -> None:
    """A name becomes the delimiter of a here-document."""
    if not name:
        return
    marker = heredoc_marker(f"<<'{name}'")
    if marker is None or marker.name != name or re.search(r"\s", name):
        raise Invalid("IB112", f"not a name for a here-document: {name[:60]!a}", "letters, digits, '_', '-' and '.'")
    texts = content.parts if isinstance(content, Expansion) else (content,)
    lines = {line.rstrip("\r") for text in texts if isinstance(text, str) for line in text.split("\n")}
    if name in lines:
        raise Invalid("IB112", f"a file that holds its own delimiter as a line: {name!r}", "give it another name")


def _check_instruction(text: str, op: ops.Op) -> None:
    try:
        found = [step.op for step in parse_commands([text], context_dir=Path("/"))]
    except CompileError as error:
        first = error.diagnostics[0]
        raise Invalid(first.code, first.message, first.help) from None
    if found != [op]:
        raise Invalid("IB413", f"not one instruction: {text[:60]!a}", "write it as it is read: without a line end")
