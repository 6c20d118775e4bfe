"""Files that change with every edit, copied before what takes long and depends on few of them."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from imagebuilder.diagnostics import Diagnostic, Note
from imagebuilder.files import read_text
from imagebuilder.ir import ops
from imagebuilder.ir.ops import Add, AddLocalDir, Copy, LocalSource, Run, RunCommands, Workdir
from imagebuilder.ir.stage import Stage, Step, ordered
from imagebuilder.ir.words import Var, Word
from imagebuilder.lint.credentials import redacted
from imagebuilder.lint.installs import Install, installs
from imagebuilder.lint.saying import said

# Each installation is compared with each of them.
_MOST_FOLDERS = 50
_EVERYTHING = ("*", "**", "**/*", "/*", "./*")
_PACKAGES = (
    ops.AptInstall,
    ops.PipInstall,
    ops.PipInstallFromPyproject,
    ops.PipInstallFromRequirements,
    ops.UvPipInstall,
    ops.UvSync,
    ops.NpmInstall,
)


class _Folder(NamedTuple):
    """A folder that was copied; ``path`` is relative to the step's root, ``.`` being the whole project."""

    step: Step
    path: str
    dest: str


class _Found(NamedTuple):
    """An installation behind the copy, what to write instead in each language, and whether it reads a list."""

    shown: str
    python: str
    dockerfile: str
    snap: str
    reads: bool


def project_before_packages(target: Stage) -> Iterator[Diagnostic]:
    """A copy of the whole project, or of the folder whose package list a later step reads, before that step.

    Nothing is said where the same kind of installation stands before the copy: the later one then only adds
    the project itself.
    """
    seen: dict[Stage, _Seen] = {}
    for stage in ordered(target):
        seen[stage] = below = seen[stage.base].copy() if isinstance(stage.base, Stage) else _Seen()
        found = _first(stage, below)
        if found is None:
            continue
        folder, step, what = found
        source = "the whole project" if folder.path == "." else f"'{folder.path}'"
        shown = what.shown if len(what.shown) <= 60 else what.shown[:59] + "…"
        help = said(folder.step.place, python=what.python, dockerfile=what.dockerfile, snap=what.snap)
        note = Note(f"after each edit of a file, this runs again: {shown}", step.place)
        message = f"{source} is copied before packages are installed"
        yield Diagnostic("IB904", message, folder.step.place, (note,), help, severity="warning")


@dataclass(slots=True)
class _Seen:
    """What stands in the stages below, and in the steps so far; ``before`` are installations without a copy before."""

    folders: list[_Folder] = field(default_factory=list)
    before: set[str] = field(default_factory=set)
    cwd: str = "."

    def copy(self) -> _Seen:
        return _Seen([*self.folders], {*self.before}, self.cwd)


def _first(stage: Stage, seen: _Seen) -> tuple[_Folder, Step, _Found] | None:
    """The installation of the stage's own that stands behind such a copy; of several, one that reads a list.

    ``seen`` is of the stages below, and gets what stands in this one.
    """
    behind: list[tuple[_Folder, Step, _Found]] = []
    for step in stage.steps:
        if isinstance(step.op, Workdir):
            seen.cwd = _joined(seen.cwd, step.op.path)
        elif copied := _folder(step, seen.cwd):
            seen.folders += [copied] if len(seen.folders) < _MOST_FOLDERS else []
        else:
            found = _installed(step, seen.folders, seen.before, seen.cwd)
            behind += [(matching, step, what) for what, matching in found]
    return min(behind, key=lambda one: not one[2].reads, default=None)


def _installed(step: Step, folders: list[_Folder], before: set[str], cwd: str) -> Iterator[tuple[_Found, _Folder]]:
    """The installations of a step with the copy that they should come before; ``before`` gets those that have none."""
    if isinstance(step.op, _PACKAGES):
        for folder in folders:
            if (folder.path == "." and _can_move(step)) or _holds(folder, step):
                verb, copied = step.op.verb, _shown(folder)
                python, snap = f"move .{verb}(…) above {copied}", f"move {verb} above {_statement(copied)}"
                yield _Found(verb, python, python, snap, step.op.reads_files), folder
                return
        return
    for text in _texts(step):
        for install in installs(text):
            files = [_joined(_joined(cwd, install.folder), name) for name in install.files]
            found = next((each for each in folders if _reads(install, files, each)), None)
            if found is not None and install.key not in before:
                yield _said(install._replace(text=redacted(install.text)), found), found
            elif install.files:
                before.add(install.key)


def _texts(step: Step) -> Iterator[str]:
    match step.op:
        case Run(command=str(text)) if not text.startswith("#!"):
            yield text
        case Run(command=tuple(words)):
            yield " ".join(words)
        case RunCommands():
            # One shell: a cd in one command holds for the next.
            texts = [each if isinstance(each, str) else " ".join(each) for each in step.op.commands]
            if not texts[0].startswith("#!"):
                yield "\n".join(texts)


def _folder(step: Step, cwd: str) -> _Folder | None:
    """The folder that a step copies, unless an ignore file chooses what of it."""
    match step.op:
        case AddLocalDir(path=path, dest=dest, ignore=ignore):
            relative = _relative(path, step.root)
            folder, names = posixpath.join(step.root, path), ".dockerignore"
        case Copy(origin=LocalSource() as origin) | Add(origin=LocalSource() as origin):
            relative = _source(step.op, step.root)
            dest = _joined(cwd, step.op.dest)
            ignore = tuple(word for word in step.op.exclude if isinstance(word, str))
            folder, names = step.root, origin.dockerignore
        case _:
            return None
    if relative is None or _is_choice(ignore) or _is_choice(_ignored(folder, names)):
        return None
    return _Folder(step, relative, dest)


