"""Give ``arg`` operations the values that the caller chose, so that the key covers them.

>>> from imagebuilder.ir.ops import Arg, Scratch
>>> from imagebuilder.ir.stage import Stage, Step
>>> from imagebuilder.passes.options import Options
>>> stage = Stage(Scratch(), (Step(Arg(name="VERSION", default="1")),))
>>> bind_arguments(stage, Options({"VERSION": "2"})).steps[0].op.default
'2'
"""

from __future__ import annotations

from dataclasses import replace

from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid, Span, did_you_mean
from imagebuilder.ir import checks
from imagebuilder.ir.checks import PROXIES
from imagebuilder.ir.ops import Arg
from imagebuilder.ir.stage import Stage, ordered, rewrite
from imagebuilder.passes.options import Options


def bind_arguments(target: Stage, options: Options) -> Stage:
    values = {name: value for name, value in options.build_args.items() if name not in PROXIES}
    for name in options.build_args.keys() - values.keys():
        _text(name, options.build_args[name])
    if not values:
        return target
    _check(target, values)

    def change(stage: Stage) -> Stage:
        steps = tuple(
            replace(step, op=step.op.model_copy(update={"default": values[step.op.name]}))
            if isinstance(step.op, Arg) and step.op.name in values
            else step
            for step in stage.steps
        )
        return replace(stage, steps=steps)

    return rewrite(target, change)


def _check(target: Stage, values: dict[str, str]) -> None:
    steps = {step.op.name: step for stage in ordered(target) for step in stage.steps if isinstance(step.op, Arg)}
    found = []
    for name, value in values.items():
        step = steps.get(name)
        if step is None:
            hint = did_you_mean(name, list(steps)) or f"it takes: {', '.join(sorted(steps)) or 'none'}"
            found.append(Diagnostic("IB130", f"the image has no build argument {name!r}", help=hint))
            continue
        if isinstance(step.place, Span) and isinstance(step.op, Arg) and step.op.default != value:
            # Its COPY sources were found with the value that the Dockerfile was read with.
            found.append(
                Diagnostic(
                    "IB131",
                    f"the build argument {name!r} belongs to a Dockerfile that was read already",
                    step.place,
                    help="give it where the Dockerfile is read: build_args of from_dockerfile",
                )
            )
        try:
            _checked(name, value)
        except Invalid as error:
            found.append(error.at(step.place))
    if found:
        raise CompileError(found)


def _text(name: str, value: object) -> None:
    try:
        _checked(name, value)
    except Invalid as error:
        raise CompileError(error.at(None)) from None


def _checked(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise Invalid("IB100", f"a build argument that is no text: {name}={value!r}", "give a str")
    checks.text(value)
