"""What an install finds below it: whether the base's Python is as its image had it, and what was put there since.

Layers of packages are made from the base alone, so they are the same as what
an install on top of everything would give only where nothing before it could
have changed what it does: no command of the author's, no variable that an
installer reads, no other user, no files put among the system's.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from imagebuilder.files import read_text
from imagebuilder.ir.ops import (
    Add,
    AptInstall,
    Arg,
    Base,
    BaseImage,
    Copy,
    Env,
    NpmInstall,
    Op,
    PipInstall,
    PipInstallFromPyproject,
    PipInstallFromRequirements,
    Run,
    User,
    UvPipInstall,
    UvSync,
    Volume,
    Workdir,
    WriteFiles,
)
from imagebuilder.ir.packages import Install, Python
from imagebuilder.ir.stage import Stage, Step
from imagebuilder.passes.lower.packages import VENV
from imagebuilder.resolve import logins, project
from imagebuilder.resolve.ask import Ask, Left, Target, statements, target_of
from imagebuilder.resolve.project import Project

PythonOf = Callable[[BaseImage], "Python | str | None"]
_PipLike = PipInstall | PipInstallFromPyproject | PipInstallFromRequirements | UvPipInstall

HARMLESS = frozenset(
    [
        "PIP_DEFAULT_TIMEOUT",
        "PIP_DISABLE_PIP_VERSION_CHECK",
        "PIP_NO_CACHE_DIR",
        "PIP_PROGRESS_BAR",
        "PIP_ROOT_USER_ACTION",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONFAULTHANDLER",
        "PYTHONHASHSEED",
        "PYTHONIOENCODING",
        "PYTHONPATH",
        "PYTHONUNBUFFERED",
        "PYTHONUTF8",
    ]
)
"""Variables that say nothing about what is installed, or where."""

_OPTIONS = frozenset(
    ["--no-cache-dir", "--no-cache", "--disable-pip-version-check", "--quiet", "-q", "--root-user-action=ignore"]
)
# A URL, a file or a folder in the place of a package: a requirement has an @ only before a URL.
_ELSEWHERE = re.compile(r"[^;]*[@/]|\.")
_INDEX = re.compile(r"(?:-i|--index-url|--extra-index-url)[\s=]*(?P<url>\S+)")
# Options of requirements files that mean the same to uv. Besides a file's --index-url, it would go on asking PyPI.
_IN_FILES = frozenset(["-r", "--requirement", "-c", "--constraint", "--extra-index-url", "--only-binary"])
_OPTION = re.compile(r"(?:^|(?<=\s))(?P<name>--[a-z-]+|-[a-z]?)(?P<value>\S*)")
_LOOKS_ELSEWHERE = re.compile(r"(-f|--find-links)(?=[\s=]|$)|-f\S")
_WEB = "https://"
# As pip takes one, of the build; uv would take this machine's.
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")
# Where files may lie without an installer's taking notice.
_OWN = ("/app", "/data", "/home", "/mnt", "/opt", "/run", "/srv", "/tmp", "/workspace", "/work", "/code")  # noqa: S108


class Ground:
    """Follows one stage from its base on. ``why`` is why nothing can be resolved from here on; empty while it can.

    ``image`` is the base, where it is one, ``apt`` are the packages that apt has installed on it, ``env`` the variables
    that were set, and ``unclear`` is one whose value is not known here.
    """

    def __init__(self, base: Base | Stage, platform: str, python_of: PythonOf) -> None:
        """
        Args:
            python_of: the Python of a base; a text says why it cannot be used, None that nobody has asked.
        """
        self.why = ""
        self.python: Python | None = None
        self.image: BaseImage | None = None
        self.apt: set[str] = set()
        self.env: dict[str, str] = {}
        self.unclear = ""
        self._there: dict[str, str] = {}
        self._after = ""
        self._has_folder = False
        self._in_the_way = ""
        chain: list[Stage] = []
        while isinstance(base, Stage):
            chain.append(base)
            base = base.base
        self.image = base if isinstance(base, BaseImage) else None
        self._base = base.ref.partition("@")[0] if isinstance(base, BaseImage) else ""
        self._target: Target | None = Target("", "")
        found = python_of(base) if isinstance(base, BaseImage) else "the base has no Python"
        if isinstance(found, str):
            self.why = found
        elif found is not None:
            self.python, self._there = found, dict(found.there)
            self._target = target_of(found, platform)
            self.why = "" if self._target else "uv knows no platform for the base"
        for stage in reversed(chain):
            for step in stage.steps:
                self.note(step)

    def ask(self, step: Step) -> Ask | Project | Left | None:
        """What a step wants installed; None where it is no such step.

        Raises:
            OSError, UnicodeDecodeError: a requirements file cannot be read.
        """
        return self.asked(step) if is_request(step) else None

    def asked(self, step: Step) -> Ask | Project | Left:
        """The same of a step that may have its answer already.

        Raises:
            OSError, UnicodeDecodeError: a requirements file cannot be read.
        """
        op = step.intent
        if isinstance(op, UvSync):
            return self._project(op, Path(step.root))
        assert isinstance(op, _PipLike)
        if why := self.why or _special(op):
            return Left(why, self._base)
        if isinstance(op, UvPipInstall):
            if self._has_folder:
                return Left("uv reads the settings of the folder that it runs in", self._base)
            if self.python is not None and self.python.uv_settings:
                return Left(f"uv reads {self.python.uv_settings} of the base", self._base)
        assert self._target is not None
        files, roots = _files(op, Path(step.root))
        if why := next((why for _, text in files if (why := _elsewhere(text))), ""):
            return Left(why, self._base)
        return Ask(
            self._target,
            packages=() if isinstance(op, PipInstallFromRequirements) else tuple(sorted(op.packages)),
            files=files,
            roots=roots,
            index_url=op.index_url or "",
            extra_index_urls=op.extra_index_urls,
            pre=op.pre,
            best=not isinstance(op, UvPipInstall),
            there=tuple(f"{name}=={version}" for name, version in sorted(self._there.items())),
            base=self._base,
            after=self._after,
            secrets=logins.names(op.secrets),
        )

    def _project(self, op: UvSync, root: Path) -> Project | Left:
        if why := self.why or self._in_the_way:
            return Left(why, self._base)
        if self.python is not None and not self.python.takes_venv:
            return Left(f"the base has something at {VENV}, or several Pythons", self._base)
        assert self._target is not None
        return project.asked(op, root, self._target)

    def note(self, step: Step) -> None:
        """Something that stands before what comes next."""
        if isinstance(step.intent, AptInstall):
            self.apt |= set(step.intent.packages)
        self._environment(step.op)
        if isinstance(step.op, Install):
            self._there |= {each.name: each.version for each in step.op.distributions}
            pins = sorted(f"{each.name}=={each.version}" for each in step.op.distributions)
            self._after = sha256("\0".join((self._after, *pins)).encode()).hexdigest()
        elif isinstance(step.op, Workdir):
            self._has_folder = True
        elif not self.why:
            self._in_the_way = self._in_the_way or _in_the_way(step.op)
            self.why = _changes(step, self.python.data if self.python else "")

    def _environment(self, op: Op) -> None:
        if isinstance(op, Arg):
            self.unclear = op.name
        elif isinstance(op, Env):
            for name, value in op.variables:
                if isinstance(value, str):
                    self.env[name] = value
                else:
                    self.unclear = name


def is_request(step: Step) -> bool:
    """Whether a step wants Python packages installed."""
    return isinstance(step.intent, _PipLike | UvSync) and isinstance(step.op, Run)


def _in_the_way(op: Op) -> str:
    """What a step puts where uv makes a virtual environment; empty for nothing."""
    paths = op.paths if isinstance(op, Volume) else (op.dest,) if isinstance(op, Copy | Add | WriteFiles) else ()
    for path in (posixpath.normpath(path) for path in paths if isinstance(path, str)):
        if f"{VENV}/".startswith(f"{path}/") or path.startswith(f"{VENV}/"):
            return f"files are put into {path} before it"
    return ""


def _special(op: _PipLike) -> str:
    """What an installer is told that this cannot be; empty for nothing."""
    with_index = bool(op.index_url or op.extra_index_urls)
    if why := logins.special(op.secrets, uv=isinstance(op, UvPipInstall), with_index=with_index):
        return why
    if op.find_links:
        return "it looks for packages behind find_links"
    if any(not _is_web(url) for url in (op.index_url or _WEB, *op.extra_index_urls)):
        return "its index is no web server"
    packages = () if isinstance(op, PipInstallFromRequirements) else op.packages
    if other := next(filter(_ELSEWHERE.match, packages), ""):
        return f"no index has {other}"
    if unknown := [word for word in op.extra_options.split() if word not in _OPTIONS]:
        return f"it has the option {unknown[0]}"
    return ""


def _is_web(url: str) -> bool:
    # Anything else is a folder: of the image there, of this machine here.
    return url.lower().startswith((_WEB, "http://"))


def _elsewhere(text: str) -> str:
    """What a requirements file takes from somewhere else than an index; empty for nothing."""
    for _, line in statements(text):
        if found := _VARIABLE.search(line):
            return f"{found[0]} is named in a requirements file"
        if _LOOKS_ELSEWHERE.match(line):
            return "a requirements file looks for packages behind --find-links"
        if (index := _INDEX.match(line)) and not _is_web(index["url"]):
            return "the index of a requirements file is no web server"
        if not line.startswith("-") and _ELSEWHERE.match(line.partition(" --")[0]):
            return f"no index has {line.partition(' --')[0].strip()}"
        for option in _OPTION.finditer(line):
            if option["name"] not in _IN_FILES and not option[0].startswith("--hash=sha256:"):
                return f"it has the option {option['name']} in a requirements file"
    return ""


def _changes(step: Step, data: str) -> str:
    """How a step may change what an install into ``data`` does; empty where it cannot."""
    op = step.op
    match op:
        case Run():
            return _commands(step.intent)
        case Env(variables=variables):
            return next((why for name, _ in variables if (why := _variable(name))), "")
        case Arg(name=name):
            return _variable(name)
    return disturbs(op, data)


def disturbs(op: Op, data: str) -> str:
    """How an operation that is no command, and sets nothing, may change what an install into ``data`` does."""
    match op:
        case User(name=name) if name not in ("root", "0", "root:root", "0:0"):
            return "it is not root that installs"
        case Copy(dest=dest) | Add(dest=dest) | WriteFiles(dest=dest):
            own = isinstance(dest, str) and _is_own(dest, data)
            return "" if own else f"files are put into {_shown(dest)} before it"
        case Volume(paths=paths) if not all(isinstance(path, str) and _is_own(path, data) for path in paths):
            return "a volume is declared before it"
    return ""


def _commands(intent: Op | None) -> str:
    if isinstance(intent, AptInstall):
        python = next((name for name in intent.packages if name.startswith("python")), "")
        return f"apt installs {python} before it" if python else ""
    if isinstance(intent, NpmInstall):
        return ""
    if isinstance(intent, _PipLike):
        return "packages were installed before it that could not be resolved"
    return "commands run before it"


def _variable(name: str) -> str:
    asked = name.startswith(("PIP_", "UV_", "PYTHON")) or name in ("PATH", "HOME", "LD_LIBRARY_PATH", "LD_PRELOAD")
    return f"{name} is set before it" if asked and name not in HARMLESS else ""


def _is_own(path: str, data: str) -> bool:
    found = posixpath.normpath(path)
    among = f"{data}/".startswith(f"{found}/") or found.startswith(f"{data}/")
    return not among and any(found == folder or found.startswith(folder + "/") for folder in _OWN)


def _shown(dest: object) -> str:
    return dest if isinstance(dest, str) else "a folder that a variable names"


def _files(op: _PipLike, root: Path) -> tuple[tuple[tuple[str, str], ...], int]:
    if isinstance(op, PipInstallFromRequirements):
        named: Sequence[tuple[str, Sequence[str]]] = [(op.path, op.includes)]
    elif isinstance(op, UvPipInstall):
        named = [(path, op.includes[n] if n < len(op.includes) else ()) for n, path in enumerate(op.requirements)]
    else:
        return (), 0
    found = []
    # Each with its own folder: two may have one name, and mean others by the names in them.
    for number, (path, includes) in enumerate(named):
        folder, name = posixpath.split(path)
        found += [(f"{number}/{each}", read_text(root / folder / each)) for each in (name, *includes)]
    names = {f"{number}/{posixpath.basename(path)}" for number, (path, _) in enumerate(named)}
    return tuple(sorted(found, key=lambda each: each[0] not in names)), len(named)
