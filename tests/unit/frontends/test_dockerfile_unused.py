"""Stages and build arguments that nothing in a Dockerfile uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder.diagnostics import CompileError, Span
from imagebuilder.frontends.dockerfile import warnings


def found(folder: Path, text: str, *, strict: bool = False) -> list[str]:
    path = folder / "Dockerfile"
    path.write_text(text)
    told = []
    for each in warnings(path, strict=strict):
        assert isinstance(each.place, Span) and each.severity == "warning" and each.help
        told.append(f"{each.place.line} {each.message.removeprefix('nothing uses ')}")
    return told


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a\nFROM b", ["1 stage 0, which has no name"]),
        ("FROM a AS x\nFROM b", []),
        ("FROM a\nFROM b\nCOPY --from=0 / /", []),
        ("FROM a AS x\nFROM b\nRUN --mount=type=bind,from=x,target=/x true", []),
        ("FROM a\nFROM b AS test\nCOPY --from=0 / /\nFROM c", []),
        ("FROM a", []),
    ],
)
def test_stages(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert found(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a AS test\nFROM b", ["1 the stage 'test'"]),
        ("FROM a AS base\nFROM BASE AS test\nFROM base", ["2 the stage 'test'"]),
        ("FROM a AS x\nFROM x AS y\nFROM y", []),
        ("ARG V=b\nFROM a AS test-a\nFROM a AS test-b\nFROM test-$V", []),
    ],
)
def test_stages_with_names_at_the_strict_level(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert found(tmp_path, text, strict=True) == expected
    assert found(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Before the first FROM.
        ("ARG A\nFROM x", ["1 the argument 'A'"]),
        ("ARG A=1 B=2\nFROM x:$B", ["1 the argument 'A'"]),
        ("ARG A=1\nFROM x:$A", []),
        ("ARG A=1\nFROM x:${A:-2}", []),
        ("ARG A=1\nFROM --platform=linux/$A x", []),
        ("ARG A=1\nARG B=$A\nFROM x:$B", []),
        ("ARG A=1 B=$A\nFROM x:$B", []),
        ("ARG A=1\nFROM x\nARG A\nRUN true", []),
        ("ARG A=1\nFROM x\nARG A=2\nRUN true", []),
        ("ARG A=1\nFROM x\nRUN echo $A", ["1 the argument 'A'"]),
        ("ARG AB=1\nFROM x\nLABEL a=$A", ["1 the argument 'AB'"]),
        ("ARG BUILDKIT_SBOM_SCAN_CONTEXT=true\nARG HTTP_PROXY\nARG SOURCE_DATE_EPOCH\nFROM x", []),
        # In a stage, every RUN behind it may read it.
        ("FROM x\nARG A", ["2 the argument 'A'"]),
        ("FROM x\nRUN true\nARG A=1", ["3 the argument 'A'"]),
        ("FROM x\nARG A=1\nRUN true", []),
        ("FROM x\nARG A=1\nONBUILD RUN true", []),
        ("FROM x\nARG A=1\nLABEL a=$A", []),
        ("FROM x\nARG A=1\nENV B=${A#1}", []),
        ("FROM x\nARG A=1\nCOPY --chown=$A f /", []),
        ("FROM x\nARG A=1\nCOPY <<EOF /f\n$A\nEOF", []),
        ("FROM x\nARG A=1 B=$A\nUSER $B", []),
        ("FROM x\nUSER $A\nARG A=1\nEXPOSE 80", ["3 the argument 'A'"]),
        ("FROM x AS a\nARG A=1\nFROM a\nRUN true", []),
        ("FROM x AS a\nARG A=1\nFROM a\nUSER b", ["2 the argument 'A'"]),
        ("FROM x AS a\nARG A=1\nFROM y\nRUN true", ["2 the argument 'A'"]),
        ("FROM x AS a\nARG A=1\nFROM a AS b\nENV C=1\nFROM b\nRUN true", []),
    ],
)
def test_arguments(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert found(tmp_path, text) == expected


def test_an_argument_that_is_not_visible_where_it_is_used(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text("ARG VERSION=1\nFROM x\nLABEL version=$VERSION\n")
    (warning,) = warnings(path)
    assert warning.help == "an ARG before the first FROM is not visible in a stage: write ARG VERSION there as well"


def test_what_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text("FORM x\n")
    with pytest.raises(CompileError):
        warnings(path)


def test_a_name_that_is_given_again(tmp_path: Path) -> None:
    assert found(tmp_path, "FROM a AS x\nFROM x AS X\nFROM X\n") == ["2 another stage 'x'"]
