"""What is pushed is the image that the engine has; a push that fails costs nothing but the push."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from imagebuilder import Client, Image
from imagebuilder.diagnostics import BuildError, CompileError, Diagnostic, EngineError, Interrupted
from imagebuilder.engine.protocol import ImageManifest, LogEvent, WarningEvent
from imagebuilder.publishing import provenance
from imagebuilder.reproducible import UNDATED
from tests.unit.archives import archive
from tests.unit.building import Bench

REF = "ghcr.io/team/app:1"
OCI = "application/vnd.oci.image.manifest.v1+json"
STATUS = b"Package: tini\nStatus: install ok installed\nVersion: 0.19\n"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    return Bench(tmp_path)


def with_manifest(bench: Bench, created: str = "2026-01-02T03:04:05.678Z") -> ImageManifest:
    """What the engine knows of the image that is built next time."""
    digest = bench.build().digest
    found = bench.engine.manifests[digest] = ImageManifest(OCI, digest, 1234, created)
    bench.engine.containers.archives[digest] = archive({"var/lib/dpkg/status": STATUS})
    return found


def loaded(bench: Bench) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The index that was pushed, and the statements in it."""
    files = {name.rpartition("/")[2]: json.loads(data) for name, data in bench.engine.loaded.items()}
    read = {f"sha256:{name}": content for name, content in files.items()}
    index = read[files["index.json"]["manifests"][0]["digest"]]
    return index, [read[layer["digest"]] for layer in read[index["manifests"][1]["digest"]]["layers"]]


def lines(bench: Bench) -> list[str]:
    return [event.line for event in bench.events if isinstance(event, LogEvent)]


def test_the_image_alone_has_the_digest_of_the_snapshot(bench: Bench) -> None:
    found = bench.build(push=REF, attest=False)
    assert bench.engine.pushed == {REF: found.digest} and found.pushed == f"ghcr.io/team/app@{found.digest}"
    again = bench.build(push="ghcr.io/team/app:2", attest=False)
    assert again.reused and bench.engine.pushed["ghcr.io/team/app:2"] == found.digest
    assert len(bench.engine.requests) == 1, "one that was built before is pushed without a build"


def test_an_index_holds_the_image_as_it_is_and_what_is_said_of_it(bench: Bench) -> None:
    manifest = with_manifest(bench)
    provenance.keep({"buildType": "x"}, bench.store.provenance_path(bench.store.get("app").id))
    found = bench.build(push=REF)
    index, statements = loaded(bench)
    image, said = index["manifests"]
    assert (image["digest"], image["size"], image["mediaType"]) == (manifest.digest, 1234, OCI)
    assert image["platform"] == {"os": "linux", "architecture": "amd64"}
    assert index["annotations"] == image["annotations"]
    # What the tests lie in may be a repository.
    told = {name: text for name, text in index["annotations"].items() if "revision" not in name}
    assert told == {"io.imagebuilder.key": found.key, "org.opencontainers.image.created": "2026-01-02T03:04:05Z"}
    assert said["annotations"]["vnd.docker.reference.digest"] == manifest.digest
    assert [each["predicateType"] for each in statements] == [
        "https://spdx.dev/Document",
        "https://slsa.dev/provenance/v0.2",
    ]
    assert all(each["subject"][0]["digest"]["sha256"] == manifest.digest[7:] for each in statements)
    assert "pkg:deb/debian/tini@0.19" in json.dumps(statements[0])
    assert bench.engine.pushed[REF] != found.digest and found.pushed.startswith("ghcr.io/team/app@sha256:")
    assert not any("publishing" in name for name in bench.engine.images), "the engine keeps no name of it"


def test_a_second_push_says_the_same(bench: Bench) -> None:
    with_manifest(bench)
    first = bench.build(push=REF).pushed
    assert bench.build(name="other", push=REF).pushed == first


def test_an_image_without_a_time_has_none_in_a_registry(bench: Bench) -> None:
    with_manifest(bench, UNDATED)
    bench.build(push=REF)
    assert "org.opencontainers.image.created" not in loaded(bench)[0]["annotations"]


