"""Values for build arguments become part of the description, and what cannot be given is refused, all at once."""

from __future__ import annotations

import pytest

from imagebuilder.diagnostics import CallSite, CompileError, Diagnostic, Span
from imagebuilder.ir.keys import keys
from imagebuilder.ir.ops import Arg, BaseImage, Copy, Env, Label, Mount, Op, Run
from imagebuilder.ir.stage import Stage, Step, ordered
from imagebuilder.passes import Options
from imagebuilder.passes.bind_arguments import PROXIES, bind_arguments

BASE = BaseImage(ref="python:3.13")
LINE = Span("Dockerfile", 3, 1)


def stage(*operations: Op, base: BaseImage | Stage = BASE) -> Stage:
    return Stage(base, tuple(Step(op) for op in operations))


def bound(target: Stage, **values: str) -> Stage:
    return bind_arguments(target, Options(values))


def refusals(target: Stage, **values: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(CompileError) as caught:
        bound(target, **values)
    return caught.value.diagnostics


@pytest.mark.parametrize("default", [None, "", "1"])
@pytest.mark.parametrize("value", ["2", "", "$A 'b'\n"])
def test_the_value_takes_the_place_of_the_default(default: str | None, value: str) -> None:
    assert bound(stage(Arg(name="A", default=default)), A=value) == stage(Arg(name="A", default=value))


def test_the_key_is_that_of_an_image_with_this_default() -> None:
    target = bound(stage(Arg(name="A", default="1"), Run(command="make")), A="2")
    plain = stage(Arg(name="A", default="2"), Run(command="make"))
    assert keys(target, {}, "")[target] == keys(plain, {}, "")[plain]


def test_other_operations_of_that_name_are_left_alone() -> None:
    before = stage(Env(variables={"A": "1"}), Arg(name="B", default="1"), Label(labels={"A": "1"}), Run(command="A=1"))
    assert bound(before.then(Step(Arg(name="A"))), A="2") == before.then(Step(Arg(name="A", default="2")))


def test_every_stage_that_takes_it_gets_it() -> None:
    def graph(value: str) -> Stage:
        arg = Arg(name="A", default=value)
        copied, mounted = stage(arg, Run(command="copied")), stage(Run(command="mounted"), arg)
        mount = Mount(type="bind", target="/m", origin=mounted)
        return stage(
            arg, Copy(sources="/a", dest="/a", origin=copied), Run(command="make", mounts=(mount,)), arg, base=stage(arg)
        )  # fmt: skip

    found = bound(graph("1"), A="2")
    assert found == graph("2") and len(ordered(found)) == 4


def test_a_step_keeps_all_but_the_value() -> None:
    before = Step(Arg(name="A"), CallSite(stage.__code__, 0, 1), "/root", Run(command="intent"))
    step = bound(Stage(BASE, (before,), Span("image.py", 1), "name"), A="1").steps[0]
    assert (step.place, step.root, step.intent) == (before.place, before.root, before.intent)


def test_without_values_nothing_is_done() -> None:
    target = stage(Arg(name="A"))
    assert bound(target) is target


@pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy", "NO_PROXY", "all_proxy", "ftp_proxy"])
@pytest.mark.parametrize("operations", [(), (Arg(name="HTTP_PROXY"), Arg(name="https_proxy"))])
def test_proxies_are_never_part_of_the_description(name: str, operations: tuple[Op, ...]) -> None:
    assert name in PROXIES and len(PROXIES) == 10
    target = stage(*operations)
    assert bound(target, **{name: "http://proxy.example.org"}) is target
    mixed = bound(target.then(Step(Arg(name="A"))), **{name: "x"}, A="1")
    assert mixed == target.then(Step(Arg(name="A", default="1")))


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        ([], "it takes: none"),
        (["VERSION", "DEBUG"], "it takes: DEBUG, VERSION"),
        (["VERSION", "TARGETS"], "did you mean 'TARGETS'?"),
    ],
)
def test_an_unknown_argument(names: list[str], hint: str) -> None:
    (found,) = refusals(stage(*(Arg(name=name) for name in names)), TARGET="1")
    assert (found.code, found.place, found.help) == ("IB130", None, hint) and "'TARGET'" in found.message


def test_a_variable_or_a_label_is_no_argument() -> None:
    (found,) = refusals(stage(Env(variables={"A": "1"}), Label(labels={"A": "1"})), A="1")
    assert found.code == "IB130"


def test_an_argument_of_a_dockerfile_comes_too_late() -> None:
    target = Stage(BASE, (Step(Arg(name="A", default="1"), LINE),))
    (found,) = refusals(target, A="2")
    assert (found.code, found.place) == ("IB131", LINE)
    assert "'A'" in found.message and "from_dockerfile" in found.help
    assert bound(target, A="1") == target


@pytest.mark.parametrize(("value", "code"), [("a\0", "IB101"), ("\udcff", "IB101"), ("x" * 100_001, "IB102")])
def test_a_value_that_cannot_be(value: str, code: str) -> None:
    target = Stage(BASE, (Step(Arg.model_construct(name="A", default=value), LINE),))
    (found,) = refusals(target, A=value)
    assert (found.code, found.place) == (code, LINE) and found.help


def test_everything_is_found_at_once() -> None:
    target = Stage(BASE, (Step(Arg(name="A"), LINE), Step(Arg(name="B")), Step(Arg(name="C"))))
    found = refusals(target, A="1", X="1", B="\0", Y="1", C="fine")
    assert [diagnostic.code for diagnostic in found] == ["IB131", "IB130", "IB101", "IB130"]
