"""Variables that are set to the name of a value rather than to the value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from imagebuilder.diagnostics import Diagnostic, Place
from imagebuilder.ir.ops import Env
from imagebuilder.ir.stage import Stage, ordered
from imagebuilder.lint.saying import said


def literal_variables(target: Stage) -> Iterator[Diagnostic]:
    """A variable that is to go on from its own value, as in ``PATH=/opt/bin:$PATH``, and gets the text instead.

    Of other variables a text may well speak (a prompt, a template), and one's own alone may be a placeholder.
    """
    for stage in ordered(target):
        for step in stage.steps:
            for name, value in step.op.variables if isinstance(step.op, Env) else ():
                if not isinstance(value, str):
                    continue
                own = re.compile(rf"\$(?:{re.escape(name)}(?!\w)|\{{{re.escape(name)}\}})")
                if (found := own.search(value)) and found[0] != value:
                    yield Diagnostic(
                        "IB915",
                        f"{name} gets the text {found[0]!r}, not the value that it has",
                        step.place,
                        help=f"for the value: {_instead(name, own.sub(f'${{{name}}}', value), step.place)}",
                        severity="warning",
                    )


def _instead(name: str, value: str, place: Place | None) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return said(
        place,
        python=f'.env({{"{name}": expand({text})}})',
        dockerfile=f"ENV {name}={text}",
        snap=f"env {name}=${text}",
    )