def test_what_was_built_elsewhere_has_no_provenance(bench: Bench) -> None:
    with_manifest(bench)
    bench.build(push=REF)
    assert len(loaded(bench)[1]) == 1 and any(line.startswith("without provenance") for line in lines(bench))


def test_an_engine_without_manifests_pushes_the_image_and_says_so(bench: Bench) -> None:
    found = bench.build(push=REF)
    assert bench.engine.pushed == {REF: found.digest}
    assert [e.diagnostic.code for e in bench.events if isinstance(e, WarningEvent)] == ["IB646"]


def test_a_push_that_fails_keeps_the_snapshot_and_is_tried_again(bench: Bench) -> None:
    bench.engine.refuses = EngineError(Diagnostic("IB644", "connection refused", help="can it be reached from here?"))
    with pytest.raises(BuildError) as error:
        bench.build(push=REF, attest=False)
    (told,) = error.value.diagnostics
    assert told.code == "IB644" and told.message == f"the image could not be pushed as {REF}: connection refused"
    assert told.help.startswith("can it be reached from here? The snapshot is there")
    assert bench.store.get("app").state == "active" and error.value.exit_code == 1
    bench.engine.refuses = None
    assert bench.build(push=REF, attest=False).reused and REF in bench.engine.pushed
    bench.engine.refuses = KeyboardInterrupt()  # type: ignore[assignment]
    with pytest.raises(Interrupted, match="the snapshot is there"):
        bench.build(push=REF, attest=False)


def test_an_image_that_cannot_be_read_is_not_pushed_without_a_word(bench: Bench) -> None:
    manifest = with_manifest(bench)
    bench.engine.containers.archives[manifest.digest] = BytesIO(b"broken off").getvalue()
    with pytest.raises(BuildError) as error:
        bench.build(push=REF)
    assert error.value.diagnostics[0].code == "IB644" and bench.engine.pushed == {}


def test_an_image_with_a_secret_is_not_built_to_be_pushed(bench: Bench) -> None:
    client = Client(home=bench.store.home, engine=bench.engine, cache="")
    with pytest.raises(CompileError) as error:
        client.build(
            Image.base("debian").arg("API_TOKEN", ""), name="app", build_args={"API_TOKEN": "hunter2x9"}, push=REF
        )
    (told,) = error.value.diagnostics
    assert (told.code, told.severity) == ("IB643", "error") and "hunter2x9" not in told.render()
    assert bench.engine.requests == []


def test_a_name_without_a_tag_is_the_latest(bench: Bench) -> None:
    client = Client(home=bench.store.home, engine=bench.engine, cache="")
    image = Image.base("debian").run_commands("true")
    found = client.build(image, name="app", push="127.0.0.1:5000/app", attest=False)
    assert list(bench.engine.pushed) == ["127.0.0.1:5000/app:latest"]
    assert found.pushed == f"127.0.0.1:5000/app@{found.digest}"


def test_pushes_to_one_repository_wait_for_each_other(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under one name, the engine would push the image that got it last, for both."""
    at_once: list[int] = []
    there = threading.Semaphore(1)
    push = bench.engine.push

    def one(*given: Any, **more: Any) -> str:
        free = there.acquire(blocking=False)
        at_once.append(not free)
        time.sleep(0.2)
        if free:
            there.release()
        return push(*given, **more)

    monkeypatch.setattr(bench.engine, "push", one)
    with ThreadPoolExecutor() as pool:
        for each in [
            pool.submit(bench.build, Image.base(name), name, push=REF, attest=False) for name in ("debian", "alpine")
        ]:
            each.result()
    assert at_once == [False, False]
    assert any("waiting for another push" in line for line in lines(bench))


def test_what_a_killed_push_left_goes_with_the_next(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with_manifest(bench)
    untag = bench.engine.untag
    monkeypatch.setattr(bench.engine, "untag", lambda ref: None)
    bench.build(push=REF)
    monkeypatch.setattr(bench.engine, "untag", untag)
    (index,) = {ref: digest for ref, digest in bench.engine.images.items() if "publishing" in ref}.values()
    bench.engine.images |= {REF: index, "ghcr.io/other/app:1": index}
    bench.build(push=REF)
    left = {ref for ref, digest in bench.engine.images.items() if digest == index}
    assert left == {"ghcr.io/other/app:1"}
