"""Builds that fail: what of it reaches the author, what is kept, and that nothing is left lying about."""

from __future__ import annotations

import linecache
from collections.abc import Callable
from pathlib import Path

import pytest

from imagebuilder import Image
from imagebuilder.compiler import compile
from imagebuilder.diagnostics import BuildError, CompileError
from imagebuilder.engine.protocol import BuildFailed, BuildRequest
from imagebuilder.locks import lock
from tests.golden.locks import PLATFORM, locked
from tests.unit.building import Bench


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    return Bench(tmp_path)


def raiser(error: BaseException) -> Callable[[BuildRequest], None]:
    def fail(request: BuildRequest) -> None:
        raise error

    return fail


# Failures ---------------------------------------------------------------------------------------------


def failing(line: str) -> BuildFailed:
    """A command that fails at the end of the instruction that starts so."""
    image = compile(culprit(), platform="linux/amd64").dockerfile(ca=True)
    (last,) = (i.last for i in image.instructions if i.text.startswith(line))
    return BuildFailed("exit code: 3", line=last, exit_code=3, log=["first", "last words"])


def culprit() -> Image:
    return (
        Image.base("debian")
        .env(A="1")
        .run_commands("make", "exit 3")  # the culprit
        .workdir("/srv")
    )


def test_a_failed_command_is_explained_at_its_call(bench: Bench) -> None:
    bench.engine.fail = failing("RUN")
    with pytest.raises(BuildError) as caught:
        bench.build(culprit())
    (found,) = caught.value.diagnostics
    assert (found.code, found.message) == ("IB600", "run_commands failed with exit code 3")
    assert found.place is not None
    span = found.place.resolve()
    assert span.file == __file__ and "# the culprit" in linecache.getline(span.file, span.line)
    assert [note.message for note in found.notes] == [
        "the command was:\nset -ex\nmake\nexit 3",
        "the last lines of its log:\nfirst\nlast words",
    ]
    assert "imagebuilder snapshot logs app" in found.help


def test_a_digest_that_no_registry_has_may_be_a_locks(bench: Bench) -> None:
    image = Image.base(f"python:3.13-slim-trixie@sha256:{'0' * 64}")
    (last,) = (i.last for i in compile(image, platform=PLATFORM).dockerfile(ca=True).instructions)
    bench.engine.fail = BuildFailed("python: failed to resolve source metadata for python: no such host", line=last)
    with pytest.raises(BuildError) as caught:
        bench.build(image)
    (found,) = caught.value.diagnostics
    assert found.code == "IB602" and "imagebuilder lock TARGET --upgrade" in found.help


def test_what_a_lock_says_and_no_archive_has_any_more(bench: Bench) -> None:
    """A release of Debian keeps the newest version alone, so this is what becomes of an old lock."""
    image = Image.base("debian").apt_install("curl")
    plan = compile(image, platform=PLATFORM, lock=locked(image))
    dockerfile = plan.dockerfile(ca=True)
    (last,) = (i.last for i in dockerfile.instructions if i.text.startswith("RUN"))
    log = ["+ apt-get install", "E: Version '1.0-1' for 'curl' was not found", "E: Unable to locate package libcase1"]
    bench.engine.fail = BuildFailed("exit code: 100", line=last, exit_code=100, log=log)
    with pytest.raises(BuildError) as caught:
        bench.build(plan)
    (found,) = caught.value.diagnostics
    assert found.code == "IB678" and "curl=1.0-1, libcase1" in found.message
    assert found.place is not None and found.place.resolve().file == __file__
    assert "`imagebuilder lock`" in found.help and "snapshots" in found.help


def test_a_failure_is_kept_and_the_next_build_works(bench: Bench) -> None:
    bench.engine.fail = failing("RUN")
    with pytest.raises(BuildError):
        bench.build(culprit())
    kept = bench.store.get("app")
    assert (kept.state, kept.reason) == ("build_failed", "run_commands failed with exit code 3")
    log = bench.store.log_path(kept.id).read_text()
    assert log.endswith("hello from the build\n# run_commands make; exit 3: failed after 0.1 s\n")
    assert bench.build(culprit()).state == bench.store.get("app").state == "active"


@pytest.mark.parametrize(
    ("message", "shown", "hint"),
    [
        ("pull access denied", "the builder failed: pull access denied", "is the name right"),
        ('failed to compute cache key: failed to calculate checksum of ref a::b: "/x": not found',
         'the builder failed: "/x": not found', "is the path right?"),
        ("something else", "the builder failed: something else", ""),
    ],
)  # fmt: skip
def test_what_the_builder_refuses(bench: Bench, message: str, shown: str, hint: str) -> None:
    bench.engine.fail = BuildFailed(message, line=1)
    with pytest.raises(BuildError) as caught:
        bench.build()
    (found,) = caught.value.diagnostics
    assert (found.code, found.message) == ("IB602", shown)
    assert found.help.startswith(hint) and bool(found.help) == bool(hint)
    assert [note.message for note in found.notes] == ["from the Dockerfile's line 1: FROM debian"]


