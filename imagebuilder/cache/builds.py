"""Builds on record by what a person calls them: a name, ``name~1``, a key, or the id of a snapshot."""

from __future__ import annotations

import re

from imagebuilder.cache.history import History
from imagebuilder.cache.record import Record
from imagebuilder.diagnostics import CompileError, Diagnostic, did_you_mean

_BACK = re.compile(r"(?P<name>.+)~(?P<count>\d{1,3})")
_KEY = re.compile(r"sha256:[0-9a-f]{4,64}|[0-9a-f]{8,64}")


def is_build(history: History, text: str) -> bool:
    """Whether a build on record is called so."""
    name = (match["name"] if (match := _BACK.fullmatch(text)) else text).removesuffix(":latest")
    return next(history.of(name), None) is not None or (
        _KEY.fullmatch(text) is not None and bool(_by_id(history, text))
    )


def find(history: History, text: str) -> Record:
    """The build that is called so.

    Raises:
        CompileError: there is none on record, or a key's beginning is that of several.
    """
    match = _BACK.fullmatch(text)
    name = (match["name"] if match else text).removesuffix(":latest")
    back = int(match["count"]) if match else 0
    loaded = [record for kept in history.of(name) if (record := kept.load())]
    if len(loaded) > back:
        return loaded[back]
    if loaded:
        have = f"{len(loaded)} build{'s' if len(loaded) > 1 else ''}"
        help = (
            "the first build of a name has none before it"
            if len(loaded) == 1
            else f"the oldest is {name}~{len(loaded) - 1}"
        )
        raise CompileError(
            Diagnostic("IB650", f"no build {text!r} is on record: there are {have} of {name!r}", help=help)
        )
    if match is None and _KEY.fullmatch(text):
        found = _by_id(history, text)
        if len(found) == 1:
            return found[0]
        if found:
            keys = ", ".join(sorted(record.key[:23] for record in found))
            raise CompileError(Diagnostic("IB651", f"{text!r} begins several keys", help=f"write more of it: {keys}"))
    if failed := history.failed(name):
        raise CompileError(none_succeeded(name, failed))
    names = sorted(history.names())
    hint = did_you_mean(name, names) or (
        f"on record are: {', '.join(names)}" if names else "nothing has been built yet"
    )
    raise CompileError(Diagnostic("IB650", f"no build {text!r} is on record", help=hint))


def none_succeeded(name: str, failed: int) -> Diagnostic:
    """What is said of a name of which ``failed`` builds are on record and no other."""
    count = "the one build" if failed == 1 else f"none of the {failed} builds"
    message = (
        f"no build of {name!r} to compare with: {count} on record has {'not ' if failed == 1 else ''}come to an image"
    )
    return Diagnostic("IB650", message, help=f"`imagebuilder snapshot logs {name}` shows the last one's log")


def previous(history: History, record: Record) -> Record:
    """The build of the same name before this one, with another key if there is such a one.

    Raises:
        CompileError: it is the first.
    """
    older = [
        each
        for kept in history.of(record.name)
        if kept.built < record.built and (each := kept.load()) is not None and each.id != record.id
    ]
    for each in older:
        if each.key != record.key:
            return each
    if older:
        return older[0]
    help = (
        "the first build of a name runs every step that no other build has made; the next one can be compared with it"
    )
    raise CompileError(Diagnostic("IB650", f"no build of {record.name!r} before this one is on record", help=help))


def _by_id(history: History, text: str) -> list[Record]:
    by_id = [record for kept in history.all() if kept.id == text and (record := kept.load())]
    return by_id[:1] or history.by_key(text)
