"""An image in another form: .snap, Python, JSON or a Dockerfile, proven equal before anybody gets it.

What is written is read back, and must be what it was written of: the same
operations on the same files. A Dockerfile knows no intents; there, what both
are lowered to must have one key. What has no equal is an error that names it.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from imagebuilder.backends import json_document, python, snap
from imagebuilder.backends.calls import LOCAL
from imagebuilder.backends.dockerfile import plain
from imagebuilder.compiler import Described, Plan, compile
from imagebuilder.diagnostics import CompileError, Diagnostic, Note, Place
from imagebuilder.frontends import dockerfile, python_source
from imagebuilder.frontends import json_document as json_frontend
from imagebuilder.frontends import snap as snap_frontend
from imagebuilder.frontends.snap.format import format_text
from imagebuilder.ir.describe import describe
from imagebuilder.ir.ops import AddLocalPythonSource, LocalSource, Op, reads_local
from imagebuilder.ir.resources import Resources
from imagebuilder.ir.stage import Stage, Step, ordered, rewrite
from imagebuilder.passes import Options
from imagebuilder.passes.bind_arguments import bind_arguments


@dataclass(frozen=True, slots=True)
class Form:
    """``write`` gives the text of a file in a folder; ``read`` the stage of such a text."""

    title: str
    write: Callable[[Stage, str], str]
    read: Callable[[str, Path], Stage]


def _write_snap(stage: Stage, folder: str, resources: Resources | None = None) -> str:
    return format_text(snap.write(stage, folder, resources), f"{folder}/image.snap")


def _read_snap(text: str, folder: Path) -> Stage:
    return snap_frontend.load(folder / "image.snap", source=text).snapshots[-1].image.stage


_EXACT: Mapping[str, Form] = {
    "json": Form("JSON", json_document.write, json_frontend.read),
    "python": Form("Python", python.write, python_source.read_source),
    "snap": Form(".snap", _write_snap, _read_snap),
}
FORMS = (*_EXACT, "dockerfile")


def form_of(path: Path) -> str | None:
    """The form that a file's name says; None for a name that says none."""
    name = path.name.lower()
    if "dockerfile" in name or "containerfile" in name:
        return "dockerfile"
    return {".py": "python", ".json": "json", ".snap": "snap"}.get(path.suffix.lower())


def convert(
    image: Described,
    to: str,
    file: Path,
    *,
    build_args: Mapping[str, str] | None = None,
    resources: Resources | None = None,
    place: Place | None = None,
) -> str:
    """The image as the text of a file.

    Args:
        to: one of ``FORMS``.
        file: absolute; it need not exist. Local paths are written so that they start at its folder.
        build_args: values for the image's ``arg`` operations.
        resources: of the snapshot; a .snap file alone can say them.
        place: of the snapshot, for what is told of it.

    Raises:
        CompileError: a step has no equal in that form, with its place.
    """
    if resources not in (None, Resources()) and to != "snap":
        title = _EXACT[to].title if to in _EXACT else "a Dockerfile"
        help = "take them out, and give them to the build: Client.build(…, resources=Resources(…))"
        raise CompileError(replace(_no_equal(title, None, "the resources of a snapshot"), place=place, help=help))
    stage = bind_arguments(image.stage, Options(build_args or {}))
    if to == "dockerfile":
        return _dockerfile(stage, file)
    if not stage.name:
        # The form may name what it describes.
        stage = replace(stage, name=file.stem)
    form, folder = _EXACT[to], file.parent
    if to == "snap":
        form = replace(form, write=partial(_write_snap, resources=resources))
    text = form.write(stage, str(folder))
    try:
        found = form.read(text, folder)
    except CompileError as error:
        raise CompileError(list(_explained(error, stage, form, folder))) from None
    if resolved(found) != resolved(stage):
        whole = _no_equal(form.title, None, "the image as a whole")
        raise CompileError(list(_unequal(stage, form, folder)) or whole)
    return text


@dataclass(frozen=True, slots=True)
class _Stage:
    stage: Stage


def _dockerfile(stage: Stage, file: Path) -> str:
    """A Dockerfile that needs nothing beside its folder: `docker build .` there is enough."""
    plan = compile(_Stage(stage))
    text, begins = plain.write(plan.stage, str(file.parent))
    try:
        found = compile(_Stage(dockerfile.read(text, file)))
    except CompileError as error:
        raise CompileError([_at_its_step(each, begins) for each in error.diagnostics]) from None
    if found.key == plan.key:
        return text
    step = _first_other(plan, found)
    if step is None:
        raise CompileError(_no_equal("a Dockerfile", None, "the image as a whole"))
    raise CompileError(_not_in_a_dockerfile(step))


