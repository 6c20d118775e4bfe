"""Any text arrives in another form as it is, and any document is read or refused with a diagnostic."""

from __future__ import annotations

import ast
import json
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagebuilder import CompileError, Image
from imagebuilder.backends.json_schema import schema
from imagebuilder.backends.python import literal
from imagebuilder.compiler import compile
from imagebuilder.convert import convert
from imagebuilder.diagnostics import Span
from imagebuilder.frontends.json_document import read
from imagebuilder.ir.words import Expansion, Var, expand, template
from tests.property.hostile import hostile

SETTINGS = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=30) | st.sampled_from(
    [text for text in hostile() if "\0" not in text]
)
FILE = Path(__file__).parent / "x"


@SETTINGS
@given(TEXT)
def test_a_literal_is_its_text(text: str) -> None:
    assert ast.literal_eval(literal(text)) == text


@SETTINGS
@given(TEXT)
def test_a_template_is_its_expansion(text: str) -> None:
    word = Expansion(parts=(text, Var(name="A"), "x" + text) if text else (Var(name="A"),))
    assert expand(template(word) or "") == word


@SETTINGS
@given(TEXT, TEXT, TEXT)
def test_text_of_every_kind(one: str, two: str, three: str) -> None:
    image = (
        Image.scratch()
        .env(A=one, B=two)
        .add_text(three, "/x")
        .cmd([one, two])
        .label({"a": three})
        .entrypoint(two)
        .run_commands(["x", one, three])
    )
    for form in ("python", "json", "snap"):
        convert(image, form, FILE)


@SETTINGS
@given(TEXT.filter(str.strip), TEXT)
def test_instructions(command: str, value: str) -> None:
    """Either the same, or refused with a step's name."""
    try:
        image = Image.scratch().dockerfile_commands(
            f"RUN {command}", f"ENV B=1 A={json.dumps(value)}", f"COPY <<EOF /x\n{value}\nEOF"
        )
    except CompileError:
        return
    for form in ("python", "json", "snap"):
        with suppress(CompileError) if form == "python" else nullcontext():
            convert(image, form, FILE)


DEFINITIONS = schema()["$defs"]
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.floats(allow_nan=False)
    | TEXT
    | st.sampled_from(["op", "/x", ".", "linux/amd64", "scratch", "a:1", "A"])
)
NAMES = sorted({name for found in DEFINITIONS.values() for name in found.get("properties", ())} | {"version", "stages"})
VERBS = sorted(
    found["properties"]["op"]["const"] for found in DEFINITIONS.values() if "op" in found.get("properties", {})
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)
STEP = st.builds(
    lambda verb, fields: {"op": verb, **fields},
    st.sampled_from(VERBS),
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5),
)


def example(definition: dict[str, Any], depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of a form that the schema allows, and now and then others."""
    if "$ref" in definition:
        return example(DEFINITIONS[definition["$ref"].rpartition("/")[2]], depth + 1)
    if depth > 6:
        return LEAVES
    if "const" in definition:
        return st.just(definition["const"])
    if "enum" in definition:
        return st.sampled_from(definition["enum"])
    for several in ("anyOf", "oneOf"):
        if several in definition:
            return st.one_of([example(each, depth + 1) for each in definition[several]])
    match definition.get("type"):
        case "object":
            properties = definition["properties"]
            required = {name: example(properties[name], depth + 1) for name in definition.get("required", ())}
            optional = {name: example(each, depth + 1) for name, each in properties.items() if name not in required}
            return st.fixed_dictionaries(required, optional=optional)
        case "array":
            if "prefixItems" in definition:
                return st.tuples(*(example(each, depth + 1) for each in definition["prefixItems"])).map(list)
            return st.lists(example(definition["items"], depth + 1), max_size=2)
        case "integer":
            return st.integers(-1, 3)
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
    return LEAVES


FITTING = st.sampled_from(VERBS).flatmap(
    lambda verb: example(
        next(found for found in DEFINITIONS.values() if found.get("properties", {}).get("op", {}).get("const") == verb)
    )
)


def check(text: str) -> None:
    try:
        stage = read(text, FILE.parent, "x.json")
    except CompileError as error:
        for found in error.diagnostics:
            assert found.render() and isinstance(found.place, Span)
            lines = text.split("\n")
            assert 1 <= found.place.line <= len(lines)
            assert 1 <= found.place.column <= len(lines[found.place.line - 1]) + 1
        return
    # What was read can be written and compiled, or is refused with a reason.
    assert read(convert(Image(stage), "json", FILE), FILE.parent) == stage
    with suppress(CompileError):
        compile(Image(stage)).dockerfile()


@SETTINGS
@given(st.lists(STEP | FITTING, max_size=3), STEP | FITTING | VALUES)
def test_documents(steps: list[Any], base: Any) -> None:
    stages = [{"base": {"op": "scratch"}}, {"base": base, "steps": steps}, {"base": {"stage": 0}, "steps": steps}]
    check(json.dumps({"version": 1, "stages": stages}, indent=1))


@SETTINGS
@given(VALUES)
def test_values(value: Any) -> None:
    check(json.dumps(value))


@SETTINGS
@given(st.text(max_size=40) | st.text('{}[]",:0123456789ae\\n \n', max_size=40))
def test_texts(text: str) -> None:
    check(text)
