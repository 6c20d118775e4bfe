"""An image as Python source: the fluent calls that describe it, laid out as a formatter would.

One variable for each stage; the image itself is ``image``. The layout follows
the rules of Black and Ruff at their default width, so that formatting the file
changes nothing.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from imagebuilder.backends.calls import Call, Value, base, begins_with, calls, stage_names
from imagebuilder.ir.ops import Secret
from imagebuilder.ir.stage import Stage, ordered
from imagebuilder.ir.words import Expansion, template

WIDTH = 88
_INDENT = "    "
_LONGEST_CHAIN = 100


def write(target: Stage, folder: str) -> str:
    """The source of a file in ``folder`` whose ``image`` is the target.

    Args:
        target: as a front end makes it, not lowered.
        folder: absolute; relative local paths start there.

    Raises:
        CompileError: a step that no call says.
    """
    stages = ordered(target)
    names = stage_names(stages)
    statements: list[str] = []
    used: set[str] = set()
    for number, stage in enumerate(stages):
        start, said = _start(stage, stages[:number], names)
        links = [_link(call, names) for call in calls(stage, folder, names, first=said)]
        statements += _assignments(names[stage], start, links)
        used.update(name for item in (start, *links) for name in _imported(item))
    return f"from imagebuilder import {', '.join(sorted(used))}\n\n" + "\n".join(statements)


def _imported(item: _Item) -> Iterator[str]:
    """The names of the package that an expression uses."""
    if isinstance(item, _Named):
        yield from _imported(item.value)
    elif isinstance(item, _Group):
        if found := re.match("Image|Secret|expand", item.opening):
            yield found[0]
        for each in item.items:
            yield from _imported(each)


def _start(stage: Stage, earlier: Sequence[Stage], names: Mapping[Stage, str]) -> tuple[str | _Group, int]:
    """What the chain begins with: an earlier image that this one goes on from, or a base; and the steps in it."""
    if (shared := begins_with(stage, earlier)) is not None:
        return names[shared], len(shared.steps)
    made = _link(base(stage), names)
    return _Group(f"Image{made.opening}", made.items, made.closing), 0


# Expressions ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Group:
    """Items between brackets, parted by commas. ``display`` is a list or dictionary, in place of arguments."""

    opening: str
    items: tuple[_Item, ...]
    closing: str
    display: bool = False


@dataclass(frozen=True, slots=True)
class _Named:
    """``before`` and a value: an argument with its name, or a member of a dictionary."""

    before: str
    value: _Group | str


_Item = _Group | _Named | str


def _link(call: Call, names: Mapping[Stage, str]) -> _Group:
    """``.method(…)``."""
    args: list[_Item] = []
    for value in call.args:
        if isinstance(value, Mapping) and all(map(_is_keyword, value)):
            args += [_Named(f"{name}=", _value(each, names)) for name, each in value.items()]
        else:
            args.append(_value(value, names))
    args += [_Named(f"{name}=", _value(value, names)) for name, value in call.options.items()]
    return _Group(f".{call.verb}(", tuple(args), ")")


def _is_keyword(name: str) -> bool:
    # Python takes other letters for their nearest relatives: 'ſ' would arrive as 's'.
    return name.isascii() and name.isidentifier() and not keyword.iskeyword(name)


def _value(value: Value, names: Mapping[Stage, str]) -> _Group | str:
    match value:
        case str():
            return literal(value)
        case Expansion():
            return _Group("expand(", (literal(template(value) or ""),), ")")
        case Stage():
            return names[value]
        case Secret():
            target = (_Named("target=", literal(value.target)),) if value.target is not None else ()
            return _Group("Secret(", (_Named("name=", literal(value.name)), *target), ")")
        case tuple():
            return _Group("[", tuple(_value(each, names) for each in value), "]", display=True)
        case Mapping():
            members = (_Named(f"{literal(name)}: ", _value(each, names)) for name, each in value.items())
            return _Group("{", tuple(members), "}", display=True)
    return repr(value)


def literal(text: str) -> str:
    """A literal of exactly this text; of several lines where a person would write it so."""
    if "\n" in text.rstrip("\n") and _reads_well(text):
        return '"""\\\n' + "\n".join(_escaped(line, "") for line in text.split("\n")) + '"""'
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + _escaped(text, quote) + quote


def _reads_well(text: str) -> bool:
    """Whether its lines can stand in the source as they are."""
    return (
        all(char.isprintable() or char in "\n\t" for char in text)
        and not re.search(r"[ \t]$", text, re.MULTILINE)
        and '"""' not in text
        and not text.endswith('"')
    )


def _escaped(text: str, quote: str) -> str:
    return "".join(_character(char, quote) for char in text)


def _character(char: str, quote: str) -> str:
    if char == "\\" or (quote and char == quote):
        return "\\" + char
    if char.isprintable():
        return char
    return _SHORT.get(char) or (
        f"\\x{ord(char):02x}"
        if ord(char) < 0x100
        else f"\\u{ord(char):04x}"
        if ord(char) < 0x10000
        else f"\\U{ord(char):08x}"
    )


_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


# Layout -----------------------------------------------------------------------------------------------


def _assignments(name: str, start: str | _Group, links: Sequence[_Group]) -> Iterator[str]:
    """The statements that give the stage its name: Python reads no chain of a thousand calls."""
    yield _assignment(name, start, links[:_LONGEST_CHAIN])
    for first in range(_LONGEST_CHAIN, len(links), _LONGEST_CHAIN):
        yield _assignment(name, name, links[first : first + _LONGEST_CHAIN])


def _assignment(name: str, start: str | _Group, links: Sequence[_Group]) -> str:
    whole = _flat(start) + "".join(map(_flat, links))
    if _fits(f"{name} = {whole}"):
        return f"{name} = {whole}\n"
    if len(links) < 2:
        # Without a chain, the last brackets are opened.
        *before, last = [start, *links]
        head = f"{name} = " + "".join(map(_flat, before))
        if before and not isinstance(start, str) and isinstance(last, _Group) and not _fits(head + last.opening):
            return "\n".join(_laid_out(start, "", f"{name} = ", _flat(last))) + "\n"
        return "\n".join(_laid_out(last, "", head)) + "\n"
    if _fits(_INDENT + whole):
        return f"{name} = (\n{_INDENT}{whole}\n)\n"
    lines = [f"{name} = ("]
    if isinstance(start, str):
        start, links = _Group(start + links[0].opening, links[0].items, links[0].closing), links[1:]
    for link in (start, *links):
        lines += _laid_out(link, _INDENT, _INDENT)
    return "\n".join([*lines, ")"]) + "\n"


def _laid_out(item: _Item, indent: str, before: str, after: str = "") -> list[str]:
    """The lines of an item that begins behind ``before``, in lines that are indented so."""
    if isinstance(item, _Named):
        return _laid_out(item.value, indent, before + item.before, after)
    flat = before + _flat(item) + after
    if isinstance(item, str) or not item.items or _fits(flat):
        return flat.split("\n")
    inner = indent + _INDENT
    body = inner + ", ".join(map(_flat, item.items))
    if not item.display and _fits(body):
        return [before + item.opening, body, indent + item.closing + after]
    lines = [before + item.opening]
    for each in item.items:
        lines += _laid_out(each, inner, inner, ",")
    return [*lines, indent + item.closing + after]


def _flat(item: _Item) -> str:
    if isinstance(item, str):
        return item
    if isinstance(item, _Named):
        return item.before + _flat(item.value)
    return item.opening + ", ".join(map(_flat, item.items)) + item.closing


def _fits(text: str) -> bool:
    return "\n" not in text and len(text) <= WIDTH
