"""What two images differ in: packages, files, and how large they and their layers are."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeVar

from imagebuilder.cache.sizes import LayerSize
from imagebuilder.engine.contents import Contents, Entry

_T = TypeVar("_T")
# What every build writes anew, and nobody asked for.
_NOISE = ("/var/log/", "/var/lib/apt/lists/", "/var/cache/", "/var/lib/dpkg/info/")
_NOISE_ENDS = (".pyc", "/__pycache__", "/var/lib/dpkg/status-old")


@dataclass(frozen=True, slots=True)
class Changes(Generic[_T]):
    """What only the second has, what only the first has, and what both have that is not equal; by name, sorted."""

    added: Mapping[str, _T]
    removed: Mapping[str, _T]
    changed: Mapping[str, tuple[_T, _T]]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the tree of what changed: a path, a folder with all that is in it, or, without a sign, one on the way.

    ``count`` is how many files it stands for, ``before`` and ``after`` are their bytes in the first and in the second;
    ``ways`` tells in what a path changed.
    """

    sign: Literal["+", "-", "~", " "]
    name: str
    depth: int = 0
    count: int = 0
    before: int = 0
    after: int = 0
    ways: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """``packages`` by kind: apt, apk, pip and npm, as far as either image has them. ``size`` is the files' bytes."""

    packages: Mapping[str, Changes[str]]
    files: Changes[Entry]
    size: tuple[int, int]
    layers: tuple[tuple[LayerSize, ...], tuple[LayerSize, ...]] = field(default=((), ()))

    def __bool__(self) -> bool:
        return bool(self.files) or any(self.packages.values())

    def tree(self) -> list[Line]:
        """The files; a folder that is wholly new or gone is one line, and so is what every build writes anew."""
        return folded(self.files)

    def as_json(self) -> dict[str, Any]:
        return {
            "packages": {
                kind: {
                    "added": [{"name": name, "version": version} for name, version in found.added.items()],
                    "removed": [{"name": name, "version": version} for name, version in found.removed.items()],
                    "changed": [{"name": name, "from": a, "to": b} for name, (a, b) in found.changed.items()],
                }
                for kind, found in self.packages.items()
            },
            "files": {
                "added": [{"path": text(path), **_entry(entry)} for path, entry in self.files.added.items()],
                "removed": [{"path": text(path), **_entry(entry)} for path, entry in self.files.removed.items()],
                "changed": [
                    {"path": text(path), "from": _entry(a), "to": _entry(b)}
                    for path, (a, b) in self.files.changed.items()
                ],
            },
            "layers": {
                side: [layer.as_json() for layer in found] for side, found in zip("ab", self.layers, strict=True)
            },
            "size": dict(zip("ab", self.size, strict=True)),
        }


def compare(a: Contents, b: Contents) -> Difference:
    """What it takes to get from the first to the second."""
    kinds = sorted({*a.packages, *b.packages})
    packages = {kind: changes(a.packages.get(kind, {}), b.packages.get(kind, {})) for kind in kinds}
    return Difference(packages, changes(a.entries, b.entries), (a.size, b.size))


def changes(a: Mapping[str, _T], b: Mapping[str, _T]) -> Changes[_T]:
    return Changes(
        {name: b[name] for name in sorted(b.keys() - a.keys())},
        {name: a[name] for name in sorted(a.keys() - b.keys())},
        {name: (a[name], b[name]) for name in sorted(a.keys() & b.keys()) if a[name] != b[name]},
    )


def ways(a: Entry, b: Entry) -> Iterator[str]:
    """In what two entries of one path differ."""
    if a.type != b.type:
        yield f"{a.type} → {b.type}"
    elif (a.size, a.digest) != (b.size, b.digest):
        yield "content"
    if a.type == b.type and a.target != b.target:
        yield f"{a.target} → {b.target}"
    if a.mode != b.mode and "link" not in (a.type, b.type):
        yield f"mode {a.mode:04o} → {b.mode:04o}"
    if a.owner != b.owner:
        yield f"owner {a.owner[0]}:{a.owner[1]} → {b.owner[0]}:{b.owner[1]}"


# The tree ---------------------------------------------------------------------------------------------


def folded(files: Changes[Entry]) -> list[Line]:
    lines: dict[str, Line] = {}
    noise = None
    for top, line in _tops(files):
        if top.startswith(_NOISE) or top.endswith(_NOISE_ENDS):
            noise = _with(noise or Line("~", "bytecode, logs, caches, lists of packages"), line)
        else:
            lines[top] = _with(lines[top], line) if top in lines else line
    return [*_arranged(lines), *([noise] if noise else [])]


def _tops(files: Changes[Entry]) -> Iterator[tuple[str, Line]]:
    """Each path that changed, with the topmost folder that came or went with it."""
    sides: tuple[tuple[Literal["+", "-"], Mapping[str, Entry]], ...] = (("+", files.added), ("-", files.removed))
    for sign, entries in sides:
        tops: dict[str, str] = {}
        # A folder sorts before what is in it.
        for path in sorted(entries):
            entry, folder = entries[path], posixpath.dirname(path)
            is_below = folder in tops and entries[folder].type == "dir"
            top = tops[path] = tops[folder] if is_below else path
            name = f"{top}/" if entries[top].type == "dir" else top
            before, after = (0, entry.size) if sign == "+" else (entry.size, 0)
            yield top, Line(sign, name, 0, int(entry.type != "dir"), before, after)
    for path, (a, b) in files.changed.items():
        yield (
            path,
            Line("~", f"{path}/" if a.type == b.type == "dir" else path, 0, 1, a.size, b.size, tuple(ways(a, b))),
        )


def _with(line: Line, other: Line) -> Line:
    return replace(
        line, count=line.count + other.count, before=line.before + other.before, after=line.after + other.after
    )


def _arranged(lines: Mapping[str, Line]) -> Iterator[Line]:
    """The lines as a tree, in which folders stand that have several of them. No recursion: paths may be deep."""
    several = _several(lines)
    open: list[str] = []
    for path in sorted(lines, key=lambda path: path.split("/")):
        while open and not path.startswith(f"{open[-1]}/"):
            open.pop()
        for folder in reversed(list(_above(path))):
            if folder in several and folder not in lines and len(folder) > len(open[-1] if open else ""):
                yield Line(" ", f"{_below(folder, open)}/", len(open))
                open.append(folder)
        yield replace(lines[path], name=_below(lines[path].name, open), depth=len(open))
        open.append(path)


def _several(paths: Iterable[str]) -> set[str]:
    """The folders with more than one child on the way to the paths."""
    only: dict[str, str] = {}
    found = set()
    for path in paths:
        child = path
        for folder in _above(path):
            if only.setdefault(folder, child) != child:
                found.add(folder)
            child = folder
    return found


def _above(path: str) -> Iterator[str]:
    """The folders that a path is in, the nearest first, without the root."""
    while (path := posixpath.dirname(path)) not in ("/", ""):
        yield path


def _below(path: str, open: list[str]) -> str:
    return path[len(open[-1]) + 1 :] if open else path


def text(path: str) -> str:
    """A path as text; bytes of it that are none are written as such."""
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _entry(entry: Entry) -> dict[str, Any]:
    found: dict[str, Any] = {"type": entry.type, "size": entry.size, "mode": f"{entry.mode:04o}"}
    found["owner"] = f"{entry.owner[0]}:{entry.owner[1]}"
    if entry.target:
        found["target"] = text(entry.target)
    if entry.digest:
        found["sha256"] = entry.digest.hex()
    return found
