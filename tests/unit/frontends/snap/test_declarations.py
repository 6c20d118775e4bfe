"""The version, names, secrets, resources."""

from __future__ import annotations

import pytest

from imagebuilder.diagnostics import CompileError
from imagebuilder.frontends.snap import load
from imagebuilder.ir.ops import RunCommands, Secret
from tests.unit.frontends.snap.loading import loaded, refused


@pytest.mark.parametrize("text", ["", "\n", "# comment", "\ufeff", "  \n\t\n"])
def test_a_file_that_says_nothing_lacks_its_version(text: str) -> None:
    with pytest.raises(CompileError) as caught:
        load("it.snap", source=text)
    (error,) = caught.value.diagnostics
    assert error.code == "IB804"
    assert error.place is not None and error.place.resolve().line == 1


def test_comments_may_stand_before_the_version() -> None:
    assert load("it.snap", source="#!/usr/bin/env imagebuilder\n\n# x\nsnap 1\n").snapshots == ()


def test_secrets_with_and_without_a_file() -> None:
    text = 'secret A B\nsecret C\nimage it from scratch { run_commands x secrets=[A, B="/run/b", C=/run/c] }'
    (step,) = loaded(text).images["it"].stage.steps
    assert isinstance(step.op, RunCommands)
    assert set(step.op.secrets) == {
        Secret(name="A"),
        Secret(name="B", target="/run/b"),
        Secret(name="C", target="/run/c"),
    }


def test_resources() -> None:
    text = "snapshot s from scratch {\nresources cpu=0.5 memory=1536MiB\nresources disk=10GB gpu=0\n}"
    resources = loaded(text).snapshots[0].resources
    assert (resources.cpu, resources.memory, resources.gpu) == (0.5, 1.5, 0)
    assert resources.disk == pytest.approx(10_000_000_000 / 1024**3)


def test_resources_in_a_branch() -> None:
    text = "param big: bool = false\nsnapshot s from scratch { when big { resources cpu=8 } else { resources cpu=1 } }"
    assert loaded(text, big="true").snapshots[0].resources.cpu == 8
    assert loaded(text).snapshots[0].resources.cpu == 1


def test_the_place_of_a_snapshot_is_its_name() -> None:
    place = loaded('snapshot "a:1" from scratch').snapshots[0].place
    assert (place.line, place.column) == (2, 10)


def test_mistakes_come_in_the_order_of_the_text() -> None:
    text = "image a from nope\nsecret X X\nparam p: nope = 1\nparam p2: int = x\nsnapshot UP from scratch"
    assert refused(text) == [("IB812", 1), ("IB814", 2), ("IB834", 3), ("IB830", 4), ("IB701", 5)]


def test_no_more_than_a_page_of_what_cannot_be_read() -> None:
    assert len(refused("image a from scratch {\n" + "env A = 1\n" * 1000 + "}")) == 50
