"""The language reference: its samples load, and it leaves nothing out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from imagebuilder.diagnostics import CompileError
from imagebuilder.frontends.snap import CODES, load
from imagebuilder.frontends.snap.params import SCALARS
from imagebuilder.frontends.snap.verbs import factories, verbs

REFERENCE = (Path(__file__).parents[4] / "grammars" / "reference.md").read_text(encoding="utf-8")
SAMPLES = re.findall(r"^```snap ?(IB\d+)?\n(.*?)^```$", REFERENCE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("code", "text"), SAMPLES, ids=[text.split("\n")[2] for _, text in SAMPLES])
def test_a_sample_loads_or_gives_the_error_that_it_says(code: str, text: str, tmp_path: Path) -> None:
    if not code:
        found = load(tmp_path / "sample.snap", source=text)
        assert found.images or found.snapshots
        return
    with pytest.raises(CompileError) as caught:
        load(tmp_path / "sample.snap", source=text)
    assert [error.code for error in caught.value.diagnostics] == [code]


def test_there_are_samples() -> None:
    assert len(SAMPLES) >= 10


@pytest.mark.parametrize("name", [*verbs(), *factories(), *CODES])
def test_everything_has_its_section(name: str) -> None:
    assert f"\n### {name}\n" in REFERENCE


def test_every_option_and_type_is_in_a_table() -> None:
    for verb in (*verbs().values(), *factories().values()):
        section = REFERENCE.partition(f"\n### {verb.name}\n")[2].partition("\n###")[0]
        for parameter in verb.parameters.values():
            if not verb.mapping:
                assert re.search(rf"^\| `{parameter.name}…?` \|", section, re.MULTILINE | re.IGNORECASE), (
                    verb.name,
                    parameter.name,
                )
    for name in SCALARS:
        assert f"| `{name}` |" in REFERENCE


def test_it_speaks_of_no_machine_and_of_no_python_value() -> None:
    assert "/tmp/" not in REFERENCE.replace("> /tmp/$name.txt", "")
    assert not re.search(
        r":meth:|:class:|``|\bNone\b|\bTrue\b|\bFalse\b", re.sub(r"```.*?```", "", REFERENCE, flags=re.DOTALL)
    )
