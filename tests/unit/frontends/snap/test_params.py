"""Parameters: types, values from outside, defaults."""

from __future__ import annotations

import pytest

from imagebuilder.diagnostics import CompileError, Invalid
from imagebuilder.frontends.snap.params import Type, boolean, given, size
from tests.unit.frontends.snap.loading import loaded, refused, variables


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [
        ("4GiB", 4 * 1024**3),
        ("512MiB", 512 * 1024**2),
        ("1.5GB", 1_500_000_000),
        ("10KB", 10_000),
        ("7B", 7),
        ("2TiB", 2 * 1024**4),
        ("1TB", 10**12),
        ("3MB", 3_000_000),
        ("3KiB", 3072),
    ],
)
def test_sizes(text: str, bytes_: int) -> None:
    assert size(text) == bytes_


@pytest.mark.parametrize(
    "text", ["4", "4G", "4gib", "-1GiB", "1 GiB", "GiB", "1e3B", ".5GiB", "", "٣GiB", "9" * 30 + "B"]
)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        size(text)
    assert caught.value.code == "IB830"


@pytest.mark.parametrize("text", ["yes", "True", "1", "", "on"])
def test_what_is_no_bool(text: str) -> None:
    with pytest.raises(Invalid, match="not a bool"):
        boolean(text)


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        (Type("string"), "", ""),
        (Type("string"), "[a, b]", "[a, b]"),
        (Type("int"), "-3", -3),
        (Type("bool"), "true", True),
        (Type("size"), "4GiB", "4GiB"),
        (Type("duration"), "1m30s", "1m30s"),
        (Type("one of", choices=("a", "b")), "b", "b"),
        (Type("list"), "a, b,c", ("a", "b", "c")),
        (Type("list"), "[a,b]", ("a", "b")),
        (Type("list"), "", ()),
        (Type("list"), "[]", ()),
        (Type("list", "int"), "1,2", (1, 2)),
    ],
)
def test_values_from_outside(type_: Type, text: str, value: object) -> None:
    assert given(type_, text) == value


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        (Type("int"), "1.5"),
        (Type("int"), "٣"),
        (Type("duration"), "5"),
        (Type("one of", choices=("a",)), "A"),
        (Type("list", "int"), "1,x"),
        (Type("int"), "9" * 19),
    ],
)
def test_values_that_do_not_fit(type_: Type, text: str) -> None:
    with pytest.raises(Invalid):
        given(type_, text)


def test_each_type_as_text() -> None:
    found = variables(
        "param a: string = '3.10'\nparam b: int = 007\nparam c: bool = true\nparam d: size = 4GiB\nparam e: duration = 1m30s\n"
        "param f: one of [x, y] = y\nparam g: list[int] = [1, 2]\n"
        "image it from scratch { env A={a} B={b} C={c} D={d} E={e} F={f} }"
    )
    assert found == {"A": "3.10", "B": "7", "C": "true", "D": "4GiB", "E": "1m30s", "F": "y"}


def test_a_value_from_outside_takes_the_place_of_the_default() -> None:
    text = 'param a: int = 1\nparam b: string = "b{a}"\nimage it from scratch { env A={a} B={b} }'
    assert variables(text) == {"A": "1", "B": "b1"}
    assert variables(text, a="2") == {"A": "2", "B": "b2"}
    assert variables(text, b="{a}") == {"A": "1", "B": "{a}"}


def test_lists_spread() -> None:
    text = "param l: list = [a, 'b c', {x}]\nparam x: string = d\nimage it from scratch { run_commands {l} [x] }"
    assert refused(text) == [("IB811", 1)]
    text = "param x: string = d\nparam l: list = [a, 'b c', {x}]\nimage it from scratch { run_commands [{l}, e] }"
    (step,) = loaded(text).images["it"].stage.steps
    assert step.op.model_dump()["commands"] == (("a", "b c", "d", "e"),)


def test_a_default_is_checked_even_where_it_is_not_used() -> None:
    assert refused("param a: int = x", a="1") == [("IB830", 1)]


def test_a_refused_parameter_is_said_once() -> None:
    text = "param a: int = x\nparam b: string = {a}\nimage it from scratch { env A={a} B={b} }\nwhen a == 1 { image x from it }"
    assert refused(text) == [("IB830", 1)]


def test_required() -> None:
    assert refused("param a: string") == [("IB832", 1)]
    assert loaded("param a: string", a="x").images == {}


def test_a_misspelt_name_is_one_mistake() -> None:
    """The parameter that would have had the value is not asked for besides; another one is."""
    text = "param version: string\nparam other: string\n"
    assert refused(text, vesion="1") == [("IB833", 0), ("IB832", 2)]
    assert refused(text, zzz="1") == [("IB833", 0), ("IB832", 1), ("IB832", 2)]


def test_a_name_that_is_like_none_is_told_all_that_there_are() -> None:
    with pytest.raises(CompileError) as caught:
        loaded('param size: string = "1"\nparam version: string\n', zzz="1")
    assert caught.value.diagnostics[0].help == "it has: size, version"
