"""Answers for the requests of one build: remembered, or asked of the indexes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from imagebuilder.diagnostics import CompileError, Diagnostic, Note, Place
from imagebuilder.ir.ops import Install, Python
from imagebuilder.ir.stage import Step, ordered
from imagebuilder.resolve import uv
from imagebuilder.resolve.ask import Ask, Left
from imagebuilder.resolve.ground import PythonOf, is_request
from imagebuilder.resolve.memory import Memory
from imagebuilder.resolve.pin import pinned

if TYPE_CHECKING:
    from imagebuilder.compiler import Plan


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A request that stays with the image's own installer, and why."""

    verb: str
    place: Place | None
    reason: str

    def __str__(self) -> str:
        span = self.place.resolve() if self.place is not None else None
        at = f" ({Path(span.file).name}:{span.line})" if span is not None else ""
        return f"{self.verb}{at} is left to the image's own installer, since {self.reason}"


class Resolver:
    """For one build. ``left`` are the requests without an answer; ``yanked`` warns of what was withdrawn."""

    def __init__(self, home: Path, python_of: PythonOf, *, anew: bool = False, ca: Path | None = None) -> None:
        """
        Args:
            python_of: the Python of a base; a text says why it is not known.
            anew: ask the indexes also where an answer is remembered.
            ca: a CA bundle; None is that of ``SSL_CERT_FILE``, or the system's.
        """
        self._home = home
        self._python_of = python_of
        self._memory = Memory(home)
        self._anew = anew
        self._ca = ca
        self.left: list[LeftOut] = []
        self.yanked: list[Diagnostic] = []

    def resolved(self, plan: Plan) -> Plan:
        """The plan with what was found in the place of each request.

        Raises:
            CompileError: the packages cannot be had together, at their line; or a requirements file cannot be read.
            EngineError: uv is not there.
        """
        return replace(plan, stage=pinned(plan.stage, plan.platform, self._python_of, self._answer))

    def _answer(self, step: Step, ask: Ask | Left, python: Python | None) -> Install | None:
        if isinstance(ask, Left):
            self._leave(step, ask.reason)
            return None
        found = None if self._anew else self._memory.recall(ask.digest)
        if found is None:
            try:
                answer = uv.resolve(ask, self._home / "uv", self._ca)
            except uv.Unresolved as error:
                self._unresolved(step, ask, error)
                return None
            found = answer.distributions
            self._memory.keep(ask.digest, found)
            self.yanked += [_yanked(what, why, step.place) for what, why in answer.yanked.items()]
        return Install(distributions=self._memory.ordered(found), python=python) if found else None

    def _leave(self, step: Step, reason: str) -> None:
        self.left.append(LeftOut(_verb(step), step.place, reason))

    def _unresolved(self, step: Step, ask: Ask, error: uv.Unresolved) -> None:
        if error.kind == uv.NO_WHEEL:
            self._leave(step, error.said)
            return
        if error.kind == uv.NO_INDEX:
            self._leave(step, f"no index answers here: {error.said.splitlines()[-1]}")
            return
        if error.kind == uv.NO_SET and ask.there:
            # Every base has a pip at least: whether that is in the way, or they are in each other's.
            self._resolvable_alone(step, ask)
            self._leave(step, "it wants others of the packages that are there already")
            return
        raise CompileError(explained(step, ask, error))

    def _resolvable_alone(self, step: Step, ask: Ask) -> None:
        alone = replace(ask, there=())
        try:
            uv.resolve(alone, self._home / "uv", self._ca)
        except uv.Unresolved as error:
            if error.kind == uv.NO_SET:
                raise CompileError(explained(step, alone, error)) from None


def requests(plan: Plan) -> bool:
    """Whether there is anything to be resolved."""
    return any(is_request(step) for stage in ordered(plan.stage) for step in stage.steps)


def explained(step: Step, ask: Ask, error: uv.Unresolved) -> Diagnostic:
    """Why a request has no answer, in uv's own words, at its line."""
    if error.kind == uv.OTHER_BYTES:
        help = "it was uploaded anew, or the hash is another release's"
        return Diagnostic("IB672", f"{_verb(step)}: {error.said}", step.place, _lines(ask, error.about), help)
    notes = (Note(f"uv says:\n{error.said}"), *_lines(ask, error.said))
    if error.kind == uv.NO_SET:
        help = "loosen what is asked of one of them"
        return Diagnostic("IB670", f"{_verb(step)}: these packages cannot be had together", step.place, notes, help)
    message = f"{_verb(step)}: its packages cannot be resolved"
    return Diagnostic("IB670", message, step.place, notes, "what uv names has to be mended")


def _lines(ask: Ask, said: str) -> tuple[Note, ...]:
    """The lines of requirements files whose package is spoken of."""
    spoken = {uv.normalized(word) for word in re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*", said)}
    found = []
    for name, text in ask.files:
        for number, line in enumerate(text.splitlines(), 1):
            match = uv.NAME.match(line)
            if match and uv.normalized(match["name"]) in spoken:
                found.append(Note(f"{name.partition('/')[2]}:{number}: {line.strip()}"))
    return tuple(found)


def _yanked(what: str, why: str, place: Place | None) -> Diagnostic:
    message = f"{what} was withdrawn from its index" + (f": {why}" if why else "")
    return Diagnostic("IB673", message, place, help="take another version", severity="warning")


def _verb(step: Step) -> str:
    return (step.intent or step.op).verb
