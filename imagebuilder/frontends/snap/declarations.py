"""What a file declares before its images: the version, parameters, secrets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lark import Token

from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid, Note, Span, did_you_mean
from imagebuilder.frontends.snap import values
from imagebuilder.frontends.snap.nodes import File, Header, Item, ListNode, Pair, Param, Secret, Use
from imagebuilder.frontends.snap.nodes import Value as Node
from imagebuilder.frontends.snap.params import SCALARS, Type, Value, given, text_of
from imagebuilder.frontends.snap.places import span, span_of
from imagebuilder.frontends.snap.scope import Known, Scope, Silent
from imagebuilder.frontends.snap.text import hole, text

VERSION = "1"


def check_header(file: File) -> Iterable[Diagnostic]:
    """``snap 1``, once, before all else."""
    headers = [item for item in file.items if isinstance(item, Header)]
    if not file.items or not isinstance(file.items[0], Header):
        if not headers:
            yield Diagnostic(
                "IB804",
                "the language's version is missing",
                Span(file.path, 1),
                help=f"begin the file with: snap {VERSION}",
            )
        else:
            yield Diagnostic(
                "IB804", "the language's version stands before all else", span(file.path, headers[0].version),
                help="move the line to the top",
            )  # fmt: skip
    for header in headers[:1]:
        if header.version != VERSION:
            yield Diagnostic(
                "IB805",
                f"version {str(header.version)!r} of the language is not known",
                span(file.path, header.version),
                help=f"this release reads snap {VERSION}",
            )
    for header in headers[1:]:
        note = Note("first here", span(file.path, headers[0].version))
        yield Diagnostic("IB814", "the version is given twice", span(file.path, header.version), (note,))


def secrets(file: File, errors: list[Diagnostic]) -> dict[str, Span]:
    found: dict[str, Span] = {}
    for item in file.items:
        for name in item.names if isinstance(item, Secret) else ():
            place = span(file.path, name)
            if name in found:
                errors.append(twice(f"the secret {str(name)!r}", place, found[name]))
            else:
                found[str(name)] = place
    return found


def twice(what: str, place: Span, first: Span) -> Diagnostic:
    return Diagnostic("IB814", f"{what} is defined twice", place, (Note("first here", first),))


def parameters(
    file: File,
    scope: Scope,
    outside: Mapping[str, tuple[Value | str, Span | None]],
    errors: list[Diagnostic],
    user: Span | None = None,
) -> tuple[dict[str, Known], set[str]]:
    """The file's parameters, and the names of those whose declaration was refused.

    Args:
        scope: a default may refer to the parameters that are declared before it.
        outside: values from the command line (text) or from ``use … with``, and where they were given.
        user: the `use` that asks for the file.
    """
    found: dict[str, Known] = {}
    broken: dict[str, Sequence[Diagnostic]] = {}
    later = {str(item.name): span(file.path, item.name) for item in file.items if isinstance(item, Param)}
    places: dict[str, Span] = {}
    scope = replace(scope, params=found, broken=broken.keys(), later=later)
    for item in file.items:
        if not isinstance(item, Param):
            continue
        name = str(item.name)
        place = span(file.path, item.name)
        if name in places:
            errors.append(twice(f"the parameter {name!r}", place, places[name]))
            continue
        places[name] = place
        try:
            later.pop(name, None)
            type = _type(item, scope)
            found[name] = Known(type, _value(item, type, place, scope, outside, user), place)
        except CompileError as error:
            errors += error.diagnostics
            broken[name] = error.diagnostics
    for name, (_, where) in outside.items():
        if name not in found and name not in broken:
            known = [*found, *broken]
            hint = did_you_mean(name, known) or (f"it has: {', '.join(known)}" if known else "it has none")
            # A value under a misspelt name is one mistake: the parameter that was meant would have had it.
            meant = next((each for each in known if did_you_mean(name, [each]) == hint), "")
            errors[:] = [e for e in errors if e.code != "IB832" or e not in broken.get(meant, ())]
            errors.append(Diagnostic("IB833", f"{Path(file.path).name} has no parameter {name!r}", where, help=hint))
    return found, set(broken)


def _type(item: Param, scope: Scope) -> Type:
    written = item.type
    if written.choices is not None:
        choices = values.texts(written.choices, scope)
        if not choices:
            raise CompileError(Diagnostic("IB834", "no choices", span_of(scope.file, written.choices)))
        return Type("one of", choices=choices)
    for token, known in ((written.name, (*SCALARS, "list")), (written.item, tuple(SCALARS))):
        if token is not None and token not in known:
            hint = did_you_mean(token, known) or f"known: {', '.join(known)}, one of […]"
            raise CompileError(Diagnostic("IB834", f"not a type: {str(token)!r}", span(scope.file, token), help=hint))
    if written.item is not None and written.name != "list":
        raise CompileError(Diagnostic("IB834", f"{written.name} takes no item type", span(scope.file, written.item)))
    return Type(str(written.name), str(written.item or "string"))


def _value(
    item: Param,
    type: Type,
    place: Span,
    scope: Scope,
    outside: Mapping[str, tuple[Value | str, Span | None]],
    user: Span | None,
) -> Value:
    # The default is looked at even where it is not used.
    default = None if item.default is None else converted(item.default, type, scope)
    if item.name in outside:
        value, where = outside[str(item.name)]
        try:
            return given(type, value) if where is None and isinstance(value, str) else _fitting(value, type)
        except Invalid as error:
            note = Note("declared here", place)
            shown = f"the parameter {str(item.name)!r}: {error.message}"
            raise CompileError(
                Diagnostic(error.code, shown, where or place, (note,) if where else (), error.help)
            ) from None
    if default is None and user is not None:
        notes = (Note("declared here", place),)
        message = f"{Path(scope.file).name} needs a value for {str(item.name)!r}"
        raise CompileError(Diagnostic("IB832", message, user, notes, f"give it: use … with {item.name}=…"))
    if default is None:
        help = f"--param {item.name}=…, or a default: param {item.name}: {type} = …"
        raise CompileError(Diagnostic("IB832", f"the parameter {str(item.name)!r} has no value", place, help=help))
    return default


def _fitting(value: Value, type: Type) -> Value:
    if isinstance(value, tuple):
        if not type.is_list:
            raise Invalid("IB830", f"a list in place of {type}")
        return tuple(type.scalar(text_of(item)) for item in value)
    return (type.scalar(text_of(value)),) if type.is_list else type.scalar(text_of(value))


def converted(node: Node, type: Type, scope: Scope) -> Value:
    """The value of a node, as the type has it.

    Raises:
        CompileError: it does not fit.
    """
    if type.is_list:
        if not isinstance(node, ListNode) and hole(node) is None:
            raise CompileError(
                Diagnostic("IB835", f"one value in place of {type}", span_of(scope.file, node), help=f"[{node}]")
            )
        return tuple(_scalar(type, found, node, scope) for found in values.texts(node, scope))
    return _scalar(type, values.one_text(node, scope), node, scope)


def _scalar(type: Type, found: str, node: Node, scope: Scope) -> str | int | bool:
    try:
        return type.scalar(found)
    except Invalid as error:
        place = span_of(scope.file, node)
        if isinstance(node, ListNode):
            place = next(
                (span_of(scope.file, e) for e in node.entries if isinstance(e, Token) and e.strip("\"'") == found),
                place,
            )
        raise CompileError(error.at(place)) from None


def with_values(
    pairs: list[Pair], scope: Scope, errors: list[Diagnostic]
) -> dict[str, tuple[Value | str, Span | None]]:
    """The values of ``use … with``: texts and lists, typed by the file that takes them."""
    found: dict[str, tuple[Value | str, Span | None]] = {}
    for pair in pairs:
        place = span_of(scope.file, pair)
        name = str(pair.key)[:-1].strip('"')
        if name in found:
            errors.append(Diagnostic("IB843", f"{name} is given twice", place, (Note("first here", found[name][1]),)))
            continue
        try:
            if isinstance(pair.value, ListNode):
                found[name] = (values.texts(pair.value, scope), place)
            elif (alone := hole(pair.value)) is not None:
                found[name] = (scope.param(alone, place).value, place)
            else:
                found[name] = (text(pair.value, scope.text, scope.file), place)
        except Silent:
            continue
        except CompileError as error:
            errors += error.diagnostics
    return found


def misplaced(items: list[Item], file: File) -> Iterable[Diagnostic]:
    """Declarations inside of a branch or a matrix."""
    for item in items:
        match item:
            case Header(version=token) | Param(name=token) | Use(path=token):
                pass
            case Secret(names=[token, *_]):
                pass
            case _:
                continue
        yield Diagnostic(
            "IB846", "a declaration inside of a block", span(file.path, token), help="move it to the top of the file"
        )
