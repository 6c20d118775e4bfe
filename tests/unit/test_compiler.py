"""The same project has the same key wherever it lies and whoever compiles it, and any change of it has another."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from imagebuilder import CompileError, Image, Secret, expand
from imagebuilder.compiler import Plan, compile, host_platform
from imagebuilder.diagnostics import Diagnostic
from imagebuilder.frontends.json_document import read
from imagebuilder.ir.stage import ordered

PLATFORM = "linux/amd64"

# Sets, so that the order of hashes would show if it reached the key.
IMAGE = """\
from imagebuilder import Image, expand

tool = Image.base("debian:12").add_text("all:\\n", "/Makefile").run_commands("make")
image = (
    Image.debian_slim("3.12")
    .arg("VERSION", "1")
    .apt_install({"git", "curl", "less", "file", "tree"})
    .pip_install({"six", "idna", "certifi", "requests", "attrs"}, extra_options="--no-deps")
    .pip_install_from_requirements("requirements.txt")
    .env({name: name.lower() for name in {"A", "B", "C", "D", "E"}})
    .env(PATH=expand("/opt/bin:${PATH}"))
    .label({name: "x" for name in {"a", "b", "c", "d", "e"}})
    .add_local_dir("src", "/srv", ignore="*.log")
    .add_local_file("run.sh", "/usr/local/bin/run")
    .add_local_python_source("app")
    .copy_from(tool, "/out", "/out")
    .workdir("/srv")
    .run_commands("make", "make install")
    .cmd(["run"])
)
"""

FILES = {
    "image.py": IMAGE,
    "requirements.txt": "six\n-r more.txt\n",
    "more.txt": "idna\n",
    "run.sh": "#!/bin/sh\nexec python -m app\n",
    "app/__init__.py": "VALUE = 1\n",
    "app/main.py": "print(1)\n",
    "src/.dockerignore": "secret\n",
    "src/a.txt": "a\n",
    "src/tool": "#!/bin/sh\n",
    "src/sub/b.txt": "b\n",
    "src/sub/B.txt": "B\n",
    "src/sub/é.txt": "e\n",
    "src/secret": "unused\n",
    "src/out.log": "unused\n",
}
PROGRAMS = ("run.sh", "src/tool")


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def write(folder: Path, mask: int = 0o022, mtime: int = 1_500_000_000, owner: int = 0) -> Path:
    """The project, as somebody with this mask and owner has it."""
    with umask(mask):
        for name, text in FILES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        for name in PROGRAMS:
            (folder / name).chmod(0o777 & ~mask)
        (folder / "src/empty").mkdir()
        (folder / "src/link").symlink_to("a.txt")
    for path in folder.rglob("*"):
        os.utime(path, (mtime, mtime), follow_symlinks=False)
        if os.geteuid() == 0:
            os.chown(path, owner, owner, follow_symlinks=False)
    return folder


def plan(folder: Path, platform: str = PLATFORM, **build_args: str) -> Plan:
    return compile(runpy.run_path(str(folder / "image.py"))["image"], platform=platform, build_args=build_args)


def key_in_a_process(folder: Path, seed: str, mask: int) -> str:
    code = f"import runpy; print(runpy.run_path('image.py')['image'].key('{PLATFORM}'))"
    env = {**os.environ, "PYTHONHASHSEED": seed}
    argv = [sys.executable, "-c", code]
    done = subprocess.run(argv, cwd=folder, env=env, umask=mask, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_two_copies_in_two_processes_have_one_key(tmp_path: Path) -> None:
    one = write(tmp_path / "one/project")
    other = write(tmp_path / "an other/é/project", mask=0o077, mtime=1_700_000_000, owner=1234)
    mine, theirs = ((folder / "src/sub/b.txt").stat() for folder in (one, other))
    assert mine.st_mode != theirs.st_mode and mine.st_mtime != theirs.st_mtime
    assert os.geteuid() != 0 or mine.st_uid != theirs.st_uid
    found = {key_in_a_process(one, "1", 0o022), key_in_a_process(other, "2", 0o077), plan(one).key}
    assert len(found) == 1 and found.pop().startswith("sha256:")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(tmp_path / "project")


def edit(name: str, old: str, new: str) -> Callable[[Path], object]:
    def change(root: Path) -> None:
        text = (root / name).read_text()
        assert text.count(old) == 1
        (root / name).write_text(text.replace(old, new))

    return change


def retarget(root: Path, target: str) -> None:
    (root / "src/link").unlink()
    (root / "src/link").symlink_to(target)


def swap(one: str, other: str) -> Callable[[Path], object]:
    """The description with two lines in each other's place."""

    def change(root: Path) -> None:
        lines = (root / "image.py").read_text().splitlines(keepends=True)
        first, second = (
            next(n for n, line in enumerate(lines) if line.startswith(f"    .{word}")) for word in (one, other)
        )
        lines[first], lines[second] = lines[second], lines[first]
        (root / "image.py").write_text("".join(lines))

    return change


