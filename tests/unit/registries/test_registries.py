"""Adding, listing, replacing and removing; what is refused, and why."""

from __future__ import annotations

import base64
import json
import threading
from typing import Any

import pytest

from imagebuilder.diagnostics import CompileError, ImagebuilderError
from imagebuilder.registries import PRESETS, Registries
from imagebuilder.registries.presets import of_host
from tests.unit.registries.conftest import Docker

GOOGLE = json.dumps({"type": "service_account", "private_key": "-----BEGIN"})


def code(caught: pytest.ExceptionInfo[ImagebuilderError]) -> str:
    found = caught.value.diagnostics[0]
    assert found.help, "each says what to do"
    return found.code


def test_add_list_get_remove(registries: Registries) -> None:
    registries.add("b", url="https://GHCR.io/team/", username="me", password="x")
    registries.add("a", username="me", password="y")
    assert [(r.name, r.url, r.project, r.username) for r in registries.list()] == [
        ("a", "docker.io", "", "me"),
        ("b", "ghcr.io", "team", "me"),
    ]
    assert registries.get("b").as_json().keys() == {"name", "url", "username", "project", "kept_in", "created_at"}
    assert registries.remove("b").name == "b" and [r.name for r in registries.list()] == ["a"]
    with pytest.raises(CompileError) as caught:
        registries.get("b")
    assert code(caught) == "IB722"
    with pytest.raises(CompileError):
        registries.remove("b")


def test_what_is_taken(registries: Registries) -> None:
    registries.add("a", url="ghcr.io", username="me", password="x")
    with pytest.raises(CompileError) as caught:
        registries.add("a", url="x.io", username="me", password="x")
    assert code(caught) == "IB723" and "--replace" in str(caught.value)
    with pytest.raises(CompileError) as caught:
        registries.add("b", url="https://ghcr.io", username="you", password="x")
    assert code(caught) == "IB723" and "'a'" in str(caught.value)
    registries.add("b", url="ghcr.io", project="team", username="you", password="x")
    found = registries.add("a", url="ghcr.io", username="you", password="z", replace=True)
    assert registries.get("a") == found and len(registries.list()) == 2
    assert registries._login(found).password == "z"


def test_replacing_keeps_what_is_not_given(registries: Registries, docker: Docker) -> None:
    """A new token is all that is said; where it is kept stays, too."""
    docker.configure(credsStore="test")
    registries.add("a", url="http://x.io", project="team", username="me", password="old", keep_in="file")
    found = registries.add("a", password="new", replace=True)
    assert (found.url, found.project, found.username, found.kept_in) == ("http://x.io", "team", "me", "file")
    found = registries.add("a", username="you", project="", password="new", replace=True, keep_in="helper")
    assert (found.url, found.project, found.username, found.kept_in) == ("http://x.io", "", "you", "helper:test")
    found = registries.add("a", url="y.io/other", password="new", replace=True)
    assert (found.url, found.project, found.username) == ("y.io", "other", "you")
    ecr = PRESETS["ecr"].example
    registries.add("e", preset="ecr", url=ecr, password="old")
    for preset in (None, "ecr"):
        assert registries.add("e", preset=preset, password="new", replace=True).host == ecr
    assert registries.add("b", username="me", password="x", replace=True).host == "docker.io", "none is replaced"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"name": "a b"}, "IB721"),
        ({"url": "harbor"}, "IB721"),
        ({"url": "https://me:pw@ghcr.io"}, "IB721"),
        ({"project": "Team"}, "IB721"),
        ({"username": ""}, "IB721"),
        ({"username": "a:b"}, "IB721"),
        ({"username": "a\nb"}, "IB721"),
        ({"preset": "gcr"}, "IB721"),
        ({"preset": "ecr", "url": ""}, "IB721"),
        ({"preset": "ghcr", "url": "docker.io"}, "IB721"),
        ({"password": ""}, "IB724"),
        ({"password": "a\0b"}, "IB724"),
        ({"preset": "gar", "url": "europe-docker.pkg.dev", "username": ""}, "IB724"),
    ],
)
def test_what_is_refused(registries: Registries, given: dict[str, Any], told: str) -> None:
    with pytest.raises(CompileError) as caught:
        registries.add(**{"name": "a", "url": "ghcr.io", "username": "me", "password": "hunter2", **given})
    assert code(caught) == told and "hunter2" not in str(caught.value)
    assert registries.list() == []


@pytest.mark.parametrize(
    ("preset", "given", "url", "username"),
    [
        ("dockerhub", {"username": "me"}, "docker.io", "me"),
        ("ghcr", {"username": "me"}, "ghcr.io", "me"),
        ("gar", {"url": "europe-west1-docker.pkg.dev", "password": GOOGLE}, "europe-west1-docker.pkg.dev", "_json_key"),
        ("gar", {"url": "eu.gcr.io", "username": "oauth2accesstoken"}, "eu.gcr.io", "oauth2accesstoken"),
        (
            "ecr",
            {"url": "123456789012.dkr.ecr.eu-west-1.amazonaws.com"},
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "AWS",
        ),
    ],
)
def test_presets(registries: Registries, preset: str, given: dict[str, Any], url: str, username: str) -> None:
    found = registries.add("a", preset=preset, **{"password": "x", **given})
    assert (found.url, found.username) == (url, username) and of_host(found.host) is PRESETS[preset]


def test_a_preset_says_what_the_password_is(registries: Registries) -> None:
    for preset, url in (("dockerhub", ""), ("ecr", PRESETS["ecr"].example)):
        with pytest.raises(CompileError) as caught:
            registries.add("a", url=url, preset=preset, username="me", password="")
        assert PRESETS[preset].password in caught.value.diagnostics[0].help


def test_whose_an_image_is(registries: Registries) -> None:
    registries.add("hub", username="me", password="p-hub")
    registries.add("team", url="ghcr.io", project="team", username="you", password="p-team")
    assert registries.of("ghcr.io/other/app") is None and registries.header("ghcr.io/other/app") is None
    for ref, user, password, server in (
        ("python:3.12", "me", "p-hub", "https://index.docker.io/v1/"),
        ("ghcr.io/team/app@sha256:00", "you", "p-team", "ghcr.io"),
    ):
        header = registries.header(ref)
        assert header is not None
        told = json.loads(base64.urlsafe_b64decode(header))
        assert told == {"username": user, "password": password, "serveraddress": server}


def test_two_that_add_at_once(registries: Registries) -> None:
    """One of them is told that the name is taken."""
    failed: list[ImagebuilderError] = []

    def add(password: str) -> None:
        try:
            registries.add("a", username="me", password=password)
        except ImagebuilderError as error:
            failed.append(error)

    threads = [threading.Thread(target=add, args=(password,)) for password in ("p1", "p2", "p3")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(registries.list()) == 1 and [e.diagnostics[0].code for e in failed] == ["IB723", "IB723"]


def test_an_image_of_another_host_is_not_tested(registries: Registries) -> None:
    registries.add("a", url="ghcr.io", username="me", password="x")
    with pytest.raises(CompileError) as caught:
        registries.test("a", "python:3.12")
    assert code(caught) == "IB721" and "ghcr.io/" in caught.value.diagnostics[0].help
