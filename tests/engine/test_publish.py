"""Pushing to a real registry: what arrives there, what is said of it, and how many bytes it takes."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from imagebuilder import Client, Image
from imagebuilder.diagnostics import BuildError
from tests.conftest import Cli
from tests.engine.private import Watched, watched
from tests.engine.registry import PASSWORD, USER, Registry, free_port, running

ACCEPT = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
SPEC = """\
from imagebuilder import Image
image = Image.debian_slim("3.13").apt_install("tini").pip_install("rich").arg("GREETING", "hi").run_commands("echo $GREETING")
"""


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running(tmp_path / "registry") as found:
        yield found


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """In a repository of Git's, committed."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "app.py").write_text(SPEC)
    git(folder, "init", "-q")
    git(folder, "remote", "add", "origin", "https://me:hunter2x9@example.com/app")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "one")
    return folder / "app.py"


def git(folder: Path, *words: str) -> str:
    argv = ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@example.com", *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def manifest(host: str, name: str, reference: str) -> tuple[str, dict[str, Any]]:
    """Its digest and itself, of a registry that wants no login."""
    asked = urllib.request.Request(f"http://{host}/v2/{name}/manifests/{reference}", headers={"Accept": ACCEPT})
    with urllib.request.urlopen(asked) as answer:
        return answer.headers["Docker-Content-Digest"], json.loads(answer.read())


def inspected(env: dict[str, str], ref: str, what: str) -> Any:
    """What Docker's own reader finds."""
    argv = [Path(env["DOCKER_CONFIG"]) / "cli-plugins/docker-buildx", "imagetools", "inspect", ref]
    done = subprocess.run([*argv, "--format", f"{{{{json .{what}}}}}"], env=env, check=True, capture_output=True)
    return json.loads(done.stdout)


def test_what_is_said_of_an_image(
    cli: Cli, env: dict[str, str], registry: Registry, spec: Path, name: str, tmp_path: Path
) -> None:
    cli("lock", spec)
    git(spec.parent, "add", "-A")
    git(spec.parent, "commit", "-qm", "two")
    ref, host = registry.repository("team/app"), f"127.0.0.1:{registry.port}"
    words = ("build", spec, "--name", name, "--json", "--build-arg", "GREETING=hello")
    proxy = ("--build-arg", "FTP_PROXY=http://me:hunter2x9@proxy.example")
    built = cli(*words, *proxy, "--push", f"{ref}:1")
    assert built.code == 0 and "warning" not in built.err, built.err
    digest, index = manifest(host, "team/app", "1")
    image, said = index["manifests"]
    assert built.json["pushed"] == f"{ref}@{digest}" and image["digest"] == built.json["digest"]
    # The lock was made for another value of GREETING, which no request depends on.
    told = index["annotations"]
    assert told == image["annotations"] and told["io.imagebuilder.key"] == built.json["key"]
    assert told["org.opencontainers.image.revision"] == git(spec.parent, "rev-parse", "HEAD")
    assert told["io.imagebuilder.lock"].startswith("sha256:") and "org.opencontainers.image.created" not in told
    assert said["annotations"]["vnd.docker.reference.digest"] == image["digest"]

    document = inspected(env, f"{ref}:1", "SBOM")["SPDX"]
    assert validate_full_spdx_document(JsonLikeDictParser().parse(document)) == []
    locators = {each["referenceLocator"] for found in document["packages"] for each in found.get("externalRefs", ())}
    assert {each.rpartition("@")[0] for each in locators} >= {"pkg:pypi/rich", "pkg:deb/debian/tini", "pkg:pypi/mdurl"}

    provenance = inspected(env, f"{ref}:1", "Provenance")["SLSA"]
    materials = {each["uri"]: each["digest"]["sha256"] for each in provenance["materials"]}
    (base,) = (digest for uri, digest in materials.items() if uri.startswith("pkg:docker/python@3.13"))
    assert base and any("rich" in uri and digest for uri, digest in materials.items())
    everything = json.dumps([index, document, provenance])
    assert "hello" in everything and "hunter2x9" not in everything and str(tmp_path) not in everything

    # Again, of what is here; and under a name that the engine has for something else.
    again = cli(*words, "--push", f"{ref}:2")
    assert again.json["reused"] and again.json["pushed"] == built.json["pushed"], again.err
    alone = cli(*words, "--push", f"{ref}:3", "--no-attest")
    assert alone.json["pushed"] == f"{ref}@{built.json['digest']}"
    assert manifest(host, "team/app", "3")[0] == built.json["digest"]
    assert not [
        each for each in Client().engine.api.json("GET", "/images/json")["items"] if host in str(each["RepoTags"])
    ]  # type: ignore[attr-defined]


