"""Operations in the words of a Dockerfile that stands alone: no named contexts, no values passed beside it.

The front end reads each instruction that is written here as the operation it
was written of. The other writer (``render``) may write what means the same to
the builder; this one refuses what it cannot say exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

from imagebuilder.backends.dockerfile import quote
from imagebuilder.backends.dockerfile.naming import StageNames
from imagebuilder.backends.dockerfile.render import macros
from imagebuilder.backends.dockerfile.sources import Context
from imagebuilder.backends.dockerfile.views import Views
from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid
from imagebuilder.ir.ops import BaseImage, Env, Label, LocalSource, Run, Scratch, Source, WriteFiles
from imagebuilder.ir.stage import Stage, Step, ordered
from imagebuilder.ir.words import Expansion, Word


def instruction(step: Step, names: Mapping[Stage, str]) -> str:
    """The text of a core operation, on one line but for here-documents; it ends without a line end.

    Args:
        names: of the stages that the operation reads from.

    Raises:
        Invalid: no instruction says just this.
    """
    views = PlainViews(names)
    views.enter(Stage(Scratch()))
    view = views.view(step, None)
    text: str = getattr(macros(), step.op.verb)(view)
    if isinstance(step.op, Env | Label) or (isinstance(step.op, Run) and not view.heredoc):
        # The templates part what is long; no value of these has a line end of its own.
        text = text.replace(" \\\n    ", " ")
    return text


def write(target: Stage) -> str:
    """A whole Dockerfile of stages of core operations, whose local files lie in the folder of it.

    Raises:
        CompileError: the steps that no instruction says.
    """
    stages = ordered(target)
    names = StageNames(stages)
    views = PlainViews({stage: names.name(stage) for stage in stages})
    blocks: list[str] = []
    errors: list[Diagnostic] = []
    for stage in stages:
        views.enter(stage)
        lines = []
        try:
            lines.append(_from(stage, names))
        except Invalid as error:
            errors.append(error.at(stage.place))
        for step in stage.steps:
            try:
                lines.append(getattr(macros(), step.op.verb)(views.view(step, None)))
            except Invalid as error:
                errors.append(error.at(step.place))
        blocks.append("\n".join(lines) + "\n")
    if errors:
        raise CompileError(errors)
    return "\n".join(blocks)


def _from(stage: Stage, names: StageNames) -> str:
    base = stage.base
    ref = names.name(base) if isinstance(base, Stage) else base.ref if isinstance(base, BaseImage) else "scratch"
    platform = base.platform if isinstance(base, BaseImage) else ""
    text: str = macros().stage(ref, platform, names.name(stage))
    return text


class PlainSources:
    """Stages by the names that they are given; local files as paths in the main context."""

    def __init__(self, names: Mapping[Stage, str]) -> None:
        self._names = names

    def name(self, origin: Source, step: Step) -> str:
        if isinstance(origin, LocalSource):
            return ""
        return self._names[origin] if isinstance(origin, Stage) else origin.ref

    def mounted(self, origin: Source, source: Word | None) -> Word | None:
        _in_context(origin)
        return source

    def copied(
        self,
        step: Step,
        origin: Source | None,
        sources: tuple[Word, ...],
        *,
        parents: bool = False,
        main: bool = False,
    ) -> tuple[Word, ...]:
        _in_context(origin)
        return sources

    def text(self, name: str, content: str) -> Context:
        raise _no_equal("a text that no here-document can hold", "a here-document ends in a line end")


def _in_context(origin: object) -> None:
    if isinstance(origin, LocalSource) and (origin.path, origin.kind, origin.ignore) != (".", "dir", ()):
        raise _no_equal(f"local files that no instruction names: {origin.path!r}", "JSON says every operation")


class PlainViews(Views):
    def __init__(self, names: Mapping[Stage, str]) -> None:
        super().__init__(PlainSources(names), None, False)

    def _command(self, command: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if isinstance(command, str) and not quote.is_one_line(command):
            raise _no_equal(f"text for the shell that no line holds: {command[:60]!a}", "write it as a list of words")
        return command

    def _run(self, step: Step, op: Run) -> SimpleNamespace:
        flags, command = self._run_flags(step, op), op.command
        # In a here-document, a first line that starts with '#!' names an interpreter; alone it is a comment.
        text = f"x{command}" if isinstance(command, str) and command.startswith("#!") else command
        if not isinstance(command, str) or quote.is_one_line(str(text)):
            return SimpleNamespace(flags=flags, heredoc=False, command=command, delimiter="")
        # The last line end is the here-document's own.
        return SimpleNamespace(flags=flags, heredoc=True, command=command + "\n", delimiter=quote.delimiter(command))

    def _write_files(self, op: WriteFiles) -> SimpleNamespace:
        for _, content in op.files:
            text = content if isinstance(content, str) else _last(content)
            if text and not text.endswith("\n"):
                raise _no_equal(f"a text without a line end at its end: {text[-60:]!a}", "a here-document has one")
        return self._heredocs(op)


def _last(content: Expansion) -> str:
    """The literal text at the end of it."""
    last = content.parts[-1] if content.parts else ""
    return last if isinstance(last, str) else "x"


def _no_equal(message: str, help: str) -> Invalid:
    return Invalid("IB410", message, help)
