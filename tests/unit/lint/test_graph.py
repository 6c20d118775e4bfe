"""Which of a file's images are looked at: those that are part of no other."""

from __future__ import annotations

import random

from imagebuilder import Image
from imagebuilder.ir.stage import Stage, ordered
from imagebuilder.lint.graph import outermost


def plainly(targets: list[Stage]) -> list[Stage]:
    """As it is defined."""
    different = list(dict.fromkeys(targets))
    return [
        each
        for each in different
        if not any(
            found.base == each.base and found.steps[: len(each.steps)] == each.steps
            for other in different
            if other != each
            for found in ordered(other)
        )
    ]


def test_they_are_those_that_the_definition_names() -> None:
    chance = random.Random(0)
    for _ in range(300):
        images = [Image.scratch()]
        for _ in range(chance.randrange(10)):
            one, other = chance.choice(images), chance.choice(images)
            images.append(
                chance.choice(
                    [
                        Image.scratch,
                        lambda: Image.base(one),  # noqa: B023 - called at once
                        lambda: one.copy_from(other, "/x", "/y"),  # noqa: B023
                        lambda: one.workdir(chance.choice(["/a", "/b"])),  # noqa: B023
                    ]
                )()
            )
        stages = [image.stage for image in images]
        chance.shuffle(stages)
        assert outermost(stages) == plainly(stages)


def test_a_long_chain_takes_no_time_worth_speaking_of() -> None:
    images = [Image.scratch().workdir("/")]
    for number in range(2000):
        images.append(Image.scratch().copy_from(images[-1], "/x", f"/{number}"))
    assert outermost(image.stage for image in images) == [images[-1].stage]
