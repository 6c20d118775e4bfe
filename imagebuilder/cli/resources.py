"""The options of what a sandbox gets."""

from __future__ import annotations

import argparse
from dataclasses import replace

from imagebuilder.amounts import gibibytes
from imagebuilder.ir.resources import Resources

_NAMES = ("cpu", "memory", "disk", "gpu")


def resource_options(parser: argparse.ArgumentParser) -> None:
    for name, unit in zip(_NAMES, ("CPUs", "GiB", "GiB", "GPUs"), strict=True):
        default = getattr(Resources(), name)
        kind = gibibytes if unit == "GiB" else float
        example = ", or such as 512MiB" if unit == "GiB" else ""
        help = f"of a sandbox{example} (default: {default:g})"
        parser.add_argument(f"--{name}", type=kind, metavar=unit, help=help)


def given_resources(arguments: argparse.Namespace, default: Resources) -> Resources:
    """Those of ``default`` with what was given in their place."""
    given = {name: getattr(arguments, name) for name in _NAMES}
    return replace(default, **{name: value for name, value in given.items() if value is not None})
