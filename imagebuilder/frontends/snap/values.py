"""From a node to the value that a parameter takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lark import Token

from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid, Note, Span, did_you_mean
from imagebuilder.frontends.snap.bounds import MAX_DEPTH, lists_too_deep
from imagebuilder.frontends.snap.nodes import Argument, ListNode, Pair
from imagebuilder.frontends.snap.nodes import Value as Node
from imagebuilder.frontends.snap.params import MAX_LIST, boolean, text_of
from imagebuilder.frontends.snap.places import span, span_of
from imagebuilder.frontends.snap.scope import Scope
from imagebuilder.frontends.snap.text import expansion, hole, is_word, key_text, text
from imagebuilder.frontends.snap.verbs import Parameter
from imagebuilder.ir.checks import identifier
from imagebuilder.ir.ops import Secret
from imagebuilder.ir.words import Expansion


def value(parameter: Parameter, node: Node, scope: Scope) -> Any:
    """The value of a parameter that takes one node.

    Raises:
        CompileError: it does not fit.
    """
    if parameter.none and isinstance(node, Token) and is_word(node) and node == "none":
        return None
    match parameter.kind:
        case "text" | "path":
            return one_text(node, scope)
        case "word":
            return word(node, scope)
        case "bool":
            return _at(node, scope, boolean, one_text(node, scope))
        case "int":
            return _at(node, scope, _int, one_text(node, scope))
        case "choice":
            return _choice(parameter, node, scope)
        case "texts" | "paths" | "argv":
            if parameter.kind == "argv" and not isinstance(node, ListNode) and not _names_list(node, scope):
                help = f"give a list: [{', '.join(one_text(node, scope).split())}]"
                raise CompileError(
                    Diagnostic("IB835", "one text in place of a list of words", span_of(scope.file, node), help=help)
                )
            return texts(node, scope)
        case "command":
            return command(node, scope)
        case "secrets":
            return _secrets(node, scope)
        case "pairs":
            return {name: one_text(pair.value, scope) for name, pair in _pairs(node, scope).items()}
        case "image":
            # What `base` names is an image of a registry, unless the file has one of that name.
            if parameter.name == "ref" and isinstance(node, Token) and "." not in node and node not in scope.images:
                return one_text(node, scope)
            return _image(node, scope)
        case "images":
            return {name: _image(pair.value, scope) for name, pair in _pairs(node, scope).items()}
    raise AssertionError(parameter.kind)


def several(parameter: Parameter, node: Argument, scope: Scope) -> list[Any]:
    """What one word, list or version pin adds to the parameter that takes all words."""
    if isinstance(node, Pair):
        return [f"{key_text(node.key, scope.file)}={one_text(node.value, scope)}"]
    if parameter.kind == "command":
        return [command(node, scope)]
    if parameter.kind == "word":
        if isinstance(node, ListNode):
            return [word(_no_pair(entry, scope), scope) for entry in node.entries]
        return list(texts(node, scope)) if _names_list(node, scope) else [word(node, scope)]
    return list(texts(node, scope))


def one_text(node: Argument, scope: Scope) -> str:
    if isinstance(node, ListNode | Pair):
        raise CompileError(Diagnostic("IB835", "a list where one text is taken", span_of(scope.file, node)))
    if node.type == "EXPAND":
        help = "only values of env and label, and a few paths, may refer to the image's variables"
        raise CompileError(
            Diagnostic("IB835", "a variable where a plain text is taken", span(scope.file, node), help=help)
        )
    return text(node, scope.text, scope.file)


def word(node: Node, scope: Scope) -> str | Expansion:
    """A text, or one with the image's variables."""
    if isinstance(node, Token) and node.type == "EXPAND":
        return expansion(node, scope.text, scope.file)
    return one_text(node, scope)


