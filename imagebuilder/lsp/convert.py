"""From what the analysis finds to what the protocol sends."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lsprotocol import types as lsp

from imagebuilder.lsp.checking import Problem
from imagebuilder.lsp.outline import Symbol
from imagebuilder.lsp.places import Places
from imagebuilder.lsp.suggestion import Completion, Suggestion

_SEVERITIES = {
    "error": lsp.DiagnosticSeverity.Error,
    "warning": lsp.DiagnosticSeverity.Warning,
    "information": lsp.DiagnosticSeverity.Information,
}
_COMPLETIONS = {
    "keyword": lsp.CompletionItemKind.Keyword,
    "verb": lsp.CompletionItemKind.Function,
    "option": lsp.CompletionItemKind.Property,
    "value": lsp.CompletionItemKind.EnumMember,
    "image": lsp.CompletionItemKind.Class,
    "param": lsp.CompletionItemKind.Variable,
    "secret": lsp.CompletionItemKind.Constant,
    "type": lsp.CompletionItemKind.TypeParameter,
    "operator": lsp.CompletionItemKind.Operator,
}
_SYMBOLS = {
    "param": lsp.SymbolKind.Variable,
    "axis": lsp.SymbolKind.Variable,
    "secret": lsp.SymbolKind.Constant,
    "image": lsp.SymbolKind.Class,
    "snapshot": lsp.SymbolKind.Package,
    "use": lsp.SymbolKind.Module,
}
_FOLDS = {"comment": lsp.FoldingRangeKind.Comment}


def range(places: Places, begin: int, end: int) -> lsp.Range:
    return lsp.Range(lsp.Position(*places.position(begin)), lsp.Position(*places.position(end)))


def diagnostic(problem: Problem, places: Places, other: Callable[[str], tuple[str, Places] | None]) -> lsp.Diagnostic:
    """``other`` gives the URI and the places of a file that a note speaks of."""
    related = []
    for span, message in problem.related:
        if (found := other(span.file)) is not None:
            uri, there = found
            place = lsp.Location(uri, range(there, *there.of_span(span)))
            related.append(lsp.DiagnosticRelatedInformation(place, message))
    return lsp.Diagnostic(
        range(places, problem.begin, problem.end),
        problem.message,
        _SEVERITIES.get(problem.severity, lsp.DiagnosticSeverity.Error),
        problem.code,
        source="imagebuilder",
        related_information=related or None,
    )


def takes_snippets(client: lsp.ClientCapabilities) -> bool:
    texts = client.text_document
    item = texts.completion.completion_item if texts is not None and texts.completion is not None else None
    return bool(item is not None and item.snippet_support)


def completion(found: Completion, places: Places, *, snippets: bool) -> lsp.CompletionList:
    where = range(places, found.begin, found.end)
    items = [_item(each, where, f"{index:03}", snippets=snippets) for index, each in enumerate(found.suggestions)]
    return lsp.CompletionList(is_incomplete=False, items=items)


def _item(suggestion: Suggestion, where: lsp.Range, order: str, *, snippets: bool) -> lsp.CompletionItem:
    snippet = suggestion.snippet if snippets else ""
    return lsp.CompletionItem(
        suggestion.label,
        kind=_COMPLETIONS[suggestion.kind],
        detail=suggestion.detail or None,
        documentation=lsp.MarkupContent(lsp.MarkupKind.Markdown, suggestion.doc) if suggestion.doc else None,
        sort_text=order,
        filter_text=suggestion.label,
        text_edit=lsp.TextEdit(where, snippet or suggestion.insert or suggestion.label),
        insert_text_format=lsp.InsertTextFormat.Snippet if snippet else lsp.InsertTextFormat.PlainText,
    )


def outline(symbols: Iterable[Symbol], places: Places) -> list[lsp.DocumentSymbol]:
    return [
        lsp.DocumentSymbol(
            symbol.name.name or "…",
            _SYMBOLS[symbol.name.kind],
            range(places, symbol.begin, symbol.end),
            range(places, symbol.name.begin, symbol.name.end),
            symbol.name.type or symbol.name.source or symbol.name.kind,
            children=outline(symbol.children, places),
        )
        for symbol in symbols
    ]


def folding(folds: Iterable[tuple[str, int, int]], places: Places) -> list[lsp.FoldingRange]:
    found = []
    for kind, begin, end in folds:
        first, last = places.position(begin)[0], places.position(end)[0]
        # The closing bracket stays in sight.
        last -= kind in ("block", "list")
        if last > first:
            found.append(lsp.FoldingRange(first, last, kind=_FOLDS.get(kind)))
    return found
