"""Records on disk: whole or not there, bounded, and never in the way of a build."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from imagebuilder import Image
from imagebuilder.cache import builds
from imagebuilder.cache.explain import entries
from imagebuilder.cache.history import History, packed, unpacked
from imagebuilder.cache.record import Record, record
from imagebuilder.context import Entry
from imagebuilder.diagnostics import BuildError, CompileError
from imagebuilder.engine.protocol import BuildFailed, LogEvent, StepEvent
from tests.unit.building import Bench
from tests.unit.cache.recorded import Past, planned

BASE = Image.base("debian:12")


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return Past(tmp_path / "home")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    return Bench(tmp_path)


def files(past: Past, kind: str) -> list[Path]:
    return sorted((past.history.folder / kind).rglob("*.record" if kind == "builds" else "*"))


def test_a_record_is_read_as_it_was_written() -> None:
    image = BASE.env(A="1").copy_from(BASE.run_commands("make"), "/a", "/b").label(x="y")
    made = record(planned(image), "app", id="1", built=2.0)
    found = Record.loaded(made.dumped())
    assert found is not None and found.dumped() == made.dumped() and found.key == made.key
    assert found.layers == made.layers and found.target.steps[0].own == made.target.steps[0].own


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"[]", b"null", b'{"record": 1}', b'{"record": 1, "stages": [{}]}', b"\xff"]
)
def test_what_is_no_record_is_none(text: bytes) -> None:
    assert Record.loaded(text) is None


def test_the_entries_of_a_tree_come_back() -> None:
    given = [
        Entry("a\nb", "file", "ab" * 32, 3), Entry("d", "dir"), Entry("l", "link", "../x"), Entry("p", "program", "cd" * 32),
    ]  # fmt: skip
    found = unpacked(packed(given))
    assert list(found.values()) == given and list(found) == ["a\nb", "d", "l", "p"]


def test_only_builds_that_came_to_an_image_are_compared_with(past: Past) -> None:
    one = past.built(BASE.run_commands("one"))
    past.built(BASE.run_commands("two"), well=False, steps=0)
    assert past.history.last("app") == Record.loaded(one.dumped())
    assert past.history.last("other") is None


def test_damage_is_as_good_as_nothing(past: Past, tmp_path: Path) -> None:
    src = tmp_path / "src"
    src.mkdir()
    (src / "a").write_text("a")
    image = BASE.add_local_dir(src, "/app")
    past.built(image)
    for path in files(past, "trees"):
        path.write_bytes(path.read_bytes()[:-3])
    (src / "a").write_text("b")
    (told,) = past.explained(image).changes
    assert told.said == f"{src} changed (which of them is no longer on record)"
    for path in files(past, "builds"):
        path.write_bytes(b"\0" * 100)
    assert past.history.last("app") is None and past.history.by_key("0") == []
    assert past.history.names() == set()


def test_of_each_name_the_last_twenty_stay(past: Past, tmp_path: Path) -> None:
    src = tmp_path / "src"
    src.mkdir()
    for number in range(25):
        (src / "a").write_text(str(number))
        past.built(BASE.add_local_dir(src, "/app"))
    past.history.sweep()
    assert len(files(past, "builds")) == 20 and len(files(past, "trees")) == 20
    assert len(list(past.history.folder.rglob("*.done"))) == 20


def test_the_whole_is_bounded(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):
        past.built(BASE.run_commands(f"echo {number}"), name=f"n{number % 3}")
    monkeypatch.setattr("imagebuilder.cache.history._MOST_BYTES", 2500)
    past.history.sweep()
    left = files(past, "builds")
    assert 0 < len(left) < 10 and past.history.last("n0") is not None, "the newest stay"


def test_what_a_killed_process_left_goes(past: Past) -> None:
    past.built(BASE)
    folder = files(past, "builds")[0].parent
    (folder / ".new-x").write_text("half")
    (folder / "00000000000000000001-0123456789abcdef-1.done").write_text("built")
    past.history.sweep()
    assert len(list(folder.iterdir())) == 2


def test_all_is_its_owners_alone(past: Past) -> None:
    past.built(BASE)
    for path in [past.history.folder, *past.history.folder.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_where_nothing_can_be_written_nothing_is(past: Past, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("in the place of the home, where root may not write either")
    assert past.history.begin(record(planned(BASE), "app", id="1", built=1.0), entries(planned(BASE))) is None


def test_a_file_in_the_place_of_the_folder_fails_no_build(bench: Bench) -> None:
    (bench.store.home / "records").write_text("not a folder")
    assert bench.build().state == "active"


# What a person calls a build --------------------------------------------------------------------------


def test_names_and_keys(past: Past) -> None:
    one, two = past.built(BASE.run_commands("one")), past.built(BASE.run_commands("two"))
    history = past.history
    assert [builds.find(history, text).id for text in ("app", "app:latest", "app~1", two.key, two.key[7:20], one.id)] == [
        two.id, two.id, one.id, two.id, two.id, one.id
    ]  # fmt: skip
    assert builds.previous(history, two).id == one.id
    assert builds.is_build(history, "app") and not builds.is_build(history, "app.snap")


@pytest.mark.parametrize(
    ("text", "message", "help"),
    [
        ("ap", "no build 'ap' is on record", "did you mean 'app'?"),
        ("app~2", "no build 'app~2' is on record: there are 2 builds of 'app'", "the oldest is app~1"),
        ("f" * 10, f"no build '{'f' * 10}' is on record", "on record are: app"),
    ],
)
def test_no_such_build(past: Past, text: str, message: str, help: str) -> None:
    past.built(BASE.run_commands("one"))
    past.built(BASE.run_commands("two"))
    with pytest.raises(CompileError) as caught:
        builds.find(past.history, text)
    (found,) = caught.value.diagnostics
    assert (found.code, found.message, found.help) == ("IB650", message, help)


def test_the_first_build_has_none_before_it(past: Past) -> None:
    with pytest.raises(CompileError, match="IB650"):
        builds.previous(past.history, past.built(BASE))


def test_the_beginning_of_several_keys(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        past.built(BASE.run_commands(f"echo {number}"))
    monkeypatch.setattr("imagebuilder.cache.builds._KEY", re.compile("x"))
    monkeypatch.setattr("imagebuilder.cache.builds._by_id", lambda history, text: past.history.by_key(""))
    with pytest.raises(CompileError, match="IB651"):
        builds.find(past.history, "x")


# What a build says ------------------------------------------------------------------------------------


def lines(bench: Bench) -> list[str]:
    return [event.line for event in bench.events if isinstance(event, LogEvent) and event.id == ""]


def test_a_build_says_why_it_runs(bench: Bench) -> None:
    bench.build(BASE.run_commands("one"))
    assert lines(bench) == [], "of the first build there is nothing to say"
    found = bench.build(BASE.run_commands("two"))
    (line,) = lines(bench)
    assert line.startswith("the command changed (one → two), so run_commands at ") and line.endswith(" runs again")
    assert f"# {line}\n" in bench.store.log_path(found.id).read_text()


def test_a_build_that_was_asked_for_says_nothing(bench: Bench) -> None:
    bench.build(BASE.run_commands("one"))
    bench.build(BASE.run_commands("two"), no_cache=True)
    assert lines(bench) == []


def test_many_causes_are_counted(bench: Bench) -> None:
    def image(word: str) -> Image:
        found = BASE
        for number in range(6):
            found = found.run_commands(f"{word} {number}")
        return found

    bench.build(image("one"))
    bench.build(image("two"))
    assert len(lines(bench)) == 3 and lines(bench)[-1] == "4 more causes: `imagebuilder explain app` has them"


def test_an_image_that_is_gone(bench: Bench) -> None:
    bench.build()
    bench.engine.images.clear()
    bench.build()
    assert lines(bench) == ["nothing changed; the engine does not have the image any more"]


def test_reuse_is_recorded_once(bench: Bench) -> None:
    bench.build(BASE)
    bench.build(BASE.label(a="b"))
    bench.build(BASE)
    bench.build(BASE)
    history = History(bench.store.home)
    assert len(list(history.of("app"))) == 3 and history.is_last("app", planned(BASE).key)


def test_a_failed_build_has_made_what_ended(bench: Bench) -> None:
    image = BASE.run_commands("one").run_commands("two")

    def during(request: object) -> None:
        raise BuildFailed("no")

    bench.engine.during = during
    with pytest.raises(BuildError):
        bench.build(image)
    history = History(bench.store.home)
    assert history.last("app") is None and history.made() == set()
    assert len(list(history.all())) == 1


def test_what_the_builder_ended_is_made(bench: Bench) -> None:
    """The engine in memory tells of the second instruction alone, and fails."""
    image = BASE.run_commands("true").run_commands("two")
    bench.engine.fail = BuildFailed("no")
    done = StepEvent("x", "[2/3] RUN true", "done", 0.1, "", 2)
    build = bench.engine.build

    def told(request: object, on_event: object) -> str:
        on_event(done)  # type: ignore[operator]
        return build(request, on_event)  # type: ignore[arg-type]

    bench.engine.build = told  # type: ignore[method-assign,assignment]
    with pytest.raises(BuildError):
        bench.build(image)
    first, second = record(planned(image), "app").target.steps
    made = History(bench.store.home).made()
    assert set(first.layers) <= made and not set(second.layers) & made
