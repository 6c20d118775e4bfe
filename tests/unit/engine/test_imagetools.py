"""What a registry is asked, and how its answers are read."""

from __future__ import annotations

import json
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest

from imagebuilder.engine.imagetools import Imagetools, RegistryError, shorten

REF = "ghcr.io/team/cache:tag"
PROGRAM = f"""#!{sys.executable}
import json, os, sys, time
with open(os.environ["RECORD"], "a") as file:
    file.write(json.dumps([sys.argv[1:], dict(os.environ)]) + "\\n")
if os.environ.get("HANG"):
    time.sleep(60)
if os.environ.get("OLD") and "--prefer-index=false" in sys.argv:
    sys.exit("unknown flag: --prefer-index")
sys.stdout.write(os.environ.get("OUT", ""))
sys.stdout.flush()
if "ERR" in os.environ:
    sys.exit(os.environ["ERR"])
"""
IMAGE = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
    "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": "sha256:0", "size": 9},
    "layers": [{"size": 100}, {"size": 20}],
}
LAYERS = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": {"mediaType": "application/vnd.buildkit.cacheconfig.v0", "digest": "sha256:1"},
    "layers": [],
}
LIST = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}


class Setup:
    def __init__(self, folder: Path) -> None:
        self.record = folder / "record"
        program = folder / "docker-buildx"
        program.write_text(PROGRAM)
        program.chmod(0o755)
        self.tools = Imagetools(program, folder / "bx")
        self.theirs = Imagetools(program, folder / "bx", "remote")

    @property
    def calls(self) -> list[tuple[list[str], dict[str, str]]]:
        return [tuple(json.loads(line)) for line in self.record.read_text().splitlines()]


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    made = Setup(tmp_path)
    monkeypatch.setenv("RECORD", str(made.record))
    monkeypatch.setenv("BUILDX_BUILDER", "theirs")
    return made


@pytest.mark.parametrize(
    ("manifest", "size", "is_image"),
    [
        (IMAGE, 120, True),
        ({**IMAGE, "mediaType": None}, 120, True),
        (LIST, 0, True),
        ({**LIST, "mediaType": None}, 0, True),
        (LAYERS, 0, False),
        ({"config": {"mediaType": "application/vnd.cncf.helm.config.v1+json"}, "layers": []}, 0, False),
    ],
)
def test_what_stands_under_a_name(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, manifest: dict[str, object], size: int, is_image: bool
) -> None:
    text = json.dumps(manifest)
    monkeypatch.setenv("OUT", text)
    found = setup.tools.manifest(REF, 5)
    assert found is not None
    assert (found.size, found.is_image) == (size, is_image)
    assert found.digest == "sha256:" + sha256(text.encode()).hexdigest()
    ((argv, env),) = setup.calls
    assert argv == ["imagetools", "inspect", "--raw", "--", REF]
    assert env["BUILDX_BUILDER"] == "" and env["BUILDX_CONFIG"].endswith("/bx")


