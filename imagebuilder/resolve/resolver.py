"""Answers for the requests of one build: remembered, or asked of the indexes."""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagebuilder.diagnostics import BuildError, CompileError, Diagnostic, Note, Place
from imagebuilder.diagnostics.places import span_json
from imagebuilder.ir.ops import UvSync
from imagebuilder.ir.packages import Distribution, Install
from imagebuilder.ir.stage import Step, ordered
from imagebuilder.passes.lower.packages import venv
from imagebuilder.resolve import project, uv
from imagebuilder.resolve.ask import Ask, Left, Locked
from imagebuilder.resolve.ground import Ground, PythonOf, is_request
from imagebuilder.resolve.lock import LockFile, fit
from imagebuilder.resolve.logins import WAYS, Logins, Missing, Unusable, Values, opened, said
from imagebuilder.resolve.memory import Memory
from imagebuilder.resolve.pin import is_open, pinned
from imagebuilder.resolve.project import Project
from imagebuilder.resolve.shelf import UV, Shelf
from imagebuilder.resolve.silent import Silent, last
from imagebuilder.resolve.sources import NotHere, Wheels, answered, metadata, source_of

if TYPE_CHECKING:
    from imagebuilder.compiler import Plan


_UNKNOWN = re.compile(r"\b(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*) was not found in the package registry")
# A disk that is full, read-only, somebody else's, or over its quota.
_UNKEPT = re.compile(r"(?P<why>[^\n:]+?) \(os error (?:13|28|30|122)\)")
_NO_ROOM = "is there space, and may it be written? `imagebuilder doctor` looks at the home folder"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A request that stays with the image's own installer, and why."""

    verb: str
    place: Place | None
    reason: str

    @property
    def span(self) -> dict[str, Any] | None:
        """As diagnostics have it in JSON."""
        return span_json(self.place.resolve()) if self.place is not None else None

    def __str__(self) -> str:
        span = self.place.resolve() if self.place is not None else None
        at = f" ({Path(span.file).name}:{span.line})" if span is not None else ""
        return f"{self.verb}{at} is left to the image's own installer, since {self.reason}"


