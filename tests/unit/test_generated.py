"""What `make grammar` writes is what is committed."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE = "imagebuilder/frontends/snap/table.json"


def outputs() -> dict[str, Callable[[], str]]:
    sys.path.insert(0, str(ROOT / "grammars"))
    try:
        found: dict[str, Callable[[], str]] = runpy.run_path(str(ROOT / "grammars/generate.py"))["OUTPUTS"]
    finally:
        sys.path.pop(0)
    return found


def rules(table: str) -> list[str]:
    """The terminals and rules of a parser's table. Lark numbers them otherwise in each process."""
    _, memo = json.loads(table)
    return sorted(json.dumps(each, sort_keys=True) for each in memo.values())


@pytest.mark.parametrize("name", outputs())
def test_a_generated_file_is_up_to_date(name: str) -> None:
    there, fresh = (ROOT / name).read_text(encoding="utf-8"), outputs()[name]()
    same = rules(there) == rules(fresh) if name == TABLE else there == fresh
    assert same, f"{name} is out of date: run `make grammar`"


def test_a_change_of_the_grammar_is_noticed() -> None:
    there = (ROOT / TABLE).read_text(encoding="utf-8")
    assert rules(there) != rules(there.replace("snapshot", "picture"))
