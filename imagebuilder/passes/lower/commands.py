"""``run_commands``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from imagebuilder.ir.ops import Op, Run, RunCommands
from imagebuilder.passes.lower.scope import Scope
from imagebuilder.passes.lower.script import cache, script, secret


def run_commands(op: RunCommands, scope: Scope) -> Iterator[Op]:
    mounts = (*(cache(path) for path in op.cache), *(secret(s) for s in op.secrets))
    first = op.commands[0]
    alone = len(op.commands) == 1
    if alone and isinstance(first, tuple):
        yield Run(command=first, mounts=mounts, network=op.network)
    elif alone and isinstance(first, str) and first.startswith("#!"):
        # A script with an interpreter of its own, which has its own way to stop.
        yield Run(command=first, mounts=mounts, network=op.network)
    else:
        texts = (shlex.join(c) if isinstance(c, tuple) else c.strip("\n") for c in op.commands)
        yield Run(command=script(*texts, trace=not op.secrets), mounts=mounts, network=op.network)