def texts(node: Node, scope: Scope) -> tuple[str, ...]:
    """A word is one text; a list is its entries, and a parameter that is a list gives its items."""
    if isinstance(node, ListNode):
        if node.depth > MAX_DEPTH:
            raise CompileError(lists_too_deep(scope.file, node))
        found: list[str] = []
        for entry in node.entries:
            if isinstance(entry, Pair) and entry.key.type == "KEY" and isinstance(entry.value, Token):
                # `curl=7.88` among texts can only be a text.
                found.append(entry.key + one_text(entry.value, scope))
                continue
            found += texts(_no_pair(entry, scope), scope)
            if len(found) > MAX_LIST:
                raise CompileError(
                    Diagnostic("IB852", f"a list of more than {MAX_LIST:,} items", span_of(scope.file, node))
                )
        return tuple(found)
    name = hole(node)
    if name is not None:
        known = scope.param(name, span(scope.file, node))
        if isinstance(known.value, tuple):
            items = tuple(text_of(item) for item in known.value)
            scope.budget.interpolate(sum(map(len, items)), len(items), span(scope.file, node))
            return items
    return (one_text(node, scope),)


def command(node: Node, scope: Scope) -> str | tuple[str, ...]:
    """A list is an argument vector; a text is for the shell."""
    if isinstance(node, ListNode) or _names_list(node, scope):
        return texts(node, scope)
    return one_text(node, scope)


def _names_list(node: Node, scope: Scope) -> bool:
    name = hole(node) if isinstance(node, Token) else None
    return name is not None and scope.param(name, span_of(scope.file, node)).type.is_list


def _int(given: str) -> int:
    if not given.isascii() or not given.isdigit() or len(given) > 18:
        raise Invalid("IB830", f"not a whole number: {given!r}", "digits alone")
    return int(given)


def _choice(parameter: Parameter, node: Node, scope: Scope) -> str:
    found = one_text(node, scope)
    if found not in parameter.choices:
        hint = did_you_mean(found, parameter.choices) or f"one of: {', '.join(parameter.choices)}"
        raise CompileError(
            Diagnostic("IB831", f"{parameter.name} cannot be {found!r}", span_of(scope.file, node), help=hint)
        )
    return found


def _at(node: Node, scope: Scope, convert: Any, given: str) -> Any:
    try:
        return convert(given)
    except Invalid as error:
        raise CompileError(error.at(span_of(scope.file, node))) from None


def _secrets(node: Node, scope: Scope) -> tuple[Secret, ...]:
    entries = node.entries if isinstance(node, ListNode) else [node]
    found = []
    for entry in entries:
        if isinstance(entry, Pair):
            name = key_text(entry.key, scope.file)
            scope.secret(entry.key, name)
            target = one_text(entry.value, scope)
            try:
                found.append(Secret(name=name, target=target))
            except ValueError as error:
                cause = error.errors()[0].get("ctx", {}).get("error") if hasattr(error, "errors") else None
                if not isinstance(cause, Invalid):
                    raise
                raise CompileError(cause.at(span_of(scope.file, entry.value))) from None
        elif isinstance(entry, ListNode):
            raise CompileError(Diagnostic("IB835", "a list among secrets", span_of(scope.file, entry)))
        else:
            name = _at(entry, scope, identifier, one_text(entry, scope))
            found.append(Secret(name=scope.secret(entry, name)))
    return tuple(found)


def _pairs(node: Node, scope: Scope) -> Mapping[str, Pair]:
    if not isinstance(node, ListNode):
        raise CompileError(
            Diagnostic(
                "IB835",
                "a word in place of name=value pairs",
                span_of(scope.file, node),
                help="[NAME=value, OTHER=value]",
            )
        )
    found: dict[str, Pair] = {}
    for entry in node.entries:
        at = span_of(scope.file, entry)
        if not isinstance(entry, Pair):
            raise CompileError(Diagnostic("IB835", "not name=value", at, help="[NAME=value, OTHER=value]"))
        name = key_text(entry.key, scope.file)
        if name in found:
            note = Note("first here", span_of(scope.file, found[name]))
            raise CompileError(Diagnostic("IB843", f"{name} is given twice", at, (note,)))
        found[name] = entry
    return found


def _image(node: Node, scope: Scope) -> Any:
    """A bare name is an image of this file or of an imported one; in quotes, or with a tag, a registry's."""
    if isinstance(node, Token) and is_word(node) and node.replace(".", "").replace("_", "").isalnum():
        return scope.images(str(node), span(scope.file, node))
    return one_text(node, scope)


def _no_pair(entry: Argument, scope: Scope) -> Node:
    if isinstance(entry, Pair):
        at: Span = span_of(scope.file, entry)
        help = f'in quotes it is a text: "{entry.key}…"'
        raise CompileError(Diagnostic("IB835", "name=value in a list of texts", at, help=help))
    return entry
