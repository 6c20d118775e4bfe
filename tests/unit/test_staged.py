"""Builds of large folders: in parts for the builder, one step for the person."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder import Image
from imagebuilder.backends.dockerfile import parts as splitting
from imagebuilder.compiler import compile
from imagebuilder.context import cut as cutting
from imagebuilder.diagnostics import BuildError
from imagebuilder.engine.protocol import BuildRequest, LogEvent, OnEvent, StepEvent
from tests.unit.building import Bench
from tests.unit.context.test_kept import fill, wanted


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setattr(cutting, "_FILES", 50)
    return Bench(tmp_path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return fill(tmp_path / "src")


def image(root: Path) -> Image:
    return Image.debian_slim("3.13").add_local_dir(root, "/app/src")


def test_what_the_builder_gets(bench: Bench, root: Path) -> None:
    seen: dict[str, str] = {}

    def look(request: BuildRequest) -> None:
        for folder in request.contexts.values():
            assert isinstance(folder, Path) and [child.name for child in folder.iterdir()] == ["files"]
            for path in (folder / "files").rglob("*"):
                if path.is_file():
                    assert path.relative_to(folder / "files").as_posix() not in seen, "in one part only"
                    seen[path.relative_to(folder / "files").as_posix()] = path.read_text()

    bench.engine.during = look
    plan = compile(image(root), platform="linux/amd64")
    found = bench.build(plan)
    assert found.key == plan.key
    assert seen == wanted(root)
    text = bench.engine.dockerfiles[0]
    assert text.count("COPY --from=src-") == len(bench.request.contexts) > 10
    assert plan.dockerfile().text.count("COPY") == 1
    assert bench.staged() == []


def test_a_small_folder_stays_whole(bench: Bench, tmp_path: Path) -> None:
    bench.build(image(fill(tmp_path / "small", 49)))
    assert bench.engine.dockerfiles[0].count("COPY") == 1
    assert not (bench.store.home / "parts").exists() and not (bench.store.home / "cuts").exists()


def test_a_file_that_changes_meanwhile_ends_the_build(bench: Bench, root: Path) -> None:
    plan = compile(image(root), platform="linux/amd64")
    (root / "d1/f1").write_text("x")
    with pytest.raises(BuildError, match="IB210"):
        bench.build(plan)
    assert bench.store.get("app").state == "build_failed"
    assert bench.engine.requests == [] and bench.staged() == []


def test_no_more_layers_than_an_engine_takes(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Image.debian_slim("3.13")
    for number in range(12):
        made = made.add_local_dir(fill(tmp_path / f"src{number}", 50 + number), f"/app{number}/src")
    bench.build(made)
    text = bench.engine.dockerfiles[0]
    assert 70 < text.count("COPY") <= 96
    places = [line.split()[-1] for line in text.splitlines() if line.startswith("COPY")]
    whole = [place for place in places if places.count(place) == 1]
    assert 0 < len(whole) < 12
    assert whole == [f"/app{number}/src" for number in range(len(whole))], "the smallest"
    monkeypatch.setattr(splitting, "_MOST_LAYERS", 10)
    bench.build(made.label({"a": "b"}))
    assert bench.engine.dockerfiles[1].count("COPY") == 12


def test_two_copies_of_one_folder_share_their_parts(bench: Bench, root: Path) -> None:
    bench.build(image(root).run_commands("true").add_local_dir(root, "/srv/other"))
    text = bench.engine.dockerfiles[0]
    assert text.count("COPY") == 2 * len(bench.request.contexts)


def copies(request: BuildRequest) -> list[str]:
    return [line for line in request.dockerfile.read_text().splitlines() if line.startswith("COPY")]


def test_one_step_for_the_person(bench: Bench, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins with the first part that is not cached and ends with the last; all cached is cached."""

    def build(request: BuildRequest, on_event: OnEvent) -> str:
        lines = copies(request)
        count = len(lines) + 1
        for number, line in enumerate(lines, 2):
            state = "started" if number % 2 == changing else "cached"
            on_event(StepEvent(f"v{number}", f"[{number}/{count}] {line}", state, 0.0, "", number))  # type: ignore[arg-type]
        for number, line in reversed(list(enumerate(lines, 2))):
            if number % 2 == changing:
                on_event(LogEvent(f"v{number}", "a line"))
                on_event(StepEvent(f"v{number}", f"[{number}/{count}] {line}", "done", 0.5, "", number))
        bench.engine.images[request.tag] = "sha256:0"
        return "sha256:0"

    monkeypatch.setattr(bench.engine, "build", build)
    for changing, states in ((1, ["started", "done"]), (7, ["cached"])):
        bench.events.clear()
        found = bench.build(image(root), no_cache=True)
        told = [event for event in bench.events if isinstance(event, StepEvent)]
        assert [event.state for event in told] == states
        assert len({(event.id, event.name) for event in told}) == 1
        (step,) = found.steps
        assert (step.op, step.cached) == ("add_local_dir", changing == 7)
        assert step.name == told[0].name
