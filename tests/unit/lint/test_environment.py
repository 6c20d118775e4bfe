"""A variable that was meant to go on from its own value."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder import Image, expand
from imagebuilder.frontends.snap import load
from tests.unit.lint.linting import dockerfile, only


@pytest.mark.parametrize("value", ["/opt/bin:$PATH", "/opt/bin:${PATH}", "$PATH:/a"])
def test_the_text_in_place_of_the_value(value: str) -> None:
    (warning,) = only(Image.scratch().env({"A": "b", "PATH": value}), "IB915")
    assert warning.message.startswith("PATH gets the text '$")
    assert warning.help == f'for the value: .env({{"PATH": expand("{value.replace("$PATH", "${PATH}")}")}})'


@pytest.mark.parametrize(
    "image",
    [
        Image.scratch().env({"PATH": expand("/opt/bin:${PATH}")}),
        Image.scratch().env({"PATH": "/opt/bin:$PATHS", "PS1": "$USER $ ", "A": "costs $5", "B": "$A", "C": "${C}"}),
        Image.scratch().env({"PATH": "/opt/bin:${PATH:-/bin}"}),
        Image.scratch().label(PATH="$PATH").run_commands("PATH=/opt/bin:$PATH make"),
    ],
)
def test_what_is_meant(image: Image) -> None:
    assert not only(image, "IB915")


def test_what_is_proposed_can_be_pasted() -> None:
    text = "snap 1\nimage a from scratch {{\n    env PATH={}\n}}\n"
    (warning,) = only(Image(load("it.snap", source=text.format("/opt/bin:$PATH")).images["a"].stage), "IB915")
    assert warning.help == 'for the value: env PATH=$"/opt/bin:${PATH}"'
    after = load("it.snap", source=text.format('$"/opt/bin:${PATH}"')).images["a"]
    assert after.stage == Image.scratch().env({"PATH": expand("/opt/bin:${PATH}")}).stage


def test_a_dockerfile_says_what_it_means(tmp_path: Path) -> None:
    assert not only(dockerfile(tmp_path, "FROM scratch\nENV PATH=/opt/bin:$PATH\n"), "IB915")
    (warning,) = only(dockerfile(tmp_path, "FROM scratch\nENV PATH='/opt/bin:$PATH'\n"), "IB915")
    assert warning.help == 'for the value: ENV PATH="/opt/bin:${PATH}"'
