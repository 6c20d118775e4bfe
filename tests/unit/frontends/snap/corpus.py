"""The error corpus: ``errors/*.snap``, chunks that are refused, with the expected error on the failing line.

A line ``---`` begins a chunk; ``--- with name=value …`` one whose parameters are given; ``--- beside common.snap`` a
file that lies beside the chunk before it. Expected is, in a comment:

=======================  =========================================================
``#: IB812 "pattern"``   an error on this line; several may follow one another
``#:^ IB812 "pattern"``  on the line above, ``^^`` two above: where a comment would be text
``#:- IB833 "pattern"``  an error without a place
=======================  =========================================================

A pattern is searched in the message, the help and the notes, in which a place reads ``(line 3)``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from imagebuilder.diagnostics import CompileError, Diagnostic
from imagebuilder.frontends.snap import load
from imagebuilder.frontends.snap.bounds import MAX_SIZE

ERRORS = Path(__file__).parent / "errors"
_BEGIN = re.compile(r"^---(?: (?P<how>with|beside) (?P<what>.*))?\n", re.MULTILINE)
_EXPECTED = re.compile(r"#:(?P<where>\^+|-)?(?P<all>(?: IB\d{3} \"[^\"]*\")+)")
_ONE = re.compile(r"(IB\d{3}) \"([^\"]*)\"")
# What a text file in a repository cannot be.
ODD = {"huge.snap": b"#" * (MAX_SIZE + 1), "latin.snap": "snap 1 # é\n".encode("latin-1")}


@dataclass(frozen=True)
class Expected:
    """``line`` is 0 for an error without a place."""

    file: str
    line: int
    code: str
    pattern: str


@dataclass
class Chunk:
    """``line`` is where it begins in the corpus."""

    corpus: str
    line: int
    text: str
    params: dict[str, str] = field(default_factory=dict)
    beside: dict[str, str] = field(default_factory=dict)

    @property
    def expected(self) -> list[Expected]:
        return [
            expected
            for file, text in {"it.snap": self.text, **self.beside}.items()
            for expected in _expected(file, text)
        ]

    def diagnostics(self, folder: Path) -> tuple[Diagnostic, ...]:
        """What loading the chunk, in an empty folder, says."""
        (folder / ".git").mkdir()
        for name, data in ODD.items():
            (folder / name).write_bytes(data)
        for name, text in {"it.snap": self.text, **self.beside}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        try:
            load(folder / "it.snap", params=self.params)
        except CompileError as error:
            return error.diagnostics
        return ()


def _expected(file: str, text: str) -> Iterator[Expected]:
    for number, line in enumerate(text.split("\n"), 1):
        for match in _EXPECTED.finditer(line):
            where = match["where"] or ""
            at = 0 if where == "-" else number - len(where)
            for code, pattern in _ONE.findall(match["all"]):
                yield Expected(file, at, code, pattern)


def chunks() -> Iterator[Chunk]:
    for path in sorted(ERRORS.glob("*.snap")):
        text = path.read_text(encoding="utf-8")
        marks = [*_BEGIN.finditer(text)]
        assert marks and marks[0].start() == 0, f"{path.name} begins with a line ---"
        found: list[Chunk] = []
        for mark, end in zip(marks, [*(each.start() for each in marks[1:]), len(text)], strict=True):
            body = text[mark.end() : end]
            if mark["how"] == "beside":
                found[-1].beside[mark["what"].strip()] = body
                continue
            chunk = Chunk(path.name, text.count("\n", 0, mark.end()) + 1, body)
            if mark["how"] == "with":
                chunk.params = dict(pair.split("=", 1) for pair in mark["what"].split())
            found.append(chunk)
        yield from found


def described(error: Diagnostic) -> str:
    """What a pattern is searched in."""
    lines = [error.message, error.help]
    for note in error.notes:
        place = note.place.resolve() if note.place is not None else None
        lines.append(f"{note.message} ({Path(place.file).name} line {place.line})" if place else note.message)
    return "\n".join(lines)
