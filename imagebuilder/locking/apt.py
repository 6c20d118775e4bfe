"""Apt, asked in a base what it would install."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from imagebuilder.backends.dockerfile import Dockerfile
from imagebuilder.diagnostics import BuildError, CompileError, Diagnostic, EngineError, Note
from imagebuilder.engine.protocol import BuildFailed
from imagebuilder.failure import explain_failure
from imagebuilder.ir.ops import Run
from imagebuilder.ir.stage import Step
from imagebuilder.locking.system import Asker, At
from imagebuilder.passes.lower.packages import APT_CACHES
from imagebuilder.resolve.system import apt
from imagebuilder.resolve.system.apt import AptAsk, AptGround, LockedApt

_SCRIPT = Path(apt.__file__).with_name("ask_apt.sh")
_NO_ARCHIVE, _REFUSED = 70, 71
_PROGRESS = ("Get:", "Hit:", "Ign:", "Fetched ", "Reading ", "Building ", "apt-get update failed")


class AptAsker(Asker[AptAsk, LockedApt]):
    @staticmethod
    def _ground() -> type[AptGround]:
        return AptGround

    def _question(self, ask: AptAsk, known: Sequence[LockedApt], marker: str) -> Run:
        pins = {each.name: each.pin for answer in known for each in answer.all if each.name not in self._upgrade}
        said = {
            "ANSWER": marker,
            "KEPT": "\n".join(sorted(pins.values())),
            "THERE": " ".join(ask.there),
            "OPTIONS": "" if ask.recommends else "--no-install-recommends",
            "WORDS": " ".join(ask.packages),
        }
        settings = "\n".join(f"{name}={shlex.quote(value)}" for name, value in said.items())
        return Run(command=f"{settings}\n{_SCRIPT.read_text(encoding='utf-8')}", mounts=APT_CACHES)

    def _read(self, at: At, ask: AptAsk, lines: Sequence[str]) -> LockedApt:
        packages, dependencies = apt.answered(lines, ask.packages)
        if why := _unsound(lines) or ("" if packages else "apt does not say what it would install"):
            raise ValueError(why)
        return LockedApt(*at, ask.packages, tuple(packages), tuple(dependencies))

    @staticmethod
    def _failed(failure: BuildFailed, dockerfile: Dockerfile, step: Step) -> CompileError | BuildError | EngineError:
        said = [line for line in failure.log if not line.startswith(_PROGRESS)]
        notes = (Note("apt says:\n" + "\n".join(said)),)
        if failure.exit_code == _NO_ARCHIVE:
            help = "can a build reach them from this machine? HTTPS_PROXY and --ca are taken notice of"
            message = "apt_install: not all of apt's archives answer"
            return BuildError(Diagnostic("IB671", message, step.place, notes, help))
        if failure.exit_code == _REFUSED:
            refused = [line for line in failure.log if line.startswith("E: ")]
            message = refused[0].removeprefix("E: ") if refused else "apt cannot install this"
            help = "is its name right, and does this release of the base have it?"
            return CompileError(Diagnostic("IB670", f"apt_install: {message}", step.place, notes, help))
        return BuildError(explain_failure(failure, dockerfile, "NAME"))


def _unsound(lines: Sequence[str]) -> str:
    """Why an answer cannot be locked; empty where it can."""
    if "No apt" in lines:
        return "the base has no apt"
    name = apt.would_remove(lines)
    return f"apt would remove {name} for it" if name else ""
