"""What differs between two trees, file by file."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from imagebuilder.cache.history import Listing, unpacked
from imagebuilder.context import Entry

_KINDS = {"file": "a file", "program": "a file", "dir": "a folder", "link": "a link"}
# Of a digest: enough to tell two apart at a glance.
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class FileChange:
    """``path`` is its present name; ``before`` and ``after`` are what changed of it, None where it was not there."""

    path: str
    said: str
    before: str | None
    after: str | None


def file_changes(source: str, one: Listing, other: Listing) -> Iterator[FileChange]:
    """The changes in the order of their paths.

    Args:
        source: what the author calls the folder.
    """
    before, after = unpacked(one - other), unpacked(other - one)
    removed = {path: entry for path, entry in before.items() if path not in after}
    added = {path: entry for path, entry in after.items() if path not in before}
    renamed = _renamed(removed, added)
    old_names = set(renamed.values())
    untold = _untold(removed) | _untold(added)
    for path in sorted({*before, *after} - untold):
        name = path if source == "." else posixpath.join(source, path)
        if path in removed:
            if path not in old_names:
                yield FileChange(name, f"{name} was removed", _state(removed[path]), None)
        elif path in renamed:
            old = renamed[path] if source == "." else posixpath.join(source, renamed[path])
            yield FileChange(name, f"{old} was renamed to {name}", old, name)
        elif path in added:
            yield FileChange(name, f"{name} was added", None, _state(added[path]))
        else:
            yield from _changed(name, before[path], after[path])


def _changed(name: str, old: Entry, new: Entry) -> Iterator[FileChange]:
    if (old.type, old.content) == (new.type, new.content):
        return
    if _KINDS[old.type] != _KINDS[new.type]:
        was, now = _KINDS[old.type], _KINDS[new.type]
        yield FileChange(name, f"{name} is {now} now and was {was}", _state(old), _state(new))
        return
    if old.type == "link":
        said = f"{name} leads to {new.content!r} now and led to {old.content!r}"
        yield FileChange(name, said, _state(old), _state(new))
        return
    if old.content != new.content:
        digests = f"sha256 {old.content[:_DIGITS]}… → {new.content[:_DIGITS]}…"
        yield FileChange(name, f"{name} changed ({digests})", _state(old), _state(new))
    if old.type != new.type:
        became = "became executable" if new.type == "program" else "is no longer executable"
        yield FileChange(name, f"{name} {became}", _mode(old), _mode(new))


def _renamed(removed: Mapping[str, Entry], added: Mapping[str, Entry]) -> dict[str, str]:
    """What each new path was called before, where one file alone went and one alone came with its content."""
    old: dict[tuple[str, str], list[str]] = {}
    new: dict[tuple[str, str], list[str]] = {}
    for found, entries in ((old, removed), (new, added)):
        for path, entry in entries.items():
            if entry.size and entry.type in ("file", "program"):
                found.setdefault((entry.type, entry.content), []).append(path)
    found_pairs = ((new[same], old[same]) for same in new if same in old)
    return {now[0]: was[0] for now, was in found_pairs if len(now) == len(was) == 1}


def _untold(changed: Mapping[str, Entry]) -> set[str]:
    """Folders that came or went with what is in them, which is told of instead."""
    return {posixpath.dirname(path) for path in changed} & {
        path for path, entry in changed.items() if entry.type == "dir"
    }


def _state(entry: Entry) -> str:
    match entry.type:
        case "dir":
            return "a folder"
        case "link":
            return f"a link to {entry.content}"
    return f"sha256:{entry.content}"


def _mode(entry: Entry) -> str:
    return "executable" if entry.type == "program" else "not executable"
