"""A stage graph of core operations, rendered.

``views.py`` prepares for each operation what its template lays out; the
templates decide how the text looks; ``quote.py`` alone decides how a value is
written.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from imagebuilder.backends.dockerfile import lint, quote
from imagebuilder.backends.dockerfile.link import LinkRule
from imagebuilder.backends.dockerfile.naming import StageNames
from imagebuilder.backends.dockerfile.parts import copied
from imagebuilder.backends.dockerfile.sources import Context, Cuts, Sources
from imagebuilder.backends.dockerfile.step_names import names
from imagebuilder.backends.dockerfile.views import Views
from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid, Place
from imagebuilder.ir.ops import BaseImage, Cmd, Copy, Entrypoint, Healthcheck, LocalSource, Op, Scratch
from imagebuilder.ir.packages import Layer, Packed
from imagebuilder.ir.stage import Stage, Step, ordered

# BuildKit counts these, as "[name 2/5]", when it reports progress.
_COUNTED = frozenset({"run", "copy", "add", "layer", "write_files", "workdir"})
# Linux takes two megabytes of arguments and environment together (ARG_MAX).
_MOST_ARGUMENTS = 1_000_000
_LOAD = re.compile(r"\[context (?P<name>[^\]]+)\] OCI load")
_WHOLE: Cuts = MappingProxyType({})
# Only the last of each counts in a stage.
_SUPERSEDED = (Cmd, Entrypoint, Healthcheck)


@dataclass(frozen=True, slots=True)
class Instruction:
    """Lines ``first`` to ``last`` (1-based, inclusive), who asked for them, and for which step (a FROM is none).

    ``op`` is what it does: another operation than the step's where several instructions carry that out.
    ``stage`` and ``position`` are those of BuildKit's progress ("[stage position/…]"); 0 where it counts nothing.
    ``parts`` is how many instructions carry out the step, where they are more than one: a folder copied in parts,
    packages in layers.
    """

    first: int
    last: int
    stage: str
    position: int
    place: Place | None
    step: Step | None
    text: str
    op: Op | None = None
    parts: int = 1


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """The text, where its lines come from, and what has to be passed to the build beside it."""

    text: str
    instructions: tuple[Instruction, ...]
    contexts: tuple[Context, ...]
    build_args: Mapping[str, str]

    def at_line(self, line: int) -> Instruction | None:
        """The instruction that a line belongs to."""
        return next((i for i in self.instructions if i.first <= line <= i.last), None)

    def packed(self, name: str) -> tuple[Instruction, ...]:
        """What is done by taking an image that BuildKit names ``[context NAME] OCI load …``: one of each step."""
        context = _LOAD.match(name)
        ref = f"FROM {context['name']}" if context else ""
        found = [i for i in self.instructions if ref and isinstance(i.op, Layer) and f"{i.text} ".startswith(f"{ref} ")]
        return tuple({id(each.step): each for each in found}.values())

    def whole(self, instruction: Instruction) -> Instruction:
        """The first of those that carry out its step."""
        if instruction.parts == 1:
            return instruction
        return next(i for i in self.instructions if i.step is instruction.step and i.parts > 1)

    def at_name(self, name: str) -> Instruction | None:
        """The instruction of a step that BuildKit names ``[stage 2/5] ADD …``, or by the URL that one fetches."""
        if not name:
            return None
        words = name.partition("] ")[2] or name
        return next((i for i in self.instructions if i.text in words or words in i.text), None)

    def at_event(self, name: str, stage: str, position: int) -> Instruction | None:
        """The instruction of a step, by its place or else by its text.

        A step that two builds share at a time has the place that it has in the first of them.
        """
        found = self.at_step(stage, position)
        words = name.partition("] ")[2] or name
        lines = self.text.split("\n")
        counted = [each for each in self.instructions if each.position]
        same = [each for each in counted if names(words, "\n".join(lines[each.first - 1 : each.last]))]
        if found in same:
            return found
        # What is shared has the same steps before it, so it stands as far down here as there.
        near = next((each for each in same if each.position == position), None)
        return near or next(iter(same), None) or self.at_name(name) or found

    def at_step(self, stage: str, position: int) -> Instruction | None:
        """The instruction that BuildKit calls ``[stage position/…]``; older builders leave a lone stage out."""
        stage = stage or self.instructions[-1].stage
        return next((i for i in self.instructions if i.stage == stage and i.position == position), None)


def render(
    target: Stage, digests: Mapping[tuple[str, LocalSource], str], *, ca: bool = False, cuts: Cuts = _WHOLE
) -> Dockerfile:
    """Write the Dockerfile of a stage and all it needs.

    Args:
        target: a stage of core operations only.
        digests: the digest of every local source.
        ca: give every RUN with a network the optional mounts for a CA bundle.
        cuts: the folders that are copied in parts.

    Raises:
        CompileError: a value cannot be written.
    """
    return _Renderer(target, digests, ca, cuts).render()


class _Renderer:
    def __init__(self, target: Stage, digests: Mapping[tuple[str, LocalSource], str], ca: bool, cuts: Cuts) -> None:
        self._cuts = cuts
        self._stages = {stage: _effective(stage) for stage in ordered(target)}
        self._names = StageNames(tuple(self._stages))
        self._sources = Sources(digests, self._names)
        self._values = quote.Values()
        self._views = Views(self._sources, self._values, ca)
        self._lines: list[str] = []
        self._instructions: list[Instruction] = []
        self._macros = macros()
        self._errors: list[Diagnostic] = []

    def render(self) -> Dockerfile:
        if checks := lint.skipped(self._stages):
            self._lines.append(f"# check=skip={','.join(checks)}")
        for number, (stage, steps) in enumerate(self._stages.items()):
            if self._lines:
                self._lines.append("")
            self._stage(number, stage, steps)
        if (size := sum(len(value.encode()) for value in self._values.arguments.values())) > _MOST_ARGUMENTS:
            help = "put large values into files: add_text or add_local_file"
            message = f"{size:,} bytes of values for the builder's command line, which holds {_MOST_ARGUMENTS:,}"
            self._errors.append(Diagnostic("IB146", message, help=help))
        if self._errors:
            raise CompileError(self._errors)
        return Dockerfile(
            "\n".join(self._lines) + "\n",
            tuple(self._counted()),
            tuple(self._sources.contexts.values()),
            dict(self._values.arguments),
        )

    def _stage(self, number: int, stage: Stage, steps: Sequence[Step]) -> None:
        name = self._names.name(stage)
        shown = name or f"stage-{number}"
        platform: Any = ""
        match stage.base:
            case Stage():
                ref = self._names.name(stage.base)
            case Scratch():
                ref = "scratch"
            case Packed():
                ref, platform = self._sources.packed(stage.base).name, stage.base.platform
            case BaseImage():
                ref, platform = stage.base.ref, stage.base.platform
            case _:
                raise TypeError(f"{stage.base!r} was not lowered")
        # BuildKit counts an image that is asked for by its name.
        position = 1 if isinstance(stage.base, BaseImage) and not isinstance(stage.base, Packed) else 0
        started = len(self._instructions)
        try:
            self._emit(self._macros.stage(ref, platform, name), shown, position, stage.place)
        except Invalid as error:
            self._errors.append(error.at(stage.place))
        rule = LinkRule(stage)
        self._views.enter(stage)
        declared: set[str] = set()
        below = list(stage.base.layers) if isinstance(stage.base, Packed) else []
        for step in steps:
            if below and step.op == below[0]:
                op = below.pop(0)
                froms = self._instructions[started : started + 1]
                self._instructions += (replace(each, step=step.planned, op=op) for each in froms)
                continue
            try:
                texts = [_bounded(getattr(self._macros, step.op.verb)(view)) for view in self._seen(step, rule)]
            except Invalid as error:
                self._errors.append(error.at(step.place))
                continue
            for argument in self._values.asked():
                if argument not in declared:
                    declared.add(argument)
                    self._emit(self._macros.value_argument(argument), shown, 0, step.place, step)
            counted = step.op.verb in _COUNTED
            for text in texts:
                position += counted
                self._emit(text, shown, position if counted else 0, step.place, step, len(texts))
            rule.note(step.op)

    def _seen(self, step: Step, rule: LinkRule) -> list[Any]:
        """What the templates are given: for a folder that is copied in parts, once for each."""
        folder = copied(step)
        if folder is None or folder not in self._cuts:
            return [self._views.view(step, rule)]
        assert isinstance(step.op, Copy)
        contexts = [self._sources.piece(folder, number, digest) for number, digest in enumerate(self._cuts[folder])]
        return [self._views.piece(step, step.op, context, rule) for context in contexts]

    def _emit(
        self, text: str, stage: str, position: int, place: Place | None, step: Step | None = None, parts: int = 1
    ) -> None:
        lines = text.split("\n")
        first = len(self._lines) + 1
        self._lines += lines
        last = first + len(lines) - 1
        planned, op = (step.planned, step.op) if step else (None, None)
        self._instructions.append(Instruction(first, last, stage, position, place, planned, lines[0], op, parts))

    def _counted(self) -> Iterator[Instruction]:
        """The instructions, with the number of those that carry out their step."""
        parts = Counter(id(each.step) for each in self._instructions if each.position and each.step)
        for each in self._instructions:
            yield replace(each, parts=max(each.parts, parts[id(each.step)])) if each.step else each


def _effective(stage: Stage) -> tuple[Step, ...]:
    """The steps that count: of CMD, ENTRYPOINT and HEALTHCHECK, the last."""
    last: dict[type[Op], Step] = {type(s.op): s for s in stage.steps if isinstance(s.op, _SUPERSEDED)}
    return tuple(step for step in stage.steps if last.get(type(step.op), step) is step)


def _bounded(text: str) -> str:
    for line in text.split("\n"):
        if len(line.encode()) > quote.LONGEST_LINE:
            raise Invalid(
                "IB144",
                f"a line of {len(line.encode()):,} bytes; BuildKit reads no more than {quote.LONGEST_LINE:,}",
                "put it into a file: add_text or add_local_file",
            )
    return text


@cache
def macros() -> Any:
    """The templates: one for each core operation, by its verb."""
    environment = Environment(
        loader=PackageLoader("imagebuilder.backends.dockerfile"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - no HTML; quote.py does the quoting
    )
    environment.filters |= {
        "word": quote.word,
        "vector": quote.vector,
        "flag": quote.flag,
    }
    return environment.get_template("instructions.j2").module
