"""A uv project whose uv.lock says what is installed; uv itself reads it, asks no network and runs nothing of it."""

from __future__ import annotations

import re
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagebuilder import command
from imagebuilder.files import read_text
from imagebuilder.ir.ops import UvSync
from imagebuilder.ir.packages import Distribution, Python
from imagebuilder.passes.lower.packages import VENV
from imagebuilder.resolve import logins, uv
from imagebuilder.resolve.ask import Left, Target, marker_environment

_TIMEOUT = 60.0
# Settings of [tool.uv] that are of how a lock is made, or of what is built or published. Others may change what is
# installed, or with which Python.
_OF_LOCKING = re.compile(
    r"(build-constraint|constraint|dev|exclude|override)-dependencies|dependency-metadata|conflicts|default-groups"
    r"|(required-)?environments|exclude-newer(-package)?|fork-strategy|prerelease|resolution|required-version|sources"
    r"|index(-url|-strategy)?|extra-index-url|no-sources|no-build(-package)?"
    r"|add-bounds|build-backend|cache-keys|check-url|package|pip|publish-url|trusted-publishing"
)
_OPTIONS = re.compile(
    r"-q|--quiet|--no-cache|--no-dev|--only-dev|--all-extras|--all-groups|--no-default-groups"
    r"|--(no-group|only-group|no-extra)=[\w.-]+"
)
_UNHEEDED = frozenset(["-q", "--quiet", "--no-cache"])
_LOGIN = re.compile(r"UV_INDEX_(?P<index>\w+)_(?P<part>USERNAME|PASSWORD)")
_LOGIN_IN_URL = re.compile(r"://[^/\s'\"]*@")
_ELSEWHERE = {"vcs": "a repository", "directory": "a folder", "archive": "a URL of its own"}


@dataclass(frozen=True, slots=True)
class Project:
    """What one ``uv_sync`` wants, for a target: the texts of its two files, and uv's options."""

    target: Target
    pyproject: str
    lock: str
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return str(self.about["name"])

    @property
    def requires(self) -> str:
        """The versions of Python that it is for; empty for any."""
        return str(self.about.get("requires-python", ""))

    @property
    def about(self) -> dict[str, Any]:
        return dict(tomllib.loads(self.pyproject)["project"])


def asked(op: UvSync, root: Path, target: Target) -> Project | Left:
    """
    Raises:
        OSError, UnicodeDecodeError: one of its files cannot be read.
    """
    if not op.frozen:
        return Left("uv has to compare its uv.lock with its pyproject.toml")
    options = op.extra_options.split()
    if other := next((each for each in options if not _OPTIONS.fullmatch(each)), ""):
        return Left(f"it has the option {other}")
    named = [each for each in op.secrets if each.target is not None or not _LOGIN.fullmatch(each.name)]
    if why := logins.special(named, uv=True, with_index=False):
        return Left(why)
    pyproject, lock = (read_text(root / op.path / name) for name in ("pyproject.toml", "uv.lock"))
    try:
        tables = tomllib.loads(pyproject)
        settings = tables.get("tool", {}).get("uv", {})
        if other := next((key for key in sorted(settings) if not _OF_LOCKING.fullmatch(key)), ""):
            return Left(f"its pyproject.toml has the setting tool.uv.{other}")
        if _LOGIN_IN_URL.search(str(settings)):
            return Left("its pyproject.toml has an index with a login in its address")
        if not isinstance(tables["project"]["name"], str):
            raise TypeError
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError):
        return Left("its pyproject.toml describes no project")
    groups = [f"--group={each}" for each in op.groups] + [f"--extra={each}" for each in op.extras]
    return Project(target, pyproject, lock, (*groups, *(each for each in options if each not in _UNHEEDED)))


def packages(project: Project) -> tuple[Distribution, ...] | Left:
    """What is to be installed, by name.

    Raises:
        EngineError: there is no uv.
    """
    try:
        found = tuple(_packages(project))
    except _LeftOut as error:
        return Left(str(error))
    if len({each.name for each in found}) < len(found):
        return Left("its uv.lock has two versions of one package for this Python")
    return tuple(sorted(found, key=lambda each: each.name))


class _LeftOut(Exception):
    """The text is why."""


