from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from imagebuilder.backends.json_schema import schema
from imagebuilder.ir.ops import BASES, OPS

PUBLISHED = Path(__file__).parents[3] / "grammars/image.schema.json"


def test_the_published_schema_is_up_to_date() -> None:
    """`make grammar` writes it anew."""
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == schema()


def test_it_is_a_schema_and_knows_every_operation() -> None:
    found = schema()
    jsonschema.Draft202012Validator.check_schema(found)
    verbs = {d["properties"]["op"]["const"] for d in found["$defs"].values() if "op" in d.get("properties", {})}
    assert verbs == set(OPS) | {base.verb for base in BASES}


@pytest.mark.parametrize(
    "document",
    [
        {"version": 2, "stages": []},
        {"version": 1, "stages": []},
        {"version": 1, "stages": [{"base": {"op": "scratch"}, "extra": 1}]},
        {"version": 1, "stages": [{"base": {"op": "run", "command": "x"}}]},
        {"version": 1, "stages": [{"base": {"op": "scratch"}, "steps": [{"op": "env", "variables": []}]}]},
        {"version": 1, "stages": [{"base": {"op": "scratch"}, "steps": [{"op": "user", "name": "a", "root": "x"}]}]},
        {
            "version": 1,
            "stages": [
                {
                    "base": {"op": "scratch"},
                    "steps": [{"op": "pip_install_from_requirements", "path": "r", "includes": []}],
                }
            ],
        },
    ],
)
def test_what_it_refuses(document: object) -> None:
    assert not jsonschema.Draft202012Validator(schema()).is_valid(document)
