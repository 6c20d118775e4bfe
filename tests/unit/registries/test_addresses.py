"""Addresses as people write them, and whose an image is."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebuilder.diagnostics import Invalid
from imagebuilder.registries import Registry, addresses
from imagebuilder.registries.addresses import address, belongs, host_of_key, project_path, registry_name, split


def test_doctests() -> None:
    assert doctest.testmod(addresses).failed == 0


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("", ("docker.io", "")),
        ("docker.io", ("docker.io", "")),
        ("https://index.docker.io/v1/", ("docker.io", "")),
        ("registry-1.docker.io", ("docker.io", "")),
        ("https://hub.docker.com/", ("docker.io", "")),
        (" GHCR.io ", ("ghcr.io", "")),
        ("https://ghcr.io/team/", ("ghcr.io", "team")),
        ("localhost:5000", ("localhost:5000", "")),
        ("http://127.0.0.1:5000/v2/", ("http://127.0.0.1:5000", "")),
    ],
)
def test_addresses(url: str, found: tuple[str, str]) -> None:
    assert address(url) == found


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://x.io", "not a registry's address"),
        ("https://", "not a registry's address"),
        ("exa mple.io", "not a registry's address"),
        ("https://me:hunter2@ghcr.io", "a user or password"),
        ("harbor", "a user of Docker Hub"),
    ],
)
def test_what_is_no_address(url: str, why: str) -> None:
    if url != "https://":
        with pytest.raises(Invalid, match=why) as caught:
            address(url)
        assert caught.value.code == "IB721" and caught.value.help and "hunter2" not in str(caught.value)
    else:
        assert address(url) == ("docker.io", ""), "blank is Docker Hub"


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "x" * 64, "a\n"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(Invalid, match="not a registry's name"):
        registry_name(name)


def test_projects() -> None:
    assert project_path("/team/", "ghcr.io") == "team" == project_path("ghcr.io/team", "ghcr.io")
    for wrong in ("Team", "a b", "a//b", "team:1"):
        with pytest.raises(Invalid, match="not a project"):
            project_path(wrong, "ghcr.io")


@pytest.mark.parametrize(
    ("ref", "found"),
    [
        ("python", ("docker.io", "library/python")),
        ("me/app:1", ("docker.io", "me/app")),
        ("docker.io/me/app", ("docker.io", "me/app")),
        ("index.docker.io/python:3", ("docker.io", "library/python")),
        ("localhost/app", ("localhost", "app")),
        ("127.0.0.1:5000/a/b:1@sha256:00", ("127.0.0.1:5000", "a/b")),
        ("Upper/app", ("upper", "app")),
    ],
)
def test_names_are_read_as_docker_reads_them(ref: str, found: tuple[str, str]) -> None:
    assert split(ref) == found


def test_keys_of_dockers_configuration() -> None:
    assert {host_of_key(key) for key in ("https://index.docker.io/v1/", "docker.io", "index.docker.io")} == {
        "docker.io"
    }
    assert {host_of_key(key) for key in ("ghcr.io", "https://ghcr.io", "https://ghcr.io/v2/", "GHCR.io")} == {"ghcr.io"}


WORDS = st.sampled_from(["a", "ab", "b", "library"])
PATHS = st.lists(WORDS, min_size=1, max_size=4)
HOSTS = st.sampled_from(["docker.io", "ghcr.io", "ghcr.io:443", "localhost", "127.0.0.1:5000"])
TAGS = st.sampled_from(["", ":1", ":a.b", "@sha256:" + "0" * 64, ":1@sha256:" + "0" * 64])


@given(HOSTS, PATHS, TAGS, st.sets(st.tuples(HOSTS, st.lists(WORDS, max_size=3).map("/".join)), max_size=8))
def test_an_image_belongs_to_the_longest_match(
    host: str, path: list[str], tag: str, there: set[tuple[str, str]]
) -> None:
    """Whole parts of a path are compared, and another host's login is never taken."""
    registries = [Registry(f"r{n}", h, "me", project) for n, (h, project) in enumerate(sorted(there))]
    found = belongs("/".join([host, *path]) + tag, registries)
    full = ["library", *path] if host == "docker.io" and len(path) == 1 else path
    expected = next(
        (("/".join(full[:n])) for n in range(len(full), -1, -1) if (host, "/".join(full[:n])) in there), None
    )
    if expected is None:
        assert found is None
    else:
        assert found is not None and (found.host, found.project) == (host, expected)
    if host == "docker.io":
        assert belongs("/".join(path) + tag, registries) == found, "the host of Docker Hub may be left out"


def test_a_project_ends_where_its_name_does() -> None:
    assert belongs("ghcr.io/team-two/app", [Registry("r", "ghcr.io", "me", "team")]) is None
    assert belongs("ghcr.io/team:1", [r := Registry("r", "ghcr.io", "me", "team")]) == r
