"""An ask is all that an answer depends on; and which Pythons uv has a name for."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from imagebuilder.resolve.ask import Ask, Target, target_of
from tests.unit.resolve.making import python

ASK = Ask(Target("3.12.4", "x86_64-manylinux_2_36"), ("a", "b"))
OTHER = {
    "target": Target("3.12.5", "x86_64-manylinux_2_36"),
    "packages": ("a",),
    "files": (("0/r.txt", "a"),),
    "roots": 1,
    "index_url": "https://x",
    "extra_index_urls": ("https://x",),
    "pre": True,
    "best": False,
    "there": ("pip==24.0",),
    "secrets": ("PIP_INDEX_URL",),
}


def test_the_digest_is_of_all_that_an_answer_depends_on() -> None:
    assert {*OTHER, "base", "after"} == {each.name for each in fields(Ask)}
    digests = {replace(ASK, **{name: value}).digest for name, value in OTHER.items()}
    assert len({*digests, ASK.digest}) == len(OTHER) + 1
    assert replace(ASK, base="b", after="a").digest == ASK.digest


def test_a_request_is_the_same_wherever_it_is_installed() -> None:
    for name in ("target", "there"):
        assert replace(ASK, **{name: OTHER[name]}).request == ASK.request
    assert replace(ASK, base="b").request == ASK.request != replace(ASK, after="a").request
    assert replace(ASK).digest == ASK.digest


@pytest.mark.parametrize(
    ("glibc", "platform", "found"),
    [
        ("2.36", "linux/amd64", "x86_64-manylinux_2_36"),
        ("2.41", "linux/arm64", "aarch64-manylinux_2_40"),
        ("2.30", "linux/amd64", "x86_64-manylinux_2_28"),
        ("2.17", "linux/amd64", "x86_64-manylinux_2_17"),
        ("2.16", "linux/amd64", None),
        ("3.0", "linux/amd64", None),
        ("", "linux/amd64", None),
        ("2", "linux/amd64", None),
        ("2.x", "linux/amd64", None),
        ("2.36", "linux/arm/v7", None),
        ("2.36", "linux/s390x", None),
    ],
)
def test_uvs_names_of_platforms(glibc: str, platform: str, found: str | None) -> None:
    assert target_of(python(glibc=glibc), platform) == (Target("3.12.4", found) if found else None)
