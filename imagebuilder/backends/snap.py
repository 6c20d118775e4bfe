"""An image as a ``.snap`` file: an image for each stage, and the image itself as a snapshot.

The rules of words and strings are those of ``grammars/snap.lark``: a word is
written bare where it cannot be taken for anything else, in single quotes where
those hold it, and with escapes where not; a text of several lines is a block
where the block gives back exactly that text.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from imagebuilder.backends.calls import Call, Value, base, begins_with, calls, stage_names
from imagebuilder.diagnostics import Invalid
from imagebuilder.ir import checks
from imagebuilder.ir.ops import Secret
from imagebuilder.ir.resources import Resources
from imagebuilder.ir.stage import Stage, ordered
from imagebuilder.ir.words import Expansion, Var, template

WIDTH = 100
_INDENT = "    "
_COMPARED = r"[\w.\-]+(?:\[[\w.\-,]+\])?(?:==|>=|<=|~=|!=|<|>)[\w.*+!\-]+(?:,(?:==|>=|<=|~=|!=|<|>)[\w.*+!\-]+)*"
_BARE = re.compile(rf"[\w./~*?+@%:^$&|\-][\w./~*?+@%:^$&|\-]*|[\w.\-]+\[[\w.\-,]+\]|{_COMPARED}", re.ASCII)
_KEY = re.compile(r"[A-Za-z_][\w.\-]*", re.ASCII)
_HOLE_IN_BLOCK = re.compile(r"\{\{\{[A-Za-z_]\w*\}\}\}")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", '"': '\\"', "{": "{{", "}": "}}"}
# Verbs whose words may stand in one list, over several lines.
_LISTS = frozenset(
    {"apt_install", "pip_install", "uv_pip_install", "npm_install", "expose", "volume", "dockerfile_commands"}
)
# A line end behind the text of these means nothing.
_LINE_ENDS = frozenset({"run_commands", "dockerfile_commands"})
# Texts of these are code: they stand in quotes even where a bare word would do.
_CODE = frozenset({"run_commands", "dockerfile_commands", "add_text"})


def write(target: Stage, folder: str, resources: Resources | None = None) -> str:
    """The text of a file in ``folder`` whose one snapshot is the target, under the target's name.

    Args:
        target: as a front end makes it, not lowered.
        folder: absolute; relative local paths start there.
        resources: of the snapshot; None is the default, and what is as by default is not written.

    Raises:
        CompileError: a step that no call says.
    """
    stages = ordered(target)
    names = stage_names(stages)
    secrets: dict[str, None] = {}
    blocks = []
    for number, stage in enumerate(stages):
        start, said = _start(stage, stages[:number], names)
        statements = list(_resources(resources)) if resources is not None and stage is target else []
        for call in calls(stage, folder, names, first=said):
            secrets |= dict.fromkeys(_secrets(call))
            statements.append(_statement(call, names))
        head = f"snapshot {_snapshot(target.name)}" if stage is target else f"image {names[stage]}"
        blocks.append(_block(f"{head} from {start}", statements))
    declared = f"secret {' '.join(secrets)}\n\n" if secrets else ""
    return f"snap 1\n\n{declared}" + "\n".join(blocks)


def _snapshot(name: str) -> str:
    try:
        return _word(checks.snapshot_name(name))
    except Invalid:
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        return slug or "image"


def _start(stage: Stage, earlier: Sequence[Stage], names: Mapping[Stage, str]) -> tuple[str, int]:
    """What the stage begins with, and how many of its steps are in it."""
    if (shared := begins_with(stage, earlier)) is not None:
        return names[shared], len(shared.steps)
    return _statement(base(stage), names), 0


def _block(head: str, statements: Sequence[str]) -> str:
    if not statements:
        return head + "\n"
    return f"{head} {{\n" + "".join(textwrap.indent(each, _INDENT, _is_code) + "\n" for each in statements) + "}\n"


def _is_code(line: str) -> bool:
    return bool(line.strip())


def _secrets(call: Call) -> Iterator[str]:
    found = call.options.get("secrets", ())
    for each in found if isinstance(found, tuple) else (found,):
        yield each.name if isinstance(each, Secret) else str(each)


def _resources(resources: Resources) -> Iterator[str]:
    usual = Resources()
    values = {name: getattr(resources, name) for name in ("cpu", "memory", "disk", "gpu")}
    words = [
        f"{name}={_gibibytes(value) if name in ('memory', 'disk') else value}"
        for name, value in values.items()
        if value != getattr(usual, name)
    ]
    if words:
        yield f"resources {' '.join(words)}"


def _gibibytes(value: float) -> str:
    """In the largest unit that needs no fraction."""
    size = round(value * 1024**3)
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if size % 1024**power == 0:
            return f"{size // 1024**power}{unit}"
    return f"{size}B"


# Statements -------------------------------------------------------------------------------------------


def _statement(call: Call, names: Mapping[Stage, str]) -> str:
    args: list[str] = []
    for value in call.args:
        if isinstance(value, Mapping):
            args += [f"{_key(name)}={_value(each, names)}" for name, each in value.items()]
        elif call.verb in ("base", "copy_from") and isinstance(value, str) and len(args) == 0:
            # Without a tag it would be the name of an image in the file.
            args.append(_quoted(value) if re.fullmatch(r"[\w.]+", value) else _word(value))
        else:
            if call.verb in _LINE_ENDS and isinstance(value, str) and "\n" in value and value[:2] != "#!":
                value += "\n"  # The block looks better.
            code = call.verb in _CODE and (call.verb != "add_text" or not args)
            args.append(_value(value, names, code=code))
    if call.verb == "healthcheck" and args[:1] == ["none"] and call.args[0] is not None:
        args[0] = "'none'"
    options = [f"{name}={_value(value, names)}" for name, value in call.options.items()]
    line = " ".join([call.verb, *args, *options])
    if (len(line) > WIDTH - len(_INDENT) or "\n" in line) and call.verb in _LISTS and len(args) > 1:
        return " ".join([f"{call.verb} {_lines(args)}", *options])
    return line


def _lines(items: Sequence[str]) -> str:
    return "[\n" + "".join(f"{textwrap.indent(item, _INDENT, _is_code)},\n" for item in items) + "]"


def _key(name: str) -> str:
    return name if _KEY.fullmatch(name) else f'"{_escaped(name)}"'


def _value(value: Value, names: Mapping[Stage, str], *, code: bool = False) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case None:
            return "none"
        case str():
            return _text(value) if code or "\n" in value else _word(value)
        case Expansion():
            return _expansion(value)
        case Stage():
            return names[value]
        case Secret():
            return value.name if value.target is None else f"{_key(value.name)}={_word(value.target)}"
        case tuple():
            items = [_value(each, names) for each in value]
            flat = f"[{', '.join(items)}]"
            return flat if len(flat) <= WIDTH - 20 or "\n" in flat else _lines(items)
        case Mapping():
            return f"[{', '.join(f'{_key(name)}={_value(each, names)}' for name, each in value.items())}]"
    raise AssertionError(value)


# Strings ----------------------------------------------------------------------------------------------


def _word(text: str) -> str:
    return text if _BARE.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    if not text.isprintable():
        return _text(text) if "\n" in text else f'"{_escaped(text)}"'
    if not any(char in text for char in '"\\{}'):
        return f'"{text}"'
    return f"'{text}'" if "'" not in text else f'"{_escaped(text)}"'


def _text(text: str) -> str:
    """A quoted text, as a block where it has several lines and a block gives it back."""
    if "\n" in text.strip("\n"):
        for quotes in ('"""', "'''"):
            if _fits_block(text, quotes):
                return f"{quotes}\n{textwrap.indent(text, _INDENT, _is_code)}{quotes}"
    return _quoted(text) if "\n" not in text else f'"{_escaped(text)}"'


def _fits_block(text: str, quotes: str) -> bool:
    lines = text.split("\n")
    return (
        quotes not in text
        and not text.endswith((quotes[0], "\\"))
        and not (quotes == '"""' and _HOLE_IN_BLOCK.search(text))
        and all(char.isprintable() or char in "\n\t" for char in text)
        and not any(line and not line.strip() for line in lines)
        # What all lines are indented by would be taken away with the block's own indentation.
        and textwrap.dedent(text) == text
        and not text.startswith("\n")
    )


def _escaped(text: str) -> str:
    return "".join(map(_character, text))


def _character(char: str) -> str:
    if char in _SHORT:
        return _SHORT[char]
    return char if char.isprintable() else f"\\u{{{ord(char):x}}}"


def _expansion(value: Expansion) -> str:
    parts = []
    for part in value.parts:
        if isinstance(part, Var):
            written = template(Expansion(parts=(part,))) or ""
            parts.append(written.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t"))
        else:
            parts.append(_escaped(part).replace("$", "\\$"))
    return f'$"{"".join(parts)}"'
