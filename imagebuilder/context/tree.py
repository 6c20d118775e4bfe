"""A local source as it is on disk: which files it means, and one digest for all of them.

The digest covers names, contents, the executable bit and the targets of
symbolic links, in sorted order: not modes beyond that bit, owners, times or
where the folder lies, which differ from machine to machine.
"""

from __future__ import annotations

import errno
import hashlib
import os
import posixpath
import re
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Literal

from imagebuilder.context.patterns import IgnoreRules, fixed_folder, ignore_lines, is_wildcard, source_regex
from imagebuilder.diagnostics import Invalid
from imagebuilder.files import is_link, open_regular, read_text
from imagebuilder.ir.ops import LocalSource

# As many as Linux follows in one path.
_MAX_LINKS = 40


@dataclass(frozen=True, slots=True)
class Entry:
    """``path`` is relative, with ``/``; for a source that is a file, its name.

    ``content`` is the SHA-256 of a file in hexadecimal, the target of a link, or empty.
    """

    path: str
    type: Literal["file", "program", "dir", "link"]
    content: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Tree:
    """The entries of a source, sorted by path, parents before what they hold.

    ``root`` is the folder in which their paths start, ``source`` what the author named.
    """

    root: Path
    source: Path
    entries: tuple[Entry, ...]
    digest: str

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.entries)


def read_tree(root: str, source: LocalSource) -> Tree:
    """Walk the source and read what it holds.

    Args:
        root: the folder at which ``source.path`` starts.

    Raises:
        Invalid: something is missing, unreadable, or of a kind that no image can hold.
    """
    path = Path(root) / on_disk(source.path)
    try:
        if source.kind == "file":
            entries = [_file_entry(path)]
            return Tree(path.parent, path, tuple(entries), _digest(entries))
        if not path.is_dir():
            raise (
                _unreadable(path)
                if not path.exists()
                else Invalid("IB205", f"not a folder: {str(path)!r}", "add_local_file takes a file")
            )
        folder = path.resolve()
    except OSError as error:
        raise _unreadable(path, error) from None
    wanted = _Selection(folder, source)
    rules = _rules(folder, source)
    entries = _with_parents(_walk(folder, rules, wanted))
    while wanted.follow(entries):
        entries = _with_parents(_walk(folder, rules, wanted))
    wanted.check({entry.path for entry in entries})
    entries.sort(key=lambda entry: entry.path.encode())
    return Tree(folder, path, tuple(entries), _digest(entries))


def taken(tree: Tree, source: LocalSource, path: str) -> str | None:
    """What COPY or a mount takes of a source for one path in it: a folder's content, or a file with its name.

    The digest is the same wherever in the source that lies, and whichever source it is. None where the path is a
    pattern or leads through a link: that is for the builder to follow.
    """
    path = posixpath.normpath(path.lstrip("/") or ".")
    if source.kind == "file":
        return f"file:{tree.digest}"
    if path == ".":
        return f"dir:{tree.digest}"
    if is_wildcard(path):
        return None
    types = {entry.path: entry.type for entry in tree.entries}
    above = path
    while above := posixpath.dirname(above):
        if types.get(above) != "dir":
            return None
    kind = types.get(path)
    if kind == "dir":
        inside = [replace(e, path=e.path[len(path) + 1 :]) for e in tree.entries if e.path.startswith(path + "/")]
        return f"dir:{_digest(inside)}"
    if kind in ("file", "program"):
        (entry,) = (replace(e, path=posixpath.basename(path)) for e in tree.entries if e.path == path)
        return f"file:{_digest([entry])}"
    return None


def on_disk(path: str) -> str:
    """A path as this process has to say it: names are UTF-8, whatever its locale is."""
    return os.fsdecode(path.encode())


def _as_text(name: str) -> str:
    """A name from this machine, read as UTF-8 whatever the locale of this process is."""
    return _checked(os.fsencode(name).decode(errors="surrogateescape"))


