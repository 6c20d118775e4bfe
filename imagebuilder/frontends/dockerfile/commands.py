"""Instructions without a FROM: steps on top of an image that is not known here."""

from __future__ import annotations

from imagebuilder.diagnostics import CompileError, Diagnostic, Span
from imagebuilder.frontends.dockerfile import reading
from imagebuilder.frontends.dockerfile.arguments import word
from imagebuilder.frontends.dockerfile.instructions import read
from imagebuilder.frontends.dockerfile.lexer import Lexed, Token
from imagebuilder.frontends.dockerfile.problems import Problem
from imagebuilder.frontends.dockerfile.reading import Reading
from imagebuilder.frontends.dockerfile.scope import Scope
from imagebuilder.frontends.dockerfile.stages import MAX_PROBLEMS, step
from imagebuilder.ir.ops import ImageSource, Scratch
from imagebuilder.ir.stage import Stage, Step


def steps_of(lexed: Lexed, root: str, dockerignore: str) -> list[Step]:
    """The steps of all instructions; all that is wrong with them at once."""
    at = Reading(Scope(), Scope(complete=True), {}, dockerignore, _origin)
    steps: list[Step] = []
    found: list[Diagnostic] = [problem.diagnostic for problem in lexed.problems]
    for instruction in lexed.instructions:
        if len(found) >= MAX_PROBLEMS:
            break
        try:
            if instruction.keyword == "FROM":
                hint = "the image is given already; Image.from_dockerfile() reads a whole file"
                raise Problem("IB330", "FROM among commands", instruction.word.span, hint)
            steps += [step(op, instruction, root) for op in read(instruction, at)]
        except Problem as problem:
            found.append(problem.diagnostic)
        except CompileError as error:
            found += error.diagnostics
    if found:
        raise CompileError(sorted(list(dict.fromkeys(found))[:MAX_PROBLEMS], key=_position))
    return steps


def _origin(token: Token, by_index: bool) -> Stage | ImageSource:
    """No stage has a name here."""
    if not token.text or word(token, "\\") != token.text or (by_index and token.text.isdecimal()):
        raise Problem(
            "IB332",
            f"not an image: {token.text!r}",
            token.span,
            "there are no stages here; copy_from() takes an Image",
        )
    return Stage(Scratch()) if token.text == "scratch" else reading.image(token)


def _position(diagnostic: Diagnostic) -> tuple[int, int]:
    place = diagnostic.place
    return (place.line, place.column) if isinstance(place, Span) else (0, 0)
