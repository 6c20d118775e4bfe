"""The fluent API backwards: the call that says an operation.

A back end that writes code (``python.py``, ``snap.py``) writes these calls in
its own syntax. What only a Dockerfile can say becomes ``dockerfile_commands``
with the text of the instruction, which is read as the same operation again.
"""

from __future__ import annotations

import keyword
import os
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from imagebuilder.backends.dockerfile.naming import references
from imagebuilder.backends.dockerfile.plain import instruction
from imagebuilder.diagnostics import CompileError, Invalid
from imagebuilder.ir import checks, ops
from imagebuilder.ir.stage import Stage, Step
from imagebuilder.ir.words import Expansion, Var, Word, template, variables

Value: TypeAlias = (
    "str | Expansion | int | Stage | ops.Secret | tuple[Value, ...] | Mapping[str, str | Expansion | Stage] | None"
)
Names: TypeAlias = Mapping[Stage, str]


@dataclass(frozen=True, slots=True)
class Call:
    """A method of ``Image`` with its arguments: a tuple is a list of them, a mapping a dictionary."""

    verb: str
    args: tuple[Value, ...] = ()
    options: Mapping[str, Value] = field(default_factory=dict)


def base(stage: Stage) -> Call:
    """The call that starts a stage: ``debian_slim``, ``base`` or ``scratch``."""
    match stage.base:
        case ops.DebianSlim(python_version=version, debian=debian):
            return Call("debian_slim", (version,), {"debian": debian} if debian else {})
        case ops.BaseImage(ref=ref, platform=platform):
            return Call("base", (ref,), {"platform": platform} if platform else {})
        case Stage():
            return Call("base", (stage.base,))
    return Call("scratch")


def calls(stage: Stage, folder: str, names: Names, *, first: int = 0) -> Iterator[Call]:
    """The calls that say the steps of a stage, one after another.

    Args:
        first: the number of steps that are said already.
        folder: the absolute folder of the file that is written; local paths start there.
        names: of the stages that these steps read from, as :func:`stage_names` gives them.

    Raises:
        CompileError: a step that no call says.
    """
    as_text = _needed_as_text(stage.steps)
    lines: list[Value] = []
    root = ""
    stages: dict[str, str | Expansion | Stage] = {}

    def joined() -> Iterator[Call]:
        if lines:
            yield Call("dockerfile_commands", tuple(lines), _sources(root, folder, stages))
            lines.clear()
            stages.clear()

    for number, step in list(enumerate(stage.steps))[first:]:
        found = call(step, folder, names, as_text=number in as_text)
        if found.verb != "dockerfile_commands" or (lines and root and step.root and root != step.root):
            yield from joined()
        if found.verb != "dockerfile_commands":
            yield found
            continue
        root = step.root or (root if lines else "")
        lines += found.args
        stages |= {names[each]: each for each in step.op.stages()}
    yield from joined()


def begins_with(stage: Stage, earlier: Sequence[Stage]) -> Stage | None:
    """The earlier image that says most of the stage's first steps, from which it can go on."""
    shared = [
        other
        for other in earlier
        if other.steps
        and other.base == stage.base
        and stage.steps[: len(other.steps)] == other.steps
        and can_part(stage, len(other.steps))
    ]
    return max(shared, key=lambda other: len(other.steps), default=None)


def can_part(stage: Stage, first: int) -> bool:
    """Whether the steps from ``first`` on can be said without those before them in the same call."""
    return not {first - 1, first} <= _needed_as_text(stage.steps)


def call(step: Step, folder: str, names: Names, *, as_text: bool = False) -> Call:
    """The call that says one step.

    Args:
        folder, names: as in :func:`calls`.
        as_text: as ``dockerfile_commands`` even where a method would do.

    Raises:
        CompileError: no call says it.
    """
    try:
        return (None if as_text else _fluent(step, folder)) or _text(step, folder, names)
    except Invalid as error:
        raise CompileError(error.at(step.place)) from None


# Names ------------------------------------------------------------------------------------------------


