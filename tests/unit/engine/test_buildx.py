"""What buildx is asked to do, how its end is read, and that it is stopped with one signal."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from imagebuilder.diagnostics import EngineError, Interrupted
from imagebuilder.engine import buildx
from imagebuilder.engine.buildx import Buildx, find_program
from imagebuilder.engine.endpoint import Endpoint
from imagebuilder.engine.protocol import BuildFailed, BuildRequest, Event, LogEvent, SecretValue, StepEvent

VALUE = "s3cr3t-value"

# A buildx that writes down how it was called, and does what the test's $ACT says.
PROGRAM = f"""#!{sys.executable}
import json, os, signal, sys, time
words = sys.argv[1:]
record = {{"argv": words, "env": dict(os.environ), "session": os.getsid(0)}}
with open(os.environ["RECORD"], "w") as file:
    json.dump(record, file)
act = os.environ.get("ACT", "")
metadata = next((w.partition("=")[2] for w in words if w.startswith("--metadata-file=")), None)
if act == "version":
    print("github.com/docker/buildx v0.29.1 abc")
elif act == "check":
    print(os.environ["REPORT"])
    sys.exit(1)
elif act in ("hang", "import"):
    def stop(number, frame):
        with open(os.environ["RECORD"] + ".signals", "a") as file:
            file.write(f"{{number}}\\n")
        sys.exit(130)
    signal.signal(signal.SIGINT, stop)
    if act == "import":
        print('{{"vertexes":[{{"digest":"i","name":"importing cache manifest from r/a:cache-main",'
              '"started":"2026-01-01T00:00:00Z"}}]}}', file=sys.stderr, flush=True)
    print('{{"logs":[{{"vertex":"a","data":"dXAK"}}]}}', file=sys.stderr, flush=True)
    while True:
        time.sleep(0.05)
elif act == "fail":
    print('{{"vertexes":[{{"digest":"a","name":"[2/2] RUN x","error":"exit code: 3"}}]}}', file=sys.stderr)
    print("Dockerfile:2\\nERROR: failed to build: failed to solve: no", file=sys.stderr)
    sys.exit(1)
else:
    print('{{"vertexes":[{{"digest":"a","name":"[2/2] RUN x","started":"2026-01-01T00:00:00Z"}}]}}', file=sys.stderr)
    print('{{"logs":[{{"vertex":"a","data":"bm8gZW5k"}}]}}', file=sys.stderr)
    if act != "silent":
        with open(metadata, "w") as file:
            json.dump({{"containerimage.digest": "sha256:abc"}}, file)
"""


class Setup:
    """A buildx of the test's own, and how it was called last."""

    def __init__(self, tmp_path: Path) -> None:
        self.program = tmp_path / "docker-buildx"
        self.program.write_text(PROGRAM)
        self.program.chmod(0o755)
        self.record = tmp_path / "record.json"
        self.context = tmp_path / "context"
        self.dockerfile = tmp_path / "Dockerfile"
        self.buildx = Buildx(
            self.program, Endpoint("unix:///x", "test", env={"DOCKER_HOST": "unix:///x"}), tmp_path / "bx"
        )

    def request(self, **fields: object) -> BuildRequest:
        return BuildRequest(self.dockerfile, self.context, "imagebuilder/app:latest", "linux/amd64", **fields)

    def build(self, **fields: object) -> tuple[str, list[Event]]:
        events: list[Event] = []
        return self.buildx.build(self.request(**fields), events.append), events

    @property
    def argv(self) -> list[str]:
        return list(json.loads(self.record.read_text())["argv"])

    @property
    def env(self) -> dict[str, str]:
        return dict(json.loads(self.record.read_text())["env"])


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    made = Setup(tmp_path)
    monkeypatch.setenv("RECORD", str(made.record))
    monkeypatch.delenv("ACT", raising=False)
    return made


def test_a_plain_request(setup: Setup) -> None:
    digest, events = setup.build()
    metadata = next(word for word in setup.argv if word.startswith("--metadata-file="))
    assert setup.argv == [
        "build",
        f"--file={setup.dockerfile}",
        "--platform=linux/amd64",
        "--progress=rawjson",
        "--provenance=false",
        "--load",
        metadata,
        "--tag=imagebuilder/app:latest",
        "--",
        str(setup.context),
    ]
    assert digest == "sha256:abc"
    assert [type(event) for event in events] == [StepEvent, LogEvent]
    assert events[-1] == LogEvent("a", "no end"), "a last line that nothing ended is told"
    assert Path(metadata.partition("=")[2]).parent == setup.dockerfile.parent, "in the build's own folder"


