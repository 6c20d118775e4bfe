"""The packages that files name: what a person looks for when such a file changed."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from imagebuilder.context import Tree
from imagebuilder.files import read_text
from imagebuilder.ir.ops import NpmInstall, Op, PipInstallFromRequirements, UvPipInstall, UvSync
from imagebuilder.lint.credentials import redacted

_READ_BY = (PipInstallFromRequirements, UvPipInstall, UvSync, NpmInstall)
# A lock file of a large project has some megabytes; what is larger is told of by its digest.
_LARGEST = 8 << 20
_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?P<extras>\[[^\]]*\])?\s*(?P<rest>.*)", re.S
)
_NPM = re.compile(r"(?P<name>@?[^@\s]+)(?:@(?P<rest>.*))?")


def packages_in(op: Op, trees: Iterable[Tree]) -> dict[str, dict[str, str]]:
    """The packages of each file that the operation installs from, by name: what is said of their versions."""
    if not isinstance(op, _READ_BY):
        return {}
    found = {}
    for tree in trees:
        for entry in tree.entries:
            if entry.type in ("file", "program") and 0 < entry.size <= _LARGEST:
                packages = _packages(tree.root / entry.path)
                if packages:
                    found[entry.path] = packages
    return found


def _packages(path: Path) -> dict[str, str]:
    try:
        text = read_text(path)
        match path.name:
            case "uv.lock":
                return _of_uv(tomllib.loads(text))
            case "package-lock.json":
                return _of_lock(json.loads(text))
            case "package.json":
                return _of_package_json(json.loads(text))
            case "pyproject.toml":
                return by_name(_of_pyproject(tomllib.loads(text)))
        return by_name(_lines(text)) if path.suffix in (".txt", ".in") else {}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _lines(text: str) -> Iterable[str]:
    for line in text.replace("\\\n", " ").split("\n"):
        said = re.sub(r"(^|\s)#.*", "", line).strip()
        if said and not said.startswith("-"):
            yield re.sub(r"\s+--hash=\S+", "", said)


def _of_uv(lock: Mapping[str, Any]) -> dict[str, str]:
    return {str(each["name"]): f"=={each['version']}" for each in lock.get("package", ()) if "version" in each}


def _of_lock(lock: Mapping[str, Any]) -> dict[str, str]:
    packages = lock.get("packages", {})
    return {
        path.rpartition("node_modules/")[2]: str(each.get("version", ""))
        for path, each in packages.items()
        if path.count("node_modules/") == 1
    }


def _of_package_json(found: Mapping[str, Any]) -> dict[str, str]:
    return {
        str(name): str(version)
        for field in ("dependencies", "devDependencies", "optionalDependencies")
        for name, version in found.get(field, {}).items()
    }


def _of_pyproject(found: Mapping[str, Any]) -> Iterable[str]:
    return map(str, found.get("project", {}).get("dependencies", ()))


def by_name(said: Sequence[str] | Iterable[str], *, npm: bool = False) -> dict[str, str]:
    """Requirements by the name of their package: ``{"numpy": ">=2"}``; one that has no name is its own.

    >>> by_name(["Numpy>=2", "six", "requests[socks] ==2.32"])
    {'numpy': '>=2', 'six': '', 'requests': '[socks]==2.32'}
    """
    found: dict[str, str] = {}
    for text in said:
        text = redacted(text.strip())
        match = (_NPM if npm else _REQUIREMENT).fullmatch(text)
        if match is None or (not npm and match["rest"] and match["rest"][0] not in "=<>!~;@,([ "):
            found[text] = ""
        elif npm:
            found[match["name"]] = match["rest"] or ""
        else:
            found[re.sub(r"[-_.]+", "-", match["name"]).lower()] = (match["extras"] or "") + match["rest"].strip()
    return found
