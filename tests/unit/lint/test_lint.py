"""All lints together: over the examples, the golden cases and Dockerfiles of real projects."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from imagebuilder import Image
from imagebuilder.frontends.dockerfile import load, warnings
from imagebuilder.frontends.target import load_target
from imagebuilder.lint import CODES, LINTS, STRICT, lint
from tests.golden.cases import CASES
from tests.unit.lint.linting import codes, found

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "tests/unit/frontends/dockerfiles"

# What is right about the samples, by line; every other sample is clean.
EXPECTED = {
    "airflow": ["1 IB909"],  # its own file uses the argument; the sample is shorter
    "arg-matrix": ["16 IB909"],
    "cpp-cmake": ["22 IB906"],
    "java-maven": ["16 IB906"],
    "jupyter": ["4 IB901"],
    "python-poetry": ["32 IB906"],
    "python-uv": ["15 IB906"],
    "rust-cargo-chef": ["19 IB906"],
}
STRICTLY = {
    "add-remote": ["1 IB908"],
    "cpp-cmake": ["3 IB907", "16 IB908", "22 IB906"],
    "ruby-rails": ["6 IB907"],
    "wordpress-apache": ["3 IB907"],
}
GOLDEN = {
    "dockerfile_escape_directive": ["IB906"],
    "entrypoint_of_several_lines": ["IB906"],
    "healthcheck": ["IB906"],
    "superseded_settings": ["IB906"],
}


@pytest.mark.parametrize("name", sorted(path.stem for path in SAMPLES.iterdir()))
def test_dockerfiles_of_real_projects(name: str) -> None:
    path = SAMPLES / f"{name}.Dockerfile"
    told = [f"{each.place.line} {each.code}" for each in found(path)]  # type: ignore[union-attr]
    assert told == EXPECTED.get(name, [])


@pytest.mark.parametrize("name", STRICTLY)
def test_they_are_looked_at_strictly(name: str) -> None:
    path = SAMPLES / f"{name}.Dockerfile"
    told = [f"{each.place.line} {each.code}" for each in found(path, "strict")]  # type: ignore[union-attr]
    assert told == STRICTLY[name]


@pytest.mark.parametrize("name", CASES)
def test_golden_cases(name: str) -> None:
    image = CASES[name].make()
    assert codes(image) == GOLDEN.get(name, [])
    assert set(codes(image, "strict")) <= {*GOLDEN.get(name, []), "IB907"}


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*/*.py")), ids=lambda path: path.stem)
def test_examples_are_clean(path: Path) -> None:
    if "image = " in path.read_text():
        assert lint(load_target(str(path)).image.stage) == []


def test_the_example_of_a_dockerfile_is_clean() -> None:
    path = ROOT / "examples/dockerfile_project/Dockerfile"
    assert lint(load(path), more=warnings(path), level="strict") == []


# What only a .snap file can declare and leave unused.
ONLY_SNAP = {"IB911", "IB912", "IB913", "IB914"}


def test_every_warning_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text(
        "ARG A\nFROM debian\nFROM debian AS a\nFROM debian:12 AS a\nCOPY . .\nRUN npm ci\nRUN apt-get install -y git\nRUN cd /x\n"
        "ENV API_KEY=abc1234\nENV B='/b:$B'\n# check: ignore IB9X9\nCMD x\n"
    )
    told = found(path, "strict")
    assert {each.code for each in told} == set(CODES) - {"IB902", "IB901"} - ONLY_SNAP
    assert all(each.severity == "warning" and each.help and each.place is not None for each in told)
    assert [each.place.line for each in told] == sorted(each.place.line for each in told)  # type: ignore[union-attr]


def test_the_levels() -> None:
    assert not set(LINTS) & set(STRICT)
    image = Image.debian_slim().apt_install("git")
    assert (codes(image), codes(image, "strict")) == ([], ["IB907"])


def test_what_stages_share_is_told_once() -> None:
    common = Image.base("debian").run_commands("cd /x")
    image = Image.base("alpine:3").copy_from(common.label(a="b"), "/a", "/b").copy_from(common.label(a="c"), "/a", "/b")
    assert sorted(codes(image)) == ["IB901", "IB905"]


def test_it_takes_little_time(tmp_path: Path) -> None:
    """No more than a few times as long for a file ten times as long."""

    def seconds(count: int) -> float:
        path = tmp_path / "Dockerfile"
        lines = "".join(f"ARG A{n}=x\nENV V{n}=$A{n}\nRUN apt-get install -y p{n} && cd x\n" for n in range(count))
        path.write_text("FROM debian:12\n" + lines)
        stage = load(path)
        took = []
        for _ in range(3):
            # Of the processor, which others may be using.
            begin = time.process_time()
            lint(stage, more=warnings(path), level="strict")
            took.append(time.process_time() - begin)
        return min(took)

    assert seconds(1000) < 40 * max(seconds(100), 0.005)