def test_a_failure_without_a_line_has_no_place(bench: Bench) -> None:
    bench.engine.fail = BuildFailed("no")
    with pytest.raises(BuildError) as caught:
        bench.build()
    assert (caught.value.diagnostics[0].place, caught.value.diagnostics[0].notes) == (None, ())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KeyboardInterrupt(), "interrupted"),
        (RuntimeError("boom"), "RuntimeError: boom"),
        (SystemExit(3), "SystemExit: 3"),
    ],
    ids=repr,
)
def test_whatever_ends_a_build_is_kept(bench: Bench, error: BaseException, reason: str) -> None:
    bench.engine.during = raiser(error)
    with pytest.raises(type(error)):
        bench.build(bench.project())
    found = bench.store.get("app")
    assert (found.state, found.reason) == ("build_failed", reason)
    assert bench.staged() == []


# Staged files -----------------------------------------------------------------------------------------


def test_the_engine_gets_a_copy_that_is_gone_afterwards(bench: Bench) -> None:
    seen: dict[str, str] = {}

    def look(request: BuildRequest) -> None:
        for name, path in request.contexts.items():
            assert isinstance(path, Path)
            seen.update({f"{name[:-13]}/{p.relative_to(path)}": p.read_text() for p in path.rglob("*") if p.is_file()})
        assert bench.staged() and list(request.context.iterdir()) == []

    bench.engine.during = look
    bench.build(bench.project())
    assert seen == {"src/files/a": "a", "b/files/b": "no line end"}
    assert bench.staged() == []


def test_nothing_stays_after_a_failure(bench: Bench) -> None:
    bench.engine.fail = BuildFailed("no")
    with pytest.raises(BuildError):
        bench.build(bench.project())
    assert len(bench.engine.requests) == 1 and bench.staged() == []


def test_what_a_killed_build_left_is_no_obstacle(bench: Bench) -> None:
    plan = compile(bench.project(), platform="linux/amd64")
    left = bench.store.home / "staging" / bench.store.lock_path(plan.key).name / "main"
    left.mkdir(parents=True)
    bench.engine.during = lambda request: (bench.folder / "left").write_text(str(list(request.context.iterdir())))
    (left / "old").touch()
    bench.build(plan)
    assert (bench.folder / "left").read_text() == "[]"


def test_a_file_that_changes_after_it_was_hashed_fails_the_build(bench: Bench) -> None:
    plan = compile(bench.project(), platform="linux/amd64")
    (bench.folder / "src/a").write_text("b")
    with pytest.raises(BuildError) as caught:
        bench.build(plan)
    assert caught.value.diagnostics[0].code == "IB210" and "src/a" in caught.value.diagnostics[0].message
    assert bench.engine.requests == [] and bench.staged() == []
    assert bench.store.get("app").state == "build_failed"


def test_a_value_that_no_dockerfile_holds_leaves_no_row(bench: Bench) -> None:
    with pytest.raises(CompileError, match="IB144"):
        bench.build(Image.base("debian").run_commands("x" * 70_000))
    assert bench.store.list() == [] and bench.engine.requests == []


def test_what_a_killed_build_left_is_swept_by_the_next(bench: Bench) -> None:
    """Of whatever key; a folder whose lock is held belongs to a build that runs."""
    staging = bench.store.home / "staging"
    for name in ("dead", "alive"):
        (staging / name / "main").mkdir(parents=True)
    (bench.store.locks / "before-it-staged").touch()
    with lock(bench.store.locks / "alive"):
        bench.build()
        assert sorted(path.name for path in bench.store.locks.iterdir()) == ["alive"]
    assert sorted(path.name for path in staging.iterdir()) == ["alive"]


@pytest.mark.parametrize(
    ("secrets", "code"),
    [
        ({"TOKEN": "x", "zz,id=TOKEN,src=/etc/hostname": "y"}, "IB112"),
        ({"TOKEN": "a\0b"}, "IB101"),
        ({"TOKEN": 5}, "IB100"),
    ],
)
def test_secrets_that_cannot_be(bench: Bench, secrets: dict[str, str], code: str) -> None:
    image = Image.base("debian").run_commands("x", secrets="TOKEN")
    with pytest.raises(CompileError) as caught:
        bench.build(image, secrets=secrets)
    assert [d.code for d in caught.value.diagnostics] == [code]
    assert bench.engine.requests == [] and bench.store.list() == []
