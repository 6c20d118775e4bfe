"""Whether the tags that an image starts from have moved.

The key covers a base by the name that the spec gives it, so a tag that has moved
changes no key: an image of before is as good an answer to the spec. Who wants
the tag's present content asks for it (``--refresh``). Then the registry is
asked; where it has another image under the name than the last build of that key
started from, the image is not reused, and the build starts from just that
digest. Layers that it does not change stay cached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from imagebuilder.cache.history import History
from imagebuilder.compiler import Plan
from imagebuilder.diagnostics import Diagnostic, Place
from imagebuilder.engine.buildx import find_program
from imagebuilder.engine.imagetools import Imagetools, RegistryError
from imagebuilder.registries import Registries
from imagebuilder.store import Store

TIMEOUT = 15.0
_AT_ONCE = 4
# Of the engine alone: in a registry the name is a stranger's.
_OWN = "imagebuilder/"

Ask = Callable[[str], str | None]
"""The digest that a registry has for a tag, or None where it has none; raises RegistryError."""


@dataclass(frozen=True, slots=True)
class Base:
    """``now`` is what its registry has, empty where it said nothing; ``before`` what the last build started from."""

    ref: str
    now: str
    before: str

    @property
    def moved(self) -> bool | None:
        """None where that is not known."""
        return None if not (self.now and self.before) else self.now != self.before


@dataclass(frozen=True, slots=True)
class Fresh:
    """``warning`` tells of registries that could not be asked."""

    bases: tuple[Base, ...]
    warning: Diagnostic | None

    @property
    def stale(self) -> bool:
        """Whether an image of before may not be reused."""
        return any(base.now and base.moved is not False for base in self.bases)

    @property
    def contexts(self) -> dict[str, str]:
        """What the builder is given in the place of each tag that was answered."""
        return {base.ref: f"docker-image://{base.ref}@{base.now}" for base in self.bases if base.now}

    @property
    def digests(self) -> dict[str, str]:
        return {base.ref: base.now for base in self.bases if base.now}

    @property
    def said(self) -> list[str]:
        """Each base that has moved, in words."""
        return [f"{base.ref} has moved ({base.before[:19]}… → {base.now[:19]}…)" for base in self.bases if base.moved]


def tags(plan: Plan) -> dict[str, Place | None]:
    """The tags that the plan starts or copies from, and who names each first; those with a digest cannot move."""
    return {ref: place for ref, place in plan.images.items() if "@" not in ref and not ref.startswith(_OWN)}


def asker(home: Path) -> Ask:
    """Asks through ``docker buildx imagetools``, which has Docker's credentials and needs no engine.

    Raises:
        EngineError: buildx is not installed.
    """
    tools = Imagetools(find_program(home), home / "buildx", login=Registries(Store(home)).docker_config)

    def ask(ref: str) -> str | None:
        found = tools.manifest(ref, TIMEOUT)
        return found.digest if found else None

    return ask


def refreshed(plan: Plan, history: History, ask: Ask, local: Callable[[str], Iterable[str]] = lambda ref: ()) -> Fresh:
    """Ask after every tag of the plan, several at a time.

    Args:
        local: the digests of an image that the engine has under a tag, which is what a build would have started from.
    """
    wanted = tags(plan)
    known = history.bases(plan.key)

    def one(ref: str) -> tuple[str, str]:
        try:
            return ask(ref) or "", ""
        except RegistryError as error:
            return "", error.reason

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = dict(zip(wanted, pool.map(one, wanted), strict=True))
    bases = []
    for ref, (now, _) in answers.items():
        before = known.get(ref, "")
        if not before:
            digests = tuple(local(ref))
            before = now if now in digests else next(iter(digests), "")
        bases.append(Base(ref, now, before))
    return Fresh(tuple(bases), _warning({ref: why for ref, (now, why) in answers.items() if not now}, wanted))


def _warning(silent: Mapping[str, str], places: Mapping[str, Place | None]) -> Diagnostic | None:
    """One warning for all, at the first."""
    if not silent:
        return None
    first = next(iter(silent))
    others = f" and {len(silent) - 1} more" if len(silent) > 1 else ""
    why = silent[first] or "its registry has no such tag"
    message = f"whether {first}{others} has moved could not be asked: {why}"
    help = "the build goes on with what the engine has"
    return Diagnostic("IB660", message, places[first], help=help, severity="warning")
