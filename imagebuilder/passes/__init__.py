"""From intent to core operations, one small rewriting at a time.

A pass is a function of a stage graph and the options; it returns a new graph or
raises :class:`~imagebuilder.diagnostics.CompileError` with everything it found.
``PASSES`` is the whole list, in order.
"""

from __future__ import annotations

from typing import Protocol

from imagebuilder.ir.stage import Stage
from imagebuilder.passes.bind_arguments import bind_arguments
from imagebuilder.passes.lower import lower
from imagebuilder.passes.options import Options
from imagebuilder.passes.resolve_bases import resolve_bases


class Pass(Protocol):
    def __call__(self, target: Stage, options: Options) -> Stage: ...


PASSES: tuple[Pass, ...] = (bind_arguments, resolve_bases, lower)

__all__ = ["PASSES", "Options", "Pass"]
