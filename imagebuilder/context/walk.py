"""A walk through a folder: what is taken of it, hashed, folder by folder.

Folders that look as they did when they were last hashed (:mod:`imagebuilder.context.stats`) are not looked into more
closely: neither are rules asked about their names nor files opened. Of the others those files are read that changed.
"""

from __future__ import annotations

import os
import stat
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from imagebuilder.context.fingerprints import STAT, UNKNOWN, Found, Problem, look, open_folder
from imagebuilder.context.names import as_text, unreadable
from imagebuilder.context.patterns import IgnoreRules
from imagebuilder.context.reading import Reading
from imagebuilder.context.selection import Selection
from imagebuilder.context.stats import SLACK, Record, Records
from imagebuilder.diagnostics import Invalid

_FRAME = 9  # A kind and a size.
_DIGEST = 32
_LINK = ord("l")
_NOTHING: frozenset[int] = frozenset()
_ALL = True, True, _NOTHING


@dataclass(eq=False, slots=True)
class Visit:
    """A folder that was walked; ``path`` starts at the root, whose own is empty."""

    path: bytes
    taken: bool
    parent: Visit | None
    record: Record


@dataclass(eq=False, slots=True)
class _Scan:
    """A folder whose names were chosen from anew, while its files are read."""

    listing: list[bytes] = field(default_factory=list)
    others: list[bytes] = field(default_factory=list)
    looks: bytes = b""
    names: list[bytes] = field(default_factory=list)
    below: list[tuple[bytes, bool]] = field(default_factory=list)
    met: set[int] = field(default_factory=set)
    kept: dict[bytes, tuple[bytes, bytes]] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)

    def unread(self) -> list[bytes]:
        return [name for name in self.names if name not in self.kept] if self.kept else self.names

    def record(self) -> Record:
        looks = b"".join([found[0] for found in self.found])
        files = b"".join([found[1] for found in self.found])
        size = sum(found[3] for found in self.found)
        if self.kept:
            read = {name: (look, entry) for look, (*_, name, entry) in zip(_cut(looks), entries(files), strict=True)}
            every = [self.kept.get(name) or read[name] for name in self.names]
            looks, files = b"".join(look for look, _ in every), b"".join(entry for _, entry in every)
            size = sum(size for _, size, *_ in entries(files))
        return (
            b"\0".join(self.listing),
            b"\0".join(self.others + self.names),
            self.looks + looks,
            tuple(name for name, _ in self.below),
            bytes(taken for _, taken in self.below),
            files,
            size,
            tuple(sorted(self.met)),
        )


def walk(root: Path, rules: IgnoreRules, wanted: Selection, seen: Records, *, same: bool) -> list[Visit]:
    """The folders of which something may be taken, parents before what they hold.

    Args:
        seen: what was seen of them before.
        same: whether the same rules and the same selection chose from them then.

    Raises:
        Invalid: something cannot be read, or is of a kind that no image can hold.
    """
    top = os.fsencode(root)
    choosing = _Choosing(rules, wanted)
    scans: list[tuple[Visit, _Scan]] = []
    try:
        with Reading(time.time_ns() - SLACK) as reading:
            visits = [Visit(b"", True, None, _EMPTY)]
            for visit in visits:  # It grows.
                path = top + b"/" + visit.path if visit.path else top
                before = seen.get(visit.path)
                if before is not None and same and _is_as_before(path, before):
                    visit.record = before
                    below = list(zip(before[3], map(bool, before[4]), strict=True))
                else:
                    scan = _scan(path, choosing.below(visit.path), before)
                    scans.append((visit, scan))
                    reading.add(path, scan.unread(), scan.found)
                    below = scan.below
                prefix = visit.path + b"/" if visit.path else b""
                visits += [Visit(prefix + name, taken, visit, _EMPTY) for name, taken in below]
            reading.finish()
    except Problem as problem:
        raise told(problem) from None
    for visit, scan in scans:
        visit.record = scan.record()
    for visit in visits:
        wanted.met.update(visit.record[7])
    return visits


_EMPTY: Record = (b"", b"", b"", (), b"", b"", 0, ())


def entries(files: bytes) -> Iterator[tuple[bytes, int, bytes, bytes, bytes]]:
    """The kind, size, content and name of each entry, and all of it as it is written."""
    at = 0
    while at < len(files):
        size = int.from_bytes(files[at + 1 : at + _FRAME], "big")
        middle = at + _FRAME + (size if files[at] == _LINK else _DIGEST)
        end = files.index(b"\0", middle)
        kind = files[at : at + 1]
        yield kind, 0 if kind == b"l" else size, files[at + _FRAME : middle], files[middle:end], files[at : end + 1]
        at = end + 1


def _cut(looks: bytes) -> Iterator[bytes]:
    return (looks[at : at + STAT.size] for at in range(0, len(looks), STAT.size))


def _is_as_before(path: bytes, before: Record) -> bool:
    listing, asked, looks = before[:3]
    try:
        if UNKNOWN in looks or b"\0".join(os.listdir(path)) != listing:  # noqa: PTH208 - of bytes
            return False
        handle = open_folder(path)
        try:
            return look(handle, asked.split(b"\0") if asked else ()) == looks
        finally:
            os.close(handle)
    except (OSError, struct.error):
        return False