def test_everything_that_can_be_asked_for(setup: Setup) -> None:
    setup.build(
        contexts={"src-1": Path("/a=b"), "src-2": Path("/c d")},
        build_args={"A": "x=y", "EMPTY": "", "LINES": "a\nb", "DASH": "--push"},
        secrets={"TOKEN": SecretValue(VALUE), "ca": SecretValue(file=Path("/etc/ca.pem"))},
        no_cache=True,
        builder="remote",
    )
    assert setup.argv[8:] == [
        "--builder=remote",
        "--no-cache",
        "--build-context=src-1=/a=b",
        "--build-context=src-2=/c d",
        "--build-arg=A=x=y",
        "--build-arg=EMPTY=",
        "--build-arg=LINES=a\nb",
        "--build-arg=DASH=--push",
        "--secret=id=TOKEN,env=IMAGEBUILDER_SECRET_0",
        "--secret=id=ca,src=/etc/ca.pem",
        "--",
        str(setup.context),
    ]


def test_a_push_goes_to_the_registry_alone(setup: Setup) -> None:
    setup.build(push="r/a:key", cache_to="r/a:cache-main")
    assert setup.argv[3:5] == ["--progress=rawjson", "--provenance=false"]
    assert setup.argv[5] == "--output=type=image,push=true,store=false,name=r/a:key"
    assert setup.argv[7] == "--cache-to=type=registry,ref=r/a:cache-main,mode=max,ignore-error=true"
    assert not any(word.startswith(("--load", "--tag")) for word in setup.argv)


def test_layers_of_a_registry(setup: Setup) -> None:
    setup.build(cache_from=["r/a:cache-fix", "r/a:cache-main"])
    assert setup.argv[8:10] == [f"--cache-from=type=registry,ref=r/a:cache-{name}" for name in ("fix", "main")]


