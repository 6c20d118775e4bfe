"""``fmt``: .snap files in their one form."""

from __future__ import annotations

import argparse
import linecache
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Any

from imagebuilder.cli.output import print_diagnostics, print_json, print_text
from imagebuilder.diagnostics import EXIT_FAILED, CompileError, Diagnostic, ImagebuilderError
from imagebuilder.diagnostics.excerpt import visible

_STDIN = "<stdin>"
_SKIPPED = ("node_modules", "venv")

_DESCRIPTION = """\
Write .snap files in their one form, in place, and name those that changed. What a file
says stays the same, and so do its comments; one that does not parse is left alone.

Of a folder all *.snap files are taken, except hidden ones, links that lead
out of the folder, and what lies in node_modules or venv."""
_EPILOG = """\
exit codes: 0 done; 1 a file cannot be written, or would change, with --check; 2 a file that does not parse"""


def register(commands: Any) -> None:
    fmt = commands.add_parser(
        "fmt",
        help="write .snap files in their one form",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    fmt.add_argument(
        "files", metavar="FILE", nargs="+", help="a file or folder; - is standard input, to standard output"
    )
    fmt.add_argument("--check", action="store_true", help="change nothing; exit with 1 if something would change")
    fmt.add_argument("--diff", action="store_true", help="change nothing; print what would change")
    fmt.add_argument("--json", action="store_true", help="one array on standard output")
    fmt.set_defaults(command=_fmt)


@dataclass(frozen=True, slots=True)
class _Result:
    """``after`` is None where there is an error."""

    file: str
    before: str = ""
    after: str | None = None
    error: ImagebuilderError | None = None

    @property
    def changed(self) -> bool:
        return self.after is not None and self.after != self.before

    def diff(self) -> str:
        assert self.after is not None
        return "".join(unified_diff(_lines(self.before), _lines(self.after), self.file, self.file))


def _fmt(arguments: argparse.Namespace) -> int:
    stdin = "-" in arguments.files
    if stdin and len(arguments.files) > 1:
        raise CompileError(Diagnostic("IB700", "'-' with other files", help="standard input is formatted alone"))
    writes = not (arguments.check or arguments.diff or stdin)
    code, rows = 0, []
    for result in [_stdin()] if stdin else _results(arguments.files, writes):
        if result.error is not None:
            code = max(code, result.error.exit_code)
            print_diagnostics(result.error, as_json=False)
        elif result.changed and arguments.check:
            code = max(code, EXIT_FAILED)
        if arguments.json:
            rows.append(_row(result, arguments, stdin))
        else:
            _print(result, arguments, stdin)
    if arguments.json:
        print_json(rows)
    return code


def _print(result: _Result, arguments: argparse.Namespace, stdin: bool) -> None:
    if result.after is None:
        return
    if arguments.diff:
        print_text(result.diff())
    elif stdin and not arguments.check:
        print_text(result.after)
    elif result.changed:
        print(visible(result.file), flush=True)


def _row(result: _Result, arguments: argparse.Namespace, stdin: bool) -> dict[str, Any]:
    errors = [found.as_json() for found in result.error.diagnostics] if result.error else []
    row: dict[str, Any] = {"file": result.file, "changed": result.changed, "errors": errors}
    if result.after is not None and arguments.diff:
        row["diff"] = result.diff()
    if result.after is not None and stdin:
        row["text"] = result.after
    return row


def _lines(text: str) -> list[str]:
    *lines, last = text.split("\n")
    rest = [f"{last}\n\\ No newline at end of file\n"] if last else []
    return [f"{line}\n" for line in lines] + rest


def _stdin() -> _Result:
    from imagebuilder.frontends.snap.bounds import MAX_SIZE
    from imagebuilder.frontends.snap.files import decode
    from imagebuilder.frontends.snap.format import format_text

    try:
        text = decode(_STDIN, sys.stdin.buffer.read(MAX_SIZE + 1) if sys.stdin is not None else b"")
        # Where an excerpt of a file that does not exist is drawn from.
        linecache.cache[_STDIN] = (len(text), None, [f"{line}\n" for line in text.split("\n")], _STDIN)
        return _Result(_STDIN, text, format_text(text, _STDIN))
    except CompileError as error:
        return _Result(_STDIN, error=error)


def _results(names: list[str], writes: bool) -> Iterator[_Result]:
    refused: list[OSError] = []
    for file in _files(names, refused):
        yield _done(file, writes)
    for error in refused:
        yield _Result(str(error.filename), error=CompileError(_unreadable(error.filename, error.strerror)))


def _done(file: str, writes: bool) -> _Result:
    from imagebuilder.files import replace_text
    from imagebuilder.frontends.snap.files import read
    from imagebuilder.frontends.snap.format import format_text

    try:
        if Path(file).exists() and not Path(file).is_file():
            # Reading a pipe may never end.
            raise CompileError(_unreadable(file, "not a regular file"))
        if not file.endswith(".snap"):
            help = "fmt lays out .snap files; `imagebuilder convert` makes one of another form"
            raise CompileError(Diagnostic("IB401", f"not a .snap file: {file!r}", help=help))
        text = read(file)
        result = _Result(file, text, format_text(text, file))
        if writes and result.changed:
            replace_text(Path(file), result.after or "")
        return result
    except CompileError as error:
        return _Result(file, error=error)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        found = Diagnostic("IB710", f"cannot write {file!r}: {reason}", help="may the file and its folder be written?")
        return _Result(file, error=ImagebuilderError(found))


def _unreadable(path: str, reason: str | None) -> Diagnostic:
    return Diagnostic("IB801", f"cannot read {path!r}: {(reason or 'it is refused').lower()}")


def _files(names: list[str], refused: list[OSError]) -> Iterator[str]:
    """Each file once, however it is named; ``refused`` gets the folders that cannot be read."""
    seen = set()
    for name in names:
        for file in _walk(name, refused) if Path(name).is_dir() else [name]:
            real = os.path.realpath(file)
            if real not in seen:
                seen.add(real)
                yield file


def _walk(folder: str, refused: list[OSError]) -> Iterator[str]:
    for root, folders, files in os.walk(folder, onerror=refused.append):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED)
        for name in sorted(files):
            file = os.path.normpath(Path(root, name))
            # What a link leads to elsewhere is not the folder's: it is neither written nor, in an error, quoted.
            if name.endswith(".snap") and not name.startswith(".") and _is_below(file, folder):
                yield file


def _is_below(file: str, folder: str) -> bool:
    return not Path(file).is_symlink() or Path(os.path.realpath(file)).is_relative_to(os.path.realpath(folder))
