"""What may come of a text: a description, or diagnostics that a person can follow."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from imagebuilder.compiler import compile
from imagebuilder.diagnostics import CompileError, Diagnostic, Place
from imagebuilder.frontends.image import Image
from imagebuilder.frontends.snap import SnapFile, load

_FOREIGN = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "socket.connect",
    "os.rename",
    "os.remove",
    "os.mkdir",
)
_OWN = (sysconfig.get_paths()["stdlib"], sys.prefix, str(Path(__file__).parents[3]))
_READERS = ("imagebuilder.frontends.python_files", "imagebuilder.frontends.dockerfile")
_allowed: str | None = None
_trespasses: list[str] = []


def outcome(path: Path, text: str) -> tuple[SnapFile | None, tuple[Diagnostic, ...]]:
    """Load and compile a text in the place of a file of the project ``path.parent``.

    Raises:
        AssertionError: it raised anything but diagnostics, one of them points to nowhere, or something outside
            of the project was touched.
    """
    found: SnapFile | None = None
    errors: tuple[Diagnostic, ...] = ()
    with _confined(path.parent):
        try:
            found = load(path, source=text, project=path.parent)
        except CompileError as error:
            errors = error.diagnostics
        refused = [error for image in _images(found) for error in _refused(image)]
    assert bool(found) != bool(errors)
    for diagnostic in (*errors, *refused):
        well_placed(diagnostic, path, text)
    return found, errors


def _images(found: SnapFile | None) -> list[Image]:
    return [*found.images.values(), *(snapshot.image for snapshot in found.snapshots)] if found else []


def _refused(image: Image) -> tuple[Diagnostic, ...]:
    """What only compiling finds."""
    # Which folders of the machine an image copies is its author's business; reading them here is not.
    if any(source.path.startswith(("/", "..")) for step in image.stage.steps for source in step.op.locals()):
        return ()
    try:
        compile(image, state=_allowed and Path(_allowed)).dockerfile()
    except CompileError as error:
        return error.diagnostics
    return ()


def well_placed(diagnostic: Diagnostic, path: Path, text: str) -> None:
    """That all its places lie inside of their files, and that it can be shown."""
    assert diagnostic.place is not None or diagnostic.code == "IB803", diagnostic
    for place in (diagnostic.place, *(note.place for note in diagnostic.notes)):
        if place is not None:
            _inside(place, diagnostic, path, text)
    diagnostic.render().encode()
    json.dumps(diagnostic.as_json()).encode()


def _inside(place: Place, diagnostic: Diagnostic, path: Path, text: str) -> None:
    span = place.resolve()
    if span.file != str(path):
        text = Path(span.file).read_text()
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
    assert 1 <= span.line <= len(lines), diagnostic
    if span.column:
        end = (span.end_line, span.end_column)
        assert 1 <= span.column <= len(lines[span.line - 1]) + 1, diagnostic
        assert (span.line, span.column) < end, diagnostic
        assert span.end_line <= len(lines), diagnostic
        # What is missing at the end of a line stands on the line end itself.
        width = len(lines[span.end_line - 1]) + (end == (span.line, span.column + 1))
        assert span.end_column <= width + 1, diagnostic


# The interpreter's own hook says what is opened and started; one that is set stays for good.


@contextmanager
def _confined(folder: Path) -> Iterator[None]:
    global _allowed
    if not _hooked:
        sys.addaudithook(_audit)
        _hooked.append(True)
    _trespasses.clear()
    _allowed = os.path.realpath(folder)
    try:
        yield
    finally:
        _allowed = None
    assert not _trespasses, _trespasses


_hooked: list[bool] = []


def _named_by_an_operation() -> bool:
    """Whether the file is one that an operation has to read, such as a requirements file; it may lie anywhere."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__") not in _READERS:
        frame = frame.f_back
    return frame is not None


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _allowed is None:
        return
    if event.startswith(_FOREIGN):
        _trespasses.append(f"{event} {arguments}")
    elif event == "open" and isinstance(arguments[0], str | bytes):
        path, mode, flags = arguments
        real = os.path.realpath(os.fsdecode(path))
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR)) or (isinstance(mode, str) and set(mode) & set("wax+"))
        if writes or (not real.startswith((_allowed, *_OWN)) and not _named_by_an_operation()):
            _trespasses.append(f"{event} {arguments}")