_Choose = Callable[[bytes], tuple[bool, bool, frozenset[int]]] | None
"""Of a name: whether it is taken, whether something in it may be if it is a folder, and the groups it meets. None
takes everything."""


def _scan(path: bytes, choose: _Choose, before: Record | None) -> _Scan:
    """Choose from a folder's names, and find those files that look as they did before."""
    scan = _Scan()
    listing, names, others, met = scan.listing, scan.names, scan.others, scan.met
    try:
        with os.scandir(path) as found:
            for child in found:
                name = child.name
                listing.append(name)
                take, enter, groups = choose(name) if choose else _ALL
                if take and (child.is_file(follow_symlinks=False) or _is_link(child)):
                    names.append(name)
                elif not enter:
                    continue
                else:
                    others.append(name)
                    if child.is_dir(follow_symlinks=False):
                        scan.below.append((name, take))
                    else:
                        take = False
                if take and groups:
                    met |= groups
        scan.names.sort()
        scan.below.sort()
        _check(scan.names, path)
        handle = open_folder(path)
        try:
            try:
                scan.looks = look(handle, scan.others)
            except struct.error:
                scan.looks = UNKNOWN * len(scan.others)
            if before is not None:
                scan.kept = _unchanged(handle, scan.names, before)
        finally:
            os.close(handle)
    except OSError as error:
        # What was looked at in the folder has the name that it has there.
        name = error.filename if isinstance(error.filename, bytes) else b""
        raise unreadable(Path(os.fsdecode(path), os.fsdecode(name)), error) from None
    return scan


def _check(names: list[bytes], folder: bytes) -> None:
    """
    Raises:
        Invalid: a name is not UTF-8.
    """
    try:
        b"\0".join(names).decode()
    except UnicodeDecodeError:
        for name in names:
            as_text(folder + b"/" + name)


def _is_link(child: os.DirEntry[bytes]) -> bool:
    """Whether what is not known to be a file is a link, or a file after all. No folder is, and no socket: it has no
    content, and the builder leaves sockets out too.

    Raises:
        Invalid: it is something else that has no content.
    """
    if child.is_dir(follow_symlinks=False):
        return False
    mode = child.stat(follow_symlinks=False).st_mode
    if stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISSOCK(mode):
        return not stat.S_ISSOCK(mode)
    path = os.fsdecode(child.path)
    raise Invalid("IB207", f"neither a file nor a folder: {path!r}", "ignore it; an image holds no devices or pipes")


def _unchanged(folder: int, names: list[bytes], before: Record) -> dict[bytes, tuple[bytes, bytes]]:
    """The look and the entry of each name that is what it was."""
    _, asked, looks, _, _, files, _, _ = before
    old = dict(zip(asked.split(b"\0"), _cut(looks), strict=False))
    kept = {}
    for _, _, _, name, entry in entries(files):
        seen = old[name]
        if seen != UNKNOWN:
            kept[name] = seen, entry
    found = {}
    for name in names:
        if name in kept and look(folder, [name]) == kept[name][0]:
            found[name] = kept[name]
    return found


class _Choosing:
    """Which names are taken, by what the rules and the selection say of the folders above."""

    def __init__(self, rules: IgnoreRules, wanted: Selection) -> None:
        self._rules = rules
        self._wanted = wanted
        self._states: dict[bytes, tuple[tuple[bool, ...], frozenset[int]]] = {b"": ((), _NOTHING)}

    def below(self, folder: bytes) -> _Choose:
        """How to choose in a folder."""
        rules, wanted = self._rules, self._wanted
        if not rules and not wanted:
            return None
        matched, above = self._state(folder)
        prefix = folder.decode(errors="surrogateescape") + "/" if folder else ""

        def choose(name: bytes) -> tuple[bool, bool, frozenset[int]]:
            path = prefix + name.decode(errors="surrogateescape")
            ignored = rules.ignores(path, matched)
            groups = above | wanted.matching(path) if wanted else above
            return wanted.takes(groups) and not ignored, not ignored or rules.may_include_below(path), groups

        return choose

    def _state(self, folder: bytes) -> tuple[tuple[bool, ...], frozenset[int]]:
        """What matched a folder; worked out from the nearest folder above for which that is known."""
        missing = []
        while folder not in self._states:
            missing.append(folder)
            folder = folder.rpartition(b"/")[0]
        state = self._states[folder]
        for path in reversed(missing):
            text = path.decode(errors="surrogateescape")
            matched = self._rules.matches(text, state[0])
            state = self._states[path] = matched, state[1] | self._wanted.matching(text)
        return state


def told(problem: Problem) -> Invalid:
    """What a person is told of it."""
    path = os.fsdecode(problem.path)
    if problem.kind == "name":
        try:
            as_text(problem.path)
        except Invalid as error:
            return error
    if problem.kind == "unreadable":
        return unreadable(Path(path), OSError(problem.code, os.strerror(problem.code)))
    return Invalid("IB212", f"{path!r} is changed while it is being read", "stop what writes to it, or ignore it")
