"""Whatever the description: said again it has the same key, and said otherwise another, from that step on."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from imagebuilder import Image, expand
from imagebuilder.compiler import compile

SETTINGS = settings(max_examples=80, deadline=None, derandomize=True)

Call = tuple[str, tuple[Any, ...], dict[str, Any]]

TEXT = st.sampled_from(["", "a", "a b", "$A", "'", '"', "\\n", "\n", "é", "a=b", "x" * 40])
NAMES = st.sampled_from(["A", "B", "PYTHONPATH", "a.b"])
PATHS = st.sampled_from(["/a", "/b/c", "/a b", "/$A", "/é"])
COMMANDS = st.sampled_from(["true", "make all", "a\nb", "echo $A 'b'", "#!/bin/sh\na\n"]) | st.just(["echo", "a b"])
PACKAGES = st.lists(st.sampled_from(["six", "idna>=3", "a.b", "requests[socks]"]), min_size=1, unique=True).map(sorted)
VALUES = TEXT | st.sampled_from(["$A", "${A:-b}", "a$B"]).map(expand)
VARIABLES = st.dictionaries(NAMES, VALUES, min_size=1, max_size=3)


def call(name: str, *arguments: st.SearchStrategy[Any], **options: st.SearchStrategy[Any]) -> st.SearchStrategy[Call]:
    return st.tuples(st.just(name), st.tuples(*arguments), st.fixed_dictionaries({}, optional=options))


# No two different calls of these say the same, so that each has to move the key.
CALLS: st.SearchStrategy[Call] = st.one_of(
    call("run_commands", COMMANDS, COMMANDS, network=st.just("none"), secrets=st.just(["T"]), cache=st.just(["/c"])),
    call("pip_install", PACKAGES, pre=st.just(True), index_url=st.just("https://example.org"), secrets=st.just(["T"])),
    call("uv_pip_install", PACKAGES, extra_options=st.just("--no-deps")),
    call("apt_install", st.sampled_from([["git"], ["curl", "git"]]), recommends=st.just(True)),
    call("npm_install", st.just("a"), g=st.just(True)),
    call("add_text", TEXT, PATHS, chmod=st.just("0755"), chown=st.sampled_from(["app", "1:1"])),
    call("add_url", st.sampled_from(["https://h/a", "https://h/b"]), PATHS, unpack=st.just(True)),
    call("git_clone", st.just("https://h/a.git"), PATHS, ref=st.sampled_from(["main", "v1"])),
    call("copy_from", st.sampled_from(["a", "b:1"]), PATHS, PATHS, chown=st.just("app")),
    call("env", VARIABLES),
    call("label", VARIABLES),
    call("arg", st.sampled_from(["A", "B"]), st.none() | TEXT),
    call("workdir", PATHS),
    call("user", st.sampled_from(["root", "app", "1:1"])),
    call("cmd", COMMANDS),
    call("entrypoint", COMMANDS),
    call("expose", st.integers(1, 65535)),
    call("volume", PATHS),
    call("healthcheck", st.none() | COMMANDS, retries=st.integers(0, 3)),
    call("stop_signal", st.sampled_from(["SIGTERM", "9"])),
)
BASES = st.sampled_from([("scratch",), ("base", "debian:12"), ("base", "debian:13"), ("debian_slim", "3.12")])
SPECS = st.tuples(BASES, st.lists(CALLS, min_size=1, max_size=5))

Spec = tuple[tuple[str, ...], list[Call]]


def image(base: tuple[str, ...], calls: list[Call]) -> Image:
    found: Image = getattr(Image, base[0])(*base[1:])
    for name, arguments, options in calls:
        found = getattr(found, name)(*arguments, **options)
    return found


def keys(base: tuple[str, ...], calls: list[Call], platform: str = "linux/amd64") -> tuple[str, ...]:
    """The key of the base, and that of every step."""
    plan = compile(image(base, calls), platform=platform)
    found = plan.keys[plan.stage]
    return (found.base, *found.steps)


def first_difference(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """How many keys are the same; none that follows is."""
    same = [a == b for a, b in zip(one, other, strict=False)]
    first = same.index(False) if False in same else len(same)
    assert one != other and not any(same[first:])
    return first


def again(value: Any) -> Any:
    """An equal value in which dictionaries are in the reverse order."""
    if isinstance(value, dict):
        return {again(key): again(held) for key, held in reversed(value.items())}
    return type(value)(map(again, value)) if isinstance(value, tuple | list) else copy.copy(value)


@SETTINGS
@given(SPECS)
def test_said_again_it_is_the_same(spec: Spec) -> None:
    one, other = image(*spec), image(*again(spec))
    assert one == other and hash(one) == hash(other)
    assert keys(*spec) == keys(*again(spec))


@SETTINGS
@given(SPECS, st.data())
def test_what_comes_later_does_not_matter(spec: Spec, data: st.DataObject) -> None:
    base, calls = spec
    before = keys(base, calls[: data.draw(st.integers(0, len(calls)))])
    assert keys(base, calls)[: len(before)] == before


@SETTINGS
@given(SPECS, st.data())
def test_a_step_less(spec: Spec, data: st.DataObject) -> None:
    base, calls = spec
    at = data.draw(st.integers(0, len(calls) - 1))
    assume(calls[at : at + 1] != calls[at + 1 : at + 2])
    before = len(keys(base, calls[:at]))
    assert first_difference(keys(base, calls), keys(base, calls[:at] + calls[at + 1 :])) == before


@SETTINGS
@given(SPECS, CALLS, st.data())
def test_another_step(spec: Spec, changed: Call, data: st.DataObject) -> None:
    base, calls = spec
    at = data.draw(st.integers(0, len(calls) - 1))
    assume(calls[at] != changed)
    before = len(keys(base, calls[:at]))
    assert first_difference(keys(base, calls), keys(base, [*calls[:at], changed, *calls[at + 1 :]])) == before


@SETTINGS
@given(SPECS, CALLS, st.data())
def test_two_steps_in_another_order(spec: Spec, other: Call, data: st.DataObject) -> None:
    base, calls = spec
    at = data.draw(st.integers(0, len(calls) - 1))
    assume(calls[at] != other)
    head, tail = calls[:at], calls[at + 1 :]
    one, swapped = keys(base, [*head, calls[at], other, *tail]), keys(base, [*head, other, calls[at], *tail])
    assert first_difference(one, swapped) == len(keys(base, head))


@SETTINGS
@given(SPECS, BASES, st.sampled_from(["linux/amd64", "linux/arm64"]))
def test_another_base_or_platform(spec: Spec, other: tuple[str, ...], platform: str) -> None:
    base, calls = spec
    assume((base, "linux/amd64") != (other, platform))
    assert first_difference(keys(base, calls), keys(other, calls, platform)) == 0


@SETTINGS
@given(SPECS, BASES, st.data())
def test_a_stage_that_is_copied_from(spec: Spec, outer: tuple[str, ...], data: st.DataObject) -> None:
    base, calls = spec
    less = calls[: data.draw(st.integers(0, len(calls) - 1))]

    def copying(found: list[Call]) -> list[Call]:
        return [("copy_from", (image(base, found), "/a", "/b"), {})]

    assert keys(outer, copying(calls)) == keys(outer, copying(again(calls)))
    assert first_difference(keys(outer, copying(calls)), keys(outer, copying(less))) == 1
