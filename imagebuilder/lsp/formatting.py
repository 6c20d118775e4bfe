"""The one form of a text, as the change that leads to it."""

from __future__ import annotations

import re

from imagebuilder.diagnostics import CompileError
from imagebuilder.frontends.snap.format import format_text
from imagebuilder.lsp.names import Document

_LINE = re.compile(r"[^\n]*\n|[^\n]+")


def formatted(document: Document) -> tuple[int, int, str] | None:
    """``text[begin:end]`` and what it becomes: only the lines from the first that changes to the last.

    None where nothing changes, and where the text cannot be formatted: its diagnostics say why.
    """
    try:
        made = format_text(document.text, str(document.path))
    except CompileError:
        return None
    if made == document.text:
        return None
    return difference(document.text, made)


def difference(old: str, new: str) -> tuple[int, int, str]:
    """``old[begin:end]`` and what stands there in ``new``, in whole lines, so that the cursor elsewhere stays."""
    before, after = _LINE.findall(old), _LINE.findall(new)
    most = min(len(before), len(after))
    first = next((i for i in range(most) if before[i] != after[i]), most)
    last = next((i for i in range(most - first) if before[-1 - i] != after[-1 - i]), most - first)
    begin = sum(map(len, before[:first]))
    end = sum(map(len, before[: len(before) - last]))
    return begin, end, "".join(after[first : len(after) - last])
