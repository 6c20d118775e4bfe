"""Name the image that ``debian_slim`` stands for.

>>> from imagebuilder.ir.ops import DebianSlim
>>> from imagebuilder.ir.stage import Stage
>>> from imagebuilder.passes.options import Options
>>> resolve_bases(Stage(DebianSlim(python_version="3.12")), Options()).base.ref
'python:3.12-slim-bookworm'
"""

from __future__ import annotations

from dataclasses import replace

from imagebuilder.ir.checks import DEBIAN_OF_PYTHON
from imagebuilder.ir.ops import BaseImage, DebianSlim
from imagebuilder.ir.stage import Stage, rewrite
from imagebuilder.passes.options import Options


def resolve_bases(target: Stage, options: Options) -> Stage:
    def change(stage: Stage) -> Stage:
        if not isinstance(stage.base, DebianSlim):
            return stage
        version = stage.base.python_version
        series = ".".join(version.split(".")[:2])
        debian = stage.base.debian or DEBIAN_OF_PYTHON[series]
        return replace(stage, base=BaseImage(ref=f"python:{version}-slim-{debian}"))

    return rewrite(target, change)
