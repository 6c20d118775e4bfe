"""``snapshot diff``: what two images differ in."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from imagebuilder.cli.output import print_json, size
from imagebuilder.diagnostics.excerpt import visible

if TYPE_CHECKING:
    from imagebuilder.cache.sizes import LayerSize
    from imagebuilder.snapshots.difference import Changes, Difference, Line

# Of the files, for a person; --json has all.
_MOST = 200
_LONGEST = 100


def register(verbs: Any) -> None:
    diff = verbs.add_parser(
        "diff",
        help="what two images differ in: packages, files, and the size of each step",
        description="Say what it takes to get from A to B, each a snapshot or an image that the engine has: packages"
        " (apt, apk, pip, npm), files as a tree, and what each step of either added. Nothing of them is run.",
    )
    diff.add_argument("a", metavar="A")
    diff.add_argument("b", metavar="B")
    diff.add_argument("--json", action="store_true", help="print JSON")
    diff.set_defaults(command=_diff)


def _diff(arguments: argparse.Namespace) -> int:
    from imagebuilder.client import Client

    found = Client().snapshot.diff(arguments.a, arguments.b)
    if arguments.json:
        print_json(found.as_json())
    else:
        show(found, (arguments.a, arguments.b))
    return 0


def show(found: Difference, names: tuple[str, str]) -> None:
    """Two images' difference, for a person."""
    for kind, packages in found.packages.items():
        if packages:
            print(f"{kind:<7}{_counts(packages)}")
            _print(f"  {line}" for line in _packages(packages))
    if found.files:
        lines = found.tree()
        print(f"files  {_counts(found.files)}")
        _print(f"  {'  ' * line.depth}{line.sign} {line.name}{_told(line)}" for line in lines[:_MOST])
        if len(lines) > _MOST:
            print(f"  … {len(lines) - _MOST:,} more lines; --json has every file")
    if not found:
        print("no difference in packages and files")
    before, after = found.size
    print(f"size   {size(before)} → {size(after)}{_by(after - before)}")
    for name, layers in zip(names, found.layers, strict=True):
        if layers:
            _print([f"layers of {name}", *_layers(layers)])


def _print(lines: Iterator[str] | Sequence[str]) -> None:
    """What an image holds is a stranger's text, and no terminal is to obey it."""
    from imagebuilder.snapshots.difference import text

    for line in lines:
        print(visible(text(line)).translate({9: "␉", 10: "␊"}))


def _counts(changes: Changes[Any]) -> str:
    counts = (len(changes.added), "added"), (len(changes.removed), "removed"), (len(changes.changed), "changed")
    return ", ".join(f"{count:,} {what}" for count, what in counts if count)


def _packages(changes: Changes[str]) -> Iterator[str]:
    rows = {name: f"+ {name} {version}" for name, version in changes.added.items()}
    rows |= {name: f"- {name} {version}" for name, version in changes.removed.items()}
    rows |= {name: f"~ {name} {a} → {b}" for name, (a, b) in changes.changed.items()}
    return (row for _, row in sorted(rows.items()))


def _told(line: Line) -> str:
    """What is said after a line's name."""
    if line.sign == " ":
        return ""
    is_one = not line.name.endswith("/") and line.count == 1
    files = "" if is_one else f"{line.count:,} file{'' if line.count == 1 else 's'}, "
    if line.ways:
        bytes = f"{size(line.before)} → {size(line.after)}, " if line.before != line.after else ""
        return f"  {bytes}{', '.join(line.ways)}"
    if line.sign == "~":
        return f"  {files}{size(line.before)} → {size(line.after)}"
    if not line.count:
        return "  empty"
    bytes = size(line.before or line.after)
    # Of a link there is no size.
    return f"  {files}{bytes}" if files or line.before or line.after else ""


def _by(bytes: int) -> str:
    return f" ({'+' if bytes > 0 else '-'}{size(abs(bytes))})" if bytes else ""


def _layers(layers: Sequence[LayerSize]) -> Iterator[str]:
    for layer in layers:
        what = layer.what if len(layer.what) <= _LONGEST else f"{layer.what[: _LONGEST - 1]}…"
        yield f"  {size(layer.size):>9}  {f'{layer.at}  ' if layer.at else ''}{what}"
