"""The JSON Schema of a document, made of the operations.

It is published as ``grammars/image.schema.json``, which ``make grammar`` writes. It says the form of every
field; what a field's text must be like is for the reader to say.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from imagebuilder.ir.document import MAX_STAGES, NONEMPTY, VERSION
from imagebuilder.ir.ops import BASES, OPS, Add, Copy, Model, Op, Run

_REFERENCE = {"$ref": "#/$defs/StageReference"}


class _Generator(GenerateJsonSchema):
    """A stage is named by its place in the document."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def json_or_python_schema(self, schema: core_schema.JsonOrPythonSchema) -> JsonSchemaValue:
        if schema["python_schema"]["type"] == "is-instance":
            return dict(_REFERENCE)
        return super().json_or_python_schema(schema)

    def is_instance_schema(self, schema: core_schema.IsInstanceSchema) -> JsonSchemaValue:
        return dict(_REFERENCE)


def schema() -> dict[str, Any]:
    """The schema, draft 2020-12."""
    models: list[type[Model]] = [*BASES, *OPS.values()]
    found, whole = models_json_schema([(model, "validation") for model in models], schema_generator=_Generator)
    definitions = whole["$defs"]
    references = {model: found[model, "validation"] for model in models}
    for model, reference in references.items():
        _complete(definitions[reference["$ref"].rpartition("/")[2]], model)
    definitions["StageReference"] = {
        "description": "An earlier stage, by its place in the list; the first is 0.",
        "type": "object",
        "properties": {"stage": {"type": "integer", "minimum": 0}},
        "required": ["stage"],
        "additionalProperties": False,
    }
    definitions["Stage"] = {
        "description": "A base and the steps on top of it. The name is shown and means nothing.",
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "base": {"oneOf": [*(references[base] for base in BASES), _REFERENCE]},
            "steps": {"type": "array", "items": {"oneOf": [references[op] for op in OPS.values()]}},
        },
        "required": ["base"],
        "additionalProperties": False,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A container image, as imagebuilder describes it",
        "description": "Stages, each after those that it needs; the last is the image.",
        "type": "object",
        "properties": {
            "$schema": {"type": "string"},
            "version": {"const": VERSION},
            "stages": {"type": "array", "items": {"$ref": "#/$defs/Stage"}, "minItems": 1, "maxItems": MAX_STAGES},
        },
        "required": ["version", "stages"],
        "additionalProperties": False,
        "$defs": dict(sorted(definitions.items())),
    }


def _complete(definition: dict[str, Any], model: type[Model]) -> None:
    """With the verb, and the folder of local paths; without what is read from local files."""
    verb = vars(model)["verb"]
    properties = {"op": {"const": verb}, **definition.get("properties", {})}
    required = ["op", *definition.get("required", ())]
    if issubclass(model, Op):
        for name in model.derived:
            del properties[name]
        required = [name for name in required if name in properties]
        if model.reads_files or model in (Copy, Add, Run):
            properties["root"] = {
                "description": "The folder at which local paths start, relative to that of the document.",
                "type": "string",
            }
    if verb in NONEMPTY:
        properties[NONEMPTY[verb]]["minItems"] = 1
    definition.update(properties=properties, required=required)


def schema_text() -> str:
    """What the published file holds."""
    return json.dumps(schema(), indent=2) + "\n"
