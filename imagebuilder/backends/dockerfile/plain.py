"""Operations in the words of a Dockerfile that stands alone: no named contexts, no values passed beside it.

The front end reads each instruction that is written here as the operation it
was written of. The other writer (``render``) may write what means the same to
the builder; this one refuses what it cannot say exactly.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from types import SimpleNamespace

from imagebuilder.backends.dockerfile import quote
from imagebuilder.backends.dockerfile.naming import StageNames
from imagebuilder.backends.dockerfile.render import macros
from imagebuilder.backends.dockerfile.sources import Context
from imagebuilder.backends.dockerfile.views import Views
from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid
from imagebuilder.ir.ops import BaseImage, Env, Label, LocalSource, Run, Scratch, Source, WriteFiles
from imagebuilder.ir.packages import Layer
from imagebuilder.ir.stage import Stage, Step, ordered
from imagebuilder.ir.words import Expansion, Word, literal_pattern


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


def write(target: Stage, folder: str) -> tuple[str, Mapping[int, Step]]:
    """A whole Dockerfile of stages of core operations, whose local files lie in its own folder.

    Args:
        folder: of the Dockerfile, absolute.

    Returns:
        The text, and the step that begins at a line (from 1).

    Raises:
        CompileError: the steps that no instruction says.
    """
    stages = ordered(target)
    names = StageNames(stages)
    views = PlainViews({stage: names.name(stage) for stage in stages}, folder)
    lines: list[str] = []
    begins: dict[int, Step] = {}
    errors: list[Diagnostic] = []
    for stage in stages:
        views.enter(stage)
        try:
            lines += [*([""] if lines else []), *_from(stage, names).split("\n")]
        except Invalid as error:
            errors.append(error.at(stage.place))
        for step in stage.steps:
            try:
                text = getattr(macros(), step.op.verb)(views.view(step, None))
            except Invalid as error:
                errors.append(error.at(step.place))
                continue
            begins[len(lines) + 1] = step
            lines += text.split("\n")
    if errors:
        raise CompileError(errors)
    return "\n".join(lines) + "\n", begins


def _from(stage: Stage, names: StageNames) -> str:
    base = stage.base
    ref = names.name(base) if isinstance(base, Stage) else base.ref if isinstance(base, BaseImage) else "scratch"
    platform = base.platform if isinstance(base, BaseImage) else ""
    text: str = macros().stage(ref, platform, names.name(stage))
    return text


class PlainSources:
    """Stages by the names that they are given; local files as paths in the one context.

    Args:
        folder: of the context. Without one, it is the step's own root, and only
            sources are taken that an instruction names there.
    """

    def __init__(self, names: Mapping[Stage, str], folder: str | None) -> None:
        self._names = names
        self._folder = folder

    def name(self, origin: Source, step: Step) -> str:
        if isinstance(origin, LocalSource):
            return ""
        return self._names[origin] if isinstance(origin, Stage) else origin.ref

    def layer(self, op: Layer) -> Context:
        raise TypeError(f"{op.verb} cannot stand alone")

    def mounted(self, step: Step, origin: Source, source: Word | None) -> Word | None:
        if not isinstance(origin, LocalSource):
            return source
        top = self._top(step, origin)
        return source if top == "." else posixpath.normpath(posixpath.join(top, str(source or ".").lstrip("/")))

    def copied(
        self,
        step: Step,
        origin: Source | None,
        sources: tuple[Word, ...],
        *,
        parents: bool = False,
        main: bool = False,
    ) -> tuple[Word, ...]:
        if not isinstance(origin, LocalSource):
            return sources
        top = self._top(step, origin)
        if top == ".":
            return sources
        prefix = literal_pattern(top)
        return tuple(prefix if source in (".", "./") else f"{prefix}/{str(source).lstrip('/')}" for source in sources)

    def text(self, name: str, content: str) -> Context:
        raise _no_equal("a text that no here-document can hold", "a here-document ends in a line end")

    def _top(self, step: Step, origin: LocalSource) -> str:
        """Where the source is, from the context on."""
        if self._folder is None:
            if (origin.path, origin.kind, origin.ignore) != (".", "dir", ()):
                raise _no_equal(f"local files that no instruction names: {origin.path!r}", "JSON says every operation")
            return "."
        top = os.path.relpath(posixpath.join(step.root, origin.path), self._folder)
        if top.split("/")[0] == "..":
            message = f"files outside of the Dockerfile's folder: {origin.path!r}"
            raise _no_equal(message, "write the Dockerfile into a folder that holds them")
        return top


class PlainViews(Views):
    def __init__(self, names: Mapping[Stage, str], folder: str | None = None) -> None:
        super().__init__(PlainSources(names, folder), None, False)

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
