"""A uv project: what its uv.lock has for a base, and what is left to the image's own uv; read by the real one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from imagebuilder import Image
from imagebuilder.backends.dockerfile import lay_out
from imagebuilder.compiler import Plan, compile
from imagebuilder.ir.ops import Copy, Env, UvSync
from imagebuilder.ir.packages import Install, Python
from imagebuilder.ir.stage import Stage, ordered
from imagebuilder.resolve import project
from imagebuilder.resolve.ask import Left, Target
from imagebuilder.resolve.lock import LockFile
from imagebuilder.resolve.project import Project
from imagebuilder.resolve.resolver import Resolver, left_out, logins_of
from tests.unit.resolve.making import python

PLATFORM = "linux/amd64"
TARGET = Target("3.12.4", "x86_64-manylinux_2_36")
THERE = python(takes_venv=True)

PYPROJECT = """
[project]
name = "App.One"
version = "1"
requires-python = ">=3.11"
dependencies = ["a"]
[dependency-groups]
dev = ["b"]
lint = ["c"]
[project.optional-dependencies]
web = ["d"]
"""
HEAD = """
version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "app-one"
version = "1"
source = {{ virtual = "." }}
dependencies = [{{ name = "a"{marker} }}]
[package.optional-dependencies]
web = [{{ name = "d" }}]
[package.dev-dependencies]
dev = [{{ name = "b" }}]
lint = [{{ name = "c" }}]
"""


def package(name: str, *wheels: str, sdist: bool = True, source: str = '{ registry = "https://i.org/simple" }') -> str:
    """One of a uv.lock, with wheels of these tags."""
    at = f'hash = "sha256:{name * 64}", size = 5'
    lines = [f'[[package]]\nname = "{name}"\nversion = "1.0"\nsource = {source}']
    if sdist:
        lines.append(f'sdist = {{ url = "https://f.org/{name}-1.0.tar.gz", {at} }}')
    named = [f'{{ url = "https://f.org/{name}-1.0-{tags}.whl", {at} }}' for tags in wheels]
    return "\n".join([*lines, f"wheels = [{', '.join(named)}]", ""]) if wheels else "\n".join([*lines, ""])


ANY = "py3-none-any"
ALL = [package(name, ANY) for name in "abcd"]


def lock(*packages: str, marker: str = "") -> str:
    return HEAD.format(marker=f', marker = "{marker}"' if marker else "") + "\n".join(packages or ALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    made.mkdir()
    (made / "pyproject.toml").write_text(PYPROJECT)
    (made / "uv.lock").write_text(lock())
    return made


def found(text: str = "", pyproject: str = PYPROJECT, options: tuple[str, ...] = (), target: Target = TARGET) -> object:
    """Names of what is installed, or why it is left."""
    said = project.packages(Project(target, pyproject, text or lock(), options))
    return said.reason if isinstance(said, Left) else "".join(each.name for each in said)


def test_what_a_lock_has() -> None:
    said = project.packages(Project(TARGET, PYPROJECT, lock()))
    assert isinstance(said, tuple) and [each.name for each in said] == ["a", "b"], "and the group dev"
    file = said[0].files[0]
    assert (said[0].version, file.name, file.sha256, file.size) == ("1.0", "a-1.0-py3-none-any.whl", "a" * 64, 5)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (("--group=lint",), "abc"),
        (("--extra=web",), "abd"),
        (("--no-dev",), "a"),
        (("--only-dev",), "b"),
        (("--all-groups", "--all-extras"), "abcd"),
    ],
)
def test_groups_and_extras_choose(options: tuple[str, ...], names: str) -> None:
    assert found(options=options) == names


@pytest.mark.parametrize(
    ("marker", "names"),
    [
        ("sys_platform == 'win32'", "b"),
        ("sys_platform == 'linux'", "ab"),
        ("python_full_version < '3.12'", "b"),
        ("python_full_version >= '3.12.4'", "ab"),
        ("platform_machine == 'aarch64'", "b"),
    ],
)
def test_conditions_are_those_of_the_base(marker: str, names: str) -> None:
    assert found(lock(marker=marker)) == names


def test_the_wheel_is_the_one_that_uv_takes() -> None:
    text = lock(package("a", ANY, "cp312-cp312-manylinux_2_17_x86_64", "cp313-cp313-win_amd64"), *ALL[1:])
    said = project.packages(Project(TARGET, PYPROJECT, text))
    assert isinstance(said, tuple) and said[0].files[0].name == "a-1.0-cp312-cp312-manylinux_2_17_x86_64.whl"


@pytest.mark.parametrize(
    ("first", "why"),
    [
        (package("a"), "a has no wheel that fits"),
        (package("a", "cp313-cp313-win_amd64"), "a has no wheel that fits"),
        (package("a", "cp313-cp313-win_amd64", sdist=False), "a has no wheel that fits"),
        (package("a", sdist=False, source='{ git = "https://g.org/a?rev=1#' + "1" * 40 + '" }'), "from a repository"),
        (package("a", sdist=False, source='{ directory = "../a" }'), "a comes from a folder"),
        ("[[package]]", "uv cannot read its uv.lock"),
    ],
)
def test_what_is_left_to_the_images_uv(first: str, why: str) -> None:
    assert why in str(found(lock(first, *ALL[1:])))


def test_more_that_is_left() -> None:
    assert "depends on the machine" in str(found(lock(marker="platform_release >= '5'")))
    assert "not for Python 3.10.2" in str(found(target=replace(TARGET, python="3.10.2")))
    assert "not for Python 3.12.4" in str(found(pyproject=PYPROJECT.replace(">=3.11", ">=3.13")))
    assert "uv cannot read its uv.lock" in str(found(options=("--group=unknown",)))


@pytest.mark.parametrize(
    ("options", "more", "why"),
    [
        ({"frozen": False}, "", "compare its uv.lock"),
        ({"extra_options": "--no-binary"}, "", "--no-binary"),
        ({"extra_options": "--no-dev; rm"}, "", "the option --no-dev;"),
        ({"extra_options": "'"}, "", "the option '"),
        ({"secrets": ["UV_TARGET"]}, "", "UV_TARGET"),
        ({}, "[tool.uv]\nlink-mode = 'symlink'\n", "tool.uv.link-mode"),
        ({}, "[tool.uv.workspace]\nmembers = []\n", "tool.uv.workspace"),
        ({}, "[[tool.uv.index]]\nurl = 'https://me:s3cret@i.org'\n", "a login in its address"),
        ({}, "[project]\n", "describes no project"),
    ],
)
def test_requests_that_are_left(folder: Path, options: dict[str, object], more: str, why: str) -> None:
    (folder / "pyproject.toml").write_text(PYPROJECT + more)
    said = project.asked(UvSync(path=".", **options), folder, TARGET)
    assert isinstance(said, Left) and why in said.reason and "s3cret" not in said.reason


def test_requests_that_are_not(folder: Path) -> None:
    (folder / "pyproject.toml").write_text(
        PYPROJECT + "[tool.uv]\ndefault-groups = ['lint']\nexclude-newer = '2030-01-01'\n"
    )
    op = UvSync(
        path=".", groups=("dev",), extras=("web",), extra_options="-q --no-dev", secrets=("UV_INDEX_ACME_PASSWORD",)
    )
    said = project.asked(op, folder, TARGET)
    assert isinstance(said, Project) and said.options == ("--group=dev", "--extra=web", "--no-dev")
    assert (said.name, said.requires) == ("App.One", ">=3.11")


# In a build --------------------------------------------------------------------------------------------


def plan(image: Image) -> Plan:
    return compile(image, platform=PLATFORM)


def slim() -> Image:
    return Image.base("python:3.12-slim")


def resolved(image: Image, home: Path, by: Python = THERE) -> tuple[Stage, list[str]]:
    resolver = Resolver(home, lambda base: by)
    return resolver.resolved(plan(image)).stage, [each.reason for each in resolver.left]


def test_a_build_lays_it_out_in_a_virtual_environment(folder: Path, home: Path) -> None:
    stage, left = resolved(slim().uv_sync(folder), home)
    install, env = (step.op for step in stage.steps)
    assert left == [] and isinstance(install, Install) and isinstance(env, Env)
    assert {each.name for each in install.distributions} == {"a", "b"}
    assert install.python is not None and install.python.purelib == "/opt/venv/lib/python3.12/site-packages"
    assert install.venv in ordered(stage)
    assert install.venv is not None and install.venv.steps[0].place is not None, "a failure there has a line"


def test_its_virtual_environment_does_not_change_with_its_packages(folder: Path, home: Path) -> None:
    """So that a package added leaves that stage, and its layer, as they are."""

    def venv() -> Stage | None:
        install = resolved(slim().uv_sync(folder), home)[0].steps[0].op
        assert isinstance(install, Install)
        return install.venv

    before = venv()
    (folder / "uv.lock").write_text(lock(marker="sys_platform == 'win32'"))
    assert venv() == before
    (folder / "pyproject.toml").write_text(PYPROJECT.replace("App.One", "other"))
    (folder / "uv.lock").write_text(lock().replace("app-one", "other"))
    assert venv() != before


@pytest.mark.parametrize(
    ("before", "by", "why"),
    [
        (slim(), python(), "the base has something at /opt/venv"),
        (slim().add_text("x", "/opt/venv/x"), THERE, "files are put into /opt/venv/x before it"),
        (slim().copy_from("alpine", "/x", "/opt/"), THERE, "files are put into /opt before it"),
        (slim().run_commands("true"), THERE, "commands run before it"),
    ],
)
def test_where_it_is_left(folder: Path, home: Path, before: Image, by: Python, why: str) -> None:
    stage, left = resolved(before.uv_sync(folder), home, by)
    assert len(left) == 1 and why in left[0]
    assert not any(isinstance(step.op, Install) for step in stage.steps)


def test_files_beside_it_are_not_in_the_way(folder: Path, home: Path) -> None:
    stage, left = resolved(slim().add_text("x", "/opt/venv-x/x").apt_install("git").uv_sync(folder), home)
    assert left == [] and any(isinstance(step.op, Install) for step in stage.steps)


def test_a_plan_says_what_is_left(folder: Path) -> None:
    assert left_out(plan(slim().uv_sync(folder))) == []
    (left,) = left_out(plan(slim().uv_sync(folder, frozen=False)))
    assert left.verb == "uv_sync" and "compare" in left.reason


def test_a_lock_says_nothing_of_it(folder: Path, home: Path) -> None:
    """Its own is a file that the key covers."""
    image = slim().uv_sync(folder)
    empty = LockFile(home / "x.lock", {("python:3.12-slim", PLATFORM): "sha256:" + "0" * 64})
    stage, said = empty.pinned(plan(image).stage, PLATFORM)
    assert said == [] and not any(isinstance(step.op, Install) for step in stage.steps)
    resolver = Resolver(home, lambda base: THERE, lock=empty)
    resolver.resolved(plan(image))
    assert resolver.locked == [] and resolver.left == []


def test_logins_are_those_of_its_indexes(folder: Path) -> None:
    index = "[[tool.uv.index]]\nname = 'acme-x'\nurl = 'https://i.acme.org/simple'\n"
    (folder / "pyproject.toml").write_text(PYPROJECT + index)
    image = slim().uv_sync(folder, secrets=["UV_INDEX_ACME_X_USERNAME", "UV_INDEX_ACME_X_PASSWORD"])
    values = {"UV_INDEX_ACME_X_USERNAME": "me", "UV_INDEX_ACME_X_PASSWORD": "s3cret"}
    assert logins_of(plan(image), values).at("https://i.acme.org/files/a.whl") == ("me", "s3cret")
    assert logins_of(plan(image), {}).at("https://i.acme.org/files/a.whl") in (None, ("", ""))
    assert logins_of(plan(image), values).at("https://other.org/a.whl") is None


def test_the_environment_lies_on_its_packages(folder: Path, home: Path) -> None:
    stage = lay_out(resolved(slim().uv_sync(folder), home)[0])
    *_, last, _ = (step.op for step in stage.steps)
    assert isinstance(last, Copy) and last.link and (last.sources, last.dest) == (("/opt/venv",), "/opt/venv")
