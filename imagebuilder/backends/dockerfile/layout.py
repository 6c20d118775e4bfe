"""Installs laid out in layers: each large distribution one of its own, the small ones together on top.

A layer is an archive of what an installer would put where. It is linked, and
its bytes follow from the distributions and from where the base's Python has
its packages: so it is the same in every image and on every machine, whatever
lies below it, and an engine or registry that has it once has it for all.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace

from imagebuilder.ir.ops import Copy, Mount, Op, Run, Secret
from imagebuilder.ir.packages import Distribution, Install, Layer
from imagebuilder.ir.stage import Stage, Step, rewrite

LARGE = 1_000_000
"""Bytes of a wheel from which on it is a layer of its own."""

MOST = 30
"""Layers that one install becomes: beyond, the smallest go with the small ones."""

_AS_PIP_HAS = {
    "UV_INDEX_URL": "PIP_INDEX_URL",
    "UV_DEFAULT_INDEX": "PIP_INDEX_URL",
    "UV_EXTRA_INDEX_URL": "PIP_EXTRA_INDEX_URL",
}


def lay_out(target: Stage) -> Stage:
    """The graph with layers in the place of each install; with a command where the base's Python is not known."""

    def change(stage: Stage) -> Stage:
        if not any(isinstance(step.op, Install) for step in stage.steps):
            return stage
        steps: list[Step] = []
        for step in stage.steps:
            if isinstance(step.op, Install):
                steps += (Step(op, step.place, "", step.intent, step.planned) for op in _laid_out(step.op))
            else:
                steps.append(step)
        return replace(stage, steps=tuple(steps))

    return rewrite(target, change)


def groups(install: Install) -> list[Sequence[Distribution]]:
    """The distributions of each layer, from the bottom."""
    each = install.distributions
    largest = sorted((d for d in each if d.size >= LARGE), key=lambda d: (-d.size, d.name))[: MOST - 1]
    alone = {d.name for d in largest}
    small = [d for d in each if d.name not in alone]
    return [*([d] for d in each if d.name in alone), *([small] if small else [])]


def _laid_out(install: Install) -> Iterator[Op]:
    if install.python is None:
        yield _command(install)
        return
    for group in groups(install):
        yield Layer(distributions=tuple(sorted(group, key=lambda each: each.name)), python=install.python)
    if install.venv is not None:
        # Above the packages: so they lie right upon the base, and nothing that is linked minds what is below it.
        place = install.python.data
        yield Copy(sources=(place,), dest=place, origin=install.venv, link=True)


def _command(install: Install) -> Run:
    pins = [
        f"{each.name}=={each.version}" + "".join(f" --hash=sha256:{file.sha256}" for file in each.files)
        for each in sorted(install.distributions, key=lambda each: each.name)
    ]
    options = [f"--index-url={install.index_url}"] if install.index_url else []
    options += [f"--extra-index-url={url}" for url in install.extra_index_urls]
    words = shlex.join(["--no-deps", "--no-compile", "--require-hashes", *options])
    renamed = (f'export {name}="${each.name}"' for each in install.secrets if (name := _AS_PIP_HAS.get(each.name)))
    script = (*renamed, f"python -m pip install {words} -r /dev/stdin <<'EOF_P'", *pins, "EOF_P")
    mounts = tuple(_mounted(each) for each in install.secrets)
    return Run(command="\n".join(("set -e", *script)), mounts=mounts)


def _mounted(secret: Secret) -> Mount:
    where = {"target": secret.target} if secret.target else {"env": secret.name}
    return Mount.model_validate({"type": "secret", "id": secret.name, "required": True, **where})
