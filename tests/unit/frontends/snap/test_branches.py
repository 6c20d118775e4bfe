"""Images and snapshots in branches, the order of items, what is evaluated and what is only looked at."""

from __future__ import annotations

from imagebuilder.ir.stage import Stage
from tests.unit.frontends.snap.loading import loaded, refused


def test_the_order_of_images_has_no_meaning() -> None:
    parts = [
        "image a from b { env A=1 }",
        "image b from scratch { copy_from c /x /y }",
        "image c from scratch { user app }",
        "snapshot s from a",
    ]
    first, second = loaded("\n".join(parts)), loaded("\n".join(reversed(parts)))
    assert first.snapshots[0].image == second.snapshots[0].image


def test_a_long_chain_of_images_is_no_recursion() -> None:
    count = 3000
    text = "image i0 from scratch\n" + "\n".join(f"image i{n + 1} from i{n}" for n in range(count))
    assert len(loaded(text).images) == count + 1


def test_images_of_a_branch() -> None:
    text = "param p: one of [a, b] = a\nwhen p == a { image x from scratch { user a } } else { image x from scratch { user b } }\nsnapshot s from x"
    assert loaded(text).snapshots[0].image != loaded(text, p="b").snapshots[0].image


def test_snapshots_of_a_branch() -> None:
    text = "param p: bool = false\nwhen p { snapshot a from scratch } else when not p { snapshot b from scratch }"
    assert [each.name for each in loaded(text).snapshots] == ["b"]
    assert [each.name for each in loaded(text, p="true").snapshots] == ["a"]


def test_an_image_stands_on_its_own_stage_by_name() -> None:
    image = loaded("image a from debian_slim\nimage b from a").images["b"]
    assert isinstance(image.stage, Stage)
    assert image.stage.name == "b"


def test_files_of_a_branch_that_is_not_taken_need_not_exist() -> None:
    text = "param p: bool = false\nwhen p { image x from from_dockerfile ./none }\nimage y from scratch { when p { pip_install_from_requirements none.txt } }"
    assert set(loaded(text).images) == {"y"}


def test_values_of_a_branch_that_is_not_taken_are_not_held_against_it() -> None:
    """They may be fine in the case that the branch is for."""
    text = 'param v: string = ""\nimage x from scratch { when v != "" { apt_install "tool={v}"; user {v} } }'
    assert loaded(text).images["x"].stage.steps == ()


def test_what_starts_from_a_refused_image_is_looked_at_and_not_blamed() -> None:
    text = "image a from nowhere\nimage b from a { nothing }\nsnapshot s from b { copy_from a /x /y; user }"
    assert refused(text) == [("IB812", 1), ("IB810", 2), ("IB840", 3)]


def test_statements_around_a_damaged_one_are_checked() -> None:
    text = "image a from scratch {\n  nothing\n  env A = 1\n  user\n}\nimage b from a { copy_from c /x /y }"
    assert refused(text) == [("IB810", 2), ("IB808", 3), ("IB840", 4), ("IB812", 6)]


def test_a_name_whose_declaration_is_damaged_is_not_missed() -> None:
    assert refused("image a scratch\nimage b from a\nparam p string\nimage c from scratch { user {p} }") == [
        ("IB808", 1),
        ("IB808", 3),
    ]
