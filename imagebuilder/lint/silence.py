"""Comments that answer a warning where it stands.

``# check: ignore IB901, IB906 the reason`` silences these lints, ``# check: ignore``
all of them: on any line of the place that the warning is about, or among the
comments directly above it. Python, Dockerfiles and ``.snap`` write comments in
the same way.
"""

from __future__ import annotations

import io
import linecache
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from imagebuilder.diagnostics import CallSite, Diagnostic, Place, Span
from imagebuilder.ir.stage import Stage, ordered

_COMMENT = re.compile(r"(?:^|(?<=\s))#\s*check:\s*ignore\b:?(?P<rest>[^\n]*)")
_CODE = re.compile(r"[\s,]*(?P<code>[A-Z]{1,5}-?\d\w*)(?![\w-])", re.IGNORECASE)


class _Ignore(NamedTuple):
    """One comment: its codes with their places; without any, it silences everything."""

    codes: tuple[tuple[str, Span], ...]

    def answers(self, code: str) -> bool:
        return not self.codes or any(code == given for given, _ in self.codes)


class Comments:
    """The comments of the files that diagnostics are about, each read once.

    ``known`` are the codes of the lints; an error cannot be silenced. ``silenced`` are those that were.
    """

    def __init__(self, known: frozenset[str]) -> None:
        self.known = known
        self._files: dict[str, dict[int, _Ignore]] = {}
        self.silenced: list[Diagnostic] = []

    def silence(self, found: Diagnostic) -> bool:
        """Whether a comment answers the diagnostic."""
        if found.place is None or found.code not in self.known:
            return False
        span = found.place.resolve()
        ignores = self._of(span.file)
        if not ignores or not any(
            ignores[line].answers(found.code) for line in _lines(span, _text(span.file)) if line in ignores
        ):
            return False
        self.silenced.append(found)
        return True

    def unknown(self, files: Iterable[str]) -> Iterator[Diagnostic]:
        """A warning for each code in a comment that no lint has."""
        for file in files:
            for ignore in self._of(file).values():
                for code, place in ignore.codes:
                    if code not in self.known:
                        help = f"the lints are {', '.join(sorted(self.known))}"
                        yield Diagnostic("IB910", f"no lint is called {code!r}", place, help=help, severity="warning")

    def _of(self, file: str) -> dict[int, _Ignore]:
        if file not in self._files:
            linecache.checkcache(file)
            self._files[file] = dict(_ignores(file))
        return self._files[file]


def files(target: Stage, found: Iterable[Diagnostic]) -> list[str]:
    """The files that the image and the diagnostics were written in, sorted."""
    places: list[Place | None] = [each.place for each in found]
    for stage in ordered(target):
        places += [stage.place, *(step.place for step in stage.steps)]
    return sorted({_file(place) for place in places if place is not None})


def _file(place: Place) -> str:
    return place.code.co_filename if isinstance(place, CallSite) else place.file


def _lines(span: Span, lines: list[str]) -> Iterator[int]:
    """The lines of the place, and those of the comments directly above it."""
    yield from range(span.line, max(span.line, span.end_line) + 1)
    above = span.line - 1
    while 0 < above <= len(lines) and lines[above - 1].lstrip().startswith("#"):
        yield above
        above -= 1


def _ignores(file: str) -> Iterator[tuple[int, _Ignore]]:
    lines = _text(file)
    if not any("check:" in line for line in lines):
        return
    for number, column, text in _comments(file, lines):
        if found := _COMMENT.search(text):
            codes = []
            at = found.start("rest")
            while code := _CODE.match(text, at):
                start = column + code.start("code")
                codes.append((code["code"].upper(), Span(file, number, start, number, start + len(code["code"]))))
                at = code.end()
            yield number, _Ignore(tuple(codes))


def _comments(file: str, lines: list[str]) -> Iterator[tuple[int, int, str]]:
    """Line, column and text of what may be a comment; of Python, only what is one."""
    if not file.endswith(".py"):
        yield from ((number, 1, line) for number, line in enumerate(lines, 1))
        return
    try:
        for token in tokenize.generate_tokens(io.StringIO("".join(lines)).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.start[1] + 1, token.string
    except (tokenize.TokenError, SyntaxError):
        return


def _text(file: str) -> list[str]:
    """The lines of the file; none where it cannot be read."""
    if lines := linecache.getlines(file):
        return lines
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    except (OSError, ValueError):
        return []
