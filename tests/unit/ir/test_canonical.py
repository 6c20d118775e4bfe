"""One byte string for one meaning: no two values share one, and every field of every operation is in it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from imagebuilder.ir import ops
from imagebuilder.ir.canonical import canonical
from imagebuilder.ir.ops import BASES, CORE, ImageSource, LocalSource, Model, Op, Scratch
from imagebuilder.ir.stage import Stage
from imagebuilder.ir.words import Expansion, Var, expand

LOCAL = LocalSource(path="src")


def plain(value: Any) -> bytes:
    """The bytes of a value with neither local files nor stages in it."""

    def refuse(found: LocalSource | Stage) -> str:
        raise AssertionError(f"substituted {found!r}")

    return canonical(value, refuse)


def digested(value: Any) -> bytes:
    return canonical(value, lambda found: "stage" if isinstance(found, Stage) else f"tree of {found.path}")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, b"n0:"),
        (True, b"b1:1"),
        (False, b"b1:0"),
        (0, b"i1:0"),
        (-12, b"i3:-12"),
        ("", b"s0:"),
        ("ab", b"s2:ab"),
        ("é", b"s2:\xc3\xa9"),
        (b"ab", b"y2:ab"),
        ((), b"l0:"),
        ((1,), b"l4:i1:1"),
        (("a", ("b",)), b"l11:s1:al4:s1:b"),
        (["a"], b"l4:s1:a"),
        (Scratch(), b"m10:s7:scratch"),
        (Var(name="A"), b"m17:s3:Vars4:names1:A"),
    ],
)
def test_form(value: Any, expected: bytes) -> None:
    """Written down, since a change of the form moves every key there is."""
    assert plain(value) == expected


DISTINCT: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 10, "", "0", "1", "10", "None", "True", "n0:", "b1:1", "s0:", " ", "\0", "a", "A", "ab", "b",
    "é", "e\u0301", b"", b"1", b"a", b"n0:",
    (), ("",), (None,), ((),), (((),),), ("", ""), ((), ()), (1,), ("1",), (True,), (0,), (False,),
    ("a", "b"), ("b", "a"), ("ab",), ("a", "b", ""), ("", "a", "b"), ("a,b",), ("s1:b",), ("a", ("b",)), (("a",), "b"), (("a", "b"),),
    (("a",), ("b",)), (("a", "b"), ()), ((), ("a", "b")),
    Scratch(), "scratch", ("scratch",), (Scratch(),),
    Var(name="A"), Var(name="A", word="B"), Var(name="A", modifier=":-"), Var(name="A", replacement=""), Var(name="B"),
    Expansion(parts=()), Expansion(parts=("",)), Expansion(parts=("A",)), Expansion(parts=(Var(name="A"),)),
    Expansion(parts=("A", Var(name="A"))), Expansion(parts=(Var(name="A"), "A")),
    ops.Cmd(command="a b"), ops.Cmd(command=("a", "b")), ops.Cmd(command=()), ops.Cmd(command=""), ops.Cmd(command=("",)),
    ops.Entrypoint(command="a b"), ops.Entrypoint(command=("a", "b")), ops.Run(command="a b"), ops.Run(command=("a", "b")),
    ops.Arg(name="A"), ops.Arg(name="A", default=""), ops.Arg(name="A", default="None"), ops.Arg(name="None"),
    ops.Env(variables={"A": "B"}), ops.Label(labels={"A": "B"}), ops.Env(variables={"A": expand("$B")}), ops.Env(variables={"A": "$B"}),
    ops.Env(variables={"A": "B", "C": "D"}), ops.Env(variables=(("C", "D"), ("A", "B"))),
    ops.Healthcheck(command="a"), ops.Healthcheck(command="a", retries=0), ops.Healthcheck(command="a", retries=1),
    ops.Healthcheck(command="a", interval="1s"), ops.Healthcheck(command="a", timeout="1s"),
    ops.Mount(type="ssh"), ops.Mount(type="ssh", required=False), ops.Mount(type="ssh", required=True),
    ops.Mount(type="ssh", uid="0"), ops.Mount(type="ssh", gid="0"), ops.Mount(type="ssh", id=""),
    ImageSource(ref="a"), ops.BaseImage(ref="a"),
)  # fmt: skip


def test_distinct_values_have_distinct_bytes() -> None:
    forms: dict[bytes, Any] = {}
    for value in DISTINCT:
        form = plain(value)
        assert form not in forms, f"{value!r} and {forms[form]!r} are both {form!r}"
        forms[form] = value


def test_no_form_is_the_beginning_of_another() -> None:
    """So what follows a value can never be read as a part of it."""
    forms = sorted(plain(value) for value in DISTINCT)
    assert not [(one, other) for one, other in pairwise(forms) if other.startswith(one)]


@pytest.mark.parametrize(
    "value", [1.5, {"a": "b"}, {"a"}, object(), Scratch, bytearray(b"a")], ids=lambda value: type(value).__name__
)
def test_what_has_no_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="has no canonical form"):
        plain(value)
    with pytest.raises(TypeError, match="has no canonical form"):
        plain(("a", (value,)))


# Local sources and stages ----------------------------------------------------------------------------


def test_a_local_source_is_its_tree_and_nothing_else() -> None:
    sources = (
        LOCAL,
        LocalSource(path="/elsewhere", kind="file", literal=True, include=(("a",),), ignore=("b",), dockerignore="c"),
    )
    forms = {canonical(ops.Copy(sources=".", dest="/", origin=source), lambda _: "sha256:12") for source in sources}
    assert len(forms) == 1 and b"t9:sha256:12" in forms.pop()


def test_a_stage_is_its_key_and_nothing_else() -> None:
    stages = (Stage(Scratch()), Stage(ops.BaseImage(ref="a"), name="built"))
    forms = {canonical(ops.Copy(sources="/a", dest="/", origin=stage), lambda _: "sha256:12") for stage in stages}
    assert len(forms) == 1 and b"k9:sha256:12" in forms.pop()


def test_where_a_copy_comes_from_is_told_apart() -> None:
    """Even where a tree, a stage and an image happen to have the same digest or name."""
    origins = (LOCAL, Stage(Scratch()), ImageSource(ref="same"))
    assert len({canonical(ops.Copy(sources="/a", dest="/", origin=o), lambda _: "same") for o in origins}) == 3


# Fields ----------------------------------------------------------------------------------------------


class Before(Model):
    verb: ClassVar[str] = "grown"
    name: str
    flag: bool = False


class After(Model):
    """The same operation, later: two fields more, between and before those it had."""

    verb: ClassVar[str] = "grown"
    added: tuple[str, ...] = ()
    name: str
    extra: str | None = None
    flag: bool = False


@pytest.mark.parametrize("flag", [False, True])
def test_a_field_at_its_default_is_not_written(flag: bool) -> None:
    before = plain(Before(name="a", flag=flag))
    assert plain(After(name="a", flag=flag)) == plain(After(name="a", flag=flag, added=(), extra=None)) == before
    assert (
        len({before, plain(After(name="a", flag=flag, added=("",))), plain(After(name="a", flag=flag, extra=""))}) == 3
    )


def test_a_required_field_is_always_written() -> None:
    assert b"s4:name" in plain(Before(name="")) and b"s4:flag" not in plain(Before(name=""))


def models(root: type[BaseModel]) -> list[type[BaseModel]]:
    own = root.__module__.startswith("imagebuilder.")
    return [root] * own + [model for sub in root.__subclasses__() for model in models(sub)]


@pytest.mark.parametrize("model", [*models(Model), Var, Expansion], ids=lambda model: model.__name__)
def test_every_optional_field_has_one_default(model: type[BaseModel]) -> None:
    """One that is made anew each time could not be told from a value that was given."""
    for name, field in model.model_fields.items():
        assert field.is_required() or (field.default_factory is None and field.default is not PydanticUndefined), name


# For each model that is hashed: the least it takes, and another value for every field.
FIELDS: dict[type[Model], tuple[dict[str, Any], dict[str, Any]]] = {
    ops.BaseImage: ({"ref": "a"}, {"ref": "b", "platform": "linux/arm64"}),
    ops.DebianSlim: ({"python_version": "3.13"}, {"python_version": "3.12", "debian": "trixie"}),
    ops.Scratch: ({}, {}),
    ops.Mount: (
        {"type": "cache"},
        {"type": "bind", "target": "/t", "source": "/s", "origin": LOCAL, "id": "i", "sharing": "locked", "env": "E"}
        | {"required": True, "readonly": False, "mode": "0", "uid": "1", "gid": "1", "size": "1m"},
    ),
    ops.Run: (
        {"command": "a"},
        {"command": ("a",), "mounts": (ops.Mount(type="ssh"),), "network": "none", "security": "insecure"},
    ),
    ops.Copy: (
        {"sources": ".", "dest": "/a", "origin": LOCAL},
        {"sources": ("a",), "dest": "/b", "origin": LocalSource(path="other"), "chown": "1", "chmod": "0755", "link": True}
        | {"parents": True, "exclude": ("x",)},
    ),
    ops.Add: (
        {"sources": "a", "dest": "/a"},
        {"sources": ("b",), "dest": "/b", "origin": LOCAL, "checksum": "c", "chown": "1", "chmod": "0755", "link": True}
        | {"unpack": False, "keep_git_dir": True, "exclude": ("x",)},
    ),
    ops.WriteFiles: (
        {"files": (("", "a"),), "dest": "/a"},
        {"files": (("", "b"),), "dest": "/b", "chown": "1", "chmod": "0755", "link": True},
    ),
    ops.Env: ({"variables": {"A": "a"}}, {"variables": {"A": "b"}}),
    ops.Label: ({"labels": {"A": "a"}}, {"labels": {"B": "a"}}),
    ops.Arg: ({"name": "A"}, {"name": "B", "default": ""}),
    ops.Workdir: ({"path": "/a"}, {"path": "/b"}),
    ops.User: ({"name": "a"}, {"name": "a:a"}),
    ops.Shell: ({"words": ("sh",)}, {"words": ("sh", "-c")}),
    ops.Entrypoint: ({"command": "a"}, {"command": ("a",)}),
    ops.Cmd: ({"command": "a"}, {"command": ("a",)}),
    ops.Expose: ({"ports": "1"}, {"ports": "1/udp"}),
    ops.Volume: ({"paths": "/a"}, {"paths": ("/a", "/b")}),
    ops.Healthcheck: (
        {"command": "a"},
        {"command": (), "interval": "1s", "timeout": "1s", "start_period": "1s", "start_interval": "1s", "retries": 0},
    ),
    ops.StopSignal: ({"signal": "TERM"}, {"signal": "INT"}),
    ops.Onbuild: ({"instruction": "a"}, {"instruction": "b"}),
    ops.Maintainer: ({"name": "a"}, {"name": "b"}),
}  # fmt: skip


def test_every_hashed_model_is_listed() -> None:
    assert set(FIELDS) == {*CORE, *BASES, ops.Mount}


@pytest.mark.parametrize("model", FIELDS, ids=lambda model: model.__name__)
def test_every_field_is_in_the_bytes(model: type[Model]) -> None:
    least, others = FIELDS[model]
    assert set(others) == set(model.model_fields)
    forms = {digested(model(**least))} | {digested(model(**{**least, name: value})) for name, value in others.items()}
    assert len(forms) == 1 + len(others)


@pytest.mark.parametrize("model", FIELDS, ids=lambda model: model.__name__)
def test_a_default_that_is_spelled_out_is_no_difference(model: type[Model]) -> None:
    least, _ = FIELDS[model]
    defaults = {name: field.default for name, field in model.model_fields.items() if not field.is_required()}
    assert digested(model(**{**defaults, **least})) == digested(model(**least))


def test_operations_of_equal_fields_are_told_apart_by_their_verb() -> None:
    twins: list[Op] = [
        ops.Run(command="a"), ops.Cmd(command="a"), ops.Entrypoint(command="a"), ops.Healthcheck(command="a"),
        ops.Arg(name="a"), ops.User(name="a"), ops.Maintainer(name="a"),
        ops.PipInstall(packages="a"), ops.PipInstallFromPyproject(packages="a"), ops.AptInstall(packages="a"),
    ]  # fmt: skip
    assert len({plain(op) for op in twins}) == len(twins)
