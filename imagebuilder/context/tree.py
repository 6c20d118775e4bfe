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
import stat
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from imagebuilder.context.patterns import IgnoreRules, fixed_folder, ignore_lines, is_wildcard, source_regex
from imagebuilder.diagnostics import Invalid
from imagebuilder.ir.ops import LocalSource


@dataclass(frozen=True, slots=True)
class Entry:
    """``path`` is relative, with ``/``; it is empty for a source that is a file.

    ``content`` is the SHA-256 of a file in hexadecimal, the target of a link, or empty.
    """

    path: str
    type: Literal["file", "program", "dir", "link"]
    content: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Tree:
    """The entries of a source, sorted by path, parents before what they hold."""

    root: Path
    name: str
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
    path = Path(root) / source.path
    if source.kind == "file":
        entries = [_file_entry(path)]
        return Tree(path, path.name, tuple(entries), _digest(entries))
    if not path.is_dir():
        raise (
            _unreadable(path)
            if not path.exists()
            else Invalid("IB205", f"not a folder: {str(path)!r}", "add_local_file takes a file")
        )
    path = path.resolve()
    wanted = _Selection(path, source)
    entries = _with_parents(_walk(path, "", _rules(path, source), (), wanted))
    wanted.check({entry.path for entry in entries})
    entries.sort(key=lambda entry: entry.path.encode())
    return Tree(path, path.name, tuple(entries), _digest(entries))


class _Selection:
    """Which paths the include groups of a source take.

    A group is met by what is taken, not by what merely matches: a named file
    that is ignored is as good as missing. Wildcards may match nothing, as in
    ``COPY package.json yarn.lock* ./``, where something else is taken from
    their folder: the builder accepts just that.
    """

    def __init__(self, root: Path, source: LocalSource) -> None:
        self._root = root
        self._groups = []
        self._source = source
        for group in source.include:
            patterns = []
            for pattern in group:
                literal = source.literal or not is_wildcard(pattern)
                patterns.append(source_regex(pattern, literal=literal))
                if literal:
                    patterns += [source_regex(target, literal=True) for target in _link_targets(root, pattern)]
            self._groups.append(tuple(patterns))
        self.met = set(self.matching("."))
        self._all = not self._groups or bool(self.met)

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


def _walk(
    folder: Path,
    prefix: str,
    rules: IgnoreRules,
    matched: tuple[bool, ...],
    wanted: _Selection,
    above: frozenset[int] = frozenset(),
) -> Iterator[Entry]:
    try:
        with os.scandir(folder) as found:
            children = list(found)
    except OSError as error:
        raise _unreadable(folder, error) from None
    for child in children:
        path = prefix + child.name
        ignored, below = rules.matches(path, matched)
        is_dir = child.is_dir(follow_symlinks=False)
        groups = above | wanted.matching(path)
        take = wanted.takes(groups) and not ignored
        if is_dir:
            if ignored and not rules.may_include_below(path):
                continue
            if take:
                wanted.met |= groups
                yield Entry(_checked(path, child), "dir")
            yield from _walk(Path(child.path), path + "/", rules, below, wanted, groups)
        elif take and (entry := _entry(_checked(path, child), Path(child.path))):
            wanted.met |= groups
            yield entry


def _checked(path: str, child: os.DirEntry[str]) -> str:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise Invalid(
            "IB206", f"a file name that is not UTF-8: {child.path!a}", "rename the file, or ignore it"
        ) from None
    return path


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
            return Entry(name, "link", os.readlink(path))
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
    entry = _entry("", _resolved(path, strict=True))
    if entry is None:
        raise Invalid("IB207", f"neither a file nor a folder: {str(path)!r}")
    return entry


def _hash(path: Path) -> tuple[str, int]:
    with path.open("rb", buffering=0) as file:
        digest = hashlib.file_digest(file, "sha256")
        return digest.hexdigest(), file.tell()


def _digest(entries: list[Entry]) -> str:
    total = hashlib.sha256(b"imagebuilder tree 1\0")
    for entry in entries:
        for part in (entry.type, entry.path, entry.content):
            data = part.encode(errors="surrogateescape")
            total.update(b"%d:%s" % (len(data), data))
    return "sha256:" + total.hexdigest()


def _rules(path: Path, source: LocalSource) -> IgnoreRules:
    lines: list[str] = []
    if source.dockerignore:
        file = path / source.dockerignore
        try:
            lines = ignore_lines(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (OSError, UnicodeDecodeError) as error:
            raise Invalid("IB201", f"cannot read {str(file)!r}: {error}") from None
        try:
            IgnoreRules(lines)
        except Invalid as error:
            raise Invalid(error.code, f"{file}: {error.message}", error.help) from None
    return IgnoreRules([*lines, *source.ignore])


def _link_targets(root: Path, pattern: str) -> Iterator[str]:
    """Where symbolic links on the way to a source lead, inside the root: the builder follows those it is named."""
    path = root
    for part in Path(pattern.lstrip("/")).parts:
        path = path / part
        if not path.is_symlink():
            continue
        target = _resolved(path)
        if not target.is_relative_to(root):
            raise Invalid(
                "IB208",
                f"a link that leaves the folder: {str(path)!r}",
                "the builder sees nothing outside of it; copy the target",
            )
        yield target.relative_to(root).as_posix()
        path = target


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
