"""From a person's arguments to a checked operation, or to diagnostics with their place."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid, Place

M = TypeVar("M", bound=BaseModel)


def construct(model: type[M], place: Place | None, /, **fields: Any) -> M:
    """The model with these fields.

    Raises:
        CompileError: a field was refused; one diagnostic for each that was.
    """
    try:
        return model(**fields)
    except ValidationError as error:
        raise CompileError(diagnostics(error, place, model)) from None
    except Invalid as error:
        raise CompileError(error.at(place)) from None


def diagnostics(error: ValidationError, place: Place | None, model: type[BaseModel] = BaseModel) -> list[Diagnostic]:
    """What pydantic refused, in this project's words."""
    found: dict[Diagnostic, None] = {}
    for detail in error.errors():
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, Invalid):
            found[cause.at(_part(place, detail["loc"]))] = None
    if not found:
        # A value of no fitting type is refused once for each member of a union; the first says enough.
        detail = error.errors()[0]
        field = ".".join(str(part) for part in detail["loc"][:1])
        shown = ascii(detail.get("input"))[:60]
        found[
            Diagnostic(
                "IB100",
                f"{getattr(model, 'verb', error.title)}: {field}: {detail['msg'].lower()}, got {shown}",
                _part(place, detail["loc"]),
            )
        ] = None
    return list(found)


def _part(place: Place | None, loc: tuple[int | str, ...]) -> Place | None:
    """The part of a statement that gave the field, where the place knows its parts."""
    index = next((part for part in loc[1:] if isinstance(part, int)), None)
    return place.part(str(loc[0]), index) if place is not None and loc else place
