"""What compiles and is seldom meant: the warnings of ``imagebuilder check``.

A lint is a function of a stage graph as a front end made it; it yields a
diagnostic of the severity "warning" for each thing that it finds, at the place
of the step or base. ``LINTS`` is the whole list, in order; ``STRICT`` is what
the level "strict" adds. A lint reports what it is sure of: a warning that is
wrong costs more than one that is missing.

What only the text of a language shows (a build argument or an image that
nothing uses) is found by its front end, under a code of this room, and handed
to :func:`lint` as ``more``: comments silence it in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal, Protocol

from imagebuilder.diagnostics import Diagnostic, Span
from imagebuilder.ir.stage import Stage
from imagebuilder.lint.apt import packages_without_versions
from imagebuilder.lint.bases import images_without_versions
from imagebuilder.lint.commands import lost_cd
from imagebuilder.lint.environment import literal_variables
from imagebuilder.lint.graph import outermost
from imagebuilder.lint.order import project_before_packages
from imagebuilder.lint.secrets import masked, secrets
from imagebuilder.lint.silence import Comments, files
from imagebuilder.lint.users import container_as_root

CODES: dict[str, str] = {
    "IB901": "an image without a version",
    "IB902": "a text that has the form of a secret",
    "IB903": "a secret's name with a value",
    "IB904": "a whole project that is copied before packages are installed",
    "IB905": "a cd that nothing follows",
    "IB906": "a container that runs as root",
    "IB907": "a Debian package without a version",
    "IB908": "a stage that nothing uses",
    "IB909": "a build argument that nothing uses",
    "IB910": "a comment that silences no known lint",
    "IB911": "a parameter that nothing uses",
    "IB912": "an image that nothing uses",
    "IB913": "a secret that nothing uses",
    "IB914": "an imported file that nothing uses",
    "IB915": "a variable that gets its own name as its value",
    "IB916": "a stage's name that is given again",
}

Level = Literal["default", "strict"]


class Lint(Protocol):
    def __call__(self, target: Stage) -> Iterator[Diagnostic]: ...


LINTS: tuple[Lint, ...] = (
    images_without_versions,
    secrets,
    project_before_packages,
    lost_cd,
    container_as_root,
    literal_variables,
)
STRICT: tuple[Lint, ...] = (packages_without_versions,)


def comments() -> Comments:
    """The comments that silence lints; shared by the images of one file, they are read once."""
    return Comments(frozenset(CODES))


def lint(
    target: Stage, *, level: Level = "default", more: Iterable[Diagnostic] = (), answers: Comments | None = None
) -> list[Diagnostic]:
    """The warnings about an image, in the order of their places, each once; without what comments silence.

    Args:
        target: as a front end made it, before any pass.
        more: what the front end found besides.
        answers: of :func:`comments`; None reads them anew.
    """
    found = [each for run in (LINTS if level == "default" else LINTS + STRICT) for each in run(target)]
    found += more
    answers = comments() if answers is None else answers
    kept = [each for each in found if not answers.silence(each)]
    kept += answers.unknown(files(target, found))
    return masked(sorted(_once(kept), key=_position), answers.silenced)


def secrets_pushed(target: Stage) -> Diagnostic | None:
    """The first secret that whoever pulls the image would have: a token, or a build argument under a secret's name.

    Args:
        target: with the values of its build arguments.
    """
    comments = Comments(frozenset(CODES))
    for found in secrets(target):
        if (found.code == "IB902" or found.message.startswith("the argument ")) and not comments.silence(found):
            return masked([found])[0]
    return None


def _once(found: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """Stages that share their first steps find the same in them."""
    seen = set()
    for each in found:
        span = each.place.resolve() if each.place is not None else None
        if (key := (each.code, each.message, span)) not in seen:
            seen.add(key)
            yield each if each.place is None else replace(each, place=span)


def _position(found: Diagnostic) -> tuple[str, int, int, str]:
    span = found.place.resolve() if found.place is not None else Span("", 0)
    return span.file, span.line, span.column, found.code


__all__ = ["CODES", "LINTS", "STRICT", "Level", "Lint", "comments", "lint", "masked", "outermost", "secrets_pushed"]
