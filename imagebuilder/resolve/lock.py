"""The lock file of a snapshot: what each request for packages was resolved to, and what its bases were.

TOML, each thing on a line of its own in a fixed order, so that a change shows
as the lines that it moved. The order of ``layers`` alone is that in which
packages came, since that is the order of layers.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from imagebuilder.diagnostics import CompileError, Diagnostic, Span
from imagebuilder.files import read_text
from imagebuilder.ir.checks import image_reference
from imagebuilder.ir.ops import BaseImage
from imagebuilder.ir.packages import Distribution, DistributionFile, Install, Python
from imagebuilder.ir.stage import Stage, Step, ordered, rewrite
from imagebuilder.resolve.ask import Ask, Left
from imagebuilder.resolve.pin import pinned

VERSION = 1
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


@dataclass(frozen=True, slots=True)
class LockFile:
    """``bases`` are the digests of bases, by reference and platform."""

    path: Path
    bases: Mapping[tuple[str, str], str] = field(default_factory=dict)
    installs: tuple[Locked, ...] = ()

    def pinned(self, target: Stage, platform: str) -> tuple[Stage, list[str]]:
        """The graph with the bases and packages of this lock, and what it has no answer to, in words."""
        known = {(each.base, each.platform, each.request): each for each in self.installs}
        open: list[str] = []

        def answer(step: Step, ask: Ask | Left, python: Python | None) -> Install | None:
            if isinstance(ask, Left):
                return None
            at = ask.base, platform, ask.request
            if at not in known:
                open.append(self._difference(ask, platform))
                return None
            if known[at].left:
                return None
            return Install(
                distributions=known[at].distributions,
                index_url=ask.index_url,
                extra_index_urls=ask.extra_index_urls,
                secrets=getattr(step.intent, "secrets", ()) if ask.secrets else (),
            )

        stage = pinned(target, platform, lambda base: None, answer)
        open += [f"it does not say which {ref} is meant" for ref in self._unknown(stage, platform)]
        return self._based(stage, platform), open

    def _unknown(self, target: Stage, platform: str) -> list[str]:
        refs = {stage.base.ref for stage in ordered(target) if isinstance(stage.base, BaseImage)}
        return sorted(ref for ref in refs if "@" not in ref and (ref, platform) not in self.bases)

    def _based(self, target: Stage, platform: str) -> Stage:
        def change(stage: Stage) -> Stage:
            base = stage.base
            digest = self.bases.get((base.ref, platform)) if isinstance(base, BaseImage) else None
            if digest is None:
                return stage
            assert isinstance(base, BaseImage)
            steps = tuple(replace(step, part_of=step.planned) for step in stage.steps)
            return replace(stage, base=base.model_copy(update={"ref": f"{base.ref}@{digest}"}), steps=steps)

        return rewrite(target, change)

    def _difference(self, ask: Ask, platform: str) -> str:
        """How a request differs from the one in this lock that is most like it."""
        now = set(ask.words)
        rest = [each for each in self.installs if (each.base, each.platform) == (ask.base, platform)]
        if not rest:
            return f"it has nothing for {ask.base} on {platform}"
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

    def text(self) -> str:
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield from (_HEADER, f"version = {VERSION}")
        for (ref, platform), digest in sorted(self.bases.items()):
            yield from ("", "[[base]]", f"ref = {_text(ref)}", f"platform = {_text(platform)}")
            yield f"digest = {_text(digest)}"
        for each in sorted(self.installs, key=lambda each: (each.base, each.platform, each.asked, each.request)):
            yield from ("", "[[install]]", f"base = {_text(each.base)}", f"platform = {_text(each.platform)}")
            yield f"request = {_text(each.request)}"
            yield from _list("asked", sorted(each.asked))
            if each.left:
                yield f"left = {_text(each.left)}"
            yield from _list("layers", [distribution.name for distribution in each.distributions])
            for distribution in sorted(each.distributions, key=lambda each: each.name):
                yield from ("", "[[install.package]]", f"name = {_text(distribution.name)}")
                yield f"version = {_text(distribution.version)}"
                for file in distribution.files:
                    yield f"url = {_text(file.url)}"
                    yield f"sha256 = {_text(file.sha256)}"
                    yield f"size = {file.size}"


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
        return LockFile(path, bases, installs)
    except (KeyError, TypeError, ValueError, AttributeError, ValidationError) as error:
        raise _broken(path, f"something in it is missing or of the wrong kind: {error}") from None


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


def _distribution(found: Mapping[str, Any]) -> Distribution:
    sha256 = _str(found["sha256"])
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise ValueError(f"not a SHA-256: {sha256!r}")
    url = _str(found["url"])
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"not a URL: {url!r}")
    file = DistributionFile(url=url, sha256=sha256, size=found["size"])
    return Distribution(name=_str(found["name"]), version=_str(found["version"]), files=(file,))


def _named(distribution: Distribution) -> None:
    """That its files are of it, which a merge of two locks by hand may have undone."""
    from packaging.utils import canonicalize_name, parse_wheel_filename
    from packaging.version import Version

    for file in distribution.files:
        name, version, *_ = parse_wheel_filename(file.name)
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


def _text(value: str) -> str:
    # What JSON escapes, TOML's basic strings escape in the same way.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(name: str, values: Iterable[str]) -> Iterator[str]:
    yield f"{name} = ["
    yield from (f"    {_text(value)}," for value in values)
    yield "]"
