"""Instructions without a FROM: steps on top of an image that is not known here."""

from __future__ import annotations

from collections.abc import Mapping

from imagebuilder.diagnostics import CompileError, Diagnostic, Place, Span
from imagebuilder.frontends.dockerfile import reading
from imagebuilder.frontends.dockerfile.arguments import word
from imagebuilder.frontends.dockerfile.instructions import read
from imagebuilder.frontends.dockerfile.lexer import Lexed, Token
from imagebuilder.frontends.dockerfile.problems import Problem
from imagebuilder.frontends.dockerfile.reading import Reading
from imagebuilder.frontends.dockerfile.scope import Scope
from imagebuilder.frontends.dockerfile.stages import MAX_PROBLEMS, NAME_HELP, is_stage_name, step
from imagebuilder.ir.ops import ImageSource, Scratch
from imagebuilder.ir.stage import Stage, Step


def steps_of(
    lexed: Lexed, root: str, dockerignore: str, stages: Mapping[str, Stage], place: Place | None
) -> list[Step]:
    """The steps of all instructions; all that is wrong with them at once.

    Args:
        stages: what a ``from=`` may name, besides images.
        place: what gave the stages.
    """
    origins = _Origins(stages, place)
    at = Reading(Scope(), Scope(complete=True), {}, dockerignore, origins)
    steps: list[Step] = []
    found: list[Diagnostic] = [*origins.problems, *(problem.diagnostic for problem in lexed.problems)]
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
    # A line that cannot be read may be the one that names a stage.
    if found := found or origins.unused():
        raise CompileError(sorted(list(dict.fromkeys(found))[:MAX_PROBLEMS], key=_position))
    return steps


class _Origins:
    """What a ``from=`` names: one of the stages, by its name in any case, or an image."""

    def __init__(self, stages: Mapping[str, Stage], place: Place | None) -> None:
        self.place = place
        self.problems: list[Diagnostic] = []
        self.stages: dict[str, tuple[str, Stage]] = {}
        self.used: set[str] = set()
        for name, stage in stages.items():
            if not is_stage_name(name):
                self.problem("IB319", f"not a name for a stage: {name!r}", NAME_HELP)
            elif name.lower() in self.stages:
                self.problem("IB320", f"a second stage {name.lower()!r}", "case does not tell stages apart")
            else:
                self.stages[name.lower()] = (name, stage)

    def problem(self, code: str, message: str, help: str) -> None:
        self.problems.append(Diagnostic(code, message, self.place, help=help))

    def __call__(self, token: Token, by_index: bool) -> Stage | ImageSource:
        if not token.text or word(token, "\\") != token.text or (by_index and token.text.isdecimal()):
            hint = "stages have names here: stages={'NAME': image}"
            raise Problem("IB332", f"not an image: {token.text!r}", token.span, hint)
        if token.text.lower() in self.stages:
            self.used.add(token.text.lower())
            return self.stages[token.text.lower()][1]
        return Stage(Scratch()) if token.text == "scratch" else reading.image(token)

    def unused(self) -> list[Diagnostic]:
        """A name that no line says is a mistake in one of the two: the line would pull an image of its name."""
        for key, (name, _) in self.stages.items():
            if key not in self.used:
                hint = f"write --from={name}, or leave it out of stages="
                self.problem("IB339", f"no line takes from the stage {name!r}", hint)
        return self.problems


def _position(diagnostic: Diagnostic) -> tuple[int, int]:
    place = diagnostic.place
    return (place.line, place.column) if isinstance(place, Span) else (0, 0)