def stage_names(stages: Sequence[Stage]) -> dict[Stage, str]:
    """A name for each stage that is an identifier everywhere; the last is ``image``.

    An author's own name is kept as far as it is one.
    """
    # A stage of an image's name would hide the image in the text of an instruction.
    taken = {"image", "expand", "context", "scratch", "debian_slim", "from_dockerfile"}
    taken |= {ref.lower() for stage in stages for ref in references(stage)}
    found: dict[Stage, str] = {}
    for number, stage in enumerate(stages[:-1], 1):
        wanted = re.sub(r"[^a-z0-9]+", "_", stage.name.lower()).strip("_")
        if not re.match("[a-z]", wanted) or keyword.iskeyword(wanted) or keyword.issoftkeyword(wanted):
            wanted = f"stage_{wanted}" if wanted else f"stage{number}"
        name, again = wanted, 1
        while name in taken:
            again += 1
            name = f"{wanted}_{again}"
        taken.add(name)
        found[stage] = name
    return {**found, stages[-1]: "image"}


# Methods ----------------------------------------------------------------------------------------------

# The fields that a method takes by position; with a star, each member of the field is an argument.
POSITIONAL: Mapping[str, tuple[str, ...]] = {
    "apt_install": ("*packages",),
    "pip_install": ("*packages",),
    "pip_install_from_requirements": ("path",),
    "pip_install_from_pyproject": ("path",),
    "uv_pip_install": ("*packages",),
    "uv_sync": ("path",),
    "npm_install": ("*packages",),
    "add_local_file": ("path", "dest"),
    "add_local_dir": ("path", "dest"),
    "add_local_python_source": ("*modules",),
    "add_text": ("content", "dest"),
    "add_url": ("url", "dest"),
    "git_clone": ("url", "dest"),
    "copy_from": ("source", "src", "dest"),
    "run_commands": ("*commands",),
    "workdir": ("path",),
    "user": ("name",),
    "shell": ("words",),
    "entrypoint": ("command",),
    "cmd": ("command",),
    "expose": ("*ports",),
    "volume": ("*paths",),
    "stop_signal": ("signal",),
    "healthcheck": ("command",),
    "arg": ("name", "default"),
    "env": ("variables",),
    "label": ("labels",),
}
# Fields with paths of this machine.
LOCAL = frozenset({"path", "requirements"})


def _fluent(step: Step, folder: str) -> Call | None:
    """The method of the operation's own name; None where there is none or it takes no such value."""
    op = step.op
    if op.verb not in POSITIONAL or not _SAYABLE.get(op.verb, lambda _: True)(op):
        return None
    if isinstance(op, ops.AddLocalPythonSource) and step.root != folder:
        raise Invalid(
            "IB410",
            f"modules of another folder than that of the file: {', '.join(op.modules)}",
            f"write the file into {step.root!r}, or copy them with add_local_dir",
        )
    args: list[Value] = []
    options: dict[str, Value] = {}
    positional = POSITIONAL[op.verb]
    for name, info in type(op).model_fields.items():
        value = getattr(op, name)
        if name in op.derived:
            continue
        if ops.reads_local(op) and name in LOCAL and value is not None:
            value = _from_folder(value, step.root, folder)
        if name in positional or f"*{name}" in positional:
            continue
        if info.is_required() or value != info.default:
            options[name] = _value(value)
    for name in positional:
        info = type(op).model_fields[name.lstrip("*")]
        value = getattr(op, name.lstrip("*"))
        if name.startswith("*"):
            args += map(_value, value)
        elif info.is_required() or value != info.default:
            args.append(
                _value(_from_folder(value, step.root, folder) if ops.reads_local(op) and name in LOCAL else value)
            )
    return _adapted(op, args, options)


def _adapted(op: ops.Op, args: list[Value], options: dict[str, Value]) -> Call:
    """As a person says it to the method, where that differs from what the operation holds."""
    match op:
        case ops.Env(variables=pairs) | ops.Label(labels=pairs):
            return Call(op.verb, ({str(name): value for name, value in pairs},))
        case ops.Healthcheck(command=()):
            args = [None]
        case ops.Expose() | ops.StopSignal():
            args = [int(a) if isinstance(a, str) and re.fullmatch("[1-9][0-9]*", a) else a for a in args]
    return Call(op.verb, tuple(args), options)


