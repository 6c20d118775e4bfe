"""What stands in local files that no image needs, and what nobody should have.

A wrong hint is worse than a missing one: a folder that may well be meant (``build``, ``dist``, ``target``) is told of
only where the file beside it shows what makes it, and a file under a secret's name only when it could hold one.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from imagebuilder.context import Entry, Tree
from imagebuilder.files import open_regular
from imagebuilder.lint.tokens import tokens

# Folders by the pattern that leaves them out.
_FOLDERS: Mapping[str, str] = {
    ".git": "version control",
    ".hg": "version control",
    ".svn": "version control",
    "node_modules": "installed packages",
    "bower_components": "installed packages",
    ".venv": "a virtual environment",
    "__pycache__": "compiled Python",
    ".eggs": "build output",
    ".tox": "a tool's cache",
    ".nox": "a tool's cache",
    ".cache": "a tool's cache",
    ".mypy_cache": "a tool's cache",
    ".pytest_cache": "a tool's cache",
    ".ruff_cache": "a tool's cache",
    ".hypothesis": "a tool's cache",
    ".ipynb_checkpoints": "a tool's cache",
    ".gradle": "a tool's cache",
    ".parcel-cache": "a tool's cache",
    ".turbo": "a tool's cache",
    ".terraform": "a tool's cache",
    ".nyc_output": "test output",
    "htmlcov": "test output",
    ".idea": "an editor's settings",
    ".vscode": "an editor's settings",
}
# Folders that only a file beside them, or in them, shows to be made by a tool.
_MADE_BY: Mapping[str, tuple[str, ...]] = {
    "target": ("Cargo.toml", "pom.xml", "build.sbt"),
    "build": ("pyproject.toml", "setup.py", "build.gradle", "build.gradle.kts", "CMakeLists.txt"),
    "dist": ("pyproject.toml", "setup.py", "package.json"),
    ".next": ("package.json",),
    ".nuxt": ("package.json",),
    "coverage": ("package.json",),
}
_FILES: Mapping[str, str] = {
    "*.py[co]": "compiled Python",
    ".DS_Store": "a file manager's notes",
    "Thumbs.db": "a file manager's notes",
    ".coverage": "test output",
    "*.sw[op]": "an editor's copy",
    "*~": "an editor's copy",
    "npm-debug.log*": "logs",
}

_SECRET_NAMES = (
    "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx",
    "*.ppk", ".env", ".env.*", "*.env", "credentials.json", "client_secret*.json", "service-account*.json",
    "service_account*.json", "secrets.json", "secrets.yml", "secrets.yaml", "secrets.toml", ".netrc", "_netrc",
    ".git-credentials", ".pypirc", ".npmrc", ".yarnrc.yml", ".dockercfg", ".htpasswd", ".pgpass", "kubeconfig",
    "*.tfstate", "*.tfvars", "vault-password*", ".vault_pass*",
)  # fmt: skip
_SECRET_PATHS = (".aws/credentials", ".docker/config.json", ".kube/config", ".config/gcloud/*", ".ssh/id_*")
_SAMPLES = re.compile(
    r"(?:^|[._-])(?:example|sample|template|tmpl|dist|defaults?|test|schema)s?(?:[._-]|$)", re.IGNORECASE
)
# Files that hold something else as often: what is in them has to show it.
_ONLY_WITH: tuple[tuple[str, bytes], ...] = (
    ("*.pem", b"PRIVATE KEY"),
    ("*.key", b"PRIVATE KEY"),
    (".npmrc", b"_auth"),
    (".yarnrc.yml", b"npmAuth"),
    (".pypirc", b"password"),
    (".docker/config.json", b'"auth"'),
    ("kubeconfig", b"users:"),
    (".kube/config", b"users:"),
)
# What every token of a known form has in it: looking for these is a hundred times as fast as for the tokens.
_HINT = re.compile(
    rb"AKIA|ASIA|gh[pousr]_|github_pat_|gl(?:pat|ptt|dt|rt|cbt|oas|soat)-|xox[abeoprs]-|xapp-|hooks\.slack\.com|pypi-AgE"
    rb"|npm_|dckr_|AIza|[sr]k_live_|sk-|hf_|SG\.|do[opr]_v1_|eyJ|PRIVATE KEY"
)
_MOST_FILES = 20_000
_MOST_BYTES = 128 << 20
_LARGEST = 2 << 20
_BINARY = 1024


@dataclass(frozen=True, slots=True)
class Ignorable:
    """``pattern`` leaves out ``files`` files of ``bytes`` together, which are ``why``."""

    pattern: str
    why: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Suspect:
    """A file that may hold a secret: ``line`` is where, 0 where its name says so. The secret is nowhere."""

    path: str
    why: str
    line: int = 0


def ignorable(entries: Sequence[Entry]) -> list[Ignorable]:
    """Patterns for what no image needs, those that save the most first."""
    names = {entry.path for entry in entries}
    found: dict[str, tuple[str, int, int]] = {}
    known: dict[str, tuple[str, str] | None] = {}
    for entry in entries:
        if entry.type == "dir":
            continue
        match = _in_folder(posixpath.dirname(entry.path), names, known) or _by_name(posixpath.basename(entry.path))
        if match:
            why, files, size = found.get(match[0], (match[1], 0, 0))
            found[match[0]] = why, files + 1, size + entry.size
    rows = [Ignorable(pattern, *each) for pattern, each in found.items()]
    return sorted(rows, key=lambda row: (-row.bytes, row.pattern))


def _in_folder(folder: str, names: set[str], known: dict[str, tuple[str, str] | None]) -> tuple[str, str] | None:
    """The pattern of the topmost folder on the way that is not needed."""
    if not folder:
        return None
    if folder not in known:
        above, name = posixpath.split(folder)
        known[folder] = _in_folder(above, names, known) or _folder(above, name, names)
    return known[folder]


def _folder(above: str, name: str, names: set[str]) -> tuple[str, str] | None:
    path = posixpath.join(above, name)
    if why := _FOLDERS.get(name):
        # Where one is at the top, that is where they are; a pattern for all folders would read oddly.
        deep = above or name == "__pycache__"
        return (f"**/{name}" if deep else name), why
    if posixpath.join(path, "pyvenv.cfg") in names:
        return path, "a virtual environment"
    if name.endswith(".egg-info") or any(posixpath.join(above, file) in names for file in _MADE_BY.get(name, ())):
        return path, "build output"
    return None


def _by_name(name: str) -> tuple[str, str] | None:
    return next(((f"**/{pattern}", why) for pattern, why in _FILES.items() if fnmatchcase(name, pattern)), None)


def suspects(tree: Tree, entries: Sequence[Entry]) -> tuple[list[Suspect], int]:
    """Files that may hold secrets, and the number of those that were not looked into, since there are too many."""
    found: list[Suspect] = []
    looked, read, skipped = 0, 0, 0
    known: dict[str, tuple[str, str] | None] = {}
    names = {entry.path for entry in entries}
    for entry in entries:
        if entry.type not in ("file", "program") or not entry.size:
            continue
        named = _named(entry.path, tree.root)
        if named:
            found.append(Suspect(entry.path, named))
            continue
        # What others wrote is full of samples, and is to be left out anyway.
        if entry.size > _LARGEST or _in_folder(posixpath.dirname(entry.path), names, known):
            continue
        if looked >= _MOST_FILES or read >= _MOST_BYTES:
            skipped += 1
            continue
        looked, read = looked + 1, read + entry.size
        found += _held(entry.path, tree.root)
    return found, skipped


def _named(path: str, root: Path) -> str:
    """Why a file is suspected by its name; empty where it is not."""
    name = posixpath.basename(path)
    by_path = next((each for each in _SECRET_PATHS if fnmatchcase(path, each) or fnmatchcase(path, f"*/{each}")), "")
    by_name = next((each for each in _SECRET_NAMES if fnmatchcase(name, each)), "")
    if not (by_path or by_name) or _SAMPLES.search(name):
        return ""
    needed = next((word for pattern, word in _ONLY_WITH if pattern in (by_path, by_name)), b"")
    if needed and needed not in _content(root / path):
        return ""
    return "a private key" if needed == b"PRIVATE KEY" or by_name.startswith("id_") else "named like a file of secrets"


def _held(path: str, root: Path) -> Iterator[Suspect]:
    data = _content(root / path)
    if b"\0" in data[:_BINARY] or not _HINT.search(data):
        return
    text = data.decode("utf-8", errors="replace")
    told = set()
    for kind, token in tokens(text):
        line = text.count("\n", 0, text.find(token)) + 1
        if (kind, line) not in told:
            told.add((kind, line))
            yield Suspect(path, f"holds what has the form of {kind}", line)


def _content(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            return file.read(_LARGEST) or b""
    except OSError:
        return b""


def largest(entries: Iterable[Entry], count: int) -> list[Entry]:
    """The largest files, the largest first."""
    from heapq import nlargest

    return nlargest(
        count, (entry for entry in entries if entry.type in ("file", "program")), key=lambda each: each.size
    )
