"""The lock file of a snapshot: what each request for packages was resolved to, and what its images were.

TOML, each thing on a line of its own in a fixed order, so that a change shows
as the lines that it moved. The order of ``layers`` alone is that in which
packages came, since that is the order of layers.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from imagebuilder.diagnostics import CompileError, Diagnostic, Span
from imagebuilder.files import read_text
from imagebuilder.ir.checks import image_reference
from imagebuilder.ir.ops import BaseImage, Copy, ImageSource, Run, UvSync
from imagebuilder.ir.packages import Distribution, DistributionFile, Install
from imagebuilder.ir.stage import Stage, Step, ordered, rewrite
from imagebuilder.resolve.ask import Ask, Left
from imagebuilder.resolve.ground import Ground
from imagebuilder.resolve.lock.lines import listed, text
from imagebuilder.resolve.lock.npm_lines import locked_npm, npm_lines
from imagebuilder.resolve.pin import pinned
from imagebuilder.resolve.project import Project
from imagebuilder.resolve.system import apt, npm
from imagebuilder.resolve.system.apt import AptAsk, AptGround, LockedApt
from imagebuilder.resolve.system.npm import LockedNpm, NpmAsk, NpmGround

VERSION = 1
_SHOWN = 3
_MOST_BYTES = 1 << 40
_HEADER = "# Written by `imagebuilder lock`: what is installed when this snapshot is built. Keep it beside its spec."


@dataclass(frozen=True, slots=True)
class Locked:
    """The answer to one request. ``asked`` are its words, ``request`` is its digest, which covers those before it.

    ``left`` is why it stays with the image's own installer, where nothing could be locked.
    """

    base: str
    platform: str
    request: str
    asked: tuple[str, ...]
    distributions: tuple[Distribution, ...]
    left: str = ""


class Open(NamedTuple):
    """Something that a lock has no answer to: in words, and as the answer that leaves it to the image's installer.

    ``answer`` is None for the digest of an image. ``step`` is the one that asks.
    """

    said: str
    answer: Locked | LockedApt | LockedNpm | None = None
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
        known = {(each.base, each.platform, each.request): each for each in self.installs}
        known_apt = {(each.base, each.platform, each.request): each for each in self.apts}
        known_npm = {(each.base, each.platform, each.request): each for each in self.npms}
        open: list[Open] = []

        def answer(step: Step, ask: Ask | Project | Left, ground: Ground) -> Install | None:
            # A project has a lock of its own, which is a file that the key covers.
            if isinstance(step.intent, UvSync) or isinstance(ask, Project):
                return None
            found = known.get((ask.base, platform, _request(step, ask)))
            if found is None:
                words = _asked(step) if isinstance(ask, Left) else tuple(ask.words)
                left = Locked(ask.base, platform, _request(step, ask), words, (), _reason(ask))
                open.append(Open(self._difference(step, ask, left, self.installs), left, step))
            if found is None or found.left or isinstance(ask, Left):
                return None
            return Install(
                distributions=found.distributions,
                index_url=ask.index_url,
                extra_index_urls=ask.extra_index_urls,
                secrets=getattr(step.intent, "secrets", ()) if ask.secrets else (),
            )

        def answer_apt(step: Step, ask: AptAsk | Left, ground: AptGround) -> LockedApt | None:
            found = known_apt.get((ask.base, platform, _request(step, ask)))
            if found is None:
                left = LockedApt(ask.base, platform, _request(step, ask), _asked(step), left=_reason(ask))
                open.append(Open(self._difference(step, ask, left, self.apts), left, step))
            return None if found is None or isinstance(ask, Left) else found

        def answer_npm(step: Step, ask: NpmAsk | Left, ground: NpmGround) -> LockedNpm | None:
            found = known_npm.get((ask.base, platform, _request(step, ask)))
            if found is None:
                left = LockedNpm(ask.base, platform, _request(step, ask), _asked(step), left=_reason(ask))
                open.append(Open(self._difference(step, ask, left, self.npms), left, step))
            return None if found is None or isinstance(ask, Left) else found

        stage = pinned(target, platform, lambda base: None, answer)
        return npm.pinned(apt.pinned(stage, answer_apt), answer_npm), open

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

    def _difference(
        self,
        step: Step,
        ask: Ask | AptAsk | NpmAsk | Left,
        left: Locked | LockedApt | LockedNpm,
        known: Sequence[Locked | LockedApt | LockedNpm],
    ) -> str:
        """How a request differs from the one in this lock that is most like it."""
        verb = (step.intent or step.op).verb
        if isinstance(ask, Left):
            what = " ".join(left.asked[:_SHOWN]) + (" …" if len(left.asked) > _SHOWN else "")
            return f"it does not say that {verb} of {what} is left to the image's own installer, since {ask.reason}"
        now, platform = set(left.asked), left.platform
        rest = [each for each in known if (each.base, each.platform) == (ask.base, platform)]
        if not rest:
            what = {AptAsk: "no Debian packages", NpmAsk: "no npm packages"}.get(type(ask), "nothing")
            return f"it has {what} for {ask.base} on {platform}"
        before = set(max(rest, key=lambda each: len(now & set(each.asked))).asked)
        said = [f"{word} is new" for word in sorted(now - before)] + [
            f"{word} is gone" for word in sorted(before - now)
        ]
        return ", ".join(said) or "the options of a request, or what is installed before it, changed"

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

    def text(self) -> str:
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield from (_HEADER, f"version = {VERSION}")
        if self.target:
            yield f"target = {text(self.target)}"
        for (ref, platform), digest in sorted(self.bases.items()):
            yield from ("", "[[base]]", f"ref = {text(ref)}", f"platform = {text(platform)}")
            yield f"digest = {text(digest)}"
        for found in sorted(self.apts, key=lambda each: (each.base, each.platform, each.asked, each.request)):
            yield from ("", "[[apt]]", f"base = {text(found.base)}", f"platform = {text(found.platform)}")
            yield f"request = {text(found.request)}"
            yield from listed("asked", sorted(found.asked))
            if found.left:
                yield f"left = {text(found.left)}"
            for name, packages in (("packages", found.packages), ("dependencies", found.dependencies)):
                if packages:
                    yield from listed(name, map(str, sorted(packages)))
        yield from npm_lines(self.npms)
        for each in sorted(self.installs, key=lambda each: (each.base, each.platform, each.asked, each.request)):
            yield from ("", "[[install]]", f"base = {text(each.base)}", f"platform = {text(each.platform)}")
            yield f"request = {text(each.request)}"
            yield from listed("asked", sorted(each.asked))
            if each.left:
                yield f"left = {text(each.left)}"
            yield from listed("layers", [distribution.name for distribution in each.distributions])
            for distribution in sorted(each.distributions, key=lambda each: each.name):
                yield from ("", "[[install.package]]", f"name = {text(distribution.name)}")
                yield f"version = {text(distribution.version)}"
                for file in distribution.files:
                    yield f"url = {text(file.url)}"
                    yield f"sha256 = {text(file.sha256)}"
                    yield f"size = {file.size}"


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


def _request(step: Step, ask: Ask | AptAsk | NpmAsk | Left) -> str:
    """What an answer is found by. What is left stays so as long as it is asked, and for the same reason."""
    if not isinstance(ask, Left):
        return ask.request
    op = step.intent or step.op
    return "sha256:" + sha256("\0".join((op.verb, op.model_dump_json(), ask.reason)).encode()).hexdigest()


def _reason(ask: Ask | AptAsk | NpmAsk | Left) -> str:
    return ask.reason if isinstance(ask, Left) else ""


def _asked(step: Step) -> tuple[str, ...]:
    """The words of a request that nothing was read for."""
    op = step.intent or step.op
    found = [*getattr(op, "packages", ()), *getattr(op, "requirements", ())]
    return tuple(found or [getattr(op, "path", "")])


def read(path: Path) -> LockFile:
    """
    Raises:
        CompileError: it cannot be read, or is no lock.
    """
    try:
        found = tomllib.loads(read_text(path))
    except OSError as error:
        raise CompileError(Diagnostic("IB675", f"cannot read {str(path)!r}: {error.strerror or error}")) from None
    except UnicodeDecodeError:
        raise _broken(path, "it is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise _broken(path, f"it is not valid TOML: {error}") from None
    version = found.get("version")
    if version != VERSION:
        newer = isinstance(version, int) and version > VERSION
        raise _broken(
            path, "it is of a newer imagebuilder" if newer else f"it has no version that is known: {version!r}"
        )
    try:
        bases = {(_str(each["ref"]), _str(each["platform"])): _digest(each) for each in found.get("base", ())}
        installs = tuple(_locked(each) for each in found.get("install", ()))
        for distribution in (distribution for each in installs for distribution in each.distributions):
            _named(distribution)
        apts = tuple(_locked_apt(each) for each in found.get("apt", ()))
        npms = tuple(locked_npm(each) for each in found.get("npm", ()))
        return LockFile(path, bases, installs, apts, _str(found.get("target", "")), npms)
    except ValidationError as error:
        raise _broken(path, f"something in it is of the wrong kind: {error.errors()[0]['msg']}") from None
    except KeyError as error:
        raise _broken(path, f"something in it has no {error.args[0]}") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise _broken(path, f"something in it is of the wrong kind: {error}") from None


def _locked(found: Mapping[str, Any]) -> Locked:
    each = {package["name"]: _distribution(package) for package in found.get("package", ())}
    names = [_str(name) for name in found["layers"]]
    if sorted(names) != sorted(each) or len(each) != len(found.get("package", ())):
        raise ValueError("its layers are not its packages")
    return Locked(
        _str(found["base"]),
        _str(found["platform"]),
        _str(found["request"]),
        tuple(_str(word) for word in found["asked"]),
        tuple(each[name] for name in names),
        _str(found.get("left", "")),
    )


def _locked_apt(found: Mapping[str, Any]) -> LockedApt:
    return LockedApt(
        _str(found["base"]),
        _str(found["platform"]),
        _str(found["request"]),
        tuple(_str(word) for word in found["asked"]),
        tuple(apt.package(_str(each)) for each in found.get("packages", ())),
        tuple(apt.package(_str(each)) for each in found.get("dependencies", ())),
        _str(found.get("left", "")),
    )


def _distribution(found: Mapping[str, Any]) -> Distribution:
    sha256 = _str(found["sha256"])
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise ValueError(f"not a SHA-256: {sha256!r}")
    url = _str(found["url"])
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"not a URL: {url!r}")
    if not isinstance(size := found["size"], int) or not 0 <= size < _MOST_BYTES:
        raise ValueError(f"not a size: {size!r}")
    file = DistributionFile(url=url, sha256=sha256, size=size)
    return Distribution(name=_str(found["name"]), version=_str(found["version"]), files=(file,))


def _named(distribution: Distribution) -> None:
    """That its files are of it, which a merge of two locks by hand may have undone."""
    from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
    from packaging.version import Version

    for file in distribution.files:
        name, version, *_ = (parse_sdist_filename if file.is_source else parse_wheel_filename)(file.name)
        if (name, version) != (canonicalize_name(distribution.name), Version(distribution.version)):
            raise ValueError(f"{file.name} is not {distribution.name} {distribution.version}")


def _digest(found: Mapping[str, Any]) -> str:
    digest = _str(found["digest"])
    image_reference(f"{found['ref']}@{digest}")
    return digest


def _str(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"not a text: {value!r}")
    return value


def _broken(path: Path, why: str) -> CompileError:
    help = "undo what was changed in it; or remove it, and `imagebuilder lock` writes it anew"
    return CompileError(Diagnostic("IB675", f"{path.name} is no lock: {why}", Span(str(path), 1), help=help))
