"""Recorded streams of ``buildx --progress=rawjson`` become the right events, and no stream is too odd to be read."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path

import pytest

from imagebuilder.engine.progress import LAST_LINES, Progress
from imagebuilder.engine.protocol import BuildFailed, Event, LogEvent, StepEvent

RECORDED = Path(__file__).parent / "recorded"
STREAMS = sorted(path.stem for path in RECORDED.glob("*.jsonl"))


def read(stream: str) -> tuple[list[Event], Progress]:
    progress = Progress()
    lines = (RECORDED / f"{stream}.jsonl").read_text().splitlines(keepends=True)
    events = [event for line in lines for event in progress.feed(line)]
    return [*events, *progress.finish()], progress


def steps(events: list[Event]) -> list[tuple[str, int, str]]:
    """Where each counted step ended up: its last state."""
    last = {event.id: event for event in events if isinstance(event, StepEvent) and event.position}
    return sorted((event.stage, event.position, event.state) for event in last.values())


def lines(events: list[Event]) -> list[str]:
    return [event.line for event in events if isinstance(event, LogEvent)]


def failure(stream: str) -> BuildFailed:
    return read(stream)[1].failure()


def test_success() -> None:
    events, _ = read("success")
    assert steps(events) == [
        ("stage-1", 2, "done"),
        ("stage-1", 3, "done"),
        ("stage-1", 4, "done"),
        ("tools", 1, "cached"),
        ("tools", 2, "done"),
    ]
    # A progress bar leaves its last state; a line that nothing ended is kept.
    assert lines(events) == ["first", "100%", "é漢", "to-stderr", "no newline at the end"]
    exporting = [e.state for e in events if isinstance(e, StepEvent) and e.name.startswith("exporting")]
    assert exporting == ["started", "done"]


def test_a_base_of_another_platform_is_told_before_a_step_runs() -> None:
    progress = Progress()
    for line in (RECORDED / "wrong_base.jsonl").read_text().splitlines(keepends=True):
        events = list(progress.feed(line))
        if progress.wrong_base is not None:
            break
        assert not [event for event in events if isinstance(event, StepEvent) and event.position]
    found = progress.wrong_base
    assert found is not None
    assert (found.ref, found.has, found.wanted) == ("python:3.13-slim-trixie", "linux/amd64", "linux/arm64")
    assert found.line == 1


def test_a_linked_copy_is_one_step() -> None:
    """BuildKit copies and then merges: two vertices of one instruction."""
    events, _ = read("linked")
    copies = [event for event in events if isinstance(event, StepEvent) and event.position == 2]
    assert len({event.id for event in copies}) == 1
    assert [event.state for event in copies][-1] == "done"
    ended = [event.seconds for event in copies if event.state == "done"]
    assert ended == sorted(ended) and ended[0] < ended[-1], "its time is that of both"


def test_seconds() -> None:
    events, _ = read("success")
    for event in events:
        if isinstance(event, StepEvent):
            assert (event.seconds > 0) is (event.state != "started")
    run = next(
        e for e in events if isinstance(e, StepEvent) and e.stage == "tools" and e.state == "done" and e.position == 2
    )
    assert 0.05 < run.seconds < 5


def test_what_did_not_change_is_not_told_again() -> None:
    events, _ = read("success")
    states: dict[str, list[str]] = {}
    for event in events:
        if isinstance(event, StepEvent):
            states.setdefault(event.id, []).append(event.state)
    assert len(states) == 9
    assert all(a != b for found in states.values() for a, b in zip(found, found[1:], strict=False))


def test_cached() -> None:
    """Nothing is cached about a base that only had to be looked up."""
    events, _ = read("cached")
    assert steps(events) == [
        ("stage-1", 2, "cached"),
        ("stage-1", 3, "cached"),
        ("stage-1", 4, "cached"),
        ("tools", 1, "done"),
        ("tools", 2, "cached"),
    ]
    assert lines(events) == []


def test_a_cached_step_whose_layer_is_fetched_later_stays_cached() -> None:
    """From a registry: the step is told of again while its layer comes, without a word of the cache."""
    progress, events = Progress(), list[Event]()
    vertex = {"digest": "a", "name": "[2/4] RUN make", "started": "2026-01-01T00:00:00Z"}
    for more in (
        {"completed": "2026-01-01T00:00:00Z", "cached": True},
        {"started": "2026-01-01T00:00:05Z"},
        {"started": "2026-01-01T00:00:05Z", "completed": "2026-01-01T00:00:07Z"},
    ):
        events += progress.feed(json.dumps({"vertexes": [vertex | more]}))
    assert [(e.state, e.seconds) for e in events if isinstance(e, StepEvent)] == [
        ("cached", 0.0), ("started", 0.0), ("cached", 2.0),
    ]  # fmt: skip


def test_a_command_that_fails() -> None:
    found = failure("failing")
    assert (found.line, found.exit_code) == (2, 7)
    assert found.log[0].endswith(" before") and found.log[1:] == ("oh no",)
    assert found.message.startswith('process "/bin/sh -c echo ') and found.message.endswith("exit code: 7")


def test_a_command_that_fails_in_another_stage() -> None:
    found = failure("failing_stage")
    assert (found.line, found.exit_code) == (3, 1)
    assert found.log[0].endswith(" in tools")
    failed = [e for e in read("failing_stage")[0] if isinstance(e, StepEvent) and e.state == "failed"]
    assert [(e.stage, e.position) for e in failed] == [("tools", 3)]


def test_what_ran_beside_a_command_that_fails_did_not_fail() -> None:
    """BuildKit reports it with an exit code of its own, 137, and may do so first."""
    found = failure("failing_beside")
    assert (found.line, found.exit_code) == (5, 9)
    assert [line.split()[-1] for line in found.log] == ["quick"]
    failed = [e.stage for e in read("failing_beside")[0] if isinstance(e, StepEvent) and e.state == "failed"]
    assert failed == ["quick"]


def test_a_cancelled_step_that_is_reported_first() -> None:
    """The recording, with the vertices in the other order."""
    text = (RECORDED / "failing_beside.jsonl").read_text().splitlines(keepends=True)
    progress = Progress()
    statuses = [json.loads(line) for line in text if line.startswith("{")]
    vertices = [vertex for status in statuses for vertex in status.get("vertexes", ())]
    for vertex in sorted(vertices, key=lambda v: "[slow" not in v["name"]):
        list(progress.feed(json.dumps({"vertexes": [vertex]})))
    assert progress.failure().exit_code == 9


def test_a_missing_base() -> None:
    found = failure("missing_base")
    assert (found.line, found.exit_code) == (1, None)
    assert found.message.startswith("localhost:1/no/such:image: failed to resolve source metadata")


def test_a_missing_source() -> None:
    found = failure("missing_copy")
    assert (found.line, found.exit_code) == (4, None)
    assert found.message == "lstat /no/such/path: no such file or directory"


def test_a_syntax_error() -> None:
    found = failure("syntax")
    assert (found.line, found.exit_code, found.log) == (3, None, ())
    assert found.message == "dockerfile parse error on line 3: unknown instruction: COPI (did you mean COPY?)"


def test_an_older_buildx_words_it_otherwise() -> None:
    progress = Progress()
    assert list(progress.feed("ERROR: failed to solve: no\n")) == []
    assert progress.failure().message == "no"


@pytest.mark.parametrize(
    ("said", "message"),
    [([], "the builder gave no reason"), (["a\n", "\n", "b\n"], "a\nb"), (["ERROR: \n", "x\n"], "ERROR:\nx")],
)
def test_a_builder_that_says_little(said: list[str], message: str) -> None:
    progress = Progress()
    for line in said:
        list(progress.feed(line))
    found = progress.failure()
    assert (found.message, found.line, found.exit_code, found.log) == (message, 0, None, ())


def log(data: bytes, vertex: str = "v") -> str:
    return json.dumps({"logs": [{"vertex": vertex, "stream": 1, "data": base64.b64encode(data).decode()}]})


def fed(*texts: str) -> list[str]:
    progress = Progress()
    return lines([*(event for text in texts for event in progress.feed(text)), *progress.finish()])


def test_chunks_are_joined_to_lines_and_characters() -> None:
    data = "é\n漢字\nend".encode()
    assert fed(*(log(data[at : at + 1]) for at in range(len(data)))) == ["é", "漢字", "end"]


def test_lines_of_two_steps_are_kept_apart() -> None:
    assert fed(log(b"a", "1"), log(b"b", "2"), log(b"a\n", "1"), log(b"b\n", "2")) == ["aa", "bb"]


def test_bytes_that_are_no_text() -> None:
    assert fed(log(b"\xff\xfe\n")) == ["\ufffd\ufffd"]


def test_only_the_last_lines_are_kept_for_a_failure() -> None:
    progress = Progress()
    list(progress.feed(log(b"".join(b"%d\n" % n for n in range(LAST_LINES + 5)))))
    list(progress.feed('{"vertexes":[{"digest":"v","name":"[2/2] RUN x","error":"exit code: 3"}]}'))
    found = progress.failure()
    assert found.log == tuple(str(n) for n in range(5, LAST_LINES + 5)) and found.exit_code == 3


ODD = [
    "{",
    "{}",
    "[]",
    "{]",
    "null",
    '"x"',
    "{" * 50_000,
    '{"a":' * 100_000,
    "\0",
    '{"vertexes":null}',
    '{"vertexes":3}',
    '{"vertexes":{}}',
    '{"vertexes":[null]}',
    '{"vertexes":[3, "x", []]}',
    '{"vertexes":[{}]}',
    '{"vertexes":[{"digest":null}]}',
    '{"vertexes":[{"digest":[]}]}',
    '{"vertexes":[{"digest":"a","name":null,"started":"x","completed":"y"}]}',
    '{"vertexes":[{"digest":"a","name":7,"started":7,"completed":7}]}',
    '{"vertexes":[{"digest":"a","name":"[x 99999999999999999999/1] y","started":"2026-01-01T00:00:00Z"}]}',
    '{"vertexes":[{"digest":"a","error":{}}]}',
    '{"vertexes":[{"digest":"a","error":["x"]}]}',
    '{"logs":3}',
    '{"logs":[null, 3]}',
    '{"logs":[{}]}',
    '{"logs":[{"vertex":"a"}]}',
    '{"logs":[{"vertex":"a","data":3}]}',
    '{"logs":[{"vertex":"a","data":"not base64!"}]}',
    '{"logs":[{"vertex":"a","data":"=="}]}',
    '{"logs":[{"vertex":"a","data":"é"}]}',
    '{"logs":[{"vertex":[],"data":"eA=="}]}',
    '{"statuses":[3],"warnings":[null]}',
]


@pytest.mark.parametrize("line", ODD, ids=range(len(ODD)))
def test_odd_lines_are_passed_over(line: str) -> None:
    """The stream before and after them is read as if they were not there."""
    progress = Progress()
    recorded = (RECORDED / "failing.jsonl").read_text().splitlines(keepends=True)
    events = [event for text in (*recorded[:12], line, *recorded[12:]) for event in progress.feed(text)]
    assert [e for e in events if e.id.startswith("sha256:")] == read("failing")[0]
    assert progress.failure().exit_code == 7
    list(progress.finish())


@pytest.mark.parametrize("stream", STREAMS)
def test_torn_and_garbled_streams_never_raise(stream: str) -> None:
    text = (RECORDED / f"{stream}.jsonl").read_text()
    chance = random.Random(stream)
    for _ in range(40):
        broken = list(text)
        for _ in range(chance.randint(1, 200)):
            broken[chance.randrange(len(broken))] = chance.choice('{}[]",:0aZ\n\\ntrue')
        progress = Progress()
        for line in "".join(broken).splitlines(keepends=True)[chance.randint(0, 5) :]:
            list(progress.feed(line))
        list(progress.finish())
        assert isinstance(progress.failure(), BuildFailed)


def _log(stream: int, data: str) -> str:
    entry = {"vertex": "a", "stream": stream, "data": base64.b64encode(data.encode()).decode()}
    return json.dumps({"logs": [entry]}) + "\n"


def test_two_streams_do_not_cut_into_one_anothers_lines() -> None:
    progress = Progress()
    chunks = [_log(2, "+ echo"), _log(1, "hello\n"), _log(2, " hello\n"), _log(1, "rest")]
    events = [event for chunk in chunks for event in progress.feed(chunk)]
    assert lines([*events, *progress.finish()]) == ["hello", "+ echo hello", "rest"]