def _source(op: Copy | Add, root: str) -> str | None:
    """All of the context, or the one folder that is copied; a folder in a COPY gives what it holds."""
    sources = [source for source in op.sources if isinstance(source, str)]
    if "." in sources:
        return "."
    path = posixpath.join(root, sources[0]) if len(sources) == 1 else ""
    return posixpath.normpath(sources[0]) if path and os.path.isdir(path) else None  # noqa: PTH112 - never raises


def _reads(install: Install, files: list[str], folder: _Folder) -> bool:
    """Whether the installation reads what the copy brings; packages that are named need nothing of it."""
    if not install.files:
        return folder.path == "."
    below = [posixpath.relpath(file, folder.dest) for file in files if _is_below(file, folder.dest)]
    if folder.path == ".":
        return bool(below)
    inside = [posixpath.join(folder.step.root, folder.path, name) for name in below[:1]]
    return any(os.path.isfile(path) for path in inside)  # noqa: PTH113 - never raises


def _holds(folder: _Folder, step: Step) -> bool:
    """Whether a fluent installation reads a file of the folder itself."""
    match step.op:
        case ops.PipInstallFromRequirements(path=path):
            paths = [path]
        case ops.UvPipInstall(requirements=requirements):
            paths = list(requirements)
        case ops.UvSync(path=path) | ops.NpmInstall(path=str(path)):
            paths = [posixpath.join(path, "x")]
        case _:
            return False
    same = step.root == folder.step.root
    return same and any(_is_below(posixpath.normpath(path), folder.path) for path in paths)


def _can_move(step: Step) -> bool:
    """A package that is a path may be what was copied."""
    packages = getattr(step.op, "packages", ())
    return not any(package.startswith(("/", ".", "file:")) for package in packages)


def _said(install: Install, folder: _Folder) -> _Found:
    text = install.text
    if not install.files:
        hint = f"install them above it: {text if len(text) <= 80 else text[:79] + '…'}"
        return _Found(text, hint, hint, hint, False)
    files = " ".join(posixpath.basename(name) for name in install.files)
    first = f"copy what the installation reads, and nothing else, before it:\nCOPY {files} ./\nRUN {text}"
    dockerfile = f"{first}\nCOPY . {folder.dest}" if folder.path == "." else first
    copied, fluent = _shown(folder), _fluent(install, folder)
    python = f"install first, above {copied}: {''.join(fluent)}"
    snap = f"install first, above {_statement(copied)}:\n" + "\n".join(map(_statement, fluent))
    return _Found(text, python, dockerfile, snap, True)


def _fluent(install: Install, folder: _Folder) -> list[str]:
    """The calls that install the same without the other files."""
    path = folder.path
    names = [posixpath.normpath(posixpath.join(path, posixpath.basename(name))) for name in install.files]
    if install.key == "pip":
        return [f".pip_install_from_requirements({names[0]!r})"]
    if install.key.startswith("npm"):
        return [f".npm_install(path={path!r}, dest={folder.dest!r})"]
    if install.key == "uv sync":
        return [f".uv_sync({path!r})"]
    files = [f".add_local_file({name!r}, {posixpath.join(folder.dest, posixpath.basename(name))!r})" for name in names]
    return [*files, f".run_commands({install.text!r})"]


def _statement(call: str) -> str:
    """A call as a statement of the .snap language; what is no call stays as it is."""
    found = re.fullmatch(r"\.(\w+)\((.*)\)", call)
    if found is None:
        return call
    words = re.sub(r"'([\w./-]+)'", r"\1", found[2]).replace(", ", " ")
    return f"{found[1]} {words}"


def _shown(folder: _Folder) -> str:
    if folder.step.op.core:
        return f"{folder.step.op.verb.upper()} {folder.path} {folder.dest}"
    return f".{folder.step.op.verb}({folder.path!r}, {folder.dest!r})"


def _is_choice(patterns: tuple[str, ...]) -> bool:
    """Whether everything is left out but what is named: then it was chosen what is copied."""
    return any(pattern.strip() in _EVERYTHING for pattern in patterns)


def _ignored(root: str, name: str) -> tuple[str, ...]:
    if not name:
        return ()
    try:
        return tuple(read_text(Path(root, name)).splitlines())
    except (OSError, ValueError):
        return ()


def _relative(path: str, root: str) -> str | None:
    """The path below the root; None where it lies elsewhere."""
    found = posixpath.normpath(posixpath.relpath(posixpath.join(root, path), root))
    return None if found.startswith("..") else found


def _is_below(path: str, folder: str) -> bool:
    if folder == ".":
        return not path.startswith(("/", "$"))
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _joined(cwd: str, path: Word) -> str:
    """The folder in words: a variable stands for itself, so that equal words are equal folders."""
    text = path if isinstance(path, str) else "".join(_part(part) for part in path.parts)
    text = text.replace("\\", "/")
    return posixpath.normpath(text if text.startswith("$") else posixpath.join(cwd, text))


def _part(part: str | Var) -> str:
    return f"${part.name}" if isinstance(part, Var) else part
