"""Carrying out a plan: what is kept of it, what is reused, and where its secrets are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder import Image
from imagebuilder.backends.dockerfile import ca
from imagebuilder.compiler import compile
from imagebuilder.diagnostics import BuildError, CompileError
from imagebuilder.engine.protocol import BuildFailed, BuildRequest, LogEvent, OnEvent, StepEvent
from imagebuilder.options import BuildOptions
from imagebuilder.store import Resources
from tests.unit.building import IMAGE, Bench

SECRET = "hunter2-s3cret"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    return Bench(tmp_path)


# A build ----------------------------------------------------------------------------------------------


def test_states(bench: Bench) -> None:
    found = bench.build()
    assert bench.store.seen == ["pending", "building"]
    assert found == bench.store.get("app")
    assert (found.state, found.reason, found.reused, found.size) == ("active", "", False, 1000)
    assert found.digest == bench.engine.images["imagebuilder/app:latest"]
    assert [(s.op, s.name, s.seconds, s.cached) for s in found.steps] == [
        ("run_commands", "run_commands true", 0.1, False)
    ]


@pytest.mark.parametrize(
    ("name", "ref"), [("app", "imagebuilder/app:latest"), ("team/app:1.0", "imagebuilder/team/app:1.0")]
)
def test_the_image_is_called_after_the_snapshot(bench: Bench, name: str, ref: str) -> None:
    assert bench.build(name=name).image == bench.request.tag == ref


def test_what_the_engine_is_asked_for(bench: Bench) -> None:
    plan = compile(IMAGE, platform="linux/amd64")
    bench.build(plan, builder="other")
    assert (bench.request.platform, bench.request.builder, bench.request.no_cache) == ("linux/amd64", "other", False)
    assert bench.engine.dockerfiles == [plan.dockerfile(ca=True).text]


def test_events_have_the_authors_names_and_the_log_has_all(bench: Bench) -> None:
    found = bench.build()
    assert [(e.name, e.state) for e in bench.events if isinstance(e, StepEvent)] == [
        ("run_commands true", "started"),
        ("run_commands true", "done"),
    ]
    assert [e.line for e in bench.events if isinstance(e, LogEvent)] == ["hello from the build"]
    log = bench.store.log_path(found.id).read_text()
    assert log == "# run_commands true: started\nhello from the build\n# run_commands true: done after 0.1 s\n"


def test_a_step_that_two_builds_share_is_one_step(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """BuildKit tells of it once under the stage of the build that began it, and then again under this one's."""

    def build(request: BuildRequest, on_event: OnEvent) -> str:
        run = request.dockerfile.read_text().partition("\n")[2].replace("\\\n", "").strip()
        for event in (
            StepEvent("x", f"[other 2/5] {run}", "started", 0.0, "other", 2),
            LogEvent("x", "a line"),
            StepEvent("x", f"[other 2/5] {run}", "done", 3.0, "other", 2),
            StepEvent("y", f"[app 2/2] {run}", "cached", 0.0, "app", 2),
        ):
            on_event(event)
        bench.engine.images[request.tag] = "sha256:0"
        return "sha256:0"

    monkeypatch.setattr(bench.engine, "build", build)
    found = bench.build()
    assert [(s.name, s.seconds, s.cached) for s in found.steps] == [("run_commands true", 3.0, False)]
    assert [(e.id, e.state) for e in bench.events if isinstance(e, StepEvent)] == [("x", "started"), ("x", "done")]


def test_resources_are_kept(bench: Bench) -> None:
    wanted = Resources(cpu=2, memory=8, disk=20, gpu=1)
    assert bench.build(resources=wanted).resources == bench.store.get("app").resources == wanted
    assert bench.build(name="other").resources == Resources()


def test_only_proxies_and_held_values_are_build_arguments(bench: Bench) -> None:
    image = Image.base("debian").arg("VERSION", "1").env(A="a\nb")
    arguments = {"VERSION": "2", "HTTPS_PROXY": "http://proxy"}
    bench.build(compile(image, platform="linux/amd64", build_args=arguments), build_args=arguments)
    assert sorted(bench.request.build_args.values()) == ["a\nb", "http://proxy"]
    assert bench.request.build_args["HTTPS_PROXY"] == "http://proxy"
    assert "ARG VERSION=2\n" in bench.engine.dockerfiles[0]


# Reuse ------------------------------------------------------------------------------------------------


def test_an_image_that_is_there_is_reused(bench: Bench) -> None:
    first = bench.build()
    second = bench.build()
    assert len(bench.engine.requests) == 1
    assert second.reused and (second.state, second.digest, second.steps) == ("active", first.digest, first.steps)
    assert bench.store.get("app").seconds == first.seconds


def test_what_a_killed_build_left_goes_where_nothing_is_left_to_build(bench: Bench) -> None:
    """It may have been killed once its snapshot was there, and before its files were removed."""
    key = bench.build().key
    left = bench.store.home / "staging" / bench.store.lock_path(key).name
    (left / "main").mkdir(parents=True)
    assert bench.build().reused and not left.exists()


