"""FROM: stages, global arguments, platforms and the target."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from imagebuilder.diagnostics import CompileError, Span
from imagebuilder.frontends.dockerfile import load
from imagebuilder.ir import ops
from imagebuilder.ir.ops import BaseImage, ImageSource, Scratch
from imagebuilder.ir.stage import Stage
from imagebuilder.ir.words import Expansion, Var


def read(folder: Path, text: str, build_args: Mapping[str, str] | None = None, target: str | None = None) -> Stage:
    file = folder / "Dockerfile"
    file.write_text(text, newline="")
    return load(file, build_args=build_args, target=target)


def codes(folder: Path, text: str, build_args: Mapping[str, str] | None = None, target: str | None = None) -> list[str]:
    with pytest.raises(CompileError) as caught:
        read(folder, text, build_args, target)
    return [each.code for each in caught.value.diagnostics]


def var(name: str, **more: str) -> Expansion:
    return Expansion(parts=(Var(name=name, **more),))


@pytest.mark.parametrize(
    ("text", "args", "base"),
    [
        ("FROM a", {}, BaseImage(ref="a")),
        ("FROM h.io:5000/a/b:1@sha256:" + "0" * 64, {}, BaseImage(ref="h.io:5000/a/b:1@sha256:" + "0" * 64)),
        ("FROM scratch", {}, Scratch()),
        ("FROM --platform=linux/amd64 scratch", {}, Scratch()),
        ("ARG V=1\nFROM a:$V", {}, BaseImage(ref="a:1")),
        ("ARG V=1\nFROM a:$V", {"V": "2"}, BaseImage(ref="a:2")),
        ("ARG V\nFROM a:${V:-3}", {}, BaseImage(ref="a:3")),
        ("FROM a:${V:-3}", {}, BaseImage(ref="a:3")),
        ("ARG S=\nFROM a${S:+-$S}:1", {}, BaseImage(ref="a:1")),
        ("ARG A=a B=$A:1\nFROM $B", {}, BaseImage(ref="a:1")),
        ('ARG I="a:1"\nFROM "$I"', {}, BaseImage(ref="a:1")),
        ("FROM --platform=linux/arm64 a", {}, BaseImage(ref="a", platform="linux/arm64")),
        ("FROM --platform=linux/x86_64 a", {}, BaseImage(ref="a", platform="linux/amd64")),
        ("FROM --platform=amd64 a", {}, BaseImage(ref="a", platform="linux/amd64")),
        ("FROM --platform=AArch64 a", {}, BaseImage(ref="a", platform="linux/arm64")),
        ("FROM --platform=$BUILDPLATFORM a", {}, BaseImage(ref="a", platform=var("BUILDPLATFORM"))),
        (
            "FROM --platform=${BUILDPLATFORM} a",
            {"BUILDPLATFORM": "linux/arm64"},
            BaseImage(ref="a", platform="linux/arm64"),
        ),
        (
            "ARG BUILDPLATFORM\nFROM --platform=${BUILDPLATFORM:-linux/amd64} a",
            {},
            BaseImage(ref="a", platform=var("BUILDPLATFORM", modifier=":-", word="linux/amd64")),
        ),
        ("ARG P=$TARGETPLATFORM\nFROM --platform=$P a", {}, BaseImage(ref="a", platform=var("TARGETPLATFORM"))),
        ("FROM a-$TARGETARCH", {"TARGETARCH": "arm64"}, BaseImage(ref="a-arm64")),
    ],
)
def test_the_base(tmp_path, text, args, base):
    """Global arguments are evaluated; what the platform sets stays a variable, in --platform alone."""
    assert read(tmp_path, text, args).base == base


def test_stages_are_values_in_one_another(tmp_path):
    """A base, a COPY source and a mount may be an earlier stage, by its name in any case or by its index."""
    text = (
        "FROM a AS One\nUSER u\n"
        "FROM ONE as two\nCOPY --from=one /x /x\n"
        "FROM scratch\nCOPY --from=0 /y /y\nCOPY --from=TWO /z /z\nRUN --mount=from=One,target=/m true\n"
        "COPY --from=three:1 /w /w\n"
    )
    last = read(tmp_path, text)
    one, two, mount, image = (
        last.steps[0].op.origin,
        last.steps[1].op.origin,
        last.steps[2].op.mounts[0].origin,
        last.steps[3].op.origin,
    )
    assert one == Stage(BaseImage(ref="a"), one.steps)
    assert (one.name, two.name, last.name) == ("One", "two", "")
    assert one.place == Span(str(tmp_path / "Dockerfile"), 1, 1, 1, 14)
    assert two.base is one
    assert two.steps[0].op.origin is one
    assert mount is one
    assert image == ImageSource(ref="three:1")


def test_a_stage_may_be_called_like_its_image(tmp_path):
    """FROM sees the stages before it only."""
    stage = read(tmp_path, "FROM node AS node\nFROM node")
    assert stage.base == Stage(BaseImage(ref="node"))


def test_an_argument_of_a_stage(tmp_path):
    """The build argument, else its own default, else the global one; nothing else is visible."""
    text = "ARG A=global\nARG B=global\nFROM a\nARG A\nARG B=own\nARG C\nARG D=own\nARG TARGETARCH\n"
    found = [step.op for step in read(tmp_path, text, {"D": "given", "C": "given"}).steps]
    assert found == [
        ops.Arg(name="A", default="global"),
        ops.Arg(name="B", default="own"),
        ops.Arg(name="C", default="given"),
        ops.Arg(name="D", default="given"),
        ops.Arg(name="TARGETARCH"),
    ]


def test_a_stage_inherits_the_variables_of_its_base(tmp_path):
    """As in BuildKit, ARG included; ENV after ARG wins."""
    text = "FROM scratch AS a\nARG A=1\nENV B=2\nENV A=3\nFROM a\nCOPY $A $B /x/\n"
    assert read(tmp_path, text).steps[0].op.sources == ("3", "2")


def test_onbuild_of_a_stage_runs_in_the_stage_on_top(tmp_path):
    """As in BuildKit: with the files and variables of that stage, before its own steps, and only there."""
    text = (
        "FROM scratch AS a\nUSER u\nONBUILD ENV D=src\nONBUILD COPY $D /x\n"
        "FROM a AS b\nCOPY $D /y\nFROM b AS c\nUSER v\n"
    )
    on, plain = read(tmp_path, text, target="b"), read(tmp_path, text, target="a")
    assert [step.op.verb for step in on.steps] == ["env", "copy", "copy"]
    assert [step.op.sources for step in on.steps[1:]] == [("src",), ("src",)]
    assert on.steps[1].root == str(tmp_path)
    assert [step.op.verb for step in on.base.steps] == ["user"]
    assert [step.op.verb for step in plain.steps] == ["user", "onbuild", "onbuild"]
    last = read(tmp_path, text)
    assert [step.op.verb for step in last.steps] == ["user"]
    assert last.base == on


def test_the_target(tmp_path):
    """By name, in any case; the last without one."""
    text = "FROM a AS first\nFROM b AS second\n"
    assert read(tmp_path, text).base == BaseImage(ref="b")
    assert read(tmp_path, text, target="FIRST").base == BaseImage(ref="a")
    assert codes(tmp_path, text, target="frist") == ["IB321"]


def test_only_needed_stages_must_know_their_files(tmp_path):
    """What is not known now is no mistake in a stage that nobody asks for; wrong text is one everywhere."""
    text = "FROM a-$TARGETARCH AS arch\nFROM a AS files\nCOPY $UNKNOWN /x\nFROM files AS on\nFROM a AS last\nUSER x\n"
    assert read(tmp_path, text).name == "last"
    assert codes(tmp_path, text, target="on") == ["IB326"]
    assert codes(tmp_path, text, target="arch") == ["IB325"]
    assert codes(tmp_path, text.replace("COPY $UNKNOWN", "COPY --nope $UNKNOWN")) == ["IB308"]


def test_build_arguments_that_exist_by_themselves(tmp_path):
    """Proxies and platform values need no ARG; anything else does."""
    args = {"HTTP_PROXY": "http://p", "no_proxy": "x", "TARGETARCH": "arm64"}
    assert read(tmp_path, "FROM a", args) == Stage(BaseImage(ref="a"))
    assert codes(tmp_path, "ARG VERSION=1\nFROM a", {"VERSIO": "2"}) == ["IB323"]
    assert codes(tmp_path, "FROM a", {"BUILDKIT_INLINE_CACHE": "1"}) == ["IB323"]


def test_build_arguments_of_onbuild(tmp_path):
    """An ARG that ONBUILD keeps takes its value where it runs; in a file where none runs, none takes it."""
    text = "FROM a AS base\nONBUILD ARG V=1\nONBUILD LABEL v=$V\n"
    found = read(tmp_path, text + "FROM base\n", {"V": "2"})
    assert [step.op for step in found.steps] == [ops.Arg(name="V", default="2"), ops.Label(labels=(("v", var("V")),))]
    assert codes(tmp_path, text, {"V": "2"}) == ["IB323"]


def test_places_are_not_part_of_the_value(tmp_path):
    """Two files that say the same are equal stages with equal hashes."""
    one = read(tmp_path, "FROM a AS x\nRUN b \\\n c\nENV A=1")
    two = read(tmp_path, "# head\n\nfrom   a\nrun b \\\n# note\n c\nenv A='1'\n")
    assert one == two
    assert hash(one) == hash(two)
    assert one.steps[0].place != two.steps[0].place


def test_line_ends_do_not_move_the_value(tmp_path):
    """A checkout with CRLF is the same image, here-documents included."""
    text = "FROM a\nRUN <<E\nx\ny\nE\nCOPY <<E /f\nz $X\nE\nRUN a \\\n b\n"
    assert read(tmp_path, text) == read(tmp_path, text.replace("\n", "\r\n")) == read(tmp_path, "\ufeff" + text)


TWICE = "FROM a:1 AS x\nFROM b:1 AS X\n"


@pytest.mark.parametrize(
    ("text", "target", "base"),
    [
        (f"{TWICE}FROM x", None, "b:1"),
        ("FROM a:1 AS x\nFROM x AS y\nFROM b:1 AS x\nFROM y", None, "a:1"),
        ("FROM a:1 AS x\nFROM x AS x", None, "a:1"),
        (f"{TWICE}FROM c:1", "x", "b:1"),
    ],
)
def test_a_name_that_is_given_again(tmp_path: Path, text: str, target: str | None, base: str) -> None:
    """FROM means the last stage of the name so far, the target the last of the file, as BuildKit reads them."""
    stage = read(tmp_path, text, target=target)
    while isinstance(stage.base, Stage):
        stage = stage.base
    assert stage.base == BaseImage(ref=base)


def test_what_is_copied_from_a_name_that_is_given_again(tmp_path: Path) -> None:
    """It is the last stage of the file, which must be an earlier one."""
    (copy,) = read(tmp_path, f"{TWICE}FROM c:1\nCOPY --from=x /a /a").steps
    (origin,) = copy.op.stages()
    assert origin.base == BaseImage(ref="b:1")
    assert codes(tmp_path, "FROM a:1 AS x\nFROM c:1 AS y\nCOPY --from=x /a /a\nFROM b:1 AS x\nFROM y") == ["IB322"]
    assert codes(tmp_path, "FROM a:1 AS x\nFROM b:1 AS x\nCOPY --from=x /a /a") == ["IB322"]
