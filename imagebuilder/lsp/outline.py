"""What a file consists of, for an editor's outline and its margin."""

from __future__ import annotations

from dataclasses import dataclass

from imagebuilder.lsp.names import Name, names_of


@dataclass(frozen=True, slots=True)
class Symbol:
    """A declaration at ``text[begin:end]``, with its block; ``children`` are those inside of it."""

    name: Name
    begin: int
    end: int
    children: tuple[Symbol, ...]


def symbols(text: str) -> tuple[Symbol, ...]:
    """The declarations of a text, those of a matrix inside of it."""
    names = names_of(text).all
    return _symbols(names, 0, len(names))


def _symbols(names: tuple[Name, ...], first: int, last: int) -> tuple[Symbol, ...]:
    found: list[Symbol] = []
    while first < last:
        name, end = names[first], _end(names[first])
        inside = first = first + 1
        if name.kind == "axis":
            # The axes of one matrix share its block; the last one has what is inside.
            while first < last and name.at < names[first].at < end:
                first += 1
        found.append(Symbol(name, name.at, end, _symbols(names, inside, first)))
    return tuple(found)


def _end(name: Name) -> int:
    return max(name.close, name.at + len(name.head), name.end)


def folds(text: str) -> tuple[tuple[str, int, int], ...]:
    """The stretches that may be folded: ``block``, ``list``, ``text`` or ``comment``, and offsets of first and last."""
    regions = names_of(text).scan.regions
    return tuple(
        (region.kind, region.begin, region.end - 1) for region in regions if "\n" in text[region.begin : region.end]
    )
