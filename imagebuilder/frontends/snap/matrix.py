"""A matrix: the scope of each of its cells."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from lark import Token

from imagebuilder.diagnostics import CompileError, Diagnostic, Span
from imagebuilder.frontends.snap import values
from imagebuilder.frontends.snap.bounds import MAX_CELLS, length
from imagebuilder.frontends.snap.declarations import twice
from imagebuilder.frontends.snap.nodes import ListNode, Matrix, Pair
from imagebuilder.frontends.snap.params import Type
from imagebuilder.frontends.snap.places import span, span_of
from imagebuilder.frontends.snap.scope import Known, Scope
from imagebuilder.frontends.snap.text import hole


class Matrices:
    """Those of a file, which share a bound; what is refused is added to ``errors`` and has no cells."""

    def __init__(self, errors: list[Diagnostic]) -> None:
        self._errors = errors
        self._cells = 0
        self._lengths: dict[int, int] = {}

    def cells(self, item: Matrix, scope: Scope) -> Iterator[Scope]:
        """The scope with the parameters of each cell, in order."""
        axes: dict[str, tuple[Span, tuple[str, ...]]] = {}
        file = scope.file
        for pair in item.axes:
            name = str(pair.key)[:-1].strip('"')
            place = span(file, pair.key)
            if not name.isidentifier():
                self._errors.append(Diagnostic("IB811", f"not a parameter's name: {name!r}", place))
                return
            if name in axes or name in scope.params:
                first = axes[name][0] if name in axes else scope.params[name].place
                self._errors.append(twice(f"the parameter {name!r}", place, first))
                return
            try:
                axes[name] = (place, _axis(pair, scope))
            except CompileError as error:
                self._errors += error.diagnostics
                return
        count = 1
        for _, found in axes.values():
            count *= len(found)
        self._cells += count
        place = next(iter(axes.values()))[0]
        if self._cells > MAX_CELLS:
            self._errors.append(Diagnostic("IB852", f"a matrix of more than {MAX_CELLS} cells", place))
            return
        if id(item) not in self._lengths:
            self._lengths[id(item)] = length(item.body)
        try:
            scope.budget.repeat((count - 1) * self._lengths[id(item)], place)
        except CompileError as error:
            self._errors += error.diagnostics
            return
        text_type = Type("string")
        for combination in product(*(found for _, found in axes.values())):
            yield scope.inner(
                {
                    name: Known(text_type, value, place)
                    for (name, (place, _)), value in zip(axes.items(), combination, strict=True)
                }
            )


def _axis(pair: Pair, scope: Scope) -> tuple[str, ...]:
    name = hole(pair.value) if isinstance(pair.value, Token) else None
    alone = name is not None and scope.param(name, span_of(scope.file, pair.value)).type.is_list
    if not isinstance(pair.value, ListNode) and not alone:
        help = f"a list: {pair.key}[…]"
        raise CompileError(
            Diagnostic("IB835", "one value in place of a list", span_of(scope.file, pair.value), help=help)
        )
    found = values.texts(pair.value, scope)
    if not found:
        raise CompileError(Diagnostic("IB835", "a matrix over nothing", span_of(scope.file, pair.value)))
    if len(set(found)) != len(found):
        raise CompileError(Diagnostic("IB814", "a value stands twice in the matrix", span_of(scope.file, pair.value)))
    return found
