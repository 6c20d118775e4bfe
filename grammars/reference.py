"""``grammars/reference.md``: ``reference.in.md``, which is written by hand, with what follows from the code."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from imagebuilder.frontends.snap import CODES, bounds, params
from imagebuilder.frontends.snap.bind import usage
from imagebuilder.frontends.snap.verbs import Parameter, Verb, factories, verbs
from imagebuilder.ir import checks
from tests.unit.frontends.snap.corpus import chunks

_LONG = 150
TEXT = Path(__file__).with_name("reference.in.md")

_KINDS = {
    "text": "text",
    "word": 'text or `$"…"`',
    "path": "path",
    "bool": "`true` or `false`",
    "int": "whole number",
    "choice": "",
    "command": "command",
    "texts": "texts",
    "paths": "paths",
    "secrets": "secrets",
    "argv": "list of words",
    "pairs": "`[NAME=value, …]`",
    "word pairs": '`NAME=value`, text or `$"…"`',
    "image": "image",
    "images": "`[NAME=image, …]`",
}
# What a docstring says in terms of Python, as it is said here.
_WORDS = (
    (r":class:`~imagebuilder\.Secret` with a ``target`` for a file", '`NAME="/path"` for a file'),
    (r"``secrets=\[\"PIP_INDEX_URL\"\]``", "`secrets=[PIP_INDEX_URL]`"),
    (r"expand\(\"…\$\{PATH\}\"\)", '$"…${PATH}"'),
    (r"an Image, or the name of one", "the name of an image; in quotes or with a tag, one of a registry"),
    (r"``\[\"([^`]*)\"\]``", lambda match: "`[" + match[1].replace('", "', ", ") + "]`"),
    (r":(?:meth|class|func):`~?(?:\w+\.)*(\w+)`", r"`\1`"),
    (r"``\"([\w:./+<>=\[\]-]+)\"``", r"`\1`"),
    (r"``([^`]+)``", r"`\1`"),
    (
        r"the name; or an Image, which .* stands on\..*",
        "its name; or the name of an image of the file, which becomes a stage of its own that this one stands on.",
    ),
    (r"``expand\(\"([^\"]*)\"\)``", r'`$"\1"`'),
    (r"; further methods go on from there", ""),
    (r"the calling file", "the file"),
    (r"the files that it copies when the image is compiled", "the files that it copies when the image is built"),
    (r"\bNone is\b", "left out:"),
    (r"\bNone switches\b", "`none` switches"),
    (r"\bFalse\b", "`false`"),
)


def reference() -> str:
    """The whole document."""
    found = TEXT.read_text(encoding="utf-8")
    parts = {
        "bounds": "\n".join(_bounds()),
        "factories": "\n\n".join(_verb(each) for each in factories().values()),
        "verbs": "\n\n".join(_verb(each) for each in verbs().values()),
        "errors": "\n\n".join(_errors()),
    }
    for name, text in parts.items():
        found = found.replace(f"@{name}@", text)
    return found


def _bounds() -> Iterator[str]:
    for what, most in (
        ("bytes of a file", bounds.MAX_SIZE),
        ("files that are used, each set of values counted", bounds.MAX_FILES),
        ("cells of all matrices of a file", bounds.MAX_CELLS),
        ("blocks inside of one another", bounds.MAX_DEPTH),
        ("conditions inside of one another", bounds.MAX_CONDITION_DEPTH),
        ("items of a list", params.MAX_LIST),
        ("bytes of a text", checks.MAX_TEXT),
    ):
        yield f"| {what} | {most:,} |"


def _verb(verb: Verb) -> str:
    summary, described = _documentation(verb)
    lines = [f"### {verb.name}", "", f"`{usage(verb)}`", "", summary]
    rows = [_row(parameter, described) for parameter in _shown(verb)]
    if rows:
        lines += ["", "| | takes | default | |", "|---|---|---|---|", *rows]
    return "\n".join(lines)


def _shown(verb: Verb) -> list[Parameter]:
    if verb.mapping:
        return [Parameter("NAME=…", "word pairs", required=True, positional=True)]
    return list(verb.parameters.values())


def _row(parameter: Parameter, described: dict[str, str]) -> str:
    name = parameter.name.upper() + "…" * parameter.many if parameter.positional else parameter.name
    kind = _KINDS[parameter.kind] or " or ".join(f"`{choice}`" for choice in parameter.choices)
    if parameter.none:
        kind += ", or `none`"
    default = parameter.default
    shown = "" if default in (None, "", ()) else str(default).lower() if isinstance(default, bool) else str(default)
    if parameter.required:
        shown = "required"
    elif shown:
        shown = f"`{shown}`"
    return f"| `{name}` | {kind} | {shown} | {described.get(parameter.name, '')} |".replace("  ", " ")


def _documentation(verb: Verb) -> tuple[str, dict[str, str]]:
    """The text before ``Args:``, and what it says of each parameter; those of pip_install where it names them."""
    text, _, arguments = verb.doc.partition("\nArgs:\n")
    found: dict[str, str] = {}
    if (verb.name != "pip_install" and "pip_install`" in verb.doc) or verb.name == "uv_pip_install":
        found |= _documentation(verbs()["pip_install"])[1]
    for item in re.split(r"\n {4}(?=\S)", "\n" + arguments.rstrip()):
        names, _, what = item.strip().partition(":")
        for name in names.split(", "):
            found[name.strip()] = _plain(" ".join(what.split()))
    return _plain(text.strip()), found


def _plain(text: str) -> str:
    for pattern, plain in _WORDS:
        text = re.sub(pattern, plain, text)
    return text


def _errors() -> Iterator[str]:
    examples = _examples()
    for code, title in CODES.items():
        yield f"### {code}\n\n{title[0].upper()}{title[1:]}.\n\n```text\n{examples[code]}\n```"


def _examples() -> dict[str, str]:
    """For each code the shortest line of the corpus that gives it, as it is shown."""
    found: dict[str, tuple[int, str]] = {}
    for chunk in chunks():
        with tempfile.TemporaryDirectory() as folder:
            errors = chunk.diagnostics(Path(folder))
        for error in errors:
            place = error.place.resolve() if error.place is not None else None
            if place is None or not place.column or Path(place.file).name != "it.snap" or error.code not in CODES:
                continue
            line = re.sub(r"\s*#:[\^-]* IB.*", "", chunk.text.split("\n")[place.line - 1])
            begin = place.column - 1
            end = place.end_column - 1 if place.end_line == place.line else len(line)
            indent = len(line) - len(line.lstrip())
            carets = " " * (begin - indent) + "^" * max(1, min(end, len(line)) - begin)
            shown = [line.strip(), carets, f"error[{error.code}]: {error.message}"]
            shown += [f"help: {error.help}"] if error.help else []
            text = "\n".join(shown).replace(f"{folder}/", "").replace(folder, ".")
            if len(line) > _LONG:
                text = re.sub(r"(.)\1{20,}", r"\1\1\1…", text)
            if not line.isprintable():
                text = "".join(char if char.isprintable() or char == "\n" else "·" for char in text)
            cost = len(text) + (0 if error.help else 1000)
            if error.code not in found or cost < found[error.code][0]:
                found[error.code] = (cost, text)
    # What is missing has no line of its own, and a fault of the formatter no text that leads to it.
    found["IB804"] = (0, "error[IB804]: the language's version is missing\nhelp: begin the file with: snap 1")
    found["IB860"] = (0, "error[IB860]: the form of 'app.snap' would change what it says")
    return {code: text for code, (_, text) in found.items()}
