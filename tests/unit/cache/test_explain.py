"""Why something is built again: every kind of change, told as what it is, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from imagebuilder import Image, expand
from imagebuilder.cache import record as recording
from imagebuilder.cache.record import Record
from imagebuilder.compiler import Plan, compile
from imagebuilder.ir.keys import keys
from imagebuilder.ir.packages import Distribution, DistributionFile, Install
from tests.unit.cache.recorded import Past, again, planned, said

BASE = Image.base("debian:12")


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return Past(tmp_path / "home")


@pytest.fixture
def src(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    (folder / "deep").mkdir(parents=True)
    (folder / "app.py").write_text("one")
    (folder / "deep/b.py").write_text("two")
    return folder


ARGUMENTS: list[tuple[Image, Image, list[str]]] = [
    (BASE.apt_install("git"), BASE.apt_install("git", "curl"), ["the package curl was added"]),
    (BASE.pip_install("six==1", "idna"), BASE.pip_install("idna", "six==2"), ["the package six changed (==1 → ==2)"]),
    (BASE.pip_install("Six"), BASE.pip_install("six>1"), ["the package six changed (any version → >1)"]),
    (BASE.pip_install("six", "idna"), BASE.pip_install("six"), ["the package idna was removed"]),
    (BASE.npm_install("left-pad@1"), BASE.npm_install("left-pad@2"), ["the package left-pad changed (1 → 2)"]),
    (BASE.pip_install("six"), BASE.pip_install("six", pre=True), ["pre=yes was added"]),
    (BASE.env({"A": "1", "B": "2"}), BASE.env({"A": "1", "B": "3"}), ["the variable B changed (2 → 3)"]),
    (BASE.env({"A": "1"}), BASE.env({"A": "1", "C": "x y"}), ["the variable C='x y' was added"]),
    (BASE.env({"P": "/a"}), BASE.env({"P": expand("/b:${P}")}), ["the variable P changed (/a → /b:${P})"]),
    (BASE.label(a="1"), BASE.label(a="2"), ["the label a changed (1 → 2)"]),
    (BASE.workdir("/a"), BASE.workdir("/b"), ["path changed (/a → /b)"]),
    (BASE.run_commands("make"), BASE.run_commands("make all"), ["the command changed (make → 'make all')"]),
    (BASE.run_commands("a", "b"), BASE.run_commands("a"), ["the command b was removed"]),
    (BASE.run_commands("a"), BASE.run_commands("a\nb c"), ["the command 'b c' was added"]),
    (BASE.run_commands("a"), BASE.run_commands("a", network="none"), ["network=none was added"]),
    (BASE.cmd(["a", "b"]), BASE.cmd(["a", "c"]), ["b was removed from command", "c was added to command"]),
    (BASE.add_text("old", "/x"), BASE.add_text("new", "/x"), ["content changed (old → new)"]),
    (BASE.add_text("x", "/x"), BASE.add_text("x", "/x", chmod="600"), ["chmod=600 was added"]),
    (BASE.expose(80), BASE.expose(81), ["ports changed (80 → 81)"]),
    (BASE, Image.base("debian:13"), ["the base changed (debian:12 → debian:13)"]),
    (BASE, BASE.run_commands("x"), ["run_commands x is new"]),
    (BASE.run_commands("x"), BASE, ["run_commands x was removed"]),
    (BASE.run_commands("x").workdir("/a"), BASE.workdir("/a").run_commands("x"), ["workdir /a stands elsewhere now"]),
    (BASE.copy_from("a:1", "/x", "/y"), BASE.copy_from("a:2", "/x", "/y"), ["source changed (a:1 → a:2)"]),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "expected"), ARGUMENTS, ids=[each[2][0] for each in ARGUMENTS])
def test_arguments(past: Past, before: Image, after: Image, expected: list[str]) -> None:
    assert said(past.between(before, after)) == expected
    assert said(past.explained(before)) == [], "nothing changed against the last build itself"


def test_a_long_text_is_shown_from_where_it_differs(past: Past) -> None:
    (told,) = said(past.between(BASE.run_commands("x" * 300 + "old"), BASE.run_commands("x" * 300 + "new")))
    assert "old" in told and "new" in told and len(told) < 160


def test_what_comes_after_what_is_kept_on_record_changed_too(past: Past) -> None:
    before, after = (BASE.add_text("x" * 50_000 + end, "/x") for end in ("1", "2"))
    assert said(past.between(before, after)) == ["a long text of add_text changed"]


def append(folder: Path) -> None:
    (folder / "app.py").write_text("changed")


def executable(folder: Path) -> None:
    (folder / "deep/b.py").chmod(0o755)


def link(folder: Path) -> None:
    (folder / "app.py").unlink()
    (folder / "app.py").symlink_to("deep/b.py")


def folder_for_file(folder: Path) -> None:
    (folder / "app.py").unlink()
    (folder / "app.py").mkdir()


FILES: list[tuple[Callable[[Path], object], list[str]]] = [
    (append, ["src/app.py changed (sha256 7692c3… → d67e2e…)"]),
    (executable, ["src/deep/b.py became executable"]),
    (lambda folder: (folder / "new.py").write_text("new"), ["src/new.py was added"]),
    (lambda folder: (folder / "empty").mkdir(), ["src/empty was added"]),
    (lambda folder: (folder / "app.py").unlink(), ["src/app.py was removed"]),
    (lambda folder: (folder / "app.py").rename(folder / "main.py"), ["src/app.py was renamed to src/main.py"]),
    (lambda folder: (folder / "deep").rename(folder / "low"), ["src/deep/b.py was renamed to src/low/b.py"]),
    (link, ["src/app.py is a link now and was a file"]),
    (folder_for_file, ["src/app.py is a folder now and was a file"]),
]


@pytest.mark.parametrize(("change", "expected"), FILES, ids=[each[1][0] for each in FILES])
def test_files(
    past: Past, src: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object], expected: list[str]
) -> None:
    monkeypatch.chdir(src.parent)
    image = eval("BASE.add_local_dir('src', '/app').run_commands('make')")  # a call without a file of its own
    past.built(image)
    change(src)
    found = past.explained(image)
    assert said(found) == expected
    assert again(found) == ["add_local_dir src /app", "run_commands make"]
    assert found.causes[0].said.endswith(" and the step after it run again")


def test_a_link_that_leads_elsewhere(past: Past, src: Path) -> None:
    (src / "link").symlink_to("app.py")
    image = BASE.add_local_dir(src, "/app")
    past.built(image)
    (src / "link").unlink()
    (src / "link").symlink_to("deep")
    assert said(past.explained(image)) == [f"{src}/link leads to 'deep' now and led to 'app.py'"]


def test_many_files_are_counted(past: Past, src: Path) -> None:
    image = BASE.add_local_dir(src, "/app")
    past.built(image)
    for number in range(10):
        (src / f"n{number}").write_text("x" * number)
    found = past.explained(image)
    assert len(found.changes) == 10
    assert "and 7 more files changed, so" in found.causes[0].said


def test_requirements_are_told_by_package(past: Past, tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("six==1.16 # why\nidna\n--no-binary :all:\n")
    image = BASE.pip_install_from_requirements(file)
    past.built(image)
    file.write_text("six==1.17\nidna\n--no-binary :all:\nurllib3 >=2\n")
    assert said(past.explained(image)) == [
        "the package six changed in requirements.txt (==1.16 → ==1.17)",
        "the package urllib3>=2 was added in requirements.txt",
    ]
    past.built(image)
    file.write_text("six==1.17\nidna\n--no-binary :none:\nurllib3 >=2\n")
    (told,) = said(past.explained(image))
    assert told.startswith(f"{tmp_path}/requirements.txt changed (sha256 "), "what names no package is told as a file"


def test_a_lock_file_is_told_by_package(past: Past, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\n')
    lock = tmp_path / "uv.lock"
    lock.write_text('[[package]]\nname = "six"\nversion = "1.16"\n')
    image = BASE.uv_sync(tmp_path)
    past.built(image)
    lock.write_text('[[package]]\nname = "six"\nversion = "1.17"\n')
    assert said(past.explained(image)) == ["the package six changed in uv.lock (==1.16 → ==1.17)"]


def test_what_a_lock_says_is_told_by_package(past: Past) -> None:
    image = Image.base("python:3.13@sha256:" + "1" * 64).pip_install("six")

    def plan(version: str) -> Plan:
        found = Distribution(
            name="six",
            version=version,
            files=(DistributionFile(url="https://h/six-1-py3-none-any.whl", sha256=version * 64),),
        )
        compiled = compile(image, platform="linux/amd64")
        (step,) = compiled.stage.steps
        stage = replace(compiled.stage, steps=(replace(step, op=Install(distributions=(found,))),))
        return replace(compiled, stage=stage, keys=keys(stage, {}, "linux/amd64"))

    past.built(plan("1"))
    assert said(past.explained(plan("2"))) == ["the package six changed in the lock (1 → 2)"]
    assert said(past.explained(image)) == ["pip_install installs what no lock says now"]
    past.built(image)
    assert said(past.explained(plan("2"))) == ["pip_install installs what a lock says now"]


# What follows -----------------------------------------------------------------------------------------


def test_a_setting_runs_nothing_again(past: Past) -> None:
    found = past.between(BASE.label(a="1").run_commands("x"), BASE.label(a="2").run_commands("x"))
    assert found.causes[0].said.endswith("so no step runs again")
    assert again(found) == []


def test_a_variable_runs_the_commands_again_and_no_copy(past: Past) -> None:
    def image(value: str) -> Image:
        return BASE.env(A=value).add_text("x", "/x")

    assert again(past.between(image("1"), image("2"))) == []
    first, second = (image(value).run_commands("make") for value in "12")
    assert again(past.between(first, second)) == ["run_commands make"]


def test_what_was_built_before_does_not_run_again(past: Past) -> None:
    one, two = BASE.run_commands("one"), BASE.run_commands("two")
    past.built(one)
    past.built(two)
    found = past.explained(one)
    assert said(found) == ["the command changed (two → one)"]
    assert found.causes[0].said.endswith("so no step runs: what it leads to has been built before")


def test_a_stage_reaches_only_the_steps_after_its_reader(past: Past) -> None:
    def image(command: str) -> Image:
        tool = BASE.run_commands(command)
        return BASE.run_commands("first").copy_from(tool, "/a", "/b").run_commands("last")

    found = past.between(image("make"), image("make all"))
    assert again(found) == ["run_commands make all", "copy_from image /a /b", "run_commands last"]
    (cause,) = found.causes
    assert cause.said.endswith("and the 2 steps after it run again") and cause.changes[0].stage == 0


def test_each_cause_has_its_own_consequence(past: Past) -> None:
    before = BASE.run_commands("a").run_commands("b").run_commands("c")
    after = BASE.run_commands("a").run_commands("B").run_commands("C")
    found = past.between(before, after)
    assert [len(cause.again) for cause in found.causes] == [2, 1]
    assert found.causes[1].said.endswith("runs again") and "and the" not in found.causes[1].said


def test_the_platform(past: Past) -> None:
    past.built(compile(BASE.run_commands("x"), platform="linux/amd64"))
    found = past.explained(compile(BASE.run_commands("x"), platform="linux/arm64"))
    assert [cause.said for cause in found.causes] == [
        "the platform changed (linux/amd64 → linux/arm64), so the one step runs again"
    ]


def test_a_build_argument(past: Past) -> None:
    image = BASE.arg("VERSION", "1").run_commands("make")
    past.built(compile(image, platform="linux/amd64", build_args={"VERSION": "1"}))
    found = past.explained(compile(image, platform="linux/amd64", build_args={"VERSION": "2"}))
    assert said(found) == ["the build argument's value changed (1 → 2)"]
    assert again(found) == ["run_commands make"]


def test_another_phrasing_is_no_change(past: Past, src: Path) -> None:
    (src.parent / "Dockerfile").write_text("FROM debian:12\nCOPY src /app\nRUN make\n")
    dockerfile = Image.from_dockerfile(src.parent / "Dockerfile")
    fluent = BASE.add_local_dir(src, "/app").run_commands("make")
    past.built(fluent)
    (change,) = past.explained(dockerfile.label(a="b")).changes[:1]
    assert change.said == "label a is new" or "run" in change.said


def test_another_schema_is_said_to_be_imagebuilders(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    image = BASE.run_commands("x")
    monkeypatch.setattr("imagebuilder.ir.keys.SCHEMA", 1000)
    past.built(image)
    monkeypatch.undo()
    (told,) = said(past.explained(image))
    assert told.startswith("imagebuilder itself changed what this description stands for")


def test_a_key_that_moved_for_a_reason_that_no_record_shows(past: Past) -> None:
    image = BASE.run_commands("x")
    before = past.built(image)
    after = recording.record(planned(image), "app")
    changed = Record(after.name, "sha256:" + "0" * 64, after.platform, after.stages)
    from imagebuilder.cache.changes import changes

    (found,) = changes(before, changed, past.history.listing)
    assert found.kind == "imagebuilder", "there is never a moved key without a cause"


# Secrets ----------------------------------------------------------------------------------------------

TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


def test_no_secret_is_on_record(past: Past) -> None:
    def image(value: str) -> Image:
        return (
            BASE.env({"API_KEY": value, "MODE": "x"})
            .arg("DB_PASSWORD", value)
            .run_commands(f"curl -H 'Authorization: Bearer {value}' https://x")
            .run_commands(f"git clone https://user:{value}@host.example.org/x")
            .label({"com.example.token": value})
        )

    made = past.built(image("s3cr3t-Value-123"))
    past.built(image(TOKEN))
    for text in (made.dumped().decode(), recording.record(planned(image(TOKEN)), "app").dumped().decode()):
        assert "s3cr3t" not in text and TOKEN not in text
    found = past.explained(image("s3cr3t-Value-123"))
    assert "a value of env changed that is not shown, since it looks like a secret" in said(found)
    assert "s3cr3t" not in str(found) and TOKEN not in str(found)


def test_the_line_of_a_spec_is_kept_without_its_secrets() -> None:
    line = 'env API_KEY=s3cr3t-Value-123 MODE=x URL="https://me:pass-w0rd@host"'
    masked = recording.masked_line(line)
    assert "s3cr3t" not in masked and "pass-w0rd" not in masked and "MODE=x" in masked
    assert recording.masked_line('.env({"API_KEY": "s3cr3t-Value-123"})') == '.env({"API_KEY": "****************"})'


def test_there_is_a_cause_just_where_the_key_moved() -> None:
    from imagebuilder.cache.changes import changes

    images = [image for before, after, _ in ARGUMENTS for image in (before, after)]
    records = [recording.record(planned(image), "app") for image in images]
    for before in records:
        for after in records:
            assert bool(changes(before, after, lambda digest: None)) == (before.key != after.key)
