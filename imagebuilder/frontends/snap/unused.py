"""What a file declares and nothing uses, in any branch."""

from __future__ import annotations

from collections.abc import Iterator

from imagebuilder.diagnostics import Diagnostic, Span
from imagebuilder.frontends.snap.blocks import image_words
from imagebuilder.frontends.snap.nodes import File, Image, Item, Matrix, Param, Secret, Snapshot, Use, When
from imagebuilder.frontends.snap.places import span
from imagebuilder.frontends.snap.scope import Scope


def unused(file: File, scope: Scope) -> Iterator[Diagnostic]:
    """Warnings. A file without snapshots is there for others: its images are not missed."""
    items = list(_all(file.items))
    named: set[str] = set()
    for item in items:
        if isinstance(item, Image | Snapshot):
            named |= {str(item.source.name), *map(str, image_words(item.body))}
            if str(item.source.name) == "base" and item.source.arguments:
                named.add(str(item.source.arguments[0]))
    aliases = {name.partition(".")[0] for name in named if "." in name}
    complete = any(isinstance(item, Snapshot) for item in items)
    for item in items:
        match item:
            case Param() if str(item.name) not in scope.used:
                yield _warning("IB911", "parameter", str(item.name), span(file.path, item.name))
            case Image() if complete and str(item.name) not in named:
                yield _warning("IB912", "image", str(item.name), span(file.path, item.name))
            case Secret():
                for name in item.names:
                    if str(name) not in scope.used:
                        yield _warning("IB913", "secret", str(name), span(file.path, name))
            case Use() if str(item.alias) not in aliases:
                yield _warning("IB914", "imported file", str(item.alias), span(file.path, item.alias))


def _warning(code: str, what: str, name: str, place: Span) -> Diagnostic:
    return Diagnostic(
        code, f"the {what} {name!r} is never used", place, help="remove it, or use it", severity="warning"
    )


def _all(items: list[Item]) -> Iterator[Item]:
    waiting = list(reversed(items))
    while waiting:
        item = waiting.pop()
        yield item
        if isinstance(item, When):
            waiting += [*reversed(item.otherwise), *reversed(item.body)]
        elif isinstance(item, Matrix):
            waiting += reversed(item.body)
