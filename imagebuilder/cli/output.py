"""How results, tables and diagnostics are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from imagebuilder.diagnostics import ImagebuilderError
from imagebuilder.diagnostics.excerpt import visible

if TYPE_CHECKING:
    import argparse


def tell(line: str) -> None:
    """A line on standard error, for people. That nobody reads it any more changes nothing of what is done.

    It may be what a build or a sandbox printed, which no terminal is to obey.
    """
    with suppress(BrokenPipeError):
        print(visible(line), file=sys.stderr, flush=True)


def tell_event(kind: str, **fields: Any) -> None:
    """What ``--progress=json`` has in the place of a line: an object on standard error."""
    tell(json.dumps({"event": kind, **fields}))


def progress_option(parser: argparse.ArgumentParser) -> None:
    """``--progress``, for what takes long; :func:`wants_events` looks for it as well."""
    help = "how steps are shown on standard error: plain, json, or auto, which is live on a terminal (default: auto)"
    parser.add_argument("--progress", choices=("auto", "plain", "json"), default="auto", metavar="FORM", help=help)


def wants_events(argv: Sequence[str]) -> bool:
    """Asked of the words, since wrong usage is to be told in the same form."""
    return "--progress=json" in argv or ("--progress", "json") in pairwise(argv)


def print_text(text: str) -> None:
    """The text of a file, on standard output: its bytes, whatever the terminal's encoding."""
    sys.stdout.flush()
    # A file's name may hold bytes that are no text.
    sys.stdout.buffer.write(text.encode(errors="surrogateescape"))
    sys.stdout.buffer.flush()


def print_json(value: Any) -> None:
    """One object or array, on standard output."""
    # What another encoding cannot show would be escaped in a way that JSON does not know.
    is_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(json.dumps(value, indent=2, ensure_ascii=not is_utf8))


def print_diagnostics(error: ImagebuilderError, *, as_json: bool, as_event: bool = False) -> None:
    """On standard error, for people or as an event; with --json also one object on standard output."""
    if as_event:
        tell_event("error", diagnostics=[found.as_json() for found in error.diagnostics])
    elif error.diagnostics:
        tell(rendered(error))
    if as_json:
        print_json({"error": [found.as_json() for found in error.diagnostics]})


def rendered(error: ImagebuilderError) -> str:
    return "\n\n".join(found.render() for found in error.diagnostics)


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """What a cell holds may be a stranger's text."""
    rows = [[visible(cell).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_rows(rows: Mapping[str, str], width: int) -> None:
    """A name and a value on each line; the value may be a stranger's text."""
    for name, value in rows.items():
        print(f"{name:<{width}} {visible(value)}".rstrip())


def size(bytes: int) -> str:
    """``180.6 MB``, in the decimal units that Docker shows."""
    amount = float(bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def ago(moment: datetime | None) -> str:
    """``3 min ago``; ``never`` for None."""
    if moment is None:
        return "never"
    seconds = max(0.0, (datetime.now(UTC) - moment).total_seconds())
    for unit, length in (("day", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''} ago"
    return "just now"
