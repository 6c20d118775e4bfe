"""FROM: the stages of a file, how they refer to one another, and which of them the target needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid, Note, Span, did_you_mean
from imagebuilder.frontends.construct import construct
from imagebuilder.frontends.dockerfile import reading
from imagebuilder.frontends.dockerfile.arguments import (
    blank_separated,
    cut,
    flags,
    no_comment,
    quoted_words,
    some,
    word,
)
from imagebuilder.frontends.dockerfile.instructions import FLAGS, KEYWORDS, read, unknown_instruction
from imagebuilder.frontends.dockerfile.lexer import Instruction, Lexed, Token
from imagebuilder.frontends.dockerfile.problems import Problem, near
from imagebuilder.frontends.dockerfile.reading import Reading
from imagebuilder.frontends.dockerfile.scope import (
    AUTOMATIC,
    Refused,
    Scope,
    Unresolved,
    resolve,
    undeclared,
    unknown,
)
from imagebuilder.ir import checks
from imagebuilder.ir.ops import Base, BaseImage, ImageSource, Onbuild, Op, Scratch
from imagebuilder.ir.stage import Stage, Step
from imagebuilder.ir.words import Expansion, Var, Word, variables

# Walks over stages go from base to base, one call within the other.
MAX_STAGES = 200
MAX_TRIGGERS = 100
# Of a file that is no Dockerfile, the first lines say enough.
MAX_PROBLEMS = 100
_NAME = re.compile(r"[a-z][a-z0-9-_.]*")
_ARCHITECTURES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64"}
# Alone they name a platform, whose system is the builder's: Linux.
_ALONE = ("amd64", "arm64", "386", "ppc64le", "riscv64", "s390x", "loong64")


@dataclass(slots=True)
class _Draft:
    """A stage while it is read. ``needs`` are the stages that it takes from, by index."""

    index: int
    place: Span
    name: str
    base: Base | Stage
    reading: Reading
    escape: str
    steps: list[Step] = field(default_factory=list)
    needs: set[int] = field(default_factory=set)

    def stage(self) -> Stage:
        return Stage(self.base, tuple(self.steps), place=self.place, name=self.name)


class Stages:
    """Reads the instructions of a whole file."""

    def __init__(self, file: str, root: str, dockerignore: str, build_args: Mapping[str, str]) -> None:
        self.file, self.root, self.dockerignore, self.build_args = file, root, dockerignore, build_args
        self.globals = Scope(complete=True)
        self.globals.values |= {name: build_args.get(name, unknown(name)) for name in AUTOMATIC}
        self.drafts: list[_Draft] = []
        self.done: list[Stage] = []
        # A name may be given again: FROM means its last stage so far, `from=` and the target the last of the file.
        self.names: dict[str, list[tuple[int, Token]]] = {}
        self.found: list[tuple[int | None, Problem | CompileError]] = []
        self.early = False
        self.wrong = 0

    def run(self, lexed: Lexed, target: str | None) -> Stage:
        """The stage to build.

        Raises:
            CompileError: all that is wrong with the file, in its order.
        """
        self.found += [(None, problem) for problem in lexed.problems]
        froms = [each for each in lexed.instructions if each.keyword == "FROM"]
        if len(froms) > MAX_STAGES:
            place = froms[MAX_STAGES].span
            problem = Problem("IB333", f"more than {MAX_STAGES} stages", place, "split the Dockerfile")
            raise CompileError(problem.diagnostic)
        self.name_all(froms)
        # Without a FROM, that alone is the mistake of all that would stand below it.
        self.early = not froms
        for instruction in lexed.instructions:
            if self.wrong >= MAX_PROBLEMS:
                raise CompileError(list(self.diagnostics(None)))
            owner = self.drafts[-1].index if self.drafts else None
            try:
                self.instruction(instruction)
            except (Problem, CompileError) as error:
                self.found.append((owner, error))
                self.wrong += isinstance(error, CompileError) or not error.only_if_needed
        if not froms:
            # A misspelt FROM is one mistake.
            if not any(each.code == "IB307" for each in self.diagnostics(None)):
                self.found.append((None, _no_from(lexed, self.file)))
            raise CompileError(list(self.diagnostics(None)))
        self.close()
        self.check_build_args(lexed, froms[0].span)
        wanted = self.target(target, froms[0].span)
        found = list(self.diagnostics(wanted))
        if found or wanted is None:
            raise CompileError(found)
        return self.done[wanted]

    def instruction(self, instruction: Instruction) -> None:
        if instruction.keyword == "FROM":
            self.open(instruction)
        elif self.drafts:
            self.drafts[-1].steps += self.steps(instruction)
        elif instruction.keyword == "ARG":
            self.global_arg(instruction)
        elif instruction.keyword not in KEYWORDS:
            raise unknown_instruction(instruction)
        elif not self.early:
            self.early = True
            hint = "only ARG may stand before FROM"
            raise Problem("IB305", f"{instruction.keyword} before the first FROM", instruction.word.span, hint)

    def diagnostics(self, wanted: int | None) -> Iterator[Diagnostic]:
        """What was found, in the order of the file; without what matters only to stages that nobody needs."""
        needed = set(range(len(self.drafts))) if wanted is None else self.needed(wanted)
        found: dict[Diagnostic, None] = {}
        for owner, error in self.found:
            if isinstance(error, CompileError):
                found |= dict.fromkeys(error.diagnostics)
            elif not error.only_if_needed or owner is None or owner in needed:
                found[error.diagnostic] = None
        yield from sorted(list(found)[:MAX_PROBLEMS], key=_position)

    def needed(self, wanted: int) -> set[int]:
        seen: set[int] = set()
        waiting = [wanted]
        while waiting:
            index = waiting.pop()
            if index not in seen:
                seen.add(index)
                waiting += self.drafts[index].needs
        return seen

    def name_all(self, froms: list[Instruction]) -> None:
        """Before the first stage is read, so that a stage used too early is told from an image."""
        for index, instruction in enumerate(froms):
            words = blank_separated(instruction.rest)
            if len(words) != 3 or words[1].text.lower() != "as":
                continue
            self.names.setdefault(words[2].text.lower(), []).append((index, words[2]))

    def target(self, target: str | None, place: Span) -> int | None:
        if target is None:
            return len(self.drafts) - 1
        if target.lower() in self.names:
            return self.names[target.lower()][-1][0]
        known = sorted(self.names)
        hint = did_you_mean(target.lower(), known) or (
            f"there are: {', '.join(known)}" if known else "no stage has a name"
        )
        self.found.append((None, Problem("IB321", f"no stage is called {target!r}", place, hint)))
        return None

    def check_build_args(self, lexed: Lexed, place: Span) -> None:
        # Those of pulled ONBUILD instructions too; the text besides, since a wrong ARG declares nothing.
        declared = set[str]().union(*(draft.reading.scope.declared for draft in self.drafts))
        for instruction in lexed.instructions:
            if instruction.keyword == "ARG":
                words = quoted_words(instruction.rest, instruction.escape)
                declared |= {token.text.partition("=")[0] for token in words}
        for name in undeclared(self.build_args, declared):
            hint = did_you_mean(name, sorted(declared)) or f"declare it: ARG {name}"
            self.found.append((None, Problem("IB323", f"no ARG takes the build argument {name!r}", place, hint)))

    def global_arg(self, instruction: Instruction) -> None:
        flags(instruction)
        for token in some(no_comment(quoted_words(instruction.rest, instruction.escape)), instruction, "NAME"):
            pair = cut(token, "=")
            name = token if pair is None else pair[0]
            try:
                checks.identifier(name.text)
            except Invalid as error:
                raise CompileError(error.at(name.span)) from None
            self.globals.declared.add(name.text)
            default = None if pair is None else word(pair[1], instruction.escape)
            value = self.build_args.get(name.text, default)
            if value is not None:
                self.globals.values[name.text] = self.resolved(value, token)

    def resolved(self, value: Word, token: Token) -> Word:
        """With the global arguments in it; of what the platform sets, only plain references are kept."""
        try:
            return resolve(value, self.globals)
        except Unresolved as error:
            raise reading.automatic(token, *error.names) from None
        except Refused as error:
            raise reading.refused(error, token) from None

    # FROM -------------------------------------------------------------------------------------------

    def open(self, instruction: Instruction) -> None:
        self.close()
        index = len(self.drafts)
        # A base that cannot be read still has instructions behind it, which are read all the same.
        at = Reading(Scope(work=self.globals.work), self.globals, self.build_args, self.dockerignore, self.origin)
        draft = _Draft(index, instruction.span, "", Scratch(), at, instruction.escape)
        self.drafts.append(draft)
        try:
            given = flags(instruction, FLAGS["FROM"])
            words = blank_separated(instruction.rest)
            if len(words) not in (1, 3) or (len(words) == 3 and words[1].text.lower() != "as"):
                place = words[1].span if len(words) > 1 else instruction.span
                raise Problem("IB318", "FROM takes an image, and a name after AS", place, "write FROM IMAGE AS NAME")
            if len(words) == 3:
                draft.name = _stage_name(words[2])
            platform = self.platform(given.text("platform"), instruction)
            draft.base = self.base(words[0], platform, draft)
            if isinstance(draft.base, Stage):
                self.pull_triggers(draft)
        except (Problem, CompileError) as error:
            self.found.append((index, error))

    def base(self, token: Token, platform: Word, draft: _Draft) -> Base | Stage:
        named = word(token, draft.escape)
        self.refuse_unset(named, token)
        name = self.resolved(named, token)
        if isinstance(name, Expansion):
            raise reading.automatic(token, *sorted(variables(name)))
        if not name:
            raise Problem("IB318", "FROM without an image", token.span, "write FROM IMAGE, or FROM scratch")
        earlier = [index for index, _ in self.names.get(name.lower(), ()) if index < draft.index]
        if earlier:
            draft.needs.add(earlier[-1])
            draft.reading.scope = self.drafts[earlier[-1]].reading.scope.copy()
            return self.without_triggers(earlier[-1])
        if name == "scratch":
            draft.reading.scope = Scope({"PATH": unknown("PATH")}, complete=True, work=self.globals.work)
            return Scratch()
        return construct(BaseImage, token.span, ref=name, platform=platform)

    def without_triggers(self, index: int) -> Stage:
        """The stage as a base: its ONBUILD instructions run in the stage on top, and are gone from there on."""
        stage = self.done[index]
        if not self.drafts[index].reading.triggers:
            return stage
        return replace(stage, steps=tuple(step for step in stage.steps if not isinstance(step.op, Onbuild)))

    def pull_triggers(self, draft: _Draft) -> None:
        (index,) = draft.needs
        if len(self.drafts[index].reading.triggers) > MAX_TRIGGERS:
            hint = "write a stage of its own"
            raise Problem("IB333", f"a base with more than {MAX_TRIGGERS} ONBUILD", draft.place, hint)
        for trigger in self.drafts[index].reading.triggers:
            draft.steps += self.steps(trigger)

    def refuse_unset(self, value: Word, token: Token) -> None:
        """BuildKit would read nothing in its place, which is seldom meant."""
        for part in value.parts if isinstance(value, Expansion) else ():
            if (
                isinstance(part, Var)
                and part.modifier in ("", "#", "##", "%", "%%", "/", "//")
                and self.globals(part.name) is None
            ):
                if part.name in self.globals.declared:
                    hint = f"{reading.given(part.name)}, or give a default: ARG {part.name}=…"
                else:
                    hint = near(part.name, self.globals.declared)
                    hint = hint or f"only an ARG before the first FROM is visible here: ARG {part.name}=…"
                raise Problem("IB324", f"${part.name} has no value in FROM", token.span, hint)

    def platform(self, token: Token | None, instruction: Instruction) -> Word:
        if token is None:
            return ""
        given = word(token, instruction.escape)
        self.refuse_unset(given, token)
        found = self.resolved(given, token)
        if isinstance(found, Expansion):
            return found
        name = "/".join(_ARCHITECTURES.get(each, each) for each in found.lower().split("/"))
        if name in _ALONE:
            name = f"linux/{name}"
        try:
            return checks.platform(name)
        except Invalid as error:
            raise Problem("IB331", error.message, token.span, error.help) from None

    def origin(self, token: Token, by_index: bool) -> Stage | ImageSource:
        """The stage or image that a ``from=`` names."""
        name = token.text
        if not name:
            raise Problem("IB309", "from= without a value", token.span, "the name of a stage, or an image")
        if word(token, "\\") != name:
            hint = "declare a stage for it: FROM IMAGE AS NAME, in which an ARG before the first FROM is visible"
            raise Problem("IB332", f"a variable or quote in from={name}", token.span, hint)
        current = self.drafts[-1].index
        index: int | None = None
        if by_index and re.fullmatch(r"[0-9]+", name):
            index = int(name[:9])
            if index >= current:
                raise Problem("IB322", f"stage {index} is not before this one", token.span, "stages count from 0")
        elif name.lower() in self.names:
            index, place = self.names[name.lower()][-1]
            if index >= current:
                what = "this stage itself" if index == current else "a stage that comes later"
                note = Note("it is named here", place.span)
                raise Problem("IB322", f"{name!r} is {what}", token.span, "move it before this stage", note=note)
        if index is not None:
            self.drafts[-1].needs.add(index)
            return self.done[index]
        return Stage(Scratch()) if name == "scratch" else reading.image(token)

    def close(self) -> None:
        if self.drafts and len(self.done) < len(self.drafts):
            self.done.append(self.drafts[-1].stage())

    def steps(self, instruction: Instruction) -> list[Step]:
        found = read(instruction, self.drafts[-1].reading)
        return [step(op, instruction, self.root) for op in found]


def step(op: Op, instruction: Instruction, root: str) -> Step:
    return Step(op, instruction.span, root if any(True for _ in op.locals()) else "")


def _stage_name(token: Token) -> str:
    if not is_stage_name(token.text):
        raise Problem("IB319", f"not a name for a stage: {token.text!r}", token.span, NAME_HELP)
    return token.text


NAME_HELP = "letters, digits, '-', '_' and '.', starting with a letter, and not 'scratch'"


def is_stage_name(name: object) -> bool:
    return isinstance(name, str) and _NAME.fullmatch(name.lower()) is not None and name.lower() != "scratch"


def _no_from(lexed: Lexed, file: str) -> Problem:
    if lexed.instructions:
        return Problem("IB306", "no FROM", lexed.instructions[0].span, "begin with FROM IMAGE, or FROM scratch")
    return Problem("IB304", "no instructions", Span(file, 1), "begin with FROM IMAGE")


def _position(diagnostic: Diagnostic) -> tuple[int, int]:
    span = diagnostic.place.resolve() if diagnostic.place is not None else Span("", 0)
    return span.line, span.column
