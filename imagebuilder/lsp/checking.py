"""What is wrong with a file, for an editor: each mistake at a place of the file itself."""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from imagebuilder.diagnostics import Diagnostic, Span
from imagebuilder.frontends.snap import distinct
from imagebuilder.frontends.snap.files import Loader, project_of
from imagebuilder.frontends.snap.module import Module
from imagebuilder.lint import comments, lint, outermost
from imagebuilder.lsp.names import Document, names_of
from imagebuilder.lsp.places import Places

MAX_LINTED = 500
"""Images of one file; the lints compare each with each."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake at ``text[begin:end]``. ``related`` are further places, and what is said of them.

    ``severity`` is ``error``, ``warning`` or ``information``.
    """

    begin: int
    end: int
    severity: str
    code: str
    message: str
    related: tuple[tuple[Span, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """``files`` are all that were read for it: a change of one may change the problems."""

    problems: tuple[Problem, ...]
    files: frozenset[Path]


def check(document: Document) -> Checked:
    """Every mistake in a file, as it stands in the editor."""
    loader = Loader(project_of(document.path), document.unsaved)
    module = loader.load(str(document.path), document.text, {})
    found = distinct(loader.errors)
    if not found and module is not None:
        with _as_if_saved(document):
            found = distinct(list(_warnings(module)))
    places = Places(document.text)
    return Checked(tuple(_problem(each, document, places) for each in found), loader.files)


def _warnings(module: Module) -> Iterator[Diagnostic]:
    """What is seldom meant; in a file that is used, its own editor window shows it."""
    images = [*module.images.values(), *(snapshot.image for snapshot in module.snapshots)]
    if len(images) > MAX_LINTED:
        return
    answers = comments()
    for stage in outermost(image.stage for image in images):
        for each in lint(stage, more=module.unused, answers=answers):
            if each.place is None or each.place.resolve().file == module.path:
                yield each


@contextmanager
def _as_if_saved(document: Document) -> Iterator[None]:
    """Comments that silence warnings are read from the file's lines: let them be those of the editor."""
    name = str(document.path)
    before = linecache.cache.get(name)
    lines = [f"{line}\n" for line in document.text.split("\n")]
    # An entry without a time is not held against the disk.
    linecache.cache[name] = (len(document.text), None, lines, name)
    try:
        yield
    finally:
        linecache.cache.pop(name, None)
        if before is not None:
            linecache.cache[name] = before


def _problem(error: Diagnostic, document: Document, places: Places) -> Problem:
    span = error.place.resolve() if error.place is not None else None
    notes = [(note.place.resolve() if note.place is not None else None, note.message) for note in error.notes]
    message, severity = error.message, error.severity
    related = [(place, text) for place, text in notes if place is not None]
    if span is None:
        begin, end = places.of_span(Span(str(document.path), 1))
    elif span.file == str(document.path):
        begin, end = places.of_span(span)
        if error.code == "IB832" and not error.notes:
            # Whoever builds the file gives the value; that of a used file, which a note shows, is given here.
            severity = "information"
    else:
        begin, end = _mention(Path(span.file), document)
        message = f"{Path(span.file).name}:{span.line}: {message}"
        related.insert(0, (span, error.message))
    said = [message, *(text for place, text in notes if place is None)]
    if error.help:
        said.append(f"help: {error.help}")
    return Problem(begin, end, severity, error.code, "\n".join(said), tuple(related))


def _mention(file: Path, document: Document) -> tuple[int, int]:
    """Where a document says that it needs another file."""
    uses = list(names_of(document.text).uses().values())
    for use in uses:
        if Path(use.source).name == file.name:
            return use.source_begin, use.source_end
    if match := re.search(rf"(?<![\w.-]){re.escape(file.name)}(?![\w-])", document.text):
        return match.span()
    if uses:
        return uses[0].source_begin, uses[0].source_end
    return Places(document.text).of_span(Span(str(document.path), 1))