def test_a_name_of_the_engine_stays_what_it_was(client: Client, registry: Registry, name: str) -> None:
    ref = f"{registry.repository('app')}:1"
    other = client.build(Image.debian_slim("3.13").label({"a": name}), name=name)
    client.engine.tag(other.digest, ref)
    try:
        built = client.build(Image.debian_slim("3.13").label({"b": name}), name=name, push=ref, attest=False)
        found = client.engine.image(ref)
        assert found is not None and found.id == other.digest != built.digest
    finally:
        client.engine.untag(ref)


def test_a_private_registry(client: Client, name: str, tmp_path: Path) -> None:
    image = Image.debian_slim("3.13").label({"id": name})
    with watched(tmp_path / "private") as private:
        ref = f"{private.host}/team/app:1"
        with pytest.raises(BuildError) as refused:
            client.build(image, name=name, push=ref)
        (told,) = refused.value.diagnostics
        assert told.code == "IB644" and "`imagebuilder registry add` or `docker login`" in told.help
        assert client.snapshot.get(name).state == "active" and private.registry.tags("team/app") == []
        client.registry.add("r", url=private.host, username=USER, password=PASSWORD)
        built = client.build(image, name=name, push=ref)
        assert built.reused and private.registry.tags("team/app") == ["1"]
        assert private.users == {f"{USER}:{PASSWORD}"}


def test_a_registry_that_is_not_there(cli: Cli, spec: Path, name: str, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "late", Path())
    ref = f"127.0.0.1:{free_port()}/app:1"
    done = cli("build", spec, "--name", name, "--push", ref)
    assert done.code == 1 and "error[IB644]" in done.err and "connection refused" in done.err
    assert "the same command tries again" in done.err and registry.tags("app") == []
    assert cli("snapshot", "info", name, "--json").json["state"] == "active"


def test_a_second_image_sends_what_differs(client: Client, name: str, tmp_path: Path) -> None:
    """Into the same repository, and into another one of the registry, which takes over what it has."""
    packages = ["numpy", "pygments", "idna", "six"]
    with watched(tmp_path / "private") as private:
        client.registry.add("r", url=private.host, username=USER, password=PASSWORD)

        def push(repository: str, *more: str) -> tuple[int, dict[str, int]]:
            """The bytes of blobs that were sent, and the sizes of the image's layers."""
            before = len(private.sent)
            image = Image.debian_slim("3.13").pip_install(*packages, *more)
            client.build(
                image, name=f"{name}:{len(more)}", push=f"{private.host}/{repository}:{len(more)}", attest=False
            )
            sent = sum(size for _, path, size in private.sent[before:] if "/blobs/uploads/" in path)
            return sent, layers(private, repository, str(len(more)))

        # The engine remembers a layer's repositories by their host without its port, and takes the most alike.
        one, two = f"{name}/one", f"{name}/two"
        whole, first = push(one)
        assert whole > sum(first.values()) > 10_000_000
        sent, second = push(one, "sqlalchemy")
        new = {digest: size for digest, size in second.items() if digest not in first}
        assert 1 <= len(new) <= 2, "the package, and the layer of the small ones"
        # Besides layers, the image's configuration is sent.
        assert sum(new.values()) < sent < sum(new.values()) + 20_000 < whole / 4
        sent, third = push(two, "sqlalchemy", "mdurl")
        new = {digest: size for digest, size in third.items() if digest not in second}
        assert 1 <= len(new) <= 2 and sum(new.values()) < sent < sum(new.values()) + 20_000, "the rest is there"


def layers(private: Watched, repository: str, tag: str) -> dict[str, int]:
    folder = private.registry.data / "docker/registry/v2"
    link = folder / f"repositories/{repository}/_manifests/tags/{tag}/current/link"
    digest = link.read_text().removeprefix("sha256:")
    found = json.loads((folder / f"blobs/sha256/{digest[:2]}/{digest}/data").read_text())
    return {each["digest"]: each["size"] for each in found["layers"]}