def _checked(name: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise Invalid("IB206", f"a file name that is not UTF-8: {name!a}", "rename the file, or ignore it") from None
    return name


class _Selection:
    """Which paths the include groups of a source take.

    A group is met by what is taken, not by what merely matches: a named file
    that is ignored is as good as missing. Wildcards may match nothing, as in
    ``COPY package.json yarn.lock* ./``, where something else is taken from
    their folder: the builder accepts just that.
    """

    def __init__(self, root: Path, source: LocalSource) -> None:
        self._root = root
        self._source = source
        self._followed: set[str] = set()
        self._groups = [[regex for pattern in group for regex in self._patterns(pattern)] for group in source.include]
        self.met = set(self.matching("."))
        self._all = not self._groups or bool(self.met)

    def _patterns(self, pattern: str) -> Iterator[re.Pattern[str]]:
        """The pattern; and where symbolic links stand on the way to it, each link and the pattern behind it."""
        literal = self._source.literal or not is_wildcard(pattern)
        yield source_regex(pattern, literal=literal)
        parts = posixpath.normpath(pattern).lstrip("/").split("/")
        for _ in range(_MAX_LINKS):
            fixed = parts if literal else list(takewhile(lambda part: not is_wildcard(part), parts))
            ways = ("/".join(fixed[:count]) for count in range(1, len(fixed) + 1))
            link = next((way for way in ways if is_link(self._root / on_disk(way))), None)
            if link is None:
                return
            self._followed.add(link)
            yield source_regex(link, literal=True)
            parts = [*self._target(link).split("/"), *parts[link.count("/") + 1 :]]
            yield source_regex("/".join(parts), literal=literal)
        raise _unreadable(self._root / on_disk(pattern), OSError(errno.ELOOP, os.strerror(errno.ELOOP)))

    def _target(self, link: str) -> str:
        """Where a link leads, one step, as a path in the root."""
        path = self._root / on_disk(link)
        target = posixpath.join(posixpath.dirname(link), _as_text(os.readlink(path)))
        if posixpath.isabs(target):
            target = posixpath.relpath(target, _as_text(str(self._root)))
        target = posixpath.normpath(target)
        if target.split("/")[0] == "..":
            raise Invalid(
                "IB208",
                f"a link that leaves the folder: {str(path)!r}",
                "the builder sees nothing outside of it; copy the target",
            )
        return target

    def follow(self, entries: Iterable[Entry]) -> bool:
        """Take along where the links lead that a wildcard named; whether there were new ones.

        The builder follows a link that is a source, not one inside of a folder that is.
        """
        if self._all:
            return False
        found = [e.path for e in entries if e.type == "link" and e.path not in self._followed and self.matching(e.path)]
        self._followed.update(found)
        for path in found:
            for number in self.matching(path):
                # What it leads to may be missing or elsewhere; the builder says so then.
                with suppress(Invalid):
                    self._groups[number] += self._patterns(_escaped(path) if not self._source.literal else path)
        return bool(found)

    def matching(self, path: str) -> frozenset[int]:
        """The groups that name the path."""
        return frozenset(
            number
            for number, patterns in enumerate(self._groups)
            if any(pattern.fullmatch(path) for pattern in patterns)
        )

    def takes(self, groups: frozenset[int]) -> bool:
        """Whether a path is taken that these groups name, or that lies in a folder which they name."""
        return self._all or bool(groups)

    def check(self, taken: Collection[str]) -> None:
        for number, group in enumerate(self._source.include):
            if number not in self.met and not self._may_be_empty(group, taken):
                raise Invalid(
                    "IB203",
                    f"nothing matches {' or '.join(map(repr, group))} in {str(self._root)!r}",
                    "is it misspelt, or ignored by a .dockerignore? paths start at the folder that names them",
                )

    def _may_be_empty(self, group: Iterable[str], taken: Collection[str]) -> bool:
        if self._source.literal or not all(map(is_wildcard, group)):
            return False
        return all((folder in taken) if (folder := fixed_folder(pattern)) else bool(taken) for pattern in group)


def _walk(root: Path, rules: IgnoreRules, wanted: _Selection) -> Iterator[Entry]:
    """What is taken, in no order; without recursion, since folders may be nested deeper than Python's stack."""
    waiting: list[tuple[str, str, tuple[bool, ...], frozenset[int]]] = [(str(root), "", (), frozenset())]
    while waiting:
        folder, prefix, matched, above = waiting.pop()
        try:
            with os.scandir(folder) as found:
                children = list(found)
        except OSError as error:
            raise _unreadable(Path(folder), error) from None
        for child in children:
            path = prefix + os.fsencode(child.name).decode(errors="surrogateescape")
            ignored, below = rules.matches(path, matched)
            is_dir = child.is_dir(follow_symlinks=False)
            groups = above | wanted.matching(path)
            take = wanted.takes(groups) and not ignored
            if is_dir:
                if ignored and not rules.may_include_below(path):
                    continue
                if take:
                    wanted.met |= groups
                    yield Entry(_checked(path), "dir")
                waiting.append((child.path, path + "/", below, groups))
            elif take and (entry := _entry(_checked(path), Path(child.path))):
                wanted.met |= groups
                yield entry


def _with_parents(entries: Iterator[Entry]) -> list[Entry]:
    """The entries, and every folder that leads to one of them."""
    found = {entry.path: entry for entry in entries}
    for path in list(found):
        while (path := posixpath.dirname(path)) and path not in found:
            found[path] = Entry(path, "dir")
    return list(found.values())


def _entry(name: str, path: Path) -> Entry | None:
    try:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            return Entry(name, "link", _as_text(os.readlink(path)))
        if stat.S_ISSOCK(status.st_mode):
            return None  # It has no content; the builder leaves sockets out too.
        if not stat.S_ISREG(status.st_mode):
            raise Invalid(
                "IB207",
                f"neither a file nor a folder: {str(path)!r}",
                "ignore it; an image holds no devices or pipes",
            )
        digest, size = _hash(path)
    except OSError as error:
        raise _unreadable(path, error) from None
    return Entry(name, "program" if status.st_mode & 0o111 else "file", digest, size)


def _file_entry(path: Path) -> Entry:
    if path.is_dir():
        raise Invalid("IB205", f"a folder, not a file: {str(path)!r}", "add_local_dir takes folders")
    entry = _entry(_as_text(path.name), _resolved(path, strict=True))
    if entry is None:
        raise Invalid("IB207", f"neither a file nor a folder: {str(path)!r}")
    return entry


def _hash(path: Path) -> tuple[str, int]:
    with open_regular(path) as file:
        digest = hashlib.file_digest(file, "sha256")
        return digest.hexdigest(), file.tell()


def _digest(entries: list[Entry]) -> str:
    total = hashlib.sha256(b"imagebuilder tree 1\0")
    for entry in entries:
        for part in (entry.type, entry.path, entry.content):
            data = part.encode()
            total.update(b"%d:%s" % (len(data), data))
    return "sha256:" + total.hexdigest()


def _rules(path: Path, source: LocalSource) -> IgnoreRules:
    lines: list[str] = []
    if source.dockerignore:
        file = path / source.dockerignore
        try:
            lines = ignore_lines(read_text(file))
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (OSError, UnicodeDecodeError) as error:
            raise Invalid("IB201", f"cannot read {str(file)!r}: {error}") from None
        try:
            IgnoreRules(lines)
        except Invalid as error:
            raise Invalid(error.code, f"{file}: {error.message}", error.help) from None
    return IgnoreRules([*lines, *source.ignore])


def _escaped(path: str) -> str:
    return re.sub(r"([*?\[\\])", r"\\\1", path)


def _resolved(path: Path, *, strict: bool = False) -> Path:
    try:
        return path.resolve(strict=strict)
    except (OSError, RuntimeError) as error:
        # Up to Python 3.12 a circle of links is a RuntimeError.
        circle = OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        raise _unreadable(path, error if isinstance(error, OSError) else circle) from None


def _unreadable(path: Path, error: OSError | None = None) -> Invalid:
    reason = (error.strerror or str(error)).lower() if error else "no such file or directory"
    return Invalid(
        "IB201",
        f"cannot read {str(path)!r}: {reason}",
        "relative paths start at the folder of the file that names them",
    )
