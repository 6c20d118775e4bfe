"""`make grammar` (`python -m grammars.generate`): write everything that follows from the grammar and the operations."""

from __future__ import annotations

from pathlib import Path

from grammars import textmate
from grammars.reference import reference
from grammars.table import table
from imagebuilder.backends.json_schema import schema_text

ROOT = Path(__file__).parent.parent


def parser_table() -> str:
    return table((ROOT / "grammars" / "snap.lark").read_text(encoding="utf-8"))


OUTPUTS = {
    "imagebuilder/frontends/snap/table.json": parser_table,
    "grammars/image.schema.json": schema_text,
    "grammars/reference.md": reference,
    "grammars/snap.tmLanguage.json": textmate.grammar,
}

if __name__ == "__main__":
    for name, make in OUTPUTS.items():
        (ROOT / name).write_text(make(), encoding="utf-8")
