"""Which commands install packages, and which file tells them what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from imagebuilder.lint.shell import Command, commands


class Install(NamedTuple):
    """``files`` are what the command reads, relative to ``folder`` or absolute; without any, the packages are named.

    ``folder`` is that of a ``cd`` before it, relative to the working folder. ``key`` tells installations of one
    kind from another.
    """

    text: str
    key: str
    files: tuple[str, ...] = ()
    folder: str = "."


# Those that read a file of the project: how they begin, and what they read first.
_PROJECT: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"npm (ci|install|i)", ("package.json", "package-lock.json")),
    (r"yarn( install)?", ("package.json", "yarn.lock")),
    (r"pnpm (install|i)", ("package.json", "pnpm-lock.yaml")),
    (r"bun install", ("package.json", "bun.lock")),
    (r"uv sync", ("pyproject.toml", "uv.lock")),
    (r"poetry install", ("pyproject.toml", "poetry.lock")),
    (r"pdm (install|sync)", ("pyproject.toml", "pdm.lock")),
    (r"pipenv (install|sync)", ("Pipfile", "Pipfile.lock")),
    (r"bundle install", ("Gemfile", "Gemfile.lock")),
    (r"composer install", ("composer.json", "composer.lock")),
    (r"go mod download", ("go.mod", "go.sum")),
    (r"mix deps\.get", ("mix.exs", "mix.lock")),
)
_PROJECT_COMMAND = re.compile("|".join(f"(?P<k{n}>{begins})(?= |$)" for n, (begins, _) in enumerate(_PROJECT)))
_SYSTEM = re.compile(
    r"(?P<tool>apt-get|apt|apk|dnf|microdnf|yum|zypper)( -\S+)* (install|add)(?= )(?P<rest>.*)", re.DOTALL
)
_PIP = re.compile(r"(?:python[\d.]* -m )?(?:uv )?pip[\d.]* install(?= )(?P<rest>.*)", re.DOTALL)
_PIP_FILE = re.compile(r"(?:^| )(?:-r ?|--requirement[= ])(\S+)")
_OPTION_WITH_VALUE = re.compile(
    r"(?:^| )(?:-[citfe]|--(?:constraint|index-url|extra-index-url|target|find-links|trusted-host|prefix|python|root))"
    r"[= ]\S+"
)
_PLAIN_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[^\]]*\])?([=<>!~].*)?")


def installs(text: str) -> Iterator[Install]:
    """What a shell text installs, in order."""
    folder = "."
    for command in commands(text):
        if command.program[:1] == ("cd",) and len(command.program) == 2:
            folder = command.program[1]
        elif (found := _install(command)) is not None:
            yield found._replace(folder=folder)


def _install(command: Command) -> Install | None:
    text = " ".join(command.program)
    if match := _PIP.fullmatch(text):
        return _pip(text, match["rest"])
    if match := _SYSTEM.fullmatch(text):
        return Install(text, match["tool"]) if _are_names(match["rest"]) else None
    if match := _PROJECT_COMMAND.match(text):
        rest = text[match.end() :].split()
        begins, files = _PROJECT[int((match.lastgroup or "k0")[1:])]
        # With names behind it, it does not read the project's list; with --cwd and the like, it reads another.
        options = all(word.startswith("-") for word in rest)
        return Install(text, begins, files) if options and "-g" not in rest and "--global" not in rest else None
    return None


def _pip(text: str, rest: str) -> Install | None:
    files = tuple(_PIP_FILE.findall(rest))
    others = _OPTION_WITH_VALUE.sub(" ", _PIP_FILE.sub(" ", rest))
    if " -e" in rest or "--editable" in rest or "$" in rest or not _are_names(f"{others} x"):
        return None
    named = [word for word in others.split() if not word.startswith("-")]
    return Install(text, "pip", files) if files or named else None


def _are_names(rest: str) -> bool:
    """Whether only packages are named: a path or an archive comes from the files that were copied."""
    words = [word for word in rest.split() if not word.startswith("-")]
    return bool(words) and all(
        _PLAIN_PACKAGE.fullmatch(word) and not word.endswith((".whl", ".deb", ".rpm", ".apk", ".gz")) for word in words
    )
