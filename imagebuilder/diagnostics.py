"""What went wrong, where, and what to do about it.

Every mistake a person can make reaches them as a :class:`Diagnostic`: a stable
code, one sentence, the place that caused it, and a hint. Code below the command
line never prints; it raises an :class:`ImagebuilderError` that carries
diagnostics and the exit code that fits.

Places come in two forms. A :class:`Span` is a range in a file. A
:class:`CallSite` is a call in a running Python program, which is resolved to a
span only when somebody looks: resolving costs more than recording, and most
places are never shown.
"""

from __future__ import annotations

import linecache
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import CodeType
from typing import Any

# What a terminal obeys instead of showing it: control characters, and those that turn the direction of writing.
_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
# Characters of an excerpt's line, and of those before the place, where the line is longer.
_LONGEST = 240
_AROUND = 80
_CREDENTIAL = re.compile(r"(?<=://)[^/\s@]+(?=@)")

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NO_ENGINE = 3
EXIT_INTERRUPTED = 130


# Every code but those of three rooms that keep their own: frontends/dockerfile (IB3xx),
# engine/embedded (IB51x to IB53x) and lint (IB9xx). A code keeps its meaning for good.
CODES: dict[str, str] = {
    # Values that an operation refuses.
    "IB100": "a value of the wrong type",
    "IB101": "text that no container can get",
    "IB102": "a value that is too long",
    "IB103": "an empty value",
    "IB104": "a '$' that begins no variable",
    "IB105": "not a package name",
    "IB106": "an option in the place of a name",
    "IB107": "a credential inside a URL",
    "IB108": "not a URL",
    "IB109": "a relative destination",
    "IB110": "a destination with '..'",
    "IB111": "not a variable name",
    "IB112": "not a name",
    "IB113": "not an image reference",
    "IB114": "not a platform",
    "IB115": "not a port",
    "IB116": "not a signal",
    "IB117": "not a duration",
    "IB118": "not a checksum",
    "IB119": "not a file mode",
    "IB120": "not an owner",
    "IB121": "an empty command",
    "IB122": "a command that ends in a backslash",
    "IB123": "a carriage return in a command",
    "IB124": "an unknown Python version",
    "IB125": "arguments that do not go together",
    "IB127": "a requirements file that needs more than itself",
    "IB128": "a pyproject.toml that is not valid",
    "IB129": "an extra that does not exist",
    "IB130": "a build argument that does not exist",
    "IB131": "a build argument that comes too late",
    "IB132": "a path that is too long",
    "IB133": "a folder in place of a file",
    "IB134": "not a branch, tag or commit",
    "IB135": "not a release of Debian",
    # Values that a Dockerfile cannot hold.
    "IB141": "text that cannot be written",
    "IB142": "a value that no flag can hold",
    "IB143": "a text without a line end among several",
    "IB144": "a line that is too long",
    "IB145": "a pattern that would mean another modifier",
    "IB146": "values that are too long together",
    # Secrets.
    "IB150": "a secret without a value",
    "IB151": "a secret's file that does not exist",
    "IB152": "a CA bundle that does not exist",
    # Local files.
    "IB201": "a file that cannot be read",
    "IB202": "a file that is not UTF-8 text",
    "IB203": "a source that matches nothing",
    "IB204": "not a pattern",
    "IB205": "a file in place of a folder, or the reverse",
    "IB206": "a file name that is not UTF-8",
    "IB207": "neither a file nor a folder",
    "IB208": "a link that leaves the folder",
    "IB210": "a file that changed during the build",
    "IB211": "a copy for the builder that cannot be written",
    # Targets.
    "IB401": "not a target",
    "IB402": "a target whose code fails",
    "IB403": "no such Image in the target",
    "IB404": "options that do not fit the target",
    # Conversions.
    "IB410": "a step that has no equal in another form",
    "IB411": "Python that does more than describe an image",
    "IB412": "not a JSON document",
    "IB413": "JSON that describes no image",
    "IB414": "a document of another version",
    "IB415": "no form to convert to",
    "IB416": "a file that exists already",
    # The engine.
    "IB500": "no engine answers",
    "IB501": "a program that cannot be run",
    "IB502": "a Docker context that does not exist",
    "IB503": "the engine refused",
    "IB504": "a command that did not end",
    "IB505": "the Dockerfile could not be checked",
    "IB506": "buildx is not installed",
    "IB507": "the builder did not name its image",
    "IB508": "the engine did not answer in time",
    "IB509": "no such builder",
    # Builds.
    "IB600": "a command failed",
    "IB601": "interrupted",
    "IB602": "the builder failed",
    "IB603": "a base for another platform",
    # The command line and the store.
    "IB700": "wrong usage",
    "IB701": "not a snapshot name",
    "IB702": "no such snapshot",
    "IB703": "a store that cannot be used",
    "IB704": "a store of a newer version",
    "IB705": "not a build argument",
    "IB706": "not a secret",
    "IB707": "a snapshot without an image",
    "IB708": "a home folder that cannot be used",
    "IB709": "resources that nothing can have",
    "IB710": "the system refused",
    "IB711": "not a parameter",
    # Editors.
    "IB720": "the language server is not installed",
}


