"""What differs between the arguments of two steps of one verb."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from imagebuilder.cache.packages import by_name
from imagebuilder.cache.record import HIDDEN, StepRecord

_LONGEST = 60
_AROUND = 20
# Values under names, and what a person calls one.
_PAIRS = {"variables": "variable", "labels": "label"}
_FILES = frozenset({"path", "paths", "requirements", "origin", "includes", "mounts"})


@dataclass(frozen=True, slots=True)
class Difference:
    kind: Literal["argument", "package"]
    what: str
    before: str | None
    after: str | None
    said: str


def differences(before: StepRecord, after: StepRecord) -> Iterator[Difference]:
    """The differences in the order in which the operation has its arguments."""
    for path in sorted({*before.packages, *after.packages}):
        old, new = before.packages.get(path), after.packages.get(path)
        if old is not None and new is not None:
            yield from _packages(old, new, f" in {path}")
    # Where files lie is of no account, but what they are.
    same_files = bool(after.trees) and before.trees == after.trees
    old_data, new_data = _flat(before.data), _flat(after.data)
    for name in dict.fromkeys([*new_data, *old_data]):
        was, now = old_data.get(name), new_data.get(name)
        if was == now or (name in _FILES and (same_files or name in ("includes", "origin"))):
            continue
        yield from _argument(after.verb, name, was, now)


def _flat(data: Any) -> dict[str, Any]:
    """The arguments; those of what a COPY reads stand beside its own."""
    found = {name: value for name, value in data.items() if name != "op"}
    origin = found.get("origin")
    if isinstance(origin, dict) and "stage" not in origin:
        found |= {name: value for name, value in origin.items() if name not in ("kind", "tree", "literal", "include")}
        if "ref" not in origin:
            del found["origin"]
    return found


def _argument(verb: str, name: str, was: Any, now: Any) -> Iterator[Difference]:
    if _is_stage(was) and _is_stage(now):
        return
    if name == "packages" and _is_texts(was) and _is_texts(now):
        npm = verb == "npm_install"
        found = list(_packages(by_name(was or (), npm=npm), by_name(now or (), npm=npm), ""))
        if found:
            yield from found
            return
    if name in _PAIRS and was is not None and now is not None:
        found = list(_named(_PAIRS[name], was, now))
        if found:
            yield from found
            return
    if name == "commands" or (verb == "run" and name == "command"):
        yield _commands(was, now)
        return
    if verb == "arg" and name == "default":
        yield Difference(
            "argument", name, _text(was), _text(now), f"the build argument's value changed ({_both(was, now)})"
        )
        return
    if _is_texts(was) and _is_texts(now):
        found = list(_members(name, was or [], now or []))
        if found:
            yield from found
            return
    yield _changed(name, was, now)


def _changed(name: str, was: Any, now: Any) -> Difference:
    old, new = _text(was), _text(now)
    if old is None:
        said = f"{name}={_short(new)} was added"
    elif new is None:
        said = f"{name}={_short(old)} was removed"
    else:
        said = f"{name} changed ({_both(was, now)})"
    return Difference("argument", name, old, new, said)


def _packages(was: Mapping[str, str], now: Mapping[str, str], where: str) -> Iterator[Difference]:
    for name in sorted({*was, *now}):
        old, new = was.get(name), now.get(name)
        if old == new:
            continue
        if old is None:
            yield Difference("package", name, None, name + (new or ""), f"the package {name}{new} was added{where}")
        elif new is None:
            yield Difference("package", name, name + old, None, f"the package {name}{old} was removed{where}")
        else:
            said = f"the package {name} changed{where} ({old or 'any version'} → {new or 'any version'})"
            yield Difference("package", name, name + old, name + new, said)


def _named(what: str, was: Sequence[Sequence[str]], now: Sequence[Sequence[str]]) -> Iterator[Difference]:
    old, new = _mapping(was), _mapping(now)
    for name in dict.fromkeys([*new, *old]):
        one, other = old.get(name), new.get(name)
        if one == other:
            continue
        if one is None:
            yield Difference("argument", name, None, other, f"the {what} {name}={_short(other)} was added")
        elif other is None:
            yield Difference("argument", name, one, None, f"the {what} {name}={_short(one)} was removed")
        else:
            yield Difference("argument", name, one, other, f"the {what} {name} changed ({_both(one, other)})")


def _members(name: str, was: Sequence[str], now: Sequence[str]) -> Iterator[Difference]:
    if sorted(was) == sorted(now):
        yield Difference("argument", name, " ".join(was), " ".join(now), f"the order of {name} changed")
        return
    if len(was) == len(now) == 1:
        yield _changed(name, was[0], now[0])
        return
    for value in was:
        if value not in now:
            yield Difference("argument", name, value, None, f"{_short(value)} was removed from {name}")
    for value in now:
        if value not in was:
            yield Difference("argument", name, None, value, f"{_short(value)} was added to {name}")


def _commands(was: Any, now: Any) -> Difference:
    """The first line that differs."""
    old, new = _lines(was), _lines(now)
    for one, other in zip(old, new, strict=False):
        if one != other:
            return Difference("argument", "command", one, other, f"the command changed ({_both(one, other)})")
    if len(new) > len(old):
        line = new[len(old)]
        return Difference("argument", "command", None, line, f"the command {_short(line)} was added")
    if len(old) > len(new):
        line = old[len(new)]
        return Difference("argument", "command", line, None, f"the command {_short(line)} was removed")
    return Difference("argument", "command", _text(was), _text(now), "the command is said otherwise")


def _lines(commands: Any) -> list[str]:
    found: list[str] = []
    for command in [commands] if isinstance(commands, str) else commands or []:
        text = command if isinstance(command, str) else " ".join(map(str, command))
        found += [line.strip() for line in text.split("\n") if line.strip()]
    return found


def _is_texts(value: Any) -> bool:
    return value is None or (isinstance(value, list | tuple) and all(isinstance(each, str) for each in value))


def _is_stage(value: Any) -> bool:
    return isinstance(value, dict) and "stage" in value


def _text(value: Any) -> str | None:
    match value:
        case None:
            return None
        case str():
            return value
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return " ".join(filter(None, map(_text, value)))
        case dict():
            return " ".join(f"{name}={_text(each)}" for name, each in value.items())
    return str(value)


def _both(was: Any, now: Any) -> str:
    """Both texts, each from shortly before the first difference on."""
    old, new = _text(was) or "", _text(now) or ""
    same = next(
        (n for n, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), min(len(old), len(new))
    )
    start = same - _AROUND if same > _AROUND and max(len(old), len(new)) > _LONGEST else 0
    return f"{_short(old[start:], start > 0)} → {_short(new[start:], start > 0)}"


def _short(text: str | None, cut: bool = False) -> str:
    if text == HIDDEN:
        return "a value that is not shown"
    text = text or ""
    shown = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return repr(("…" if cut else "") + shown) if shown != text or cut or not _plain(text) else text


def _plain(text: str) -> bool:
    return bool(text) and text.isprintable() and " " not in text and "'" not in text


def _mapping(pairs: Sequence[Sequence[str]]) -> dict[str, str]:
    return {pair[0]: pair[1] for pair in pairs}
