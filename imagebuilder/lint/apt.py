"""Debian packages whose version is decided by the day of the build."""

from __future__ import annotations

import re
from collections.abc import Iterator

from imagebuilder.diagnostics import Diagnostic
from imagebuilder.ir.ops import AptInstall, Op, Run, RunCommands
from imagebuilder.ir.stage import Stage, ordered
from imagebuilder.lint.saying import said
from imagebuilder.lint.shell import commands

_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.\-]+(:[a-z0-9]+)?")
_WITH_VALUE = ("-t", "-o", "-c", "--target-release", "--option", "--config-file")
_SHOWN = 4


def packages_without_versions(target: Stage) -> Iterator[Diagnostic]:
    """``apt_install``, and ``apt-get install`` in a command. Only on demand: a version that is pinned is gone
    from Debian's archive with its next update."""
    for stage in ordered(target):
        for step in stage.steps:
            names = list(dict.fromkeys(_loose(step.op)))
            if not names:
                continue
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            message = f"no version is given for {', '.join(map(repr, names[:_SHOWN]))}{more}"
            pinned = said(
                step.place,
                python=f".apt_install('{names[0]}=VERSION')",
                dockerfile=f"apt-get install {names[0]}=VERSION",
                snap=f"apt_install {names[0]}=VERSION",
            )
            help = f"{pinned}; in the base image, this shows the versions: apt-cache policy {' '.join(names)}"
            yield Diagnostic("IB907", message, step.place, help=help, severity="warning")


def _loose(op: Op) -> Iterator[str]:
    match op:
        case AptInstall():
            yield from (name for name in op.packages if "=" not in name and "/" not in name)
        case Run(command=str(text)):
            yield from _in_text(text)
        case RunCommands():
            for command in op.commands:
                if isinstance(command, str):
                    yield from _in_text(command)


def _in_text(text: str) -> Iterator[str]:
    for command in commands(text):
        program, *words = command.program or ("",)
        if program not in ("apt-get", "apt") or "install" not in words:
            continue
        before = ""
        for word in words[words.index("install") + 1 :]:
            if before not in _WITH_VALUE and _PACKAGE.fullmatch(word) and not word.endswith(".deb"):
                yield word
            before = word
