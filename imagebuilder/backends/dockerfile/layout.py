"""Installs laid out in layers: each large distribution one of its own, the small ones together on top.

Every layer is made from the base alone, in a stage of its own, and linked: it
is the same whatever lies below it, in every image and on every machine that
installs the same distribution into the same base, and the stages are built
side by side. What an install would put where stays uv's to decide: it installs
into the stage as it would into the image, and what it has put there is moved
out, under the same paths.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from imagebuilder.ir.ops import BaseImage, Copy, Distribution, Install, Mount, Op, Run, Tool, Wheels
from imagebuilder.ir.stage import Stage, Step, rewrite

LARGE = 1_000_000
"""Bytes of a wheel from which on it is a layer of its own."""

MOST = 30
"""Layers that one install becomes: beyond, the smallest go with the small ones."""

_TOOLS, _WHEELS = "/run/imagebuilder", "/run/wheels"
_SCRIPT = """\
set -eu
export UV_NO_CONFIG=1 UV_OFFLINE=1 UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never UV_BREAK_SYSTEM_PACKAGES=1 TMPDIR=/var/tmp
{tools}/uv pip install --quiet --system --no-deps --no-index --find-links={wheels} --require-hashes -r - <<'EOF_P'
{pins}
EOF_P
python3 -IS {tools}/collect.py"""


def lay_out(target: Stage, tool: Tool | None) -> Stage:
    """The graph without an install: stages that make the layers, and copies of them.

    Args:
        tool: what installs; None where nothing is installed.
    """

    def change(stage: Stage) -> Stage:
        if not any(isinstance(step.op, Install) for step in stage.steps):
            return stage
        steps: list[Step] = []
        for step in stage.steps:
            if isinstance(step.op, Install):
                assert tool is not None
                steps += _layers(step, step.op, _base(stage), tool)
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


def _layers(step: Step, install: Install, base: BaseImage, tool: Tool) -> Iterator[Step]:
    def part(op: Op) -> Step:
        return Step(op, step.place, "", step.intent, step.planned)

    for group in groups(install):
        name = group[0].name if len(group) == 1 else "packages"
        stage = Stage(base, (part(_run(group, tool)),), step.place, f"python-{name}")
        yield part(Copy(sources=("/out/",), dest="/", origin=stage, link=True))


def _run(group: Sequence[Distribution], tool: Tool) -> Run:
    pins = [
        f"{each.name}=={each.version}" + "".join(f" --hash=sha256:{file.sha256}" for file in each.files)
        for each in sorted(group, key=lambda each: each.name)
    ]
    files = tuple(file for each in group for file in each.files)
    return Run(
        command=_SCRIPT.format(tools=_TOOLS, wheels=_WHEELS, pins="\n".join(pins)),
        mounts=(
            Mount(type="bind", origin=tool, target=_TOOLS),
            Mount(type="bind", origin=Wheels(tuple(sorted(files, key=lambda file: file.sha256))), target=_WHEELS),
        ),
        network="none",
    )


def _base(stage: Stage) -> BaseImage:
    base = stage.base
    while isinstance(base, Stage):
        base = base.base
    assert isinstance(base, BaseImage)
    return base
