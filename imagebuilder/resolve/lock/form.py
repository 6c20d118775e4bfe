"""A lock as text: TOML, each thing on a line of its own in a fixed order, so that a change shows as the lines it moved.

The order of ``layers`` alone is that in which packages came, since that is the
order of layers.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from imagebuilder.diagnostics import CompileError, Diagnostic, Span
from imagebuilder.files import read_text
from imagebuilder.ir.checks import image_reference
from imagebuilder.ir.packages import Distribution, DistributionFile
from imagebuilder.resolve.ask import Answer, Locked
from imagebuilder.resolve.lock.file import LockFile
from imagebuilder.resolve.lock.lines import inline, listed, text
from imagebuilder.resolve.system import apt, npm
from imagebuilder.resolve.system.apt import LockedApt
from imagebuilder.resolve.system.npm import LockedNpm, NpmPackage

VERSION = 1
_MOST_BYTES = 1 << 40
# Python 3.14 has the line as an attribute.
_AT = re.compile(r"\(at line (?P<line>\d+), column \d+\)")
_HEADER = "# Written by `imagebuilder lock`: what is installed when this snapshot is built. Keep it beside its spec."

AnswerT = TypeVar("AnswerT", bound=Answer)


# Written -----------------------------------------------------------------------------------------------


def written(lock: LockFile) -> str:
    return "\n".join(_lines(lock)) + "\n"


def _lines(lock: LockFile) -> Iterator[str]:
    yield from (_HEADER, f"version = {VERSION}")
    if lock.target:
        yield f"target = {text(lock.target)}"
    for (ref, platform), digest in sorted(lock.bases.items()):
        yield from ("", "[[base]]", f"ref = {text(ref)}", f"platform = {text(platform)}")
        yield f"digest = {text(digest)}"
    for debian in _in_order(lock.apts):
        yield from _heading("apt", debian)
        for name, packages in (("packages", debian.packages), ("dependencies", debian.dependencies)):
            if packages:
                yield from listed(name, map(str, sorted(packages)))
    for node in _in_order(lock.npms):
        yield from _heading("npm", node)
        for package in sorted(node.packages):
            yield from ("", "[[npm.package]]", f"path = {text(package.path)}", f"version = {text(package.version)}")
            if package.url:
                yield f"url = {text(package.url)}"
            if package.integrity:
                yield f"integrity = {text(package.integrity)}"
            yield from (f"{name} = {inline(value)}" for name, value in json.loads(package.more).items())
    for install in _in_order(lock.installs):
        yield from _heading("install", install)
        yield from listed("layers", [each.name for each in install.distributions])
        for each in sorted(install.distributions, key=lambda each: each.name):
            yield from ("", "[[install.package]]", f"name = {text(each.name)}", f"version = {text(each.version)}")
            for file in each.files:
                yield from (f"url = {text(file.url)}", f"sha256 = {text(file.sha256)}", f"size = {file.size}")


def _in_order(answers: Iterable[AnswerT]) -> list[AnswerT]:
    return sorted(answers, key=lambda each: (each.base, each.platform, each.asked, each.request))


def _heading(table: str, answer: Answer) -> Iterator[str]:
    yield from ("", f"[[{table}]]", f"base = {text(answer.base)}", f"platform = {text(answer.platform)}")
    yield f"request = {text(answer.request)}"
    yield from listed("asked", sorted(answer.asked))
    if answer.left:
        yield f"left = {text(answer.left)}"


# Read --------------------------------------------------------------------------------------------------


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
        at = _AT.search(str(error))
        raise _broken(path, f"it is not valid TOML: {error}", int(at["line"]) if at else 1) from None
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
        npms = tuple(_locked_npm(each) for each in found.get("npm", ()))
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
    return Locked(*_asked(found), tuple(each[name] for name in names), left=_left(found))


def _locked_apt(found: Mapping[str, Any]) -> LockedApt:
    packages = tuple(apt.package(_str(each)) for each in found.get("packages", ()))
    dependencies = tuple(apt.package(_str(each)) for each in found.get("dependencies", ()))
    answer = LockedApt(*_asked(found), packages, dependencies, left=_left(found))
    return _answering(answer, packages)


def _locked_npm(found: Mapping[str, Any]) -> LockedNpm:
    packages = tuple(_npm_package(each) for each in found.get("package", ()))
    return _answering(LockedNpm(*_asked(found), packages, left=_left(found)), packages)


def _answering(answer: AnswerT, packages: Sequence[object]) -> AnswerT:
    # An empty one would have the manager install what it likes. What the base has of Python's packages needs none.
    if not packages and not answer.left:
        raise ValueError(f"it has no packages for {' '.join(answer.asked)}")
    return answer


def _asked(found: Mapping[str, Any]) -> tuple[str, str, str, tuple[str, ...]]:
    base, platform, request = (_str(found[name]) for name in ("base", "platform", "request"))
    return base, platform, request, tuple(_str(word) for word in found["asked"])


def _left(found: Mapping[str, Any]) -> str:
    return _str(found.get("left", ""))


def _npm_package(found: Mapping[str, Any]) -> NpmPackage:
    url, integrity = _str(found.get("url", "")), _str(found.get("integrity", ""))
    return npm.package(_str(found["path"]), _str(found["version"]), url, integrity, found)


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


def _broken(path: Path, why: str, line: int = 1) -> CompileError:
    help = "undo what was changed in it; or remove it, and `imagebuilder lock` writes it anew"
    return CompileError(Diagnostic("IB675", f"{path.name} is no lock: {why}", Span(str(path), line), help=help))