def _value(value: Any) -> Value:
    if isinstance(value, ops.Secret):
        return value.name if value.target is None else value
    return tuple(map(_value, value)) if isinstance(value, tuple) else value


def _from_folder(value: str | tuple[str, ...], root: str, folder: str) -> str | tuple[str, ...]:
    if isinstance(value, tuple):
        return tuple(str(_from_folder(each, root, folder)) for each in value)
    return value if root == folder or posixpath.isabs(value) else relative(posixpath.join(root, value), folder)


def relative(path: str, folder: str) -> str:
    """A path of this machine as a file in the folder says it.

    The shortest way, where it leads to the same place: behind a link, ``..`` is not the folder that holds the link.
    """
    found = os.path.relpath(path, folder)
    if os.path.realpath(os.path.join(folder, found)) != os.path.realpath(path):  # noqa: PTH118 - keeps '..'
        above, name = os.path.split(path)
        real = os.path.realpath(path) if name in ("", ".", "..") else os.path.realpath(above) + os.sep + name
        found = os.path.relpath(real, os.path.realpath(folder))
    return found.replace(os.sep, "/")


def _plain_pairs(pairs: Sequence[tuple[Word, Word]]) -> bool:
    """Whether a mapping says them, which has no order and no name twice."""
    names = [name for name, _ in pairs]
    if not all(isinstance(name, str) for name in names) or not all(_is_said(value) for _, value in pairs):
        return False
    return bool(pairs) and names == sorted(set(map(str, names)))


def _is_said(value: Word) -> bool:
    return isinstance(value, str) or template(value) is not None


def _is_absolute(path: Word) -> bool:
    try:
        return isinstance(path, str) and bool(checks.absolute(path))
    except Invalid:
        return False


# What a method can take, where that is less than what the operation can hold.
_SAYABLE: Mapping[str, Callable[[Any], bool]] = {
    "env": lambda op: _plain_pairs(op.variables),
    "label": lambda op: _plain_pairs(op.labels),
    "arg": lambda op: not isinstance(op.default, Expansion),
    "workdir": lambda op: _is_absolute(op.path),
    "user": lambda op: isinstance(op.name, str),
    "expose": lambda op: all(isinstance(port, str) for port in op.ports),
    "volume": lambda op: all(isinstance(path, str) for path in op.paths),
    "stop_signal": lambda op: isinstance(op.signal, str),
}


# Instructions -----------------------------------------------------------------------------------------


def _text(step: Step, folder: str, names: Names) -> Call:
    op = step.op
    if not op.core:
        raise Invalid("IB410", f"{op.verb} between an ARG and the ADD that needs it", "move it before the ARG")
    stages: Mapping[str, str | Expansion | Stage] = {names[stage]: stage for stage in op.stages()}
    return Call("dockerfile_commands", (instruction(step, names),), _sources(step.root, folder, stages))


def _sources(root: str, folder: str, stages: Mapping[str, str | Expansion | Stage]) -> dict[str, Value]:
    options: dict[str, Value] = {}
    if root and root != folder:
        options["context_dir"] = relative(root, folder)
    if stages:
        options["stages"] = dict(stages)
    return options


def _needed_as_text(steps: Sequence[Step]) -> set[int]:
    """Steps that are read right only together, in one text.

    An ADD whose source begins with a variable is a URL or a path; that is found
    out when it is read, from the ARG or ENV before it.
    """
    found: set[int] = set()
    for number, step in enumerate(steps):
        if not isinstance(step.op, ops.Add) or step.op.origin is not None:
            continue
        needed: set[str] = set()
        for source in step.op.sources:
            if isinstance(source, Expansion) and isinstance(source.parts[0], Var):
                needed |= variables(source)
        if not needed:
            continue
        first = number
        for earlier in range(number - 1, -1, -1):
            for name, value in _sets(steps[earlier].op):
                if name in needed:
                    needed |= variables(value)
                    first = earlier
        if first < number:
            found.update(range(first, number + 1))
    return found


def _sets(op: ops.Op) -> Iterator[tuple[str, Word]]:
    """The variables that an operation sets, and to what."""
    match op:
        case ops.Env():
            yield from op.variables
        case ops.Arg():
            yield op.name, op.default or ""