CHANGES: dict[str, Callable[[Path], object]] = {
    "one byte of a folder's file": edit("src/a.txt", "a", "A"),
    "one byte of a file": edit("run.sh", "-m", "-M"),
    "one byte of a module": edit("app/__init__.py", "1", "2"),
    "one byte of the requirements": edit("requirements.txt", "six", "sex"),
    "one byte of what the requirements name": edit("more.txt", "idna", "idnb"),
    "one byte of a text": edit("image.py", "all:\\n", "all:\\t"),
    "a line end more": edit("src/a.txt", "a\n", "a\n\n"),
    "the executable bit": lambda root: (root / "src/tool").chmod(0o644),
    "an executable bit more": lambda root: (root / "src/a.txt").chmod(0o755),
    "the executable bit of a file": lambda root: (root / "run.sh").chmod(0o644),
    "a link's target": lambda root: retarget(root, "sub/b.txt"),
    "a link's spelling": lambda root: retarget(root, "./a.txt"),
    "a file's name": lambda root: (root / "src/a.txt").rename(root / "src/c.txt"),
    "the case of a file's name": lambda root: (root / "src/a.txt").rename(root / "src/A.txt"),
    "a file's folder": lambda root: (root / "src/a.txt").rename(root / "src/sub/a.txt"),
    "a file more": lambda root: (root / "src/more").touch(),
    "a file less": lambda root: (root / "src/sub/b.txt").unlink(),
    "an empty folder less": lambda root: (root / "src/empty").rmdir(),
    "a file that is no longer ignored": edit("src/.dockerignore", "secret", "other"),
    "a pattern": edit("image.py", '"*.log"', '"*.txt"'),
    "a version of the base": edit("image.py", '"3.12"', '"3.11"'),
    "a package": edit("image.py", '"less"', '"more"'),
    "a package less": edit("image.py", '"less", ', ""),
    "an option": edit("image.py", "--no-deps", "--no-cache-dir"),
    "a default": edit("image.py", '"VERSION", "1"', '"VERSION", "2"'),
    "a value": edit("image.py", "name.lower()", "name"),
    "an expansion that is none": edit("image.py", 'expand("/opt/bin:${PATH}")', '"/opt/bin:${PATH}"'),
    "a destination": edit("image.py", '"src", "/srv"', '"src", "/srv/"'),
    "a command": edit("image.py", '"make install"', '"make  install"'),
    "the order of two commands": edit("image.py", '"make", "make install"', '"make install", "make"'),
    "one layer more": edit("image.py", '"make", "make install"', '"make").run_commands("make install"'),
    "a list in place of a text": edit("image.py", '["run"]', '"run"'),
    "another stage": edit("image.py", '"debian:12"', '"debian:13"'),
    "the order of two steps": swap("apt_install", "pip_install("),
    "the order of two settings": swap("label", "workdir"),
    "the order of a file and a command": swap("add_local_file", "run_commands"),
    "the order of two steps of a stage": edit(
        "image.py", '.add_text("all:\\n", "/Makefile").run_commands("make")', '.run_commands("make").add_text("all:\\n", "/Makefile")'
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_key_changes_with(project: Path, change: Callable[[Path], object]) -> None:
    before = plan(project).key
    change(project)
    assert plan(project).key != before


KEEPS: dict[str, Callable[[Path], object]] = {
    "nothing": lambda root: None,
    "an ignored file": edit("src/secret", "unused", "other"),
    "a file that a pattern excludes": edit("src/out.log", "unused", "other"),
    "bytecode": lambda root: ((root / "app/__pycache__").mkdir(), (root / "app/__pycache__/main.pyc").touch()),
    "a file that nothing names": lambda root: (root / "README").touch(),
    "the place of every call": edit("image.py", "from imagebuilder import", "#\n#\nfrom imagebuilder import"),
    "the name of a variable": lambda root: (root / "image.py").write_text(IMAGE.replace("tool", "builder")),
    "what is said in another order": edit("image.py", '"git", "curl", "less"', '"less", "git", "curl"'),
    "what is said twice": edit("image.py", '"git", "curl"', '"git", "git", "curl"'),
    "what is said at length": edit("image.py", '"3.12")', '"3.12", debian="bookworm")'),
}


@pytest.mark.parametrize("change", KEEPS.values(), ids=KEEPS)
def test_the_key_is_kept_by(project: Path, change: Callable[[Path], object]) -> None:
    before = plan(project).key
    change(project)
    assert plan(project).key == before


# What a compilation is given -------------------------------------------------------------------------


def test_the_platform_is_part_of_the_key(project: Path) -> None:
    assert plan(project).key != plan(project, "linux/arm64").key
    assert plan(project, "linux/arm64").platform == "linux/arm64"


def test_without_a_platform_it_is_that_of_this_machine() -> None:
    image = Image.scratch().workdir("/")
    assert compile(image) == compile(image, platform=host_platform())
    assert compile(image).platform.startswith("linux/")


@pytest.mark.parametrize("platform", ["linux", "Linux/amd64", "linux/amd64,linux/arm64", "amd64 "])
def test_a_platform_that_is_none(platform: str) -> None:
    found = refusals(Image.scratch(), platform=platform)
    assert [(d.code, bool(d.help)) for d in found] == [("IB114", True)] and repr(platform) in found[0].message


def test_build_arguments_are_part_of_the_key(project: Path) -> None:
    found = {plan(project).key, plan(project, VERSION="2").key, plan(project, VERSION="").key}
    assert len(found) == 3
    assert plan(project, VERSION="1").key == plan(project, HTTPS_PROXY="http://proxy").key == plan(project).key


def refusals(image: Image, **options: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(CompileError) as caught:
        compile(image, **options)  # type: ignore[arg-type]
    return caught.value.diagnostics


def test_every_missing_file_is_found_at_once() -> None:
    image = (
        Image.scratch().add_local_file("gone", "/a").copy_from(Image.scratch().add_local_dir("lost", "/"), "/a", "/b")
    )
    found = refusals(image.add_local_file("absent", "/b"))
    assert [d.code for d in found] == ["IB201"] * 3 and all(d.place is not None for d in found)
    assert {name for name in ("gone", "lost", "absent") for d in found if name in d.message} == {
        "gone",
        "lost",
        "absent",
    }


def test_a_plan_is_of_core_operations_with_a_key_for_each(project: Path) -> None:
    found = plan(project)
    for stage in ordered(found.stage):
        assert len(found.keys[stage].steps) == len(stage.steps) and all(step.op.core for step in stage.steps)
    assert found.key == found.keys[found.stage].steps[-1]


def test_secrets_are_those_that_a_command_demands() -> None:
    tool = Image.scratch().run_commands("a", secrets=["B", Secret(name="A", target="/a")])
    image = Image.scratch().copy_from(tool, "/a", "/a").run_commands("a", secrets="C").pip_install("six", secrets="A")
    optional = image.dockerfile_commands("RUN --mount=type=secret,id=D --mount=type=ssh,required=true make")
    assert list(compile(image).secrets) == list(compile(optional).secrets) == ["B", "A", "C"]
    assert compile(Image.scratch()).secrets == {}


def test_one_path_named_in_two_folders_is_two_trees(tmp_path: Path) -> None:
    """A helper's files lie beside the helper."""
    found = Image.scratch()
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(name)
        (tmp_path / name / "helper.py").write_text("def add(image):\n    return image.add_local_file('a.txt', '/a')\n")
        found = runpy.run_path(str(tmp_path / name / "helper.py"))["add"](found)
    assert len(compile(found).trees) == len({tree.digest for tree in compile(found).trees.values()}) == 2


# Two images with one key -----------------------------------------------------------------------------------


def _key_of_json(folder: Path, step: str) -> str:
    return Image(
        read(f'{{"version": 1, "stages": [{{"base": {{"op": "scratch"}}, "steps": [{step}]}}]}}', folder)
    ).key()


def test_a_mount_of_a_file_mounts_the_file(tmp_path: Path) -> None:
    """As one of a folder that names the file, with which it shares its key."""
    (tmp_path / "x").write_text("x")
    mount = '{"op": "run", "command": ["y"], "mounts": [{"type": "bind", "target": "/t", %s}]}'
    document = '{"version": 1, "stages": [{"base": {"op": "scratch"}, "steps": [%s]}]}'
    file, folder = (
        compile(Image(read(document % (mount % origin), tmp_path)))
        for origin in ('"origin": {"path": "x", "kind": "file"}', '"source": "x", "origin": {"path": "."}')
    )
    assert file.key == folder.key
    for plan in (file, folder):
        assert ",source=files/x,target=/t" in plan.dockerfile().text


def test_a_pattern_of_plain_paths_covers_what_it_matches(tmp_path: Path) -> None:
    """The builder reads every source of COPY as a pattern: ``a[[]b`` is the file ``a[b``."""
    step = '{"op": "copy", "sources": ["a[[]b"], "dest": "/t/", "origin": {"path": ".", "literal": true}}'
    (tmp_path / "a[[]b").write_text("another")
    (tmp_path / "a[b").write_text("1")
    before = _key_of_json(tmp_path, step)
    (tmp_path / "a[b").write_text("2")
    assert _key_of_json(tmp_path, step) != before


def test_a_platform_that_no_flag_can_hold() -> None:
    """What only the renderer finds out has the place of the call that said it."""
    image = Image.base("debian", platform=expand("${X:-a b}"))
    with pytest.raises(CompileError, match="IB142") as caught:
        image.dockerfile()
    place = caught.value.diagnostics[0].place
    assert place is not None and place.resolve().file == __file__