class Resolver:
    """For one build, or one lock.

    ``left`` are the requests without an answer, ``locked`` the others as a lock has them; ``yanked`` warns of what was
    withdrawn.
    """

    def __init__(
        self,
        home: Path,
        python_of: PythonOf,
        *,
        anew: bool = False,
        ca: Path | None = None,
        lock: LockFile | None = None,
        upgrade: Collection[str] = (),
        wheels: Wheels | None = None,
        secrets: Values | None = None,
    ) -> None:
        """
        Args:
            python_of: the Python of a base; a text says why it is not known.
            anew: ask the indexes also where an answer is remembered, or that one gave none.
            ca: a CA bundle; None is that of ``SSL_CERT_FILE``, or the system's.
            lock: the answers are for one, in which the versions of this one stay where they fit.
            upgrade: the packages whose versions need not stay.
            wheels: builds those that say what they require when they are built; None is nobody.
            secrets: values of build secrets that were given; the others are in the environment.
        """
        self._home = home
        self._python_of = python_of
        self._memory = Memory(home)
        self._silent = Silent(home)
        self._anew = anew
        self._ca = ca
        self._lock = lock
        self._upgrade = frozenset(map(uv.normalized, upgrade))
        self._wheels = wheels or Wheels()
        self._secrets = secrets or {}
        self._platform = ""
        self.locked: list[Locked] = []
        self.left: list[LeftOut] = []
        self.yanked: list[Diagnostic] = []

    def resolved(self, plan: Plan) -> Plan:
        """The plan with what was found in the place of each request.

        Raises:
            CompileError: the packages cannot be had together, or are not what a lock has to have, at their line; or a
                requirements file cannot be read.
            EngineError: uv is not there.
        """
        self._platform = plan.platform
        stage = pinned(plan.stage, plan.platform, self._python_of, self._answer)
        _check_files(plan)
        fit.check(plan.stage, stage, plan.platform, self._python_of)
        return replace(plan, stage=stage)

    def _answer(self, step: Step, ask: Ask | Project | Left, ground: Ground) -> Install | None:
        if isinstance(step.intent, UvSync) and self._lock is not None:
            return None  # Its lock is uv.lock.
        if isinstance(ask, Left):
            self._leave(step, ask.reason)
            return None
        if isinstance(ask, Project):
            return self._synced(step, ask, ground)
        wanted, logins, why = self._opened(step, ask)
        if why:
            self._leave(step, why)
            return None
        remembers = not self._anew and self._lock is None
        found = self._memory.recall(wanted.digest) if remembers else None
        if found is None:
            if remembers and (why := self._silent.why(wanted)):
                self._leave(step, f"no index answers here: {why}")
                return None
            try:
                answer = self._asked(step, ask, wanted, logins, ground)
            except uv.Unresolved as error:
                if error.kind == uv.NO_INDEX:
                    self._silent.note(wanted, error)
                self._unresolved(step, ask, error)
                return None
            except NotHere as error:
                self._leave(step, str(error), ask)
                return None
            found = answer.distributions
            if self._lock is None:
                self._memory.keep(wanted.digest, found)
            self.yanked += [_yanked(what, why, step.place) for what, why in answer.yanked.items()]
        if self._lock is None:
            return _install(ask, self._memory.ordered(found), ground) if found else None
        order = {name: number for number, name in enumerate(self._lock.order(ask.base, self._platform))}
        placed = tuple(sorted(found, key=lambda each: (order.get(each.name, len(order)), -each.size, each.name)))
        self.locked.append(Locked(ask.base, self._platform, ask.request, tuple(ask.words), placed))
        return _install(ask, placed, ground)

    def _asked(self, step: Step, ask: Ask, wanted: Ask, logins: Logins, ground: Ground) -> uv.Answer:
        cache = Shelf(self._home).new(UV, "")
        anew = iter([self._anew])

        def resolve(known: tuple[uv.Metadata, ...]) -> uv.Answer:
            again, prefer = next(anew, False), self._preferred(ask)
            return uv.resolve(wanted, cache, self._ca, anew=again, prefer=prefer, metadata=known, logins=logins)

        def build(each: Distribution) -> uv.Metadata:
            source = source_of(step, each, ground, ask.index_url, ask.extra_index_urls)
            return metadata(self._wheels.path(self._wheels.built(source)), each.name, each.version)

        return answered(resolve, build)

    def _synced(self, step: Step, ask: Project, ground: Ground) -> Install | None:
        found = project.packages(ask)
        if isinstance(found, Left):
            self._leave(step, found.reason)
            return None
        assert ground.python is not None and ground.image is not None
        return Install(
            distributions=self._memory.ordered(found),
            python=project.python_of(ground.python),
            venv=venv(ground.image, ask.name, ask.requires, step.place),
        )

    def _opened(self, step: Step, ask: Ask) -> tuple[Ask, Logins, str]:
        try:
            wanted, logins = opened(ask, getattr(step.intent, "secrets", ()), self._secrets)
        except Missing as error:
            # What a lock leaves it leaves for everyone, who may have the value.
            if self._lock is not None:
                help = "set the environment variable of that name, or give --secret"
                raise CompileError(Diagnostic("IB150", f"{verb(step)}: {error}", step.place, help=help)) from None
            return ask, Logins(), str(error)
        except Unusable as error:
            return ask, Logins(), str(error)
        return wanted, logins, ""

    def _preferred(self, ask: Ask) -> dict[str, str]:
        if self._lock is None:
            return {}
        known = self._lock.preferences(ask, self._platform)
        return {name: version for name, version in known.items() if name not in self._upgrade}

    def _leave(self, step: Step, reason: str, ask: Ask | None = None) -> None:
        self.left.append(LeftOut(verb(step), step.place, reason))
        if ask is not None and self._lock is not None:
            said = Locked(ask.base, self._platform, ask.request, tuple(ask.words), left=reason)
            self.locked.append(said)

    def _unresolved(self, step: Step, ask: Ask, error: uv.Unresolved) -> None:
        if error.kind in (uv.NO_WHEEL, uv.OTHERS):
            self._leave(step, error.said, ask)
            return
        if error.kind == uv.NO_INDEX and self._lock is not None:
            message = f"{verb(step)}: no index answers"
            help = "can this machine reach it? HTTPS_PROXY and SSL_CERT_FILE are taken notice of"
            raise BuildError(Diagnostic("IB671", message, step.place, (Note(f"uv says:\n{error.said}"),), help))
        if error.kind == uv.NO_INDEX:
            self._leave(step, f"no index answers here: {last(error.said)}", ask)
            return
        if error.kind == uv.NO_SET and (name := _unlisted(error.said, ask)):
            self._leave(step, f"no index has the {name} that is there", ask)
            return
        if unkept := _UNKEPT.search(error.said):
            message = f"{verb(step)}: uv cannot keep what it needs: {unkept['why']}"
            raise BuildError(Diagnostic("IB671", message, step.place, help=_NO_ROOM))
        raise CompileError(explained(step, ask, error))


