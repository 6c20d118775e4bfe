"""Conditions of ``when``: a parameter on the left, text on the right."""

from __future__ import annotations

from lark import Token

from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid, Note, did_you_mean
from imagebuilder.frontends.snap.bounds import MAX_CONDITION_DEPTH, first_name
from imagebuilder.frontends.snap.nodes import Condition, Logic, Test
from imagebuilder.frontends.snap.params import Value, text_of
from imagebuilder.frontends.snap.places import span
from imagebuilder.frontends.snap.scope import Known, Scope
from imagebuilder.frontends.snap.text import hole, is_word, text


def holds(condition: Condition, scope: Scope) -> bool:
    """
    Raises:
        CompileError: an unknown parameter, or a comparison that can never hold. Both sides of ``and`` and
            ``or`` are looked at, so that a mistake does not wait for the day on which it matters.
    """
    if condition.depth > MAX_CONDITION_DEPTH:
        raise CompileError(
            Diagnostic(
                "IB852",
                f"a condition that nests deeper than {MAX_CONDITION_DEPTH}",
                span(scope.file, first_name(condition)),
            )
        )
    if isinstance(condition, Logic):
        found = [holds(operand, scope) for operand in condition.operands]
        if condition.operator == "not":
            return not found[0]
        return all(found) if condition.operator == "and" else any(found)
    return _test(condition, scope)


def _left(test: Test, scope: Scope) -> Known:
    right = str(test.literals[0]) if len(test.literals) == 1 else ""
    if test.name not in scope.params and test.name not in scope.broken and right in scope.params:
        place = span(scope.file, test.name)
        help = f"the parameter stands on the left: {right} {test.operator} {test.name}"
        raise CompileError(Diagnostic("IB811", f"no parameter {str(test.name)!r}", place, help=help))
    return scope.param(test.name, span(scope.file, test.name))


def _test(test: Test, scope: Scope) -> bool:
    known = _left(test, scope)
    if not test.operator:
        if known.type.name != "bool":
            raise CompileError(
                Diagnostic(
                    "IB836",
                    f"{test.name} is no bool but {known.type}",
                    span(scope.file, test.name),
                    (Note("declared here", known.place),),
                    f"compare it: {test.name} == …",
                )
            )
        return bool(known.value)
    if known.type.is_list:
        raise CompileError(
            Diagnostic(
                "IB836",
                f"the list {test.name} on the left of a comparison",
                span(scope.file, test.name),
                (Note("declared here", known.place),),
                "one value is compared: a parameter of another type",
            )
        )
    others: list[Value] = []
    for literal in test.literals:
        name = hole(literal)
        if name is not None:
            other = scope.param(name, span(scope.file, literal))
            _check_comparable(test, known, other, literal, scope)
            if isinstance(other.value, tuple):
                scope.budget.interpolate(0, len(other.value), span(scope.file, literal))
            others += other.value if isinstance(other.value, tuple) else [other.value]
        else:
            others.append(_literal(literal, known, scope))
    mine = _comparable(known.value)
    among = mine in [_comparable(other) for other in others]
    return among if test.operator in ("==", "in") else not among


def _check_comparable(test: Test, known: Known, other: Known, literal: Token, scope: Scope) -> None:
    place = span(scope.file, literal)
    note = Note("declared here", other.place)
    if other.type.is_list and not test.operator.endswith("in"):
        help = f"whether it is among them: {test.name} in {literal}"
        raise CompileError(Diagnostic("IB836", "a list is compared with one value", place, (note,), help))
    if not known.type.meets(other.type):
        message = f"{known.type} can never be {'among' if other.type.is_list else 'equal to'} {other.type}"
        raise CompileError(Diagnostic("IB836", message, place, (note,)))


def _literal(literal: Token, known: Known, scope: Scope) -> Value:
    """The text, as a value of the parameter's type: a comparison with any other could never hold."""
    written = text(literal, scope.text, scope.file)
    try:
        return known.type.scalar(written)
    except Invalid as error:
        place = span(scope.file, literal)
        hint = did_you_mean(written, known.type.choices) or error.help
        if is_word(literal) and written in scope.params:
            hint = f"the parameter's value is {{{written}}}"
        note = Note("declared here", known.place)
        raise CompileError(
            Diagnostic("IB836", f"{known.type} can never be {written!r}", place, (note,), hint)
        ) from None


def _comparable(value: Value) -> str | tuple[str, ...]:
    return tuple(text_of(item) for item in value) if isinstance(value, tuple) else text_of(value)
