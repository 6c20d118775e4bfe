"""The fluent API backwards: each operation as the call that makes it."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from imagebuilder import CompileError, Image, Secret, expand
from imagebuilder.backends.calls import POSITIONAL, Call, base, calls, stage_names
from imagebuilder.ir import ops
from imagebuilder.ir.stage import Stage, Step, ordered
from imagebuilder.ir.words import Expansion, Var

START = Image.base("python:3.13")
HERE = str(Path(__file__).parent)


def said(image: Image, folder: str = HERE) -> list[Call]:
    return list(calls(image.stage, folder, stage_names(ordered(image.stage))))


def only(image: Image, folder: str = HERE) -> Call:
    (found,) = said(image, folder)
    return found


def test_every_intent_and_setting_has_its_arguments() -> None:
    """A new operation must be said too; what only a Dockerfile says has no method."""
    methods = {verb for verb in ops.OPS if hasattr(Image, verb)}
    assert set(POSITIONAL) == methods
    for verb, names in POSITIONAL.items():
        parameters = inspect.signature(getattr(Image, verb)).parameters
        fields = ops.OPS[verb].model_fields
        assert {name.lstrip("*") for name in names} <= set(fields)
        options = set(fields) - {name.lstrip("*") for name in names} - ops.OPS[verb].derived
        assert options <= set(parameters), "an option of a method has the name of its field"


@pytest.mark.parametrize(
    ("image", "call"),
    [
        (Image.debian_slim("3.12"), Call("debian_slim", ("3.12",))),
        (Image.debian_slim("3.12", debian="trixie"), Call("debian_slim", ("3.12",), {"debian": "trixie"})),
        (START, Call("base", ("python:3.13",))),
        (Image.base("a", platform="linux/arm64"), Call("base", ("a",), {"platform": "linux/arm64"})),
        (Image.scratch(), Call("scratch")),
        (Image.base(START), Call("base", (START.stage,))),
    ],
)
def test_bases(image: Image, call: Call) -> None:
    assert base(image.stage) == call


SECRET = Secret(name="B", target="/run/b")


@pytest.mark.parametrize(
    ("image", "call"),
    [
        (START.apt_install("b", "a"), Call("apt_install", ("a", "b"))),
        (START.pip_install("a", pre=True), Call("pip_install", ("a",), {"pre": True})),
        (START.run_commands("a", ["b", "c"]), Call("run_commands", ("a", ("b", "c")))),
        (START.run_commands("a", secrets=["A", SECRET]), Call("run_commands", ("a",), {"secrets": ("A", SECRET)})),
        (START.env(B="1", A=expand("$B")), Call("env", ({"A": expand("$B"), "B": "1"},))),
        (START.expose(80, "53/udp"), Call("expose", (80, "53/udp"))),
        (START.stop_signal(9), Call("stop_signal", (9,))),
        (START.healthcheck(None), Call("healthcheck", (None,))),
        (START.healthcheck("x", retries=2), Call("healthcheck", ("x",), {"retries": 2})),
        (START.cmd([]), Call("cmd", ((),))),
        (START.arg("A"), Call("arg", ("A",))),
        (START.uv_sync(), Call("uv_sync")),
        (START.copy_from("alpine", "/a", "/b"), Call("copy_from", ("alpine", "/a", "/b"))),
    ],
)
def test_methods(image: Image, call: Call) -> None:
    assert only(image) == call


@pytest.mark.parametrize(
    "line",
    [
        "RUN make",
        "RUN --mount=type=cache,target=/c --network=none make",
        'RUN ["a", "b c"]',
        "RUN <<'EOF'\na\n b\nEOF",
        "RUN <<'EOF'\n#!/bin/sh\na\nEOF",
        "RUN <<'EOF_1'\ncat <<EOF\nEOF\nEOF_1",
        "RUN #!x",
        "ENV B=1 A=2",
        'ENV A="${A:?x}"',
        "LABEL b=1 a=2",
        'ARG A="${B}"',
        "WORKDIR x",
        'USER "${A}"',
        "EXPOSE ${A}",
        "VOLUME ${A}",
        'STOPSIGNAL "${A}"',
        "ADD https://h/x /x",
        "ADD --checksum=sha256:" + "0" * 64 + " https://h/x /x",
        "COPY --from=alpine --chown=1:1 /a /b",
        'COPY --from=alpine ["\\"a b\\"", "/b"]',
        "COPY <<'EOF' /x\na $b\nEOF",
        "COPY <<EOF /x\na ${b} \\$c\nEOF",
        "COPY <<'A' <<B /x/\na\nA\n${b}\nB",
        "ONBUILD RUN a",
        "ONBUILD COPY <<EOF /x\n$a\nEOF",
        "MAINTAINER me <me@example.org>",
    ],
)
def test_what_only_a_dockerfile_says(line: str) -> None:
    image = START.dockerfile_commands(line)
    assert only(image) == Call("dockerfile_commands", (line,))


def test_instructions_are_joined_as_far_as_they_have_one_context(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    image = (
        START.dockerfile_commands("RUN a")
        .dockerfile_commands("COPY a /a", context_dir=other)
        .dockerfile_commands("RUN b", "COPY b /b", context_dir=tmp_path)
        .user("x")
        .dockerfile_commands("RUN c")
    )
    assert said(image, str(tmp_path)) == [
        Call("dockerfile_commands", ("RUN a", "COPY a /a", "RUN b"), {"context_dir": "other"}),
        Call("dockerfile_commands", ("COPY b /b",)),
        Call("user", ("x",)),
        Call("dockerfile_commands", ("RUN c",)),
    ]


def test_an_add_of_a_variable_stands_with_what_sets_it() -> None:
    """Whether it is a URL is known from the ARG alone."""
    image = START.user("x").dockerfile_commands("ARG H=https://h", "ENV A=1", "ARG U=$H/x", "ADD $U /x", "USER y")
    assert said(image) == [
        Call("user", ("x",)),
        Call("dockerfile_commands", ("ARG H=https://h", "ENV A=1", 'ARG U="${H}/x"', "ADD ${U} /x")),
        Call("user", ("y",)),
    ]


def test_stages_of_instructions() -> None:
    build = START.user("a")
    image = START.dockerfile_commands("COPY --from=b /a /a", stages={"b": build})
    assert only(image) == Call(
        "dockerfile_commands", ("COPY --from=stage1 /a /a",), {"stages": {"stage1": build.stage}}
    )


def test_local_paths_of_another_folder() -> None:
    parent = str(Path(HERE).parent)
    image = START.add_local_dir("a", "/a").add_local_file("/b", "/b").uv_pip_install(requirements=())
    assert said(image, parent) == [Call("add_local_dir", ("backends/a", "/a")), Call("add_local_file", ("/b", "/b"))]
    assert said(image, HERE + "/x")[0] == Call("add_local_dir", ("../a", "/a"))


@pytest.mark.parametrize(
    "step",
    [
        Step(ops.AddLocalPythonSource(modules=("a",)), root="/elsewhere"),
        Step(ops.Copy(sources=(".",), dest="/x", origin=ops.LocalSource(path="x", kind="file")), root=HERE),
        Step(ops.WriteFiles(files=(("", "no line end"),), dest="/x")),
        Step(ops.Env(variables=(("B", "\x07"), ("A", "")))),
        Step(ops.Env(variables=(("B", Expansion(parts=(Var(name="A", modifier="/"),))), ("A", "")))),
    ],
)
def test_what_no_call_says(step: Step) -> None:
    with pytest.raises(CompileError):
        said(Image(Stage(ops.Scratch(), (step,))))


def test_names() -> None:
    """Identifiers, each once, and none that would hide an image that is pulled."""
    wanted = ["", "Build", "build", "import", "9lives", "my-app.x", "image", "scratch", "alpine", "日本"]
    stages = [Stage(ops.Scratch(), (Step(ops.User(name=f"u{n}")),), name=name) for n, name in enumerate(wanted)]
    last = Stage(ops.BaseImage(ref="alpine"))
    assert list(stage_names([*stages, last]).values()) == [
        "stage1", "build", "build_2", "stage_import", "stage_9lives", "my_app_x", "image_2", "scratch_2", "alpine_2",
        "stage10", "image",
    ]  # fmt: skip