def test_one_that_takes_too_long_is_stopped(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACT", "hang")
    with pytest.raises(BuildFailed, match=r"had not ended after 0\.5 s"):
        setup.build(limit=0.5)
    signals = setup.record.with_name("record.json.signals")
    assert signals.read_text().split() == [str(int(signal.SIGINT))]
    monkeypatch.delenv("ACT")
    assert setup.build(limit=30)[0] == "sha256:abc"


def test_layers_that_do_not_come_are_not_waited_for(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACT", "import")
    monkeypatch.setattr(buildx, "_IMPORT_LIMIT", 0.5)
    with pytest.raises(BuildFailed, match=r"importing cache manifest from r/a:cache-main had not ended after 0\.5 s"):
        setup.build(cache_from=["r/a:cache-main"])
    assert setup.record.with_name("record.json.signals").read_text().split() == [str(int(signal.SIGINT))]


@pytest.mark.parametrize("act", ["", "fail", "silent"])
def test_a_secrets_value_is_in_the_environment_alone(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, act: str
) -> None:
    monkeypatch.setenv("ACT", act)
    request = setup.request(secrets={"TOKEN": SecretValue(VALUE)})
    error = ""
    try:
        setup.buildx.build(request, lambda event: None)
    except (BuildFailed, EngineError) as caught:
        error = str(caught)
    assert (error == "") is (act == "")
    assert setup.env["IMAGEBUILDER_SECRET_0"] == VALUE
    assert VALUE not in "".join(setup.argv) + error + repr(request) + caplog.text
    assert "IMAGEBUILDER_SECRET_0" not in os.environ


@pytest.mark.parametrize("path", ["/a,b", '/a"b', "/a b", "/a,env=HOME", '/"quoted"', "/a\nb", "/a=b"])
def test_the_file_of_a_secret_may_have_any_name(setup: Setup, path: str) -> None:
    """buildx reads the option as CSV."""
    setup.build(secrets={"x": SecretValue(file=Path(path))})
    option = next(word for word in setup.argv if word.startswith("--secret="))
    assert list(csv.reader(io.StringIO(option.removeprefix("--secret="), newline=""))) == [["id=x", f"src={path}"]]


def test_the_engine_and_the_state_folder(setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a builder of the person's own, their choice of one is not taken either."""
    monkeypatch.setenv("BUILDX_BUILDER", "theirs")
    monkeypatch.setenv("BUILDX_CONFIG", "/theirs")
    setup.build()
    env = setup.env
    assert (env["DOCKER_HOST"], env["BUILDX_CONFIG"], env["BUILDX_BUILDER"]) == ("unix:///x", str(tmp_path / "bx"), "")
    assert env["BUILDX_NO_DEFAULT_ATTESTATIONS"] == "1"
    setup.build(builder="mine")
    assert setup.env["BUILDX_CONFIG"] == "/theirs"


def test_the_builder_gets_no_signal_of_the_terminal(setup: Setup) -> None:
    """Ctrl-C reaches every process of the terminal's session; buildx gets the one signal that it is sent."""
    setup.build()
    assert json.loads(setup.record.read_text())["session"] != os.getsid(0)


def test_a_failure(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACT", "fail")
    with pytest.raises(BuildFailed) as caught:
        setup.build()
    assert (caught.value.line, caught.value.exit_code, caught.value.message) == (2, 3, "no")


def test_an_image_without_a_digest(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACT", "silent")
    with pytest.raises(EngineError, match="IB507"):
        setup.build()


def test_an_interrupt_is_one_signal(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACT", "hang")

    def press(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        setup.buildx.build(setup.request(), press)
    assert caught.value.exit_code == 130 and caught.value.diagnostics[0].code == "IB601"
    assert Path(f"{setup.record}.signals").read_text() == f"{int(signal.SIGINT)}\n"


def test_an_error_of_the_listener_stops_the_builder(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACT", "hang")
    started = []
    spawn = buildx.command.spawn

    def spawned(*args: object, **options: object) -> subprocess.Popen[bytes]:
        started.append(spawn(*args, **options))  # type: ignore[arg-type]
        return started[-1]

    monkeypatch.setattr(buildx.command, "spawn", spawned)

    def listener(event: Event) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        setup.buildx.build(setup.request(), listener)
    assert started[0].poll() == 130


def test_check(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACT", "check")
    monkeypatch.setenv("REPORT", '{"warnings": [{"ruleName": "X"}], "buildError": {"message": "no"}}')
    assert setup.buildx.check(setup.request()) == [{"ruleName": "X"}, {"message": "no"}]
    assert setup.argv[:2] == ["build", "--call=check,format=json"]
    assert not any(word.startswith(("--tag", "--load", "--progress")) for word in setup.argv)
    monkeypatch.setenv("REPORT", "no JSON")
    with pytest.raises(EngineError, match="IB505"):
        setup.buildx.check(setup.request())


def test_version(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACT", "version")
    assert setup.buildx.version() == "v0.29.1"


def test_overhead_of_the_arguments(setup: Setup) -> None:
    """A thousand build arguments are prepared in no time to speak of."""
    request = setup.request(build_args={f"A{n}": "x" * 100 for n in range(1000)})
    started = time.perf_counter()
    assert len(buildx._arguments(request, Path("/m"))) == 1010
    assert time.perf_counter() - started < 0.05


# Finding the program --------------------------------------------------------------------------------


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without buildx."""
    monkeypatch.setattr(buildx, "_PLUGIN_FOLDERS", (str(tmp_path / "system"),))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}{os.pathsep}")
    monkeypatch.setattr(
        "imagebuilder.engine.embedded.engine.tools",
        lambda home: SimpleNamespace(buildx=found if (found := home / "docker-buildx").exists() else None),
    )
    return tmp_path


def program(folder: Path, mode: int = 0o755) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "docker-buildx"
    path.touch()
    path.chmod(mode)
    return path


def test_where_buildx_is_looked_for(nowhere: Path) -> None:
    """The person's own first, the embedded engine's last."""
    embedded = program(nowhere / "embedded")
    assert find_program(embedded.parent) == embedded
    for folder in ("path", "system", "config/cli-plugins"):
        newest = program(nowhere / folder)
        assert find_program(embedded.parent) == newest


def test_what_cannot_be_run_is_not_it(nowhere: Path) -> None:
    program(nowhere / "system", 0o644)
    with pytest.raises(EngineError) as caught:
        find_program(nowhere / "missing")
    found = caught.value.diagnostics[0]
    assert found.code == "IB506" and "imagebuilder engine start" in found.help


def test_a_program_that_does_not_start(tmp_path: Path) -> None:
    missing = Buildx(tmp_path / "gone", Endpoint("unix:///x", "test"), tmp_path)
    with pytest.raises(EngineError) as caught:
        missing.version()
    assert caught.value.diagnostics[0].code == "IB501" and "gone" in caught.value.diagnostics[0].message


def test_a_build_that_lost_track_of_a_step_is_made_again_in_the_end_without_a_cache(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BuildKit does when it cancels a step for a client that was killed while it runs it for another."""
    tries: list[bool] = []
    monkeypatch.setattr("imagebuilder.engine.buildx._PAUSE", 0)

    def build(self: Buildx, request: BuildRequest, on_event: object) -> str:
        tries.append(request.no_cache)
        if len(tries) < 3:
            raise BuildFailed("failed to commit x: failed to stat active key during commit: snapshot y does not exist")
        return "sha256:abc"

    monkeypatch.setattr(Buildx, "_build", build)
    assert setup.build()[0] == "sha256:abc" and tries == [False, False, True]
    monkeypatch.setattr(Buildx, "_build", lambda *_: (_ for _ in ()).throw(BuildFailed("exit code: 1")))
    with pytest.raises(BuildFailed, match="exit code: 1"):
        setup.build()