def _install(ask: Ask, distributions: tuple[Distribution, ...], ground: Ground) -> Install:
    return Install(
        distributions=distributions,
        python=ground.python,
        index_url=ask.index_url,
        extra_index_urls=ask.extra_index_urls,
    )


def logins_of(plan: Plan, values: Values) -> Logins:
    """Those that the plan's requests have for indexes; of secrets without a value, nothing."""
    found = Logins()
    for step in (step for stage in ordered(plan.stage) for step in stage.steps):
        if is_request(step) or isinstance(step.op, Install):
            if isinstance(step.intent, UvSync):
                found |= project.logins_of(step.intent, Path(step.planned.root), values)
                continue
            for secret in getattr(step.intent, "secrets", ()):
                with suppress(Unusable):
                    found |= said(secret, values)[1]
    return found


def left_out(plan: Plan) -> list[LeftOut]:
    """The requests of which the plan alone tells that they stay with the image's own installer; asks nobody."""
    found: list[LeftOut] = []

    def answer(step: Step, ask: Ask | Project | Left, ground: Ground) -> Install | None:
        if isinstance(ask, Left):
            found.append(LeftOut(verb(step), step.place, ask.reason))
            return None
        return Install(distributions=())

    pinned(plan.stage, plan.platform, lambda base: None, answer)
    return found


def requests(plan: Plan) -> bool:
    """Whether there is anything to be resolved."""
    return any(is_request(step) or is_open(step) for stage in ordered(plan.stage) for step in stage.steps)


def _check_files(plan: Plan) -> None:
    """BuildError where a file that requests were read from is not what the plan's key covers any more."""
    for step in (step for stage in ordered(plan.stage) for step in stage.steps if is_request(step)):
        for source in step.op.locals():
            tree = plan.trees[step.root, source]
            for entry in tree.entries:
                path = tree.root / entry.path
                if entry.type in ("file", "program") and sha256(path.read_bytes()).hexdigest() != entry.content:
                    raise BuildError(
                        Diagnostic(
                            "IB210",
                            f"{path.name!r} changed while the image was being built",
                            step.place,
                            help="build again",
                        )
                    )


def explained(step: Step, ask: Ask, error: uv.Unresolved) -> Diagnostic:
    """Why a request has no answer, in uv's own words, at its line."""
    if error.kind == uv.OTHER_BYTES:
        help = "it was uploaded anew, or the hash is another release's"
        return Diagnostic("IB672", f"{verb(step)}: {error.said}", step.place, _lines(ask, error.about), help)
    notes = (Note(f"uv says:\n{error.said}"), *_lines(ask, error.said))
    if "401 Unauthorized" in error.said or "403 Forbidden" in error.said:
        help = f"give one that may read it: {WAYS}"
        message = f"{verb(step)}: an index refuses the login, or wants one"
        return Diagnostic("IB670", message, step.place, notes, help)
    if error.kind == uv.NO_SET and (unknown := _UNKNOWN.search(error.said)):
        help = "is its name right? one of another index needs index_url or extra_index_urls"
        if ask.index_url or ask.extra_index_urls or ask.secrets:
            # uv does not always tell an index that refuses to answer from one that has nothing.
            help = f"is its name right? an index that wants a login takes it by {WAYS}"
        return Diagnostic("IB670", f"{verb(step)}: no index has {unknown['name']}", step.place, notes, help)
    if error.kind == uv.NO_SET:
        help = "loosen what is asked of one of them"
        return Diagnostic("IB670", f"{verb(step)}: these packages cannot be had together", step.place, notes, help)
    message = f"{verb(step)}: its packages cannot be resolved"
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


def _unlisted(said: str, ask: Ask) -> str:
    """A package that is in the image, and that no index has, or not in a version that would do; empty for none."""
    spoken = {uv.normalized(word) for word in re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*", said)}
    return next((name for name in (each.partition("==")[0] for each in ask.there) if name in spoken), "")


def _yanked(what: str, why: str, place: Place | None) -> Diagnostic:
    message = f"{what} was withdrawn from its index" + (f": {why}" if why else "")
    return Diagnostic("IB673", message, place, help="take another version", severity="warning")


def verb(step: Step) -> str:
    """What its author wrote."""
    return (step.intent or step.op).verb
