"""An image from JSON, whoever wrote it; see ``ir/document.py``.

Nothing is run, and nothing is read but the document and the files that
``pip_install_from_requirements`` and its like read when they are called. What
is wrong is told with its JSON pointer and its line.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid, Note, Span, did_you_mean
from imagebuilder.files import open_regular
from imagebuilder.frontends.json_checks import check_base, check_op
from imagebuilder.frontends.json_text import Places, Pointer, Problem, parse, shown
from imagebuilder.frontends.python_files import derived_fields
from imagebuilder.ir import checks
from imagebuilder.ir.checks import Many, Pairs
from imagebuilder.ir.document import MAX_DEPTH, MAX_SIZE, MAX_STAGES, NONEMPTY, VERSION
from imagebuilder.ir.ops import BASES, OPS, Model, Onbuild, reads_local
from imagebuilder.ir.stage import Stage, Step

_BASES: dict[str, type[Model]] = {vars(base)["verb"]: base for base in BASES}
# The depth of a step: stages, its number, steps, its own number.
_STEP = 4


def load(path: Path) -> Stage:
    """The stage that a file describes; its local paths start at the file's folder.

    Raises:
        CompileError: it cannot be read, or as :func:`read`.
    """
    try:
        with open_regular(path) as file:
            data = file.read(4 * MAX_SIZE)
        return read(data.decode("utf-8-sig"), path.absolute().parent, str(path))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CompileError(Diagnostic("IB201", f"cannot read {str(path)!r}: {reason}")) from None
    except UnicodeDecodeError:
        raise CompileError(Diagnostic("IB202", f"{str(path)!r} is not UTF-8 text")) from None


def read(text: str, folder: Path, file: str = "<json>") -> Stage:
    """The stage of a document.

    Args:
        folder: absolute; where the document's local paths start.
        file: the name for places in it.

    Raises:
        CompileError: it is not such a document, or an operation refuses what it says.
    """
    try:
        found = parse(text)
        return _Reader(folder, file, Places(text, _STEP)).document(found)
    except Problem as problem:
        raise CompileError(_diagnostic(problem, text, file)) from None


def _diagnostic(problem: Problem, text: str, file: str) -> Diagnostic:
    line, column = problem.position or Places(text, len(problem.pointer)).of(problem.pointer)
    pointer = "".join(f"/{str(each).replace('~', '~0').replace('/', '~1')}" for each in problem.pointer)
    notes = () if problem.position else (Note(f"at {pointer or 'the top'} of the document"),)
    return Diagnostic(problem.code, problem.message, Span(file, line, column), notes, problem.help)


class _Reader:
    def __init__(self, folder: Path, file: str, places: Places) -> None:
        self.folder, self.file, self.places = folder, file, places
        self.stages: list[Stage] = []

    def document(self, found: Any) -> Stage:
        document = _object(found, (), required=("version", "stages"), optional=("$schema",))
        version = document["version"]
        if type(version) is not int or version != VERSION:
            raise Problem("IB414", f"a document of version {shown(version)}", ("version",), f"this is read: {VERSION}")
        stages = _array(document["stages"], ("stages",))
        if not 0 < len(stages) <= MAX_STAGES:
            hint = f"1 to {MAX_STAGES}, each after those that it needs"
            raise Problem("IB413", f"{len(stages)} stages", ("stages",), hint)
        for number, each in enumerate(stages):
            self.stages.append(self.stage(each, ("stages", number)))
        return self.stages[-1]

    def stage(self, found: Any, at: Pointer) -> Stage:
        fields = _object(found, at, required=("base",), optional=("name", "steps"))
        name = _text(fields.get("name", ""), (*at, "name"))
        base = self.base(fields["base"], (*at, "base"))
        steps = _array(fields.get("steps", []), (*at, "steps"))
        made = tuple(self.step(each, (*at, "steps", number)) for number, each in enumerate(steps))
        return Stage(base, made, place=self.span(at), name=name)

    def base(self, found: Any, at: Pointer) -> Any:
        if isinstance(found, dict) and "op" not in found:
            stage = self.value(found, at)
            if not isinstance(stage, Stage):
                raise Problem("IB413", "neither a base nor a stage", at, '{"op": "base", "ref": …} or {"stage": 0}')
            if any(isinstance(step.op, Onbuild) for step in stage.steps):
                raise Problem("IB125", "a stage with ONBUILD as a base", at, "its triggers are for builds of their own")
            return stage
        verb, fields = self.verb(found, at, _BASES)
        return self.model(_BASES[verb], fields, found, at, check_base)

    def step(self, found: Any, at: Pointer) -> Step:
        verb, fields = self.verb(found, at, OPS)
        model = OPS[verb]
        root = fields.pop("root", None)
        place = self.span(at)
        where = str(self.folder)
        if root is not None:
            joined = posixpath.join(where, _text(root, (*at, "root")))
            where = posixpath.normpath(joined)
            if os.path.realpath(where) != (real := os.path.realpath(joined)):
                where = real  # Behind a link, '..' is not the folder that holds the link.
        for name in model.derived & fields.keys():
            raise Problem("IB413", f"{name} is read from the local files", (*at, name), "leave it out")
        fields |= derived_fields(model, fields, Path(where), place)
        op = self.model(model, fields, found, at, check_op)
        if not reads_local(op):
            if root is not None:
                raise Problem("IB413", f"{verb} reads no local files", (*at, "root"), "leave root out")
            where = ""
        return Step(op, place, where)

    def verb(self, found: Any, at: Pointer, known: Mapping[str, object]) -> tuple[str, dict[str, Any]]:
        """The verb of an object, and its other fields."""
        if not isinstance(found, dict) or not isinstance(found.get("op"), str):
            raise Problem("IB413", f"no operation: {shown(found)}", at, '{"op": "NAME", …}')
        verb = found["op"]
        if verb not in known:
            hint = did_you_mean(verb[:100], list(known)) or f"known: {', '.join(known)}"
            raise Problem("IB413", f"no operation is called {shown(verb)}", (*at, "op"), hint)
        return verb, {name: self.value(value, (*at, name)) for name, value in found.items() if name != "op"}

    def value(self, found: Any, at: Pointer) -> Any:
        """As an operation takes it: tuples, checked text, stages in place of their numbers."""
        if len(at) > MAX_DEPTH:
            raise Problem("IB412", "values nested too deep", at, f"{MAX_DEPTH} levels are the most")
        match found:
            case str():
                return _text(found, at)
            case list():
                return tuple(self.value(each, (*at, number)) for number, each in enumerate(found))
            case {"stage": number} if len(found) == 1:
                if type(number) is not int or not 0 <= number < len(self.stages):
                    hint = "a stage stands after those that it needs; the first is 0"
                    raise Problem("IB413", f"no earlier stage: {shown(number)}", (*at, "stage"), hint)
                return self.stages[number]
            case dict():
                return {_text(name, at): self.value(each, (*at, name)) for name, each in found.items()}
        return found

    def model(self, model: type[Any], fields: dict[str, Any], found: Any, at: Pointer, check: Any) -> Any:
        for name, info in model.model_fields.items():
            if (Many in info.metadata or Pairs in info.metadata) and name in found and type(found[name]) is not list:
                raise Problem("IB413", f"{name} is a list, not {shown(found[name])}", (*at, name), "write […]")
        if (needed := NONEMPTY.get(model.verb)) and fields.get(needed) == ():
            raise Problem("IB103", f"{model.verb} with no {needed}", (*at, needed), "leave the step out")
        try:
            made = model.model_validate(fields, strict=True)
            check(made)
        except ValidationError as error:
            raise _refused(error, model, found, at) from None
        except Invalid as error:
            raise Problem(error.code, error.message, at, error.help) from None
        return made

    def span(self, at: Pointer) -> Span:
        return Span(self.file, *self.places.of(at))


def _refused(error: ValidationError, model: type[Any], found: Any, at: Pointer) -> Problem:
    """The first thing that was refused, in this project's words."""
    problems = []
    for detail in error.errors():
        pointer = at
        held: Any = found
        for each in detail["loc"]:
            # Between the names of fields, pydantic names the members of a union that it tried.
            members = held if isinstance(held, dict) else dict(enumerate(held)) if isinstance(held, list) else {}
            if each in members:
                held, pointer = members[each], (*pointer, each)
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, Invalid):
            return Problem(cause.code, cause.message, pointer, cause.help)
        name = str(detail["loc"][-1]) if detail["loc"] else ""
        if detail["type"] == "missing":
            problems.append(Problem("IB413", f"{name} is missing", pointer, "see the schema of this form"))
        elif detail["type"] == "extra_forbidden":
            hint = did_you_mean(name[:100], list(model.model_fields)) or f"it has: {', '.join(model.model_fields)}"
            problems.append(Problem("IB413", f"{model.verb} has no field {shown(name)}", pointer, hint))
        else:
            message = f"{shown(held)}: {detail['msg'].lower()}"
            problems.append(Problem("IB413", message, pointer, "see the schema of this form"))
    # Of a union, the member that got furthest is the one that was meant.
    return max(problems, key=lambda problem: len(problem.pointer))


def _object(found: Any, at: Pointer, *, required: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise Problem("IB413", f"not an object: {shown(found)}", at, f"it has {', '.join(required)}")
    for name in found:
        if name not in required + optional:
            hint = did_you_mean(name[:100], required + optional) or f"known: {', '.join(required + optional)}"
            raise Problem("IB413", f"an unknown field: {shown(name)}", (*at, name), hint)
    for name in required:
        if name not in found:
            raise Problem("IB413", f"{name} is missing", at, f"an object has {', '.join(required)} here")
    return found


def _array(found: Any, at: Pointer) -> list[Any]:
    if not isinstance(found, list):
        raise Problem("IB413", f"not a list: {shown(found)}", at, "write […]")
    return found


def _text(found: Any, at: Pointer) -> str:
    if not isinstance(found, str):
        raise Problem("IB413", f"not a text: {shown(found)}", at, 'write "…"')
    try:
        return checks.text(found)
    except Invalid as error:
        raise Problem(error.code, error.message, at, error.help) from None