def _at_its_step(diagnostic: Diagnostic, begins: Mapping[int, Step]) -> Diagnostic:
    """What is wrong with a line of a text that nobody has seen, such as a source that is ignored."""
    line = diagnostic.place.resolve().line if diagnostic.place is not None else 0
    step = begins.get(max((first for first in begins if first <= line), default=0))
    return diagnostic if step is None else _not_in_a_dockerfile(step, Note(diagnostic.message))


def _not_in_a_dockerfile(step: Step, *notes: Note) -> Diagnostic:
    op = step.intent or step.op
    found = _no_equal("a Dockerfile", step, describe(op), *notes)
    return replace(found, help=_INSTEAD.get(op.verb, found.help))


# What a Dockerfile can say in place of an intent whose files no instruction of its own names.
_INSTEAD = {
    "add_local_dir": "COPY leaves out what the .dockerignore beside the Dockerfile says, and no more: move it there",
    "add_local_python_source": "use add_local_dir, and env for PYTHONPATH",
    "pip_install_from_requirements": "use add_local_file, and run_commands for pip",
    "uv_pip_install": "use add_local_file, and run_commands for uv",
    "uv_sync": "use add_local_file, and run_commands for uv",
    "npm_install": "use add_local_file, and run_commands for npm",
}


def _first_other(plan: Plan, found: Plan) -> Step | None:
    """The first step whose key is another one in the image that was read back."""
    for mine, theirs in zip(ordered(plan.stage), ordered(found.stage), strict=False):
        keys = zip(mine.steps, plan.keys[mine].steps, found.keys[theirs].steps, strict=False)
        for step, key, other in keys:
            if key != other:
                return step
    return None


# Equality ---------------------------------------------------------------------------------------------


def resolved(target: Stage) -> Stage:
    """The graph with absolute local paths, so that files in two folders can be compared."""

    def change(stage: Stage) -> Stage:
        return replace(stage, steps=tuple(map(_resolved, stage.steps)))

    return rewrite(target, change)


def _resolved(step: Step) -> Step:
    op = step.op
    if not reads_local(op):
        return step
    if isinstance(op, AddLocalPythonSource):
        return step  # Its modules are found below the root itself.
    changes = {}
    for name in type(op).model_fields:
        value = getattr(op, name)
        if op.reads_files and name in LOCAL and value is not None:
            paths = [_absolute(each, step.root) for each in ((value,) if isinstance(value, str) else value)]
            changes[name] = paths[0] if isinstance(value, str) else tuple(paths)
    return replace(step, op=_with_locals(op.model_copy(update=changes), step.root), root="")


def _with_locals(op: Op, root: str) -> Op:
    origin = getattr(op, "origin", None)
    if isinstance(origin, LocalSource):
        return op.model_copy(update={"origin": _local(origin, root)})
    if mounts := getattr(op, "mounts", ()):
        moved = (
            mount.model_copy(update={"origin": _local(mount.origin, root)})
            if isinstance(mount.origin, LocalSource)
            else mount
            for mount in mounts
        )
        return op.model_copy(update={"mounts": tuple(moved)})
    return op


def _local(source: LocalSource, root: str) -> LocalSource:
    path = _absolute(source.path, root)
    ignore = _absolute(source.dockerignore, path) if source.dockerignore else ""
    return source.model_copy(update={"path": path, "dockerignore": ignore})


def _absolute(path: str, root: str) -> str:
    return os.path.realpath(posixpath.join(root, path))


# What went wrong --------------------------------------------------------------------------------------


def _explained(error: CompileError, stage: Stage, form: Form, folder: Path) -> Iterator[Diagnostic]:
    """The mistakes at the author's steps, not in a text that nobody has seen."""
    found = list(_unequal(stage, form, folder))
    yield from found or error.diagnostics


def _unequal(target: Stage, form: Form, folder: Path) -> Iterator[Diagnostic]:
    """Each step that is another one, or none, after the trip by itself."""
    for stage in ordered(target):
        for step in stage.steps:
            alone = Stage(stage.base, (step,))
            try:
                found = form.read(form.write(alone, str(folder)), folder)
            except CompileError as error:
                first = error.diagnostics[0]
                if first.place is step.place:
                    yield from error.diagnostics
                else:
                    yield _no_equal(form.title, step, describe(step.op), Note(first.message))
                continue
            if resolved(found) != resolved(alone):
                yield _no_equal(form.title, step, describe(step.op))


def _no_equal(title: str, step: Step | None, what: str, *notes: Note) -> Diagnostic:
    """``title`` is that of the form, ``what`` the operation in a line."""
    place = step.place if step is not None else None
    help = "JSON says every operation" if title != "JSON" else "report this: JSON is to say every operation"
    return Diagnostic("IB410", f"{title} has no equal of: {what}", place, notes, help)
