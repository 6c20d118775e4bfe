"""What a lock says, and which requests of a graph it answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from imagebuilder.ir.ops import BaseImage, Copy, ImageSource, Run, UvSync
from imagebuilder.ir.packages import Install
from imagebuilder.ir.stage import Stage, Step, ordered, rewrite
from imagebuilder.resolve.ask import Answer, Ask, Left, Locked
from imagebuilder.resolve.ground import Ground
from imagebuilder.resolve.pin import pinned
from imagebuilder.resolve.project import Project
from imagebuilder.resolve.system import ground as system
from imagebuilder.resolve.system.apt import AptGround, LockedApt
from imagebuilder.resolve.system.ground import AnswerT, SystemAsk
from imagebuilder.resolve.system.npm import LockedNpm, NpmGround

_SHOWN = 3


class Open(NamedTuple):
    """Something that a lock has no answer to: in words, and as the answer that leaves it to the image's installer.

    ``answer`` is None for the digest of an image. ``step`` is the one that asks.
    """

    said: str
    answer: Answer | None = None
    step: Step | None = None


@dataclass(frozen=True, slots=True)
class LockFile:
    """``bases`` are the digests of images, by reference and platform; ``target`` is the spec that it is for."""

    path: Path
    bases: Mapping[tuple[str, str], str] = field(default_factory=dict)
    installs: tuple[Locked, ...] = ()
    apts: tuple[LockedApt, ...] = ()
    target: str = ""
    npms: tuple[LockedNpm, ...] = ()

    def pinned(self, target: Stage, platform: str) -> tuple[Stage, list[str]]:
        """The graph with the images and packages of this lock, and what it has no answer to, in words."""
        stage, open = self._packages(target, platform)
        said = [each.said for each in open]
        said += [f"it does not say which {ref} is meant" for ref in self._unknown(stage, platform)]
        return self.based(stage, platform), said

    def open(self, target: Stage, platform: str) -> list[Open]:
        """The requests that this lock has no answer to."""
        return self._packages(target, platform)[1]

    def _packages(self, target: Stage, platform: str) -> tuple[Stage, list[Open]]:
        open: list[Open] = []
        taken: set[tuple[str, str, str]] = set()

        def found(step: Step, ask: SystemAsk | Left, known: Sequence[AnswerT], kind: type[AnswerT]) -> AnswerT | None:
            answer = kind(ask.base, platform, _request(step, ask), _words(step, ask), left=_reason(ask))
            same = next((each for each in known if each.at == answer.at), None)
            if same is None:
                open.append(Open(_difference(step, ask, answer, known, taken), answer, step))
            taken.add(answer.at)
            return None if isinstance(ask, Left) else same

        def install(step: Step, ask: Ask | Project | Left, ground: Ground) -> Install | None:
            # A project has a lock of its own, which is a file that the key covers.
            if isinstance(step.intent, UvSync) or isinstance(ask, Project):
                return None
            answer = found(step, ask, self.installs, Locked)
            if answer is None or answer.left or isinstance(ask, Left):
                return None
            return Install(
                distributions=answer.distributions,
                index_url=ask.index_url,
                extra_index_urls=ask.extra_index_urls,
                secrets=getattr(step.intent, "secrets", ()) if ask.secrets else (),
            )

        stage = pinned(target, platform, lambda base: None, install)
        stage = system.pinned(stage, AptGround, lambda step, ask, _: found(step, ask, self.apts, LockedApt))
        stage = system.pinned(stage, NpmGround, lambda step, ask, _: found(step, ask, self.npms, LockedNpm))
        return stage, open

    def _unknown(self, target: Stage, platform: str) -> list[str]:
        return sorted(ref for ref in image_refs(target) if (ref, platform) not in self.bases)

    def based(self, target: Stage, platform: str) -> Stage:
        """The graph with the digests of images that this lock has."""

        def at_digest(ref: str) -> str:
            digest = self.bases.get((ref, platform))
            return f"{ref}@{digest}" if digest else ref

        def change(stage: Stage) -> Stage:
            base, steps = stage.base, tuple(map(change_step, stage.steps))
            if isinstance(base, BaseImage) and (ref := at_digest(base.ref)) != base.ref:
                steps = tuple(replace(step, part_of=step.planned) for step in steps)
                return replace(stage, base=base.model_copy(update={"ref": ref}), steps=steps)
            same = all(new is old for new, old in zip(steps, stage.steps, strict=True))
            return stage if same else replace(stage, steps=steps)

        def change_step(step: Step) -> Step:
            op = step.op
            if isinstance(op, Copy) and isinstance(op.origin, ImageSource):
                op = op.model_copy(update={"origin": ImageSource(ref=at_digest(op.origin.ref))})
            elif isinstance(op, Run) and any(isinstance(mount.origin, ImageSource) for mount in op.mounts):
                mounts = (
                    mount.model_copy(update={"origin": ImageSource(ref=at_digest(mount.origin.ref))})
                    if isinstance(mount.origin, ImageSource)
                    else mount
                    for mount in op.mounts
                )
                op = op.model_copy(update={"mounts": tuple(mounts)})
            return step if op == step.op else replace(step, op=op, part_of=step.planned)

        return rewrite(target, change)

    def preferences(self, ask: Ask, platform: str) -> dict[str, str]:
        """The versions that were locked for such a base, by name."""
        found: dict[str, str] = {}
        for each in self.installs:
            if (each.base, each.platform) == (ask.base, platform):
                found |= {distribution.name: distribution.version for distribution in each.distributions}
        return found

    def order(self, base: str, platform: str) -> list[str]:
        """The names of what is in layers, the lowest first."""
        return [
            distribution.name
            for each in self.installs
            if (each.base, each.platform) == (base, platform)
            for distribution in each.distributions
        ]

    @property
    def names(self) -> set[str]:
        """The packages in it."""
        pythons = {each.name for install in self.installs for each in install.distributions}
        debians = {each.name for answer in self.apts for each in answer.all}
        return pythons | debians | {each.name for answer in self.npms for each in answer.packages}


def image_refs(target: Stage) -> dict[str, None]:
    """The images without a digest that a graph starts or copies from."""
    found: dict[str, None] = {}
    for stage in ordered(target):
        if isinstance(stage.base, BaseImage):
            found[stage.base.ref] = None
        for step in stage.steps:
            mounts = step.op.mounts if isinstance(step.op, Run) else ()
            origins = getattr(step.op, "origin", None), *(mount.origin for mount in mounts)
            found |= {origin.ref: None for origin in origins if isinstance(origin, ImageSource)}
    return {ref: None for ref in found if "@" not in ref}


def _difference(
    step: Step,
    ask: SystemAsk | Left,
    wanted: Answer,
    known: Sequence[Answer],
    taken: Collection[tuple[str, str, str]],
) -> str:
    """How a request differs from the known one that is most like it, and answers none before it."""
    verb = (step.intent or step.op).verb
    if isinstance(ask, Left):
        what = " ".join(wanted.asked[:_SHOWN]) + (" …" if len(wanted.asked) > _SHOWN else "")
        return f"it does not say that {verb} of {what} is left to the image's own installer, since {ask.reason}"
    now, platform = set(wanted.asked), wanted.platform
    rest = [each for each in known if (each.base, each.platform) == (ask.base, platform)]
    if not rest:
        what = {LockedApt: "no Debian packages", LockedNpm: "no npm packages"}.get(type(wanted), "nothing")
        return f"it has {what} for {ask.base} on {platform}"
    free = [asked for each in rest if (asked := set(each.asked)) == now or each.at not in taken]
    before = max(free, key=lambda asked: len(now & asked), default=set[str]())
    said = [f"{word} is new" for word in sorted(now - before)] + [f"{word} is gone" for word in sorted(before - now)]
    return ", ".join(said) or "the options of a request, or what is installed before it, changed"


def _request(step: Step, ask: SystemAsk | Left) -> str:
    """What an answer is found by. What is left stays so as long as it is asked, and for the same reason."""
    if not isinstance(ask, Left):
        return ask.request
    op = step.intent or step.op
    return "sha256:" + sha256("\0".join((op.verb, op.model_dump_json(), ask.reason)).encode()).hexdigest()


def _reason(ask: SystemAsk | Left) -> str:
    return ask.reason if isinstance(ask, Left) else ""


def _words(step: Step, ask: SystemAsk | Left) -> tuple[str, ...]:
    if isinstance(ask, Ask):
        return tuple(ask.words)
    op = step.intent or step.op
    found = [*getattr(op, "packages", ()), *getattr(op, "requirements", ())]
    return tuple(found or [getattr(op, "path", "")])
