"""A registry saves work where it can, is told of once where it cannot, and never ends a build."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder import Image
from imagebuilder.cache.branches import Branches, tag
from imagebuilder.cache.registry import Found, Registry, connect, leaks, push_limit
from imagebuilder.compiler import compile
from imagebuilder.diagnostics import CompileError, Diagnostic
from imagebuilder.engine.imagetools import Manifest, RegistryError
from tests.unit.building import FakeTools

KEY = "sha256:" + "ab" * 32
TAG = "ghcr.io/team/cache:key-sha256-" + "ab" * 32
DIGEST = "sha256:" + "cd" * 32


def registry(tools: FakeTools, *branches: str) -> Registry:
    return Registry("ghcr.io/team/cache", lambda: tools, Branches("fix", branches))


def test_what_it_has_is_found_by_its_key() -> None:
    tools = FakeTools({TAG: Manifest(DIGEST, 100, True)})
    assert registry(tools).find(KEY, pytest.fail) == Found(f"ghcr.io/team/cache@{DIGEST}", DIGEST, 100)
    assert registry(tools).find(KEY.replace("a", "c"), pytest.fail) is None


def test_one_that_fails_is_told_of_once_and_left_alone() -> None:
    tools, told = FakeTools({}), list[Diagnostic]()
    tools.error = RegistryError("no answer within 10 s")
    cache = registry(tools, "main")
    assert cache.usable
    assert cache.find(KEY, told.append) is None and cache.find(KEY, told.append) is None
    assert cache.layers("app", told.append) == () and len(tools.asked) == 1 and not cache.usable
    (warning,) = told
    assert (warning.code, warning.severity) == ("IB641", "warning")
    assert warning.message == "the build goes on without the cache ghcr.io/team/cache: no answer within 10 s"


def test_what_stands_under_a_key_and_is_no_image_is_not_taken() -> None:
    told: list[Diagnostic] = []
    assert registry(FakeTools({TAG: Manifest(DIGEST, 0, False)})).find(KEY, told.append) is None
    assert [each.code for each in told] == ["IB641"]


def test_only_layers_that_are_there_are_given_to_the_builder() -> None:
    there = f"ghcr.io/team/cache:{tag('main', 'app')}"
    tools = FakeTools({there: Manifest(DIGEST, 0, False)})
    cache = registry(tools, "main", "master")
    assert cache.layers("app:1", pytest.fail) == (there,)
    assert sorted(tools.asked) == sorted(f"ghcr.io/team/cache:{tag(name, 'app')}" for name in ("fix", "main", "master"))
    assert cache.written("app:2") == f"ghcr.io/team/cache:{tag('fix', 'app')}"
    assert Registry("ghcr.io/team/cache", lambda: tools, Branches(None)).written("app") is None


def test_the_builder_is_sent_only_where_what_it_reads_first_is_read() -> None:
    """Of a registry that then says nothing it would wait for ever, and so would the next build."""
    there = f"ghcr.io/team/cache:{tag('main', 'app')}"
    tools = FakeTools({there: Manifest(DIGEST, 0, False, "sha256:" + "ef" * 32)})
    assert registry(tools, "main").layers("app", pytest.fail) == (there,)
    assert "ghcr.io/team/cache@sha256:" + "ef" * 32 in tools.asked
    tools.unread, told = RegistryError("no answer within 10 s"), list[Diagnostic]()
    assert registry(tools, "main").layers("app", told.append) == ()
    assert [each.code for each in told] == ["IB641"]


def test_layers_whose_list_was_cleaned_up_are_none_and_are_written_again() -> None:
    there, listed = f"ghcr.io/team/cache:{tag('main', 'app')}", "sha256:" + "ef" * 32
    tools = FakeTools({there: Manifest(DIGEST, 0, False, listed)})
    tools.gone = {f"ghcr.io/team/cache@{listed}"}
    cache = registry(tools, "main")
    assert cache.layers("app", pytest.fail) == () and cache.usable


@pytest.mark.parametrize(
    "ref", ["cache", "ghcr.io/team/cache:latest", f"ghcr.io/team/cache@{DIGEST}", "Ghcr.io/Team", "a b/c", "/x"]
)
def test_what_is_no_repository_is_refused(ref: str, tmp_path: Path) -> None:
    with pytest.raises(CompileError) as error:
        connect(ref, tmp_path)
    assert error.value.diagnostics[0].code == "IB640" and repr(ref) in str(error.value)


@pytest.mark.parametrize("ref", ["http://127.0.0.1:5000/app", "HTTPS://ghcr.io/team/app"])
def test_an_address_of_the_web_is_told_how_to_be_a_repository(ref: str, tmp_path: Path) -> None:
    with pytest.raises(CompileError) as error:
        connect(ref, tmp_path)
    assert f"write {ref.partition('://')[2]}," in error.value.diagnostics[0].help


@pytest.mark.parametrize("ref", ["team/cache", "127.0.0.1:5000/cache", "localhost/cache", "ghcr.io/a/b/c"])
def test_repositories(ref: str, tmp_path: Path) -> None:
    assert connect(ref, tmp_path).tag(KEY) == f"{ref}:key-sha256-{'ab' * 32}"


def test_without_buildx_there_is_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setattr("imagebuilder.engine.buildx._PLUGIN_FOLDERS", ())
    told: list[Diagnostic] = []
    assert connect("team/cache", tmp_path).find(KEY, told.append) is None
    assert "buildx is not installed" in told[0].message and "install the package" in told[0].help


def test_a_larger_image_may_take_longer() -> None:
    assert push_limit(0) == 120 and push_limit(2_000_000_000) == 2120


TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


@pytest.mark.parametrize(
    ("image", "args", "leaking"),
    [
        (Image.base("debian").arg("API_TOKEN", ""), {"API_TOKEN": "hunter2x9"}, True),
        (Image.base("debian").arg("VERSION", ""), {"VERSION": TOKEN}, True),
        (Image.base("debian").env({"X": TOKEN}), {}, True),
        (Image.base("debian").arg("VERSION", "1"), {"VERSION": "2"}, False),
        (Image.base("debian").env({"POSTGRES_PASSWORD": "postgres-dev"}), {}, False),
    ],
)
def test_an_image_with_a_secret_in_its_history_stays_here(image: Image, args: dict[str, str], leaking: bool) -> None:
    found = leaks(compile(image, build_args=args).stage)
    assert (found is not None) is leaking
    if found is not None:
        assert found.code == "IB643" and found.severity == "warning"
        assert not any(value in found.render() for value in args.values()) and TOKEN not in found.render()
