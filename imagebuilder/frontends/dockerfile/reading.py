"""What the instructions of one stage are read with: its variables, its sources, and the stages before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from imagebuilder.diagnostics import Invalid
from imagebuilder.frontends.construct import construct
from imagebuilder.frontends.dockerfile import arguments
from imagebuilder.frontends.dockerfile.lexer import Instruction, Token
from imagebuilder.frontends.dockerfile.problems import Problem, near
from imagebuilder.frontends.dockerfile.scope import AUTOMATIC, Refused, Scope, Unresolved, evaluate
from imagebuilder.ir import checks
from imagebuilder.ir.ops import ImageSource, LocalSource, Op
from imagebuilder.ir.stage import Stage
from imagebuilder.ir.words import Word

# A guess compares with many names; after these, the hint goes without.
MAX_GUESSES = 20


@dataclass(slots=True)
class Reading:
    """The state of one stage.

    ``origin`` resolves the name in a ``from=``, and an index where its second
    argument is True. ``triggers`` are what ONBUILD keeps; ``unknown`` counts
    values that only the base image has.
    """

    scope: Scope
    globals: Scope
    build_args: Mapping[str, str]
    dockerignore: str
    origin: Callable[[Token, bool], Stage | ImageSource]
    triggers: list[Instruction] = field(default_factory=list)
    unknown: int = 0

    def literal(self, word: Word, token: Token) -> str:
        """The word as plain text, evaluated with the variables of the stage."""
        try:
            return evaluate(word, self.scope)
        except Unresolved as error:
            raise self._unresolved(error, token) from None
        except Refused as error:
            raise refused(error, token) from None

    def worth(self, name: str, value: Word, token: Token) -> Word:
        """What the scope is to remember of a variable that is set."""
        try:
            return self.scope.worth(name, value)
        except Refused as error:
            raise refused(error, token) from None

    def local(self, *patterns: str, literal: bool = False) -> LocalSource:
        """The build context, or what these patterns take of it; each must take something."""
        groups = tuple((pattern,) for pattern in patterns)
        return LocalSource(path=".", include=groups, literal=literal, dockerignore=self.dockerignore)

    def _unresolved(self, error: Unresolved, token: Token) -> Problem:
        name = error.name
        if name in AUTOMATIC:
            others = (each for each in error.names if each in AUTOMATIC or each in self.scope.declared)
            return automatic(token, *others)
        if name in self.scope.declared:
            message = f"${name} has no value where files are chosen"
            help = f"{given(name)}, or give a default: ARG {name}=…"
        elif name in self.globals.declared:
            message = f"${name} is not visible in this stage"
            help = f"an ARG before the first FROM must be repeated: ARG {name}"
        else:
            message = f"${name} is not known while the Dockerfile is read; only the base image can say"
            self.unknown += 1
            guess = near(name, self.scope.values) if self.unknown <= MAX_GUESSES else ""
            help = guess or f"set it in this stage: ARG {name}=… or ENV {name}=…"
        return Problem("IB326", message, token.span, help, only_if_needed=True)


def automatic(token: Token, name: str, *more: str) -> Problem:
    """``name`` is set by the platform; of ``more`` a build argument may be needed besides."""
    return Problem(
        "IB325",
        f"this depends on ${name}, which each platform of a build sets",
        token.span,
        f"{'--platform reads it for one; or ' if name.startswith('TARGET') else ''}{given(name, *more)}",
        only_if_needed=True,
    )


def given(*names: str) -> str:
    """How build arguments are passed, on the command line and in Python, for a hint."""
    each = list(dict.fromkeys(names))
    options = " ".join(f"--build-arg {name}=…" for name in each)
    return f"pass {options}, or build_args={{{', '.join(f'{name!r}: …' for name in each)}}}"


def refused(error: Refused, token: Token) -> Problem:
    return Problem(error.code, error.message, token.span, error.help, only_if_needed=error.code == "IB334")


def pairs(instruction: Instruction) -> list[tuple[Token, Token]]:
    """``name=value`` words, or one name and all that is behind it."""
    arguments.flags(instruction)
    found = arguments.quoted_words(instruction.rest, instruction.escape)
    arguments.some(found, instruction, "name=value")
    if "=" not in found[0].text:
        name = arguments.blank_separated(instruction.rest)[0]
        rest = instruction.rest
        value = rest.text[len(name.text) :].lstrip("\t\v\f\r ")
        if not value:
            raise Problem(
                "IB315",
                f"{instruction.keyword} {name.text} without a value",
                name.span,
                f"write {name.text}=VALUE",
            )
        return [(name, Token(value, rest.line, rest.end - len(value), rest.end))]
    result = []
    for token in arguments.no_comment(found):
        pair = arguments.cut(token, "=")
        if pair is None:
            raise Problem(
                "IB316",
                f"no '=' in {token.text!r}",
                token.span,
                "write name=value; a value with blanks stands in quotes",
            )
        result.append(pair)
    return result


def make(model: type[Op], instruction: Instruction, /, **fields: object) -> Op:
    """The operation, with the place of the instruction for what it refuses."""
    return construct(model, instruction.span, **fields)


def image(token: Token) -> ImageSource:
    """The image, or the build context of that name, that a ``from=`` means where no stage is called so."""
    try:
        checks.image_reference(token.text)
    except Invalid as error:
        raise Problem(error.code, error.message, token.span, error.help) from None
    return construct(ImageSource, token.span, ref=token.text)