def _packages(project: Project) -> Iterator[Distribution]:
    from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    python = project.target.python
    found = _exported(project)
    try:
        for wanted in (project.requires, str(found.get("requires-python", ""))):
            if not SpecifierSet(wanted).contains(python, prereleases=True):
                raise _LeftOut(f"its project is not for Python {python}")
        for each in found.get("packages", ()):
            marker = each.get("marker", "")
            if "platform_release" in marker or "platform_version" in marker:
                raise _LeftOut(f"{each['name']} depends on the machine that it runs on")
            if marker and not Marker(marker).evaluate(marker_environment(project.target)):
                continue
            if kind := next((kind for kind in _ELSEWHERE if kind in each), ""):
                raise _LeftOut(f"{each['name']} comes from {_ELSEWHERE[kind]}")
            chosen = uv.distribution(each, project.target, {})
            if chosen.files[0].is_source or not uv.fits(chosen.files[0], project.target):
                raise _LeftOut(f"{chosen.name} has no wheel that fits")
            if not chosen.files[0].url.lower().startswith(("https://", "http://")):
                raise _LeftOut(f"{chosen.name} comes from no web server")
            yield chosen
    except uv.Unresolved as error:
        raise _LeftOut(error.said) from None
    except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName, InvalidSpecifier) as error:
        raise _LeftOut(f"its uv.lock has a condition that is not known: {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _LeftOut("its uv.lock has a package that cannot be read") from None


def _exported(project: Project) -> dict[str, Any]:
    """What uv.lock has for these options, as a pylock.toml; uv asks no network for it."""
    words = ["export", "--frozen", "--offline", "--no-cache", "--no-config", "--format=pylock.toml", "--no-header"]
    words += ["--no-emit-project", "--no-python-downloads", "--color=never", "--no-progress", *project.options]
    # A folder of its own: uv would else look for workspaces above, which are not there in the image.
    with tempfile.TemporaryDirectory(prefix="imagebuilder-") as folder:
        for name, text in (("pyproject.toml", project.pyproject), ("uv.lock", project.lock)):
            (Path(folder) / name).write_text(text, encoding="utf-8")
        try:
            done = command.run([uv.program(), *words], env=uv.environment(None), timeout=_TIMEOUT, cwd=folder)
        except subprocess.TimeoutExpired:
            raise _LeftOut("uv does not read its uv.lock in time") from None
    if done.returncode:
        said = logins.Logins().hidden(done.stderr.decode(errors="replace")).strip().splitlines()
        raise _LeftOut(f"uv cannot read its uv.lock: {said[0].removeprefix('error: ') if said else 'no reason told'}")
    try:
        return tomllib.loads(done.stdout.decode())
    except ValueError:
        raise _LeftOut("uv's answer cannot be read") from None


def python_of(base: Python) -> Python:
    """That of the virtual environment which uv makes for a base's Python."""
    short = ".".join(base.version.split(".")[:2])
    site = f"{VENV}/lib/python{short}/site-packages"
    return Python(
        version=base.version,
        executable=f"{VENV}/bin/python",
        purelib=site,
        platlib=site,
        scripts=f"{VENV}/bin",
        data=VENV,
        include=f"{VENV}/include/site/python{short}",
        glibc=base.glibc,
        folders=(),
        links=((f"{VENV}/lib64", f"{VENV}/lib"),),
    )


def logins_of(op: UvSync, root: Path, values: logins.Values) -> logins.Logins:
    """Those that its secrets say of the indexes that its pyproject.toml names."""
    found = logins.Logins()
    said: dict[str, dict[str, str]] = {}
    for secret in op.secrets:
        with suppress(logins.Unusable):
            if secret.target is None and (match := _LOGIN.fullmatch(secret.name)):
                said.setdefault(match["index"], {})[match["part"]] = logins.value_of(secret.name, values)
            else:
                found |= logins.said(secret, values)[1]
    with suppress(OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError):
        tables = tomllib.loads(read_text(root / op.path / "pyproject.toml"))
        for name, url in _indexes(tables["tool"]["uv"]["index"]):
            if login := said.get(name):
                found |= logins.Logins({url: (login.get("USERNAME", ""), login.get("PASSWORD", ""))})
    return found


def _indexes(tables: Sequence[Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    """Their names as variables have them, and their addresses."""
    for each in tables:
        if "name" in each:
            yield re.sub(r"\W", "_", each["name"]).upper(), each["url"]
