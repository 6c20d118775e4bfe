"""What a lock says of npm packages, as TOML."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from imagebuilder.resolve.lock.lines import inline, listed, text
from imagebuilder.resolve.system.npm import LockedNpm, NpmPackage, package


def npm_lines(answers: Iterable[LockedNpm]) -> Iterator[str]:
    for answer in sorted(answers, key=lambda each: (each.base, each.platform, each.asked, each.request)):
        yield from ("", "[[npm]]", f"base = {text(answer.base)}", f"platform = {text(answer.platform)}")
        yield f"request = {text(answer.request)}"
        yield from listed("asked", sorted(answer.asked))
        if answer.left:
            yield f"left = {text(answer.left)}"
        for each in sorted(answer.packages):
            yield from ("", "[[npm.package]]", f"path = {text(each.path)}", f"version = {text(each.version)}")
            if each.url:
                yield f"url = {text(each.url)}"
            if each.integrity:
                yield f"integrity = {text(each.integrity)}"
            yield from (f"{name} = {inline(value)}" for name, value in json.loads(each.more).items())


def locked_npm(found: Mapping[str, Any]) -> LockedNpm:
    """
    Raises:
        KeyError, TypeError, ValueError: something is missing, or of the wrong kind.
    """
    return LockedNpm(
        _str(found["base"]),
        _str(found["platform"]),
        _str(found["request"]),
        tuple(_str(word) for word in found["asked"]),
        tuple(_package(each) for each in found.get("package", ())),
        _str(found.get("left", "")),
    )


def _package(found: Mapping[str, Any]) -> NpmPackage:
    url, integrity = _str(found.get("url", "")), _str(found.get("integrity", ""))
    return package(_str(found["path"]), _str(found["version"]), url, integrity, found)


def _str(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"not a text: {value!r}")
    return value
