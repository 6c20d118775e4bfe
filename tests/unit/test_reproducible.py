"""Commands see the time of a reproducible build; nothing else of the plan moves."""

from __future__ import annotations

from pathlib import Path

from imagebuilder import Image
from imagebuilder.compiler import compile
from imagebuilder.reproducible import EPOCH, dated
from tests.unit.building import Bench

BASE = Image.base("debian").run_commands("true")


def test_each_stage_that_runs_something_declares_the_time() -> None:
    image = Image.base("alpine").copy_from(BASE, "/a", "/b").label({"a": "b"})
    plan = compile(image, platform="linux/amd64")
    text = dated(plan).dockerfile().text
    assert text.count("ARG SOURCE_DATE_EPOCH\n") == 1 and text.index("FROM debian") < text.index("ARG SOURCE")
    assert text.index("ARG SOURCE") < text.index("RUN")
    assert "SOURCE_DATE_EPOCH" not in plan.dockerfile().text


def test_only_a_reproducible_build_has_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.build()
    bench.build(name="other", reproducible=True, no_cache=True)
    first, second = bench.engine.dockerfiles
    assert "SOURCE_DATE_EPOCH" not in first and "ARG SOURCE_DATE_EPOCH" in second
    assert bench.request.epoch == EPOCH
