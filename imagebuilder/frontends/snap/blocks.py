"""Blocks: statements become steps, by calling the fluent method of each verb."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from types import TracebackType

from lark import Token

from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid, Note, Span, did_you_mean
from imagebuilder.frontends.caller import speaking_for
from imagebuilder.frontends.image import Image
from imagebuilder.frontends.snap import values
from imagebuilder.frontends.snap.bind import arguments, bind, check, mentions_parameters
from imagebuilder.frontends.snap.bounds import MAX_DEPTH, too_deep
from imagebuilder.frontends.snap.complaints import FOREIGN, INSIDE, ITEMS
from imagebuilder.frontends.snap.conditions import holds
from imagebuilder.frontends.snap.nodes import Argument, Call, ListNode, Pair, Source, Statement, When
from imagebuilder.frontends.snap.params import size
from imagebuilder.frontends.snap.places import span, span_of, statement_span
from imagebuilder.frontends.snap.scope import Scope, Silent
from imagebuilder.frontends.snap.text import is_word, key_text
from imagebuilder.frontends.snap.verbs import FACTORIES, Verb, factories, is_factory, verbs
from imagebuilder.ir.ops import Scratch
from imagebuilder.ir.resources import Resources
from imagebuilder.ir.stage import Stage, Step

# Steps are collected from calls on it, since adding to a long chain one by one would be quadratic.
_NOTHING = Image(Stage(Scratch()))
RESOURCES = ("cpu", "memory", "disk", "gpu")
_GIB = 1024**3
# What opens files when it is called: in a branch that is not taken they need not exist.
_READERS = ("from_dockerfile", "pip_install_from_requirements", "pip_install_from_pyproject", "uv_pip_install")
INSTRUCTIONS = {
    "run": "run_commands",
    "copy": "add_local_dir or add_local_file; copy_from for another image",
    "add": "add_local_dir, add_local_file or add_url",
    "from": "image NAME from base REF",
    "expose": "expose",
    "stopsignal": "stop_signal",
    "maintainer": "label maintainer=…",
    **{name: name for name in ("env", "arg", "workdir", "user", "cmd", "entrypoint", "label", "volume", "shell")},
    "healthcheck": "healthcheck",
}


class Noting(AbstractContextManager[None]):
    """Takes what is raised as a list of mistakes, and goes on."""

    def __init__(self, errors: list[Diagnostic]) -> None:
        self._errors = errors

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, CompileError):
            self._errors += error.diagnostics
            return True
        return False


def base(source: Source, scope: Scope, name: str) -> Image:
    """What an image starts from; ``name`` is that of the image, and is shown.

    Raises:
        CompileError: there is no such thing, or its arguments are wrong.
    """
    word = source.name
    place = statement_span(scope.file, source)
    if (verb := _factory(source, scope)) is not None:
        where, positional, keywords = arguments(bind(source, verb, scope.file), scope)
        if verb.name == "from_dockerfile":
            path = (positional or [keywords.get("path")])[0]
            scope.inside(str(path), where.part("path", None))
        try:
            with speaking_for(where, scope.root):
                found: Image = getattr(Image, verb.name)(*positional, **keywords)
        except CompileError as error:
            # A Dockerfile that cannot be read has no place of its own.
            at = where.part("path", None)
            raise CompileError([replace(each, place=each.place or at) for each in error.diagnostics]) from None
        return Image(replace(found.stage, name=name)) if name else found
    below = scope.images(str(word), span(scope.file, word))
    return Image(Stage(below.stage.base, below.stage.steps, place, name)) if name else below


def check_source(source: Source, scope: Scope) -> None:
    """What :func:`base` would refuse whatever the parameters are."""
    if (verb := _factory(source, scope)) is not None:
        bind_and_check(source, verb, scope)
    else:
        scope.images(str(source.name), span(scope.file, source.name))


def _factory(source: Source, scope: Scope) -> Verb | None:
    """The factory that an image starts from; None where it is a named image."""
    word, at = source.name, span(scope.file, source.name)
    if not is_word(word):
        help = f"an image of a registry: from base {word}; an image of this file stands without quotes"
        raise CompileError(Diagnostic("IB812", "a text in place of a factory or an image's name", at, help=help))
    if is_factory(word, len(source.arguments)):
        return factories()[str(word)]
    if source.arguments:
        if near := did_you_mean(str(word), FACTORIES):
            raise CompileError(Diagnostic("IB812", f"no factory {str(word)!r}", at, help=near))
        extra = span_of(scope.file, source.arguments[0])
        help = f"an image starts from {', '.join(FACTORIES)}, or from the name of an image alone"
        raise CompileError(Diagnostic("IB841", f"words after the image's name {str(word)!r}", extra, help=help))
    if word == "base":
        try:
            scope.images("base", at)
        except Silent:
            raise
        except CompileError:
            bind(source, factories()["base"], scope.file)
    return None


def build(
    start: Image, body: list[Statement], scope: Scope, errors: list[Diagnostic], *, snapshot: bool
) -> tuple[Image, Resources]:
    """The image with the steps of a block; what is refused is added to ``errors`` and left out."""
    steps: list[Step] = []
    resources: dict[str, tuple[float, Span]] = {}
    for statement in _taken(body, scope, errors, snapshot):
        try:
            if statement.verb == "resources":
                errors += _resources(statement, scope, resources, snapshot=snapshot)
            else:
                steps += _steps(statement, scope)
        except Silent:
            continue
        except CompileError as error:
            errors += error.diagnostics
    found = Resources(**{name: value for name, (value, _) in resources.items()})
    return Image(start.stage.then(*steps)), found


def _steps(call: Call, scope: Scope) -> tuple[Step, ...]:
    verb = _verb(call, scope)
    place, positional, keywords = arguments(bind(call, verb, scope.file), scope)
    with speaking_for(place, scope.root):
        found: Image = getattr(_NOTHING, verb.name)(*positional, **keywords)
    return found.stage.steps


def _verb(call: Call, scope: Scope) -> Verb:
    name = str(call.verb)
    if name in verbs():
        return verbs()[name]
    help = did_you_mean(name, [*verbs(), "resources"])
    if name in ITEMS:
        at = span(scope.file, call.verb)
        raise CompileError(Diagnostic("IB809", f"{name!r} inside of a block", at, help=INSIDE))
    if name in FOREIGN:
        help = FOREIGN[name]
    elif name.lower() in INSTRUCTIONS:
        help = f"an instruction of a Dockerfile; here it is: {INSTRUCTIONS[name.lower()]}"
    elif name in FACTORIES:
        help = f"what an image starts from stands before its block: image NAME from {name} …"
    raise CompileError(
        Diagnostic(
            "IB810", f"no operation {name!r}", span(scope.file, call.verb), help=help or "the reference lists them all"
        )
    )


def _taken(body: list[Statement], scope: Scope, errors: list[Diagnostic], snapshot: bool) -> Iterator[Call]:
    """The statements that hold with these parameters; the others are looked at as far as that goes."""
    waiting: list[Iterator[Statement]] = [iter(body)]
    while waiting:
        statement = next(waiting[-1], None)
        if statement is None:
            waiting.pop()
        elif isinstance(statement, Call):
            yield statement
        elif statement.depth > MAX_DEPTH:
            errors.append(too_deep(scope.file, statement))
        else:
            taken, left = _choose(statement, scope, errors)
            errors += problems(left, scope, snapshot)
            waiting.append(iter(taken))


def _choose(item: When, scope: Scope, errors: list[Diagnostic]) -> tuple[list[Statement], list[Statement]]:
    left: list[Statement] = []
    while True:
        body: list[Statement] = item.body
        otherwise: list[Statement] = item.otherwise
        try:
            if holds(item.condition, scope):
                return body, [*left, *otherwise]
        except CompileError as error:
            errors += error.diagnostics
            return [], [*left, *body, *otherwise]
        left += body
        if len(otherwise) == 1 and isinstance(otherwise[0], When):
            item = otherwise[0]
        else:
            return otherwise, left


def problems(statements: list[Statement], scope: Scope, snapshot: bool) -> Iterator[Diagnostic]:
    """What is wrong with statements whatever the parameters are."""
    scope = scope.untaken()
    waiting = list(reversed(statements))
    while waiting:
        statement = waiting.pop()
        try:
            if isinstance(statement, When) and statement.depth > MAX_DEPTH:
                yield too_deep(scope.file, statement)
            elif isinstance(statement, When):
                waiting += [*reversed(statement.otherwise), *reversed(statement.body)]
                holds(statement.condition, scope)
            elif statement.verb == "resources":
                yield from _resources(statement, scope, {}, snapshot=snapshot)
            else:
                bind_and_check(statement, _verb(statement, scope), scope)
        except CompileError as error:
            yield from error.diagnostics


def bind_and_check(call: Call | Source, verb: Verb, scope: Scope) -> None:
    """Says of a statement that is not carried out what would be wrong with it in any case."""
    bound = bind(call, verb, scope.file)
    if mentions_parameters(bound) or verb.name in _READERS:
        check(bound, scope)
        return
    place, positional, keywords = arguments(bound, scope)
    with speaking_for(place, scope.root):
        getattr(_NOTHING, verb.name)(*positional, **keywords)


def image_words(body: list[Statement]) -> Iterator[Token]:
    """The bare words of a block that name images, in every branch."""
    waiting = list(body)
    while waiting:
        statement = waiting.pop()
        if isinstance(statement, When):
            waiting += statement.body
            waiting += statement.otherwise
        elif statement.verb == "copy_from":
            first = next((a for a in statement.arguments if isinstance(a, Token) and is_word(a)), None)
            if first is not None:
                yield first
        elif statement.verb == "dockerfile_commands":
            for argument in statement.arguments:
                if isinstance(argument, Pair) and isinstance(argument.value, ListNode):
                    for entry in argument.value.entries:
                        if isinstance(entry, Pair) and isinstance(entry.value, Token) and is_word(entry.value):
                            yield entry.value


def _resources(
    call: Call, scope: Scope, found: dict[str, tuple[float, Span]], *, snapshot: bool
) -> Iterator[Diagnostic]:
    at = statement_span(scope.file, call)
    if not snapshot:
        yield Diagnostic("IB846", "resources of an image", at, help="they belong to a snapshot")
        return
    for argument in call.arguments:
        try:
            name, value = _resource(argument, scope)
        except CompileError as error:
            yield from error.diagnostics
            continue
        place = span_of(scope.file, argument)
        if name in found:
            yield Diagnostic("IB843", f"{name} is given twice", place, (Note("first here", found[name][1]),))
            continue
        found[name] = (value, place)


def _resource(argument: Argument, scope: Scope) -> tuple[str, float]:
    place = span_of(scope.file, argument)
    name = key_text(argument.key, scope.file) if isinstance(argument, Pair) else ""
    if not isinstance(argument, Pair) or name not in RESOURCES:
        shown = repr(name) if name else "but name=value"
        help = did_you_mean(name, RESOURCES) or "resources cpu=2 memory=4GiB disk=8GiB gpu=1"
        raise CompileError(Diagnostic("IB842", f"resources has no option {shown}", place, help=help))
    written = values.one_text(argument.value, scope)
    at = span_of(scope.file, argument.value)
    try:
        value = size(written) / _GIB if name in ("memory", "disk") else _number(written)
        Resources(**{name: value})
    except Invalid as error:
        raise CompileError(error.at(at)) from None
    except CompileError as error:
        raise CompileError(replace(error.diagnostics[0], place=at)) from None
    return name, value


def _number(written: str) -> float:
    try:
        number = float(written)
    except ValueError:
        raise Invalid("IB830", f"not a number: {written!r}", "such as 2 or 0.5") from None
    return int(number) if number == number and abs(number) < 1e9 and number == int(number) else number