@dataclass(frozen=True, slots=True)
class Span:
    """A range of text in a file; lines and columns are 1-based, in characters.

    ``end_column`` is exclusive. ``column`` 0 means that only the line is known.
    """

    file: str
    line: int
    column: int = 0
    end_line: int = 0
    end_column: int = 0

    def resolve(self) -> Span:
        return self

    def part(self, name: str, index: int | None) -> Span:
        """Where the argument of that name stands, or one of its values; the whole where that is not known."""
        return self

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" + (f":{self.column}" if self.column else "")


@dataclass(frozen=True, slots=True, eq=False)
class CallSite:
    """A call in Python code: the code object and the offset of its instruction.

    The exact columns come from the position table that CPython 3.11 keeps
    (PEP 657); its columns are UTF-8 byte offsets and are converted here.
    """

    code: CodeType
    lasti: int
    line: int

    def __reduce__(self) -> tuple[Any, ...]:
        # Code cannot be pickled; where it stood can.
        span = self.resolve()
        return (Span, (span.file, span.line, span.column, span.end_line, span.end_column))

    def part(self, name: str, index: int | None) -> CallSite:
        return self

    def resolve(self) -> Span:
        file = self.code.co_filename
        found = next(islice(self.code.co_positions(), self.lasti // 2, None), None)
        if found is None or None in found:
            return Span(file, self.line)
        line, end_line, start, end = found
        assert line is not None and end_line is not None and start is not None and end is not None
        lines = linecache.getlines(file)[line - 1 : end_line]
        if not lines:
            return Span(file, self.line)
        if method := _method(lines, start, end):
            line, start = line + method[0], method[1]
        end_column = _characters(lines[-1], end) + 1
        return Span(file, line, _characters(lines[line - end_line - 1], start) + 1, end_line, end_column)


def _method(lines: list[str], start: int, end: int) -> tuple[int, int] | None:
    """Where the name of the method stands in a call ``….method(…)``: its line's index and its byte offset.

    The position of a call in a fluent chain begins where the chain does; a
    person looks for the method.
    """
    import ast

    whole = b"".join(line.encode() for line in lines[:-1]) + lines[-1].encode()[:end]
    try:
        call = ast.parse(b"(" + whole[start:] + b")", mode="eval").body
    except (SyntaxError, ValueError):
        return None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return None
    row, column = call.func.end_lineno or 1, call.func.end_col_offset or 0
    name = column - len(call.func.attr.encode())
    return row - 1, name + (start - 1 if row == 1 else 0)


def _characters(text: str, byte_offset: int) -> int:
    return len(text.encode()[:byte_offset].decode(errors="replace"))


Place = Span | CallSite


@dataclass(frozen=True, slots=True)
class Note:
    """A further remark; with a place, it is drawn as a second excerpt."""

    message: str
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake. ``code`` is a key of ``CODES`` and never changes its meaning.

    ``hidden`` are texts that no excerpt may show.
    """

    code: str
    message: str
    place: Place | None = None
    notes: tuple[Note, ...] = ()
    help: str = ""
    severity: str = "error"
    hidden: tuple[str, ...] = field(default=(), repr=False)

    def render(self) -> str:
        """The diagnostic as a person reads it, with its source line and carets.

        What is quoted may be a stranger's: a character that a terminal would obey is shown as another one.
        """
        lines = [f"{self.severity}[{self.code}]: {self.message}"]
        if self.place is not None:
            lines += _excerpt(self.place.resolve(), self.hidden)
        for note in self.notes:
            lines.append(f"  = note: {_indented(note.message, 10)}")
            if note.place is not None:
                lines += _excerpt(note.place.resolve(), self.hidden)
        if self.help:
            lines.append(f"  = help: {_indented(self.help, 10)}")
        return _OBEYED.sub(_shown, "\n".join(lines))

    def as_json(self) -> dict[str, Any]:
        """The diagnostic as one JSON object; the place is null where unknown."""
        span = self.place.resolve() if self.place is not None else None
        return {
            "severity": self.severity,
            "code": self.code,
            "message": self.message,
            "span": span_json(span),
            "notes": [note.message for note in self.notes],
            "help": self.help,
        }


def span_json(place: Place | None) -> dict[str, Any] | None:
    """A place as JSON: ``{file, line, column}``, or None."""
    if place is None:
        return None
    span = place.resolve()
    return {"file": span.file, "line": span.line, "column": span.column}


class ImagebuilderError(Exception):
    """The base of every error raised on purpose; carries its diagnostics."""

    exit_code = EXIT_FAILED

    def __init__(self, diagnostics: Diagnostic | Sequence[Diagnostic]) -> None:
        found = (diagnostics,) if isinstance(diagnostics, Diagnostic) else tuple(diagnostics)
        self.diagnostics: tuple[Diagnostic, ...] = found
        super().__init__(found)

    def __str__(self) -> str:
        # Drawn when it is looked at: it reads the files that it quotes.
        return "\n\n".join(each.render() for each in self.diagnostics)

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.diagnostics,))


class CompileError(ImagebuilderError):
    """The spec, or the way it was asked for, is wrong; nothing was built."""

    exit_code = EXIT_USAGE


class BuildError(ImagebuilderError):
    """The build, or a command that was run, failed."""

    exit_code = EXIT_FAILED


class EngineError(ImagebuilderError):
    """No engine answers, or the one that does cannot serve."""

    exit_code = EXIT_NO_ENGINE


class Interrupted(ImagebuilderError):
    """The person pressed Ctrl-C."""

    exit_code = EXIT_INTERRUPTED


def refused_by_system(error: OSError) -> ImagebuilderError:
    """What is told of an error that nothing else explains, such as a disk that is full."""
    where = f": {os.fspath(error.filename)!r}" if error.filename else ""
    reason = (error.strerror or str(error)).lower()
    help = "is there space, and may it be written? `imagebuilder doctor` looks at the home folder"
    return ImagebuilderError(Diagnostic("IB710", f"{reason}{where}", help=help))


class Invalid(ValueError):
    """A value that an operation refuses, before its place is known.

    Raised by the checks of the IR; a front end turns it into a
    :class:`CompileError` with the place of the call or line.
    """

    def __init__(self, code: str, message: str, help: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.help = help

    def at(self, place: Place | None) -> Diagnostic:
        return Diagnostic(self.code, self.message, place, help=self.help)


def _shown(found: re.Match[str]) -> str:
    """One character for one, so that carets stay below what they mean: ``␛`` for an escape."""
    code = ord(found[0])
    return chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else "\ufffd"


def _excerpt(span: Span, hidden: Sequence[str] = ()) -> list[str]:
    number = str(span.line)
    pad = " " * len(number)
    lines = [f"{pad}--> {span}"]
    text = _source_line(span.file, span.line)
    if text is None:
        return lines
    # The line may be refused just because it holds a credential. The width stays, so that the carets do.
    for value in sorted(filter(None, hidden), key=len, reverse=True):
        text = text.replace(value, "*" * len(value))
    shown = _CREDENTIAL.sub(lambda found: "*" * len(found[0]), text.replace("\t", " "))
    last = span.end_column if span.end_line in (0, span.line) else len(text) + 1
    width = max(1, min(last, len(text) + 1) - span.column)
    shown, before = _cut(shown, span.column - 1) if span.column else (_cut(shown, 0)[0], 0)
    lines += [f"{pad} |", f"{number} | {shown}"]
    if span.column:
        lines.append(f"{pad} | {' ' * before}{'^' * max(1, min(width, len(shown) - before))}")
    return lines


def _cut(line: str, at: int) -> tuple[str, int]:
    """What of a long line is worth showing, and where in it the column ``at`` is; a whole document may be one line."""
    first = at - _AROUND if len(line) > _LONGEST and at > _AROUND else 0
    shown = line[first : first + _LONGEST]
    rest = "…" if first + _LONGEST < len(line) else ""
    return ("…" if first else "") + shown + rest, at - first + bool(first)


def _source_line(file: str, line: int) -> str | None:
    if text := linecache.getline(file, line):
        return text.rstrip("\r\n")
    try:
        # Not splitlines(), which ends a line at characters that no editor ends one at.
        lines = Path(file).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return None
    return lines[line - 1] if 0 < line <= len(lines) else None


def _indented(text: str, width: int) -> str:
    return text.replace("\n", "\n" + " " * width)


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """``did you mean 'x'?`` for the nearest of ``known``, or an empty string."""
    from difflib import get_close_matches
    from heapq import nlargest

    if len(word) > 64:
        return ""
    if len(known) > 20:
        # Each comparison costs more than reading a statement: those are compared that share the most letters.
        letters, starts = set(word), {word[:length] for length in (1, len(word) // 2, len(word) - 1)}

        def likeness(name: str) -> int:
            shared = len(letters & set(name[:64])) + 2 * sum(map(name.startswith, starts))
            return shared - abs(len(word) - len(name))

        known = nlargest(20, known, key=likeness)
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else ""
