"""The documented vocabulary: every method, its signature, its operation."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from imagebuilder import Image, Secret, expand
from imagebuilder.ir import ops, packages
from imagebuilder.ir.ops import BASES, CORE, INTENTS
from imagebuilder.ir.packages import RESOLVED
from imagebuilder.passes.lower import LOWERING
from tests.unit.frontends.image.calls import CALLS, START

PIP = "find_links=None, index_url=None, extra_index_urls=None, pre=False, extra_options='', secrets=()"

# What the documentation promises: names, order, kinds and defaults.
VOCABULARY = {
    "debian_slim": "(python_version=None, *, debian=None)",
    "base": "(ref, *, platform=None)",
    "scratch": "()",
    "from_dockerfile": "(path, context_dir=None, build_args=None, target=None)",
    "apt_install": "(*packages, recommends=False)",
    "pip_install": f"(*packages, {PIP})",
    "pip_install_from_requirements": f"(path, *, {PIP})",
    "pip_install_from_pyproject": f"(path, optional_dependencies=(), *, {PIP})",
    "uv_pip_install": f"(*packages, requirements=(), {PIP})",
    "uv_sync": "(path='.', *, groups=(), extras=(), frozen=True, extra_options='', secrets=())",
    "npm_install": "(*packages, path=None, dest=None, g=False, dev=False, secrets=())",
    "add_local_file": "(local_path, remote_path, *, chmod=None, chown=None)",
    "add_local_dir": "(local_path, remote_path, *, ignore=(), chown=None)",
    "add_local_python_source": "(*modules, ignore=())",
    "add_text": "(content, remote_path, *, chmod=None, chown=None)",
    "add_url": "(url, remote_path, *, checksum=None, chmod=None, chown=None, unpack=False)",
    "git_clone": "(url, remote_path, *, ref=None, keep_git_dir=False, chown=None)",
    "copy_from": "(image, src, dst, *, chown=None, chmod=None)",
    "run_commands": "(*commands, secrets=(), cache=(), network='default')",
    "dockerfile_commands": "(*lines, context_dir=None, stages=None)",
    "env": "(variables=None, /, **more)",
    "workdir": "(path)",
    "user": "(name)",
    "shell": "(words)",
    "entrypoint": "(command)",
    "cmd": "(command)",
    "label": "(labels=None, /, **more)",
    "expose": "(*ports)",
    "volume": "(*paths)",
    "healthcheck": ("(command, *, interval=None, timeout=None, start_period=None, start_interval=None, retries=None)"),
    "stop_signal": "(signal)",
    "arg": "(name, default=None)",
    "key": "(platform=None)",
    "dockerfile": "(platform=None)",
}
BASE_METHODS = ("debian_slim", "base", "scratch", "from_dockerfile")
RESULTS = ("key", "dockerfile")
CORE_ONLY = {"run", "copy", "add", "write_files", "onbuild", "maintainer"}


def shown(signature: inspect.Signature) -> str:
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for name, parameter in signature.parameters.items()
        if name != "self"
    ]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def test_the_vocabulary_is_what_is_documented() -> None:
    public = [name for name in vars(Image) if not name.startswith("_") and name != "stage"]
    assert public == list(VOCABULARY)


@pytest.mark.parametrize(("name", "signature"), VOCABULARY.items(), ids=VOCABULARY)
def test_signature(name: str, signature: str) -> None:
    assert shown(inspect.signature(getattr(Image, name))) == signature


@pytest.mark.parametrize("name", VOCABULARY)
def test_types_are_given(name: str) -> None:
    signature = inspect.signature(getattr(Image, name))
    missing = [n for n, p in signature.parameters.items() if n != "self" and p.annotation is p.empty]
    assert missing == [] and signature.return_annotation in ("Image", "str")


@pytest.mark.parametrize("name", VOCABULARY)
def test_docstring(name: str) -> None:
    """What it is, what comes of it in the Dockerfile, and every argument that is not plain from its name."""
    text = inspect.getdoc(getattr(Image, name)) or ""
    first = text.splitlines()[0] if text else ""
    assert first.rstrip().endswith((".", ".*", ":", "``"))
    emits_what_it_is_given = name in ("from_dockerfile", "dockerfile_commands", *RESULTS)
    assert "Emits" in text or emits_what_it_is_given or "``python:<version>-slim-<debian>``" in text


def test_every_method_is_called_below() -> None:
    assert set(CALLS) == set(VOCABULARY) - set(BASE_METHODS) - set(RESULTS)


def test_every_operation_has_a_method_and_a_lowering_of_its_name() -> None:
    assert [op.verb for op in INTENTS] == list(LOWERING), "an intent is not lowered, or out of order"
    for op in INTENTS:
        assert op.verb in CALLS, f"no fluent method is called {op.verb}"
        assert not op.core
    assert {op.verb for op in CORE} - set(CALLS) == CORE_ONLY
    assert {op.verb for op in BASES} == set(BASE_METHODS) - {"from_dockerfile"}


def test_every_model_of_an_operation_is_listed() -> None:
    """One that is defined but in neither list would be in no front end, and nobody would notice."""
    models = {
        value
        for value in (*vars(ops).values(), *vars(packages).values())
        if isinstance(value, type) and issubclass(value, ops.Op)
    }
    listed = {*INTENTS, *CORE, *RESOLVED}
    assert {model.__name__ for model in models - listed} == {"Op", "_PipOptions", "AptRun", "NpmRun"}
    for model in listed:
        assert model.verb == "".join(f"_{c.lower()}" if c.isupper() else c for c in model.__name__).lstrip("_")


@pytest.mark.parametrize(("name", "call"), CALLS.items(), ids=CALLS)
def test_a_method_appends_the_operation_of_its_name(name: str, call: Callable[[Image], Image]) -> None:
    steps = call(START).stage.steps
    expected = ["run", "env"] if name == "dockerfile_commands" else [name]
    assert [step.op.verb for step in steps] == expected


@pytest.mark.parametrize("name", BASE_METHODS[:3])
def test_a_base_is_the_operation_of_its_name(name: str) -> None:
    image = {"debian_slim": Image.debian_slim, "base": lambda: Image.base("x"), "scratch": Image.scratch}[name]()
    assert not isinstance(image.stage.base, type(image.stage))
    assert image.stage.base.verb == name


def test_debian_slim_does_not_depend_on_who_runs_it() -> None:
    assert Image.debian_slim() == Image.debian_slim("3.13")


@pytest.mark.parametrize(
    ("version", "debian", "ref"),
    [
        ("3.11", None, "python:3.11-slim-bookworm"),
        ("3.12", None, "python:3.12-slim-bookworm"),
        ("3.12.4", None, "python:3.12.4-slim-bookworm"),
        ("3.13", None, "python:3.13-slim-trixie"),
        ("3.14", None, "python:3.14-slim-trixie"),
        ("3.13", "bookworm", "python:3.13-slim-bookworm"),
        (None, None, "python:3.13-slim-trixie"),
    ],
)
def test_the_image_of_each_python(version: str | None, debian: str | None, ref: str) -> None:
    assert Image.debian_slim(version, debian=debian).dockerfile() == f"FROM {ref}\n"


@pytest.mark.parametrize(
    "call",
    [
        lambda image: image.apt_install(),
        lambda image: image.apt_install([]),
        lambda image: image.pip_install(),
        lambda image: image.uv_pip_install(),
        lambda image: image.npm_install(),
        lambda image: image.run_commands(),
        lambda image: image.env(),
        lambda image: image.env({}),
        lambda image: image.label({}),
        lambda image: image.expose(),
        lambda image: image.volume(),
        lambda image: image.add_local_python_source(),
    ],
)
def test_nothing_asked_for_is_nothing_done(call: Callable[[Image], Image]) -> None:
    assert call(START) is START or call(START) == START


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda i: i.pip_install("a", "b"), lambda i: i.pip_install(["b", "a"])),
        (lambda i: i.pip_install("a", "a"), lambda i: i.pip_install("a")),
        (lambda i: i.apt_install("git", ["curl"]), lambda i: i.apt_install("curl", "git")),
        (lambda i: i.env({"A": "b"}), lambda i: i.env(A="b")),
        (lambda i: i.env(A="1", B="2"), lambda i: i.env(B="2", A="1")),
        (lambda i: i.label({"a": "b"}), lambda i: i.label(a="b")),
        (lambda i: i.run_commands("a", secrets="T"), lambda i: i.run_commands("a", secrets=[Secret(name="T")])),
        (lambda i: i.expose(80), lambda i: i.expose("80")),
        (lambda i: i.stop_signal("TERM"), lambda i: i.stop_signal("SIGTERM")),
        (lambda i: i.cmd(["a", "b"]), lambda i: i.cmd(("a", "b"))),
        (lambda i: i.add_local_dir("files", "/x/"), lambda i: i.add_local_dir("files", "/x/files")),
        (lambda i: i.add_local_file(Path("files/requirements.txt"), "/x/"),
         lambda i: i.add_local_file("files/requirements.txt", "/x/requirements.txt")),
    ],
)  # fmt: skip
def test_what_says_the_same_is_the_same(one: Callable[[Image], Image], other: Callable[[Image], Image]) -> None:
    assert one(START) == other(START) and hash(one(START)) == hash(other(START))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda i: i.run_commands("a", "b"), lambda i: i.run_commands("b", "a")),
        (lambda i: i.run_commands("a", "b"), lambda i: i.run_commands("a").run_commands("b")),
        (lambda i: i.run_commands("a b"), lambda i: i.run_commands(["a", "b"])),
        (lambda i: i.cmd("a"), lambda i: i.cmd(["a"])),
        (lambda i: i.env(A="$B"), lambda i: i.env(A=expand("$B"))),
        (lambda i: i.env(A="1"), lambda i: i.arg("A", "1")),
        (lambda i: i.arg("A"), lambda i: i.arg("A", "")),
        (lambda i: i.healthcheck(None), lambda i: i),
        (lambda i: i.env(A="b").workdir("/x"), lambda i: i.workdir("/x").env(A="b")),
        (lambda i: i.copy_from("a", "/x", "/x"), lambda i: i.copy_from("b", "/x", "/x")),
    ],
)
def test_what_says_something_else_is_another(one: Callable[[Image], Image], other: Callable[[Image], Image]) -> None:
    assert one(START) != other(START)