def test_it_is_reused_under_another_name(bench: Bench) -> None:
    first = bench.build()
    second = bench.build(name="other:1")
    assert len(bench.engine.requests) == 1
    assert second.reused and second.image == "imagebuilder/other:1"
    assert bench.engine.images["imagebuilder/other:1"] == first.digest
    assert [s.name for s in bench.store.list()] == ["other:1", "app"]
    texts = {bench.store.log_path(snapshot.id).read_text() for snapshot in (first, second)}
    assert len(texts) == 1 and "hello from the build" in texts.pop()


def test_another_key_is_another_build(bench: Bench) -> None:
    bench.build()
    found = bench.build(IMAGE.env(A="1"))
    assert not found.reused and len(bench.engine.requests) == 2


def test_an_image_that_the_engine_lost_is_built_again(bench: Bench) -> None:
    bench.build()
    bench.engine.images.clear()
    assert not bench.build().reused
    assert len(bench.engine.requests) == 2


def test_no_cache_builds_again(bench: Bench) -> None:
    bench.build()
    assert not bench.build(no_cache=True).reused
    assert len(bench.engine.requests) == 2 and bench.request.no_cache


def test_a_failed_build_is_not_reused(bench: Bench) -> None:
    bench.engine.fail = BuildFailed("no")
    with pytest.raises(BuildError):
        bench.build()
    assert not bench.build().reused


# Secrets and the CA bundle ----------------------------------------------------------------------------


def with_secret() -> Image:
    return Image.base("debian").run_commands("true", secrets=["TOKEN"])


def test_a_missing_secret_is_refused_before_anything_is_done(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKEN", raising=False)
    with pytest.raises(CompileError) as caught:
        bench.build(with_secret())
    (found,) = caught.value.diagnostics
    assert found.code == "IB150" and "'TOKEN'" in found.message and "--secret id=TOKEN" in found.help
    assert bench.store.list() == [] and bench.engine.requests == [] and bench.staged() == []


def test_a_secrets_file_that_does_not_exist_is_refused(bench: Bench) -> None:
    with pytest.raises(CompileError, match="IB151"):
        bench.build(with_secret(), secrets={"TOKEN": bench.folder / "none"})
    assert bench.store.list() == [] and bench.engine.requests == []


def test_a_secret_comes_from_an_option_a_file_or_the_environment(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    file = bench.folder / "token"
    file.write_text(SECRET)
    monkeypatch.setenv("TOKEN", "from the environment")
    for secrets in ({}, {"TOKEN": SECRET}, {"TOKEN": file}):
        bench.build(with_secret(), secrets=secrets, no_cache=True)
    given = [request.secrets["TOKEN"] for request in bench.engine.requests]
    assert [(s.value, s.file, s.hidden) for s in given] == [
        ("from the environment", None, True),
        (SECRET, None, True),
        (None, file, True),
    ]


def test_a_secret_is_kept_nowhere(bench: Bench) -> None:
    seen: list[bytes] = []
    bench.engine.during = lambda request: seen.extend(p.read_bytes() for p in bench.folder.rglob("*") if p.is_file())
    bench.build(with_secret(), secrets={"TOKEN": SECRET})
    assert bench.request.secrets["TOKEN"].value == SECRET
    assert SECRET not in repr(bench.request) and SECRET not in str(bench.request.build_args)
    assert SECRET not in repr(BuildOptions(secrets={"TOKEN": SECRET}))
    seen += (path.read_bytes() for path in bench.folder.rglob("*") if path.is_file())
    assert any(b"id=TOKEN" in content for content in seen)
    assert not [content for content in seen if SECRET.encode() in content]


@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_ca_bundle(bench: Bench, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    bundle = bench.folder / "ca.crt"
    bundle.touch()
    if by == "variable":
        monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    bench.build(ca=bundle if by == "option" else None)
    given = {name: (s.value, s.file, s.hidden) for name, s in bench.request.secrets.items()}
    assert given == {ca.SECRET: (None, bundle, False), ca.PATH_SECRET: (ca.PATH, None, False)}


def test_builds_with_and_without_a_bundle_share_their_cache(bench: Bench) -> None:
    (bench.folder / "ca.crt").touch()
    bench.build(no_cache=True)
    assert bench.request.secrets == {}
    bench.build(no_cache=True, ca=bench.folder / "ca.crt")
    assert bench.engine.dockerfiles[0] == bench.engine.dockerfiles[1]
    assert ca.SECRET in bench.engine.dockerfiles[0]


@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_bundle_that_does_not_exist_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    bundle = bench.folder / "none"
    if by == "variable":
        monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    with pytest.raises(CompileError, match="IB152"):
        bench.build(ca=bundle if by == "option" else None)
    assert bench.store.list() == [] and bench.engine.requests == []