def test_a_builder_of_the_persons_own_knows_its_registries(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUT", json.dumps(IMAGE))
    setup.theirs.manifest(REF, 5)
    ((argv, env),) = setup.calls
    assert argv[:3] == ["imagetools", "inspect", "--builder=remote"] and "BUILDX_CONFIG" not in env


@pytest.mark.parametrize(
    "said", [f"ERROR: {REF}: not found", "ERROR: unexpected status from HEAD request: 404 Not Found", "name unknown"]
)
def test_absent(setup: Setup, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("ERR", said)
    assert setup.tools.manifest(REF, 5) is None


@pytest.mark.parametrize(
    ("said", "login"),
    [
        ("ERROR: failed to authorize: failed to fetch anonymous token: 401 Unauthorized", True),
        ("ERROR: unexpected status from HEAD request to https://x/v2/a: 403 Forbidden", True),
        ("ERROR: no basic auth credentials", True),
        ('ERROR: failed to do request: Head "https://x": dial tcp 1.2.3.4:443: connect: connection refused', False),
        ("ERROR: dial tcp: lookup nowhere: no such host", False),
        ("", False),
    ],
)
def test_refused_or_out_of_reach(setup: Setup, monkeypatch: pytest.MonkeyPatch, said: str, login: bool) -> None:
    monkeypatch.setenv("ERR", said)
    with pytest.raises(RegistryError) as error:
        setup.tools.manifest(REF, 5)
    assert ("docker login" in error.value.help) is login
    assert error.value.reason == (said.removeprefix("ERROR: ") or "no reason given")


OLD_LAYERS = {**LIST, "manifests": [{"mediaType": "x", "digest": "sha256:0"}, LAYERS["config"]]}


@pytest.mark.parametrize(
    ("manifest", "layers"), [(IMAGE, ""), (LIST, ""), (LAYERS, "sha256:1"), (OLD_LAYERS, "sha256:1")]
)
def test_where_the_list_of_a_layer_cache_is(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, manifest: dict[str, object], layers: str
) -> None:
    monkeypatch.setenv("OUT", json.dumps(manifest))
    found = setup.tools.manifest(REF, 5)
    assert found is not None and found.layers == layers


def test_what_is_there_under_a_digest_is_read(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUT", "no manifest")
    assert setup.tools.read("r/a@sha256:1", 5)
    ((argv, _),) = setup.calls
    assert argv == ["imagetools", "inspect", "--raw", "--", "r/a@sha256:1"]
    monkeypatch.setenv("ERR", "ERROR: r/a@sha256:1: not found")
    assert not setup.tools.read("r/a@sha256:1", 5)
    monkeypatch.setenv("ERR", "ERROR: 403 Forbidden")
    with pytest.raises(RegistryError, match="Forbidden"):
        setup.tools.read("r/a@sha256:1", 5)


@pytest.mark.parametrize("said", ["unexpected status: 413 Request Entity Too Large", "507 Insufficient Storage"])
def test_a_registry_that_is_full_is_not_out_of_reach(said: str) -> None:
    assert "no room" in RegistryError.said(said).help


HOSTILE = ['{"layers": [{"size": 1e999}]}', '{"layers": [{"size": -1}]}', '{"layers": [{"size": 1e30}]}', "[" * 100_000]


@pytest.mark.parametrize(
    "text", ["", "x", "[]", '{"layers": 3}', '{"layers": [{}]}', '{"config": 3}', '{"manifests": [3]}', *HOSTILE]
)
def test_what_is_no_manifest(setup: Setup, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("OUT", text)
    with pytest.raises(RegistryError, match="no manifest"):
        setup.tools.manifest(REF, 5)


def test_one_that_says_nothing_is_not_waited_for(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANG", "1")
    began = time.monotonic()
    with pytest.raises(RegistryError, match=r"no answer within 0\.5 s"):
        setup.tools.manifest(REF, 0.5)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("old", ["", "1"])
def test_naming(setup: Setup, monkeypatch: pytest.MonkeyPatch, old: str) -> None:
    """A single image stays what it is, where buildx knows how to say that."""
    monkeypatch.setenv("OLD", old)
    setup.tools.name("r/a:key", "r/b:1", 5)
    words = [argv for argv, _ in setup.calls]
    assert words[0] == ["imagetools", "create", "--prefer-index=false", "--tag", "r/b:1", "--", "r/a:key"]
    assert words[1:] == ([["imagetools", "create", "--tag", "r/b:1", "--", "r/a:key"]] if old else [])


def test_naming_fails(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERR", "ERROR: push access denied")
    with pytest.raises(RegistryError, match="push access denied"):
        setup.tools.name("r/a:key", "r/b:1", 5)


def test_a_message_is_one_line() -> None:
    assert shorten("#1 x\nERROR: failed to build: failed to solve: no\n\n") == "no"
    assert len(shorten("x" * 1000)) == 301
