"""Which paths of a folder a source takes: its ignore rules and its include groups."""

from __future__ import annotations

import errno
import os
import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from itertools import chain, takewhile
from pathlib import Path

from imagebuilder.context.names import as_text, on_disk, unreadable
from imagebuilder.context.patterns import IgnoreRules, fixed_folder, ignore_lines, is_wildcard, source_regex
from imagebuilder.diagnostics import Invalid
from imagebuilder.files import is_link, read_text
from imagebuilder.ir.ops import LocalSource

# As many as Linux follows in one path.
_MAX_LINKS = 40


class Selection:
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

    def __bool__(self) -> bool:
        """Whether anything at all has to be asked about a path."""
        return bool(self._groups)

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
        raise unreadable(self._root / on_disk(pattern), OSError(errno.ELOOP, os.strerror(errno.ELOOP)))

    def _target(self, link: str) -> str:
        """Where a link leads, one step, as a path in the root."""
        path = self._root / on_disk(link)
        target = posixpath.join(posixpath.dirname(link), as_text(os.readlink(path)))
        if posixpath.isabs(target):
            target = posixpath.relpath(target, as_text(str(self._root)))
        target = posixpath.normpath(target)
        if target.split("/")[0] == "..":
            raise Invalid(
                "IB208",
                f"a link that leaves the folder: {str(path)!r}",
                "the builder sees nothing outside of it; copy the target",
            )
        return target

    def may_follow(self) -> bool:
        """Whether links may be found that lead to more; those on the way of a plain path were followed at once."""
        return not self._all and not self._source.literal and any(map(is_wildcard, chain(*self._source.include)))

    def follow(self, links: Iterable[str]) -> bool:
        """Take along where the links lead that a wildcard named; whether there were new ones.

        The builder follows a link that is a source, not one inside of a folder that is.
        """
        found = [path for path in links if path not in self._followed and self.matching(path)]
        self._followed.update(found)
        for path in found:
            for number in self.matching(path):
                # What it leads to may be missing or elsewhere; the builder says so then.
                with suppress(Invalid):
                    self._groups[number] += self._patterns(_escaped(path))
        return bool(found)

    @property
    def words(self) -> str:
        """What decides; two of the same words take the same of a folder."""
        return repr([[regex.pattern for regex in group] for group in self._groups])

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

    def check(self, taken: Callable[[], Collection[str]]) -> None:
        """
        Raises:
            Invalid: a group is met by nothing that is taken.
        """
        for number, group in enumerate(self._source.include):
            if number not in self.met and not self._may_be_empty(group, taken()):
                raise Invalid(
                    "IB203",
                    f"nothing matches {' or '.join(map(repr, group))} in {str(self._root)!r}",
                    "is it misspelt, or ignored by a .dockerignore? paths start at the folder that names them",
                )

    def _may_be_empty(self, group: Iterable[str], taken: Collection[str]) -> bool:
        if self._source.literal or not all(map(is_wildcard, group)):
            return False
        return all((folder in taken) if (folder := fixed_folder(pattern)) else bool(taken) for pattern in group)


def ignore_rules(path: Path, source: LocalSource) -> IgnoreRules:
    """What the source's ignore file and its own patterns leave out of the folder.

    Raises:
        Invalid: the ignore file cannot be read, or a line is not a pattern.
    """
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
