"""What a hover or a suggestion says, as Markdown: read off the fluent methods' own documentation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from imagebuilder.frontends.snap.bind import usage
from imagebuilder.frontends.snap.verbs import Parameter, Verb, factories, verbs

ITEMS = {
    "snap": "The version of the language, in the first line: `snap 1`.",
    "use": 'Another file, whose images are `NAME.image` here: `use "./other.snap" as NAME [with name=value …]`.',
    "param": 'A parameter, given by `--param` or `use … with`: `param NAME: TYPE [= DEFAULT]`. `"{NAME}"` is its text.',
    "secret": "Names of build secrets. Their values come from the environment, at build time only: `secret NAME …`.",
    "image": "An image for other images to start from or to copy from: `image NAME from SOURCE { … }`.",
    "snapshot": 'An image that is built and kept under a name: `snapshot "NAME:TAG" from SOURCE { … }`.',
    "matrix": "Its block once for each combination of values: `matrix name=[…] other=[…] { snapshot … }`.",
    "when": 'Statements that hold under a condition: `when NAME == "text" { … } else { … }`; `!=`, `in […]`,'
    " `and`, `or`, `not`.",
    "else": "What holds where the condition before it does not. It follows its `}` on the same line.",
    "resources": "What a sandbox of this snapshot gets: `resources cpu=2 memory=4GiB disk=8GiB gpu=1`.",
}
RESOURCES = {
    "cpu": "How many processors: `2`, `0.5`.",
    "memory": "With its unit: `4GiB`, `512MiB`.",
    "disk": "With its unit: `8GiB`.",
    "gpu": "How many.",
}
TYPES = {
    "string": "Text.",
    "int": "A whole number.",
    "bool": "`true` or `false`.",
    "size": "An amount with its unit: `4GiB`, `512MiB`, `1.5GB`.",
    "duration": "A time with its unit: `30s`, `1m30s`.",
    "list": "Several values: `list[string]`, `list[int]`. `{name}` alone, where several are taken, gives all of them.",
    "one of": 'One of some texts: `one of ["cpu", "gpu"]`.',
}
_KINDS = {
    "text": "text",
    "word": 'text; `$"…"` refers to variables of the image',
    "path": "a path, relative to this file's folder",
    "bool": "`true` or `false`",
    "int": "a whole number",
    "command": "a text for the shell, or a list of words",
    "texts": "a text, or a list of them",
    "paths": "a path, or a list of them",
    "secrets": "names of declared secrets",
    "argv": "a list of words",
    "pairs": "`[name=value, …]`",
    "word pairs": "`name=value …`",
    "image": "an image of this file, of a used one, or of a registry",
    "images": "`[name=image, …]`",
}
_SECTION = re.compile(r"^(Args|Raises|Returns):$")
_ARGUMENT = re.compile(r"^    (?P<names>\w+(?:, \w+)*): (?P<text>.*)$")


@dataclass(frozen=True, slots=True)
class Explained:
    """A docstring: what stands before its sections, and what it says of each parameter."""

    text: str
    parameters: Mapping[str, str]


@cache
def explained(name: str) -> Explained:
    """What the documentation says of a verb or factory."""
    verb = verbs().get(name) or factories()[name]
    text: list[str] = []
    parameters: dict[str, str] = {}
    section = ""
    current: list[str] = []
    for line in verb.doc.splitlines():
        if match := _SECTION.match(line):
            section = match[1]
        elif not section:
            text.append(line)
        elif section == "Args" and (match := _ARGUMENT.match(line)):
            current = match["names"].split(", ")
            parameters |= dict.fromkeys(current, match["text"])
        elif section == "Args":
            for each in current:
                parameters[each] += " " + line.strip()
    # A method may leave the parameters that it shares to another one's documentation.
    for other in re.findall(r":meth:`~?(\w+)`", verb.doc) or (["pip_install"] if name == "uv_pip_install" else []):
        if other != name and other in verbs():
            parameters = {**explained(other).parameters, **parameters}
    return Explained(markdown("\n".join(text).strip()), {key: markdown(value) for key, value in parameters.items()})


def markdown(text: str) -> str:
    """From the roles and quotes of a docstring."""
    text = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"`\1`", text)
    return re.sub(r"``(.+?)``", r"`\1`", text)


def of_verb(verb: Verb) -> str:
    """Signature, text, and every option."""
    about = explained(verb.name)
    lines = [f"```snap\n{usage(verb)}\n```", about.text]
    options = [f"- `{name}`: {about.parameters[name]}" for name in verb.parameters if name in about.parameters]
    return "\n\n".join([*lines, *(["\n".join(options)] if options else [])])


def of_option(verb: Verb, parameter: Parameter) -> str:
    """``pip_install … index_url=…``, what it takes, its default, and what it is for."""
    takes = " or ".join(f"`{choice}`" for choice in parameter.choices) or _KINDS.get(parameter.kind, parameter.kind)
    default = _default(parameter)
    shown = f"{verb.name} {parameter.name.upper()}{'…' if parameter.many else ''}"
    if not parameter.many and not parameter.required:
        shown = f"{verb.name} {parameter.name}=…"
    lines = [f"```snap\n{shown}\n```", f"Takes {takes}{default}."]
    about = explained(verb.name).parameters.get(parameter.name)
    return "\n\n".join([*lines, *([about] if about else [])])


def _default(parameter: Parameter) -> str:
    if parameter.none:
        return ", or `none`"
    if parameter.required or parameter.many or parameter.default in (None, "", ()):
        return ""
    default = str(parameter.default).lower() if isinstance(parameter.default, bool) else str(parameter.default)
    return f"; `{default}` by default"


def first_paragraph(name: str) -> str:
    return explained(name).text.partition("\n\n")[0]
