"""Apt, asked in a base what it would install: by a build, which has the network, proxies and CA that builds have."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from pathlib import Path
from uuid import uuid4

from imagebuilder.backends.dockerfile import Dockerfile
from imagebuilder.compiler import Plan
from imagebuilder.diagnostics import BuildError, CompileError, Diagnostic, EngineError, Note
from imagebuilder.engine.protocol import BuildFailed, OnEvent
from imagebuilder.failure import explain_failure
from imagebuilder.ir.ops import Run
from imagebuilder.ir.stage import Stage, Step
from imagebuilder.locking.throwaway import ThrowAway
from imagebuilder.passes.lower.packages import APT_CACHES
from imagebuilder.resolve.ask import Left
from imagebuilder.resolve.resolver import LeftOut
from imagebuilder.resolve.system import apt
from imagebuilder.resolve.system.apt import AptAsk, AptGround, LockedApt
from imagebuilder.steps import beside

_SCRIPT = Path(apt.__file__).with_name("ask_apt.sh")
_NO_ARCHIVE, _REFUSED = 70, 71
_PROGRESS = ("Get:", "Hit:", "Ign:", "Fetched ", "Reading ", "Building ", "apt-get update failed")


class AptAsker:
    """For one lock. ``locked`` are the answers, ``left`` the requests without one."""

    def __init__(
        self,
        plan: Plan,
        known: Sequence[LockedApt],
        upgrade: Collection[str],
        build: ThrowAway,
        on_event: OnEvent,
    ) -> None:
        """
        Args:
            known: the versions in these stay where the archive still has them.
            upgrade: the packages whose versions need not stay.
        """
        self._plan = plan
        self._known = known
        self._upgrade = frozenset(upgrade)
        self._build = build
        self._on_event = on_event
        self.locked: list[LockedApt] = []
        self.left: list[LeftOut] = []

    def ask(self, target: Stage) -> None:
        """
        Args:
            target: what the plan builds, with the digests of its bases.

        Raises:
            CompileError: apt cannot install what is asked for; at its line.
            BuildError: no archive answers.
            EngineError: the engine does not answer.
        """
        apt.pinned(target, self._answer)

    def _answer(self, step: Step, ask: AptAsk | Left, ground: AptGround) -> LockedApt | None:
        if isinstance(ask, Left):
            self._leave(step, ask.reason)
            return None
        at = ask.base, self._plan.platform, ask.request
        # The same statement in two stages is one request.
        found = next((each for each in self.locked if (each.base, each.platform, each.request) == at), None)
        if found is None:
            with beside(f"asking apt for {' '.join(ask.packages)}", self._on_event):
                lines = self._asked(step, ask, ground)
            packages, dependencies = apt.answered(lines, ask.packages)
            if why := _unsound(lines) or ("" if packages else "apt does not say what it would install"):
                self._leave(step, why)
                return None
            found = LockedApt(*at, ask.packages, tuple(packages), tuple(dependencies))
            self.locked.append(found)
        return found

    def _leave(self, step: Step, reason: str) -> None:
        self.left.append(LeftOut("apt_install", step.place, reason))

    def _asked(self, step: Step, ask: AptAsk, ground: AptGround) -> list[str]:
        """What the script prints in the base; nothing where it cannot be run there."""
        answer = uuid4().hex
        said = {
            "ANSWER": answer,
            "KEPT": "\n".join(self._kept(ask)),
            "THERE": " ".join(f"{name}={version}" for name, version in sorted(ground.there.items())),
            "OPTIONS": "" if ask.recommends else "--no-install-recommends",
            "WORDS": " ".join(ask.packages),
        }
        settings = "\n".join(f"{name}={shlex.quote(value)}" for name, value in said.items())
        run = Run(command=f"{settings}\n{_SCRIPT.read_text(encoding='utf-8')}", mounts=APT_CACHES)
        assert ground.image is not None
        stage = Stage(ground.image, (*ground.before, Step(run, step.place, "", step.intent)), step.place)
        plan = Plan(stage, self._plan.platform, {}, {})
        return self._build.answer(plan, answer, lambda failure, dockerfile: _failed(failure, dockerfile, step))

    def _kept(self, ask: AptAsk) -> list[str]:
        alike = [each for each in self._known if (each.base, each.platform) == (ask.base, self._plan.platform)]
        pins = {each.name: each.pin for answer in alike for each in answer.all if each.name not in self._upgrade}
        return sorted(pins.values())


def _unsound(lines: Sequence[str]) -> str:
    """Why an answer cannot be locked; empty where it can."""
    if "No apt" in lines:
        return "the base has no apt"
    name = apt.would_remove(lines)
    return f"apt would remove {name} for it" if name else ""


def _failed(failure: BuildFailed, dockerfile: Dockerfile, step: Step) -> CompileError | BuildError | EngineError:
    said = [line for line in failure.log if not line.startswith(_PROGRESS)]
    notes = (Note("apt says:\n" + "\n".join(said)),)
    if failure.exit_code == _NO_ARCHIVE:
        help = "can a build reach them from this machine? HTTPS_PROXY and --ca are taken notice of"
        return BuildError(Diagnostic("IB671", "apt_install: not all of apt's archives answer", step.place, notes, help))
    if failure.exit_code == _REFUSED:
        refused = [line for line in failure.log if line.startswith("E: ")]
        message = refused[0].removeprefix("E: ") if refused else "apt cannot install this"
        help = "is its name right, and does this release of the base have it?"
        return CompileError(Diagnostic("IB670", f"apt_install: {message}", step.place, notes, help))
    return BuildError(explain_failure(failure, dockerfile, "NAME"))
