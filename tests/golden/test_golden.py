"""What every operation becomes, written down: the IR, the keys of all steps, and the Dockerfile.

A key that moves here moves for every user: it stands in CHANGELOG under 'Hash-affecting'.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imagebuilder.compiler import compile
from imagebuilder.ir.ops import BASES, INTENTS, OPS
from imagebuilder.ir.stage import Stage, ordered
from tests.golden.cases import CASES
from tests.golden.dump import dump

EXPECTED = Path(__file__).parent / "expected"
PLATFORM = "linux/amd64"


@pytest.mark.parametrize("name", CASES)
def test_case(name: str, update: bool) -> None:
    plan = compile(CASES[name].make(), platform=PLATFORM, lock=CASES[name].lock)
    assert not plan.open
    found = {
        f"{name}.json": json.dumps(dump(plan), indent=1, ensure_ascii=False) + "\n",
        f"{name}.Dockerfile": plan.dockerfile().text,
    }
    for file, text in found.items():
        if update:
            EXPECTED.mkdir(exist_ok=True)
            (EXPECTED / file).write_text(text, encoding="utf-8", newline="")
        assert (EXPECTED / file).read_bytes().decode() == text


def test_no_expectation_is_left_over() -> None:
    assert {path.stem for path in EXPECTED.iterdir()} == set(CASES)


def test_there_are_at_least_forty_cases_of_different_keys() -> None:
    keys = {json.loads((EXPECTED / f"{name}.json").read_text(encoding="utf-8"))["key"] for name in CASES}
    assert len(keys) >= 40
    # An example may say just what a case says; two cases may not.
    assert len(keys) == len(CASES)


def test_every_operation_has_a_case() -> None:
    described: set[str] = set()
    for case in CASES.values():
        for stage in ordered(case.make().stage):
            described |= {step.op.verb for step in stage.steps}
            if not isinstance(stage.base, Stage):
                described.add(stage.base.verb)
    wanted = {op.verb for op in (*BASES, *INTENTS)} | {verb for verb, op in OPS.items() if op.core}
    assert wanted - described == set()


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.secrets])
def test_no_secret_is_in_an_expectation(name: str) -> None:
    text = "".join((EXPECTED / f"{name}{ending}").read_text(encoding="utf-8") for ending in (".json", ".Dockerfile"))
    assert not [value for value in CASES[name].secrets.values() if value in text]
