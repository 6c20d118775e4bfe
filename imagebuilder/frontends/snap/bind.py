"""From a statement's words to the arguments of the fluent method.

:func:`bind` looks at the form alone: which word belongs to which parameter,
whether the options exist. That holds for every branch, taken or not.
:func:`arguments` then turns the words into values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from lark import Token

from imagebuilder.diagnostics import CompileError, Diagnostic, Note, Span, did_you_mean
from imagebuilder.frontends.snap import values
from imagebuilder.frontends.snap.nodes import Argument, Call, ListNode, Pair, Source
from imagebuilder.frontends.snap.nodes import Value as Node
from imagebuilder.frontends.snap.params import MAX_LIST
from imagebuilder.frontends.snap.places import StatementSpan, first_token, last_token, span, span_of, statement_span
from imagebuilder.frontends.snap.scope import Scope, Silent
from imagebuilder.frontends.snap.text import hole, holes, is_word, key_text
from imagebuilder.frontends.snap.verbs import FIELDS, Parameter, Verb


@dataclass(slots=True)
class Bound:
    """Which node goes to which parameter; ``many`` is what the ``*parameter`` gets, ``pairs`` what a mapping gets."""

    verb: Verb
    place: Span
    single: list[tuple[Parameter, Node]] = field(default_factory=list)
    many: list[tuple[Parameter, Argument]] = field(default_factory=list)
    pairs: list[tuple[str, Pair]] = field(default_factory=list)


def bind(call: Call | Source, verb: Verb, file: str) -> Bound:
    """
    Raises:
        CompileError: a word or option that the verb does not take, or one that is missing; all there are.
    """
    bound = Bound(verb, statement_span(file, call))
    errors: list[Diagnostic] = []
    seen: dict[str, Argument] = {}
    errors += _glued(call, file)
    waiting = [parameter for parameter in verb.positional if parameter.name != verb.mapping]
    for argument in call.arguments:
        if isinstance(argument, Pair):
            try:
                _bind_pair(bound, argument, seen, file)
            except CompileError as error:
                errors += error.diagnostics
            continue
        while waiting and waiting[0].name in seen:
            waiting.pop(0)
        if not waiting:
            if not errors:
                errors.append(_too_many(verb, argument, file))
            break
        parameter = waiting[0]
        if parameter.many:
            bound.many.append((parameter, argument))
        else:
            waiting.pop(0)
            seen[parameter.name] = argument
            bound.single.append((parameter, argument))
    errors += _suspicious(bound, file)
    missing = [p.name for p in verb.parameters.values() if p.required and p.name not in seen]
    if missing and not errors:
        names = " and ".join(missing)
        errors.append(Diagnostic("IB840", f"{verb.name} needs {names}", bound.place, help=usage(verb)))
    if errors:
        raise CompileError(errors)
    return bound


def _glued(call: Call | Source, file: str) -> Iterator[Diagnostic]:
    for left, right in pairwise(call.arguments):
        first = first_token(right)
        if last_token(left).end_pos == first.start_pos:
            help = "quote the whole word, or part the two by a blank"
            yield Diagnostic("IB808", "a string in the middle of a word", span_of(file, right), help=help)


def _bind_pair(bound: Bound, pair: Pair, seen: dict[str, Argument], file: str) -> None:
    verb = bound.verb
    name = key_text(pair.key, file)
    at = span(file, pair.key)
    is_mapping = bool(verb.mapping)
    parameter = None if is_mapping else verb.parameters.get(name)
    pin = (
        parameter is None and verb.name == "apt_install" and isinstance(pair.value, Token) and pair.value[:1].isdigit()
    )
    if not is_mapping and not pin and (parameter is None or parameter.many or pair.key.type == "QKEY"):
        hint = did_you_mean(name, verb.options) or (
            f"{verb.name} has the options {', '.join(verb.options)}" if verb.options else f"{verb.name} has no options"
        )
        raise CompileError(Diagnostic("IB842", f"{verb.name} has no option {name!r}", at, help=hint))
    if name in seen and not pin:
        first = seen[name]
        what = name if is_mapping else f"the option {name}" if isinstance(first, Pair) else name
        note = Note("first here", span_of(file, first))
        raise CompileError(Diagnostic("IB843", f"{what} is given twice", at, (note,)))
    seen[name] = pair
    if is_mapping:
        bound.pairs.append((name, pair))
    elif pin:
        bound.many.append((verb.parameters["packages"], pair))
    else:
        assert parameter is not None
        bound.single.append((parameter, pair.value))


def _too_many(verb: Verb, argument: Argument, file: str) -> Diagnostic:
    at = span_of(file, argument)
    if verb.mapping:
        hint = "write NAME=value, with the value right after the '='"
        if isinstance(argument, Token) and argument.endswith("="):
            hint = f'glue the value to it: {argument}"…"'
        elif isinstance(argument, Token) and "=" in argument:
            hint = f'in quotes the name may be anything: "{argument.partition("=")[0]}"=…'
        shown = repr(str(argument)[:40]) if isinstance(argument, Token) else "a list"
        return Diagnostic("IB845", f"{verb.name} takes NAME=value, not {shown}", at, help=hint)
    count = len(verb.positional)
    what = "nothing" if count == 0 else "one word" if count == 1 else f"{count} words"
    besides = " besides its options" if len(verb.options) > count else ""
    help = usage(verb) or "a text with blanks stands in quotes"
    if verb.positional and verb.positional[0].kind in ("command", "argv"):
        help = f"a program and its arguments are a list: {verb.name} [python, -m, app]"
        if verb.positional[0].kind == "command":
            help += f"; what a shell reads is one text in quotes: {verb.name} 'python -m app'"
    return Diagnostic("IB841", f"{verb.name} takes {what}{besides}", at, help=help)


def _suspicious(bound: Bound, file: str) -> Iterator[Diagnostic]:
    """What the grammar lets through and nobody means."""
    words = [n for _, n in bound.many if isinstance(n, Token) and is_word(n) and hole(n) is None]
    name = bound.verb.name
    if name == "run_commands" and words and len(bound.many) > 1:
        last = bound.many[-1][1]
        at = span(file, words[0], last if isinstance(last, Token) else None)
        written = [str(node) for _, node in bound.many if isinstance(node, Token)]
        quote = "'" if '"' in "".join(written) else '"'
        one = " ".join(written)[:60] if len(written) == len(bound.many) else "make install"
        help = f"one command of several words stands in quotes: run_commands {quote}{one}{quote}"
        yield Diagnostic("IB844", f"are these {len(bound.many)} commands, or one?", at, help=help)
        return
    for word in words:
        if word == "@" or word.endswith("=") or word == "\\":
            help = 'write it as one word in quotes: "name @ https://…"' if word == "@" else "glue the value to the '='"
            yield Diagnostic("IB845", f"a lone {str(word)!r}", span(file, word), help=help)


def usage(verb: Verb) -> str:
    """``add_local_dir LOCAL_PATH REMOTE_PATH [ignore=…] [chown=…]``."""
    if verb.mapping:
        return f"{verb.name} NAME=value …"
    words = [verb.name]
    for parameter in verb.parameters.values():
        name = parameter.name.upper()
        if parameter.many:
            words.append(f"{name}…")
        elif parameter.positional:
            words.append(name if parameter.required else f"[{name}]")
        else:
            words.append(f"[{parameter.name}=…]")
    return " ".join(words)


def mentions_parameters(bound: Bound) -> bool:
    return any(holes(token) for _, node in _all(bound) for token in _leaves(node))


def check(bound: Bound, scope: Scope) -> None:
    """What is wrong with the words of a statement that is not carried out: names, and values without parameters.

    Raises:
        CompileError: all there is.
    """
    errors: list[Diagnostic] = []
    for parameter, node in _all(bound):
        tokens = list(_leaves(node))
        try:
            for token in tokens:
                scope.check(token)
            if not isinstance(node, Pair) and not any(holes(token) for token in tokens):
                values.value(parameter, node, scope) if not parameter.many else values.several(parameter, node, scope)
        except CompileError as error:
            errors += error.diagnostics
    if errors:
        raise CompileError(errors)


def _all(bound: Bound) -> list[tuple[Parameter, Argument]]:
    variables = Parameter(bound.verb.mapping, "word", required=False, positional=False)
    return [*bound.single, *bound.many, *((variables, pair.value) for _, pair in bound.pairs)]


def _leaves(node: Argument) -> Iterator[Token]:
    match node:
        case Pair():
            yield from _leaves(node.value)
        case ListNode():
            for entry in node.entries:
                yield from _leaves(entry)
        case _:
            yield node


def arguments(bound: Bound, scope: Scope) -> tuple[StatementSpan, list[Any], dict[str, Any]]:
    """The place of the statement, and the positional and keyword arguments of the method.

    Raises:
        CompileError: a value that does not fit; one diagnostic for each.
        Silent: what is missing was reported already.
    """
    errors: list[Diagnostic] = []
    refused = False
    keywords: dict[str, Any] = {}
    many: list[Any] = []
    parts: dict[str, list[Span]] = {}
    for parameter, node in bound.single:
        try:
            keywords[parameter.name] = values.value(parameter, node, scope)
        except CompileError as error:
            refused = True
            errors += error.diagnostics
        parts[FIELDS.get(parameter.name, parameter.name)] = _parts(node, scope.file)
    for parameter, argument in bound.many:
        try:
            found = values.several(parameter, argument, scope)
        except CompileError as error:
            refused = True
            errors += error.diagnostics
            continue
        many += found
        if len(many) > MAX_LIST:
            place = span_of(scope.file, argument)
            raise CompileError(Diagnostic("IB852", f"more than {MAX_LIST:,} words for {bound.verb.name}", place))
        places = [] if isinstance(argument, Pair) else _parts(argument, scope.file)
        if len(places) != len(found):
            places = [span_of(scope.file, argument)] * len(found)
        parts.setdefault(FIELDS.get(parameter.name, parameter.name), []).extend(places)
    mapping: dict[str, Any] = {}
    for name, pair in bound.pairs:
        try:
            mapping[name] = values.word(pair.value, scope)
        except CompileError as error:
            refused = True
            errors += error.diagnostics
        parts.setdefault(bound.verb.mapping, []).append(span_of(scope.file, pair))
    if refused:
        raise CompileError(errors) if errors else Silent
    if bound.verb.mapping and mapping:
        many.append(mapping)
    elif many:
        # Words that come before the ones of `*parameter` cannot be passed by name.
        many = [keywords.pop(p.name) for p in bound.verb.positional if p.name in keywords] + many
    at = bound.place
    place = StatementSpan(
        at.file, at.line, at.column, at.end_line, at.end_column, {k: tuple(v) for k, v in parts.items()}
    )
    return place, many, keywords


def _parts(node: Node, file: str) -> list[Span]:
    if isinstance(node, ListNode) and node.entries:
        return [span_of(file, entry) for entry in node.entries]
    return [span_of(file, node)]
