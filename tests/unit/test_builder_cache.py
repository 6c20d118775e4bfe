"""A build and a cache in a registry: what is taken from there, what goes there, and that it never ends a build."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder import Client, Image
from imagebuilder.cache.branches import Branches, tag
from imagebuilder.cache.registry import Registry
from imagebuilder.compiler import compile
from imagebuilder.diagnostics import BuildError, CompileError, Diagnostic, EngineError, ImagebuilderError
from imagebuilder.engine.fake import FakeEngine
from imagebuilder.engine.imagetools import Manifest, RegistryError
from imagebuilder.engine.protocol import BuildFailed, BuildRequest, LogEvent, WarningEvent
from tests.unit.building import IMAGE, Bench, FakeTools

DIGEST = "sha256:" + "cd" * 32
CACHE = "ghcr.io/team/cache"
KEY = compile(IMAGE, platform="linux/amd64").key
TAG = f"{CACHE}:key-{KEY.replace(':', '-')}"
MAIN = f"{CACHE}:{tag('main', 'app')}"
FOUND = f"{CACHE}@{DIGEST}"


class Setup(Bench):
    """A registry that has what was pushed; ``refuses`` is what a push ends with."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.tools = FakeTools({})
        self.refuses: BaseException | None = None
        self.engine.during = self._push

    def _push(self, request: BuildRequest) -> None:
        if request.push:
            if self.refuses is not None:
                raise self.refuses
            self.tools.manifests[request.push] = Manifest(DIGEST, 500, True)

    def cached(self, image: Image = IMAGE, **options: object):  # type: ignore[no-untyped-def]
        cache = Registry(CACHE, lambda: self.tools, Branches("fix", ("main",)))
        return self.build(image, cache=cache, **options)

    @property
    def warnings(self) -> list[str]:
        return [event.diagnostic.code for event in self.events if isinstance(event, WarningEvent)]

    def forget(self) -> None:
        """Another machine."""
        self.engine.images.clear()
        for snapshot in self.store.list():
            self.store.delete(snapshot.name)
        self.engine.requests.clear()


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    return Setup(tmp_path)


def test_what_was_built_is_pushed_by_a_second_call(setup: Setup) -> None:
    setup.tools.manifests[MAIN] = Manifest(DIGEST, 0, False)
    found = setup.cached()
    assert (found.state, found.reused, found.image) == ("active", False, "imagebuilder/app:latest")
    build, push = setup.engine.requests
    assert (build.push, build.cache_to, build.cache_from) == (None, None, (MAIN,))
    assert (push.push, push.cache_to, push.cache_from) == (TAG, f"{CACHE}:{tag('fix', 'app')}", ())
    assert push.limit is not None and push.dockerfile == build.dockerfile and push.contexts == build.contexts
    assert setup.warnings == [] and setup.staged() == []
    assert f"# pushing to {TAG}\n" in setup.store.log_path(found.id).read_text()


def test_another_machine_takes_it_without_an_engine(setup: Setup) -> None:
    setup.cached()
    setup.forget()
    seconds = setup.cached(name="other:1").seconds
    found = setup.store.get("other:1")
    assert (found.state, found.image, found.digest, found.size, found.steps) == ("active", FOUND, DIGEST, 500, ())
    assert seconds < 5 and setup.engine.requests == [] and setup.engine.images == {}
    assert FOUND in setup.store.log_path(found.id).read_text()
    assert setup.cached(name="other:1").reused, "again, by asking the registry again"


def test_what_is_here_is_not_asked_for(setup: Setup) -> None:
    setup.cached()
    asked = len(setup.tools.asked)
    assert setup.cached(name="other").image == "imagebuilder/other:latest"
    assert len(setup.tools.asked) == asked and len(setup.engine.requests) == 2


def test_one_that_was_pulled_is_removed_with_its_snapshot(setup: Setup) -> None:
    """Engines without containerd's image store know it by another id."""
    setup.cached()
    setup.forget()
    setup.cached()
    setup.engine.images[FOUND] = "sha256:of-the-config"
    Client(home=setup.store.home, engine=setup.engine).snapshot.delete("app")
    assert setup.engine.images == {}


def test_once_pulled_it_is_an_image_of_this_engine(setup: Setup) -> None:
    setup.cached()
    setup.forget()
    setup.cached()
    setup.engine.images["pulled"] = DIGEST
    found = setup.cached()
    assert (found.reused, found.image, found.digest) == (True, "imagebuilder/app:latest", DIGEST)


def test_the_engines_name_does_not_go_on_saying_what_was_there_before(setup: Setup) -> None:
    setup.cached()
    setup.forget()
    setup.build(Image.base("debian"))
    assert "imagebuilder/app:latest" in setup.engine.images
    assert setup.cached().image == FOUND
    assert "imagebuilder/app:latest" not in setup.engine.images
    setup.build(Image.base("debian"))
    setup.engine.images["imagebuilder/app:latest"] = "sha256:of-another-home"
    assert setup.cached().image == FOUND
    assert "imagebuilder/app:latest" in setup.engine.images


def test_no_cache_builds_and_pushes_anew(setup: Setup) -> None:
    setup.tools.manifests |= {TAG: Manifest("sha256:old", 1, True), MAIN: Manifest(DIGEST, 0, False)}
    assert not setup.cached(no_cache=True).reused
    build, push = setup.engine.requests
    assert (build.no_cache, build.cache_from, push.no_cache) == (True, (), False)
    assert setup.tools.manifests[TAG].digest == DIGEST


def test_a_registry_that_cannot_be_asked_is_left_alone(setup: Setup) -> None:
    setup.tools.error = RegistryError("no answer")
    assert setup.cached().state == "active"
    assert setup.warnings == ["IB641"] and len(setup.tools.asked) == 1
    assert [(request.push, request.cache_from) for request in setup.engine.requests] == [(None, ())]


@pytest.mark.parametrize("error", [BuildFailed("denied: read only"), EngineError(Diagnostic("IB507", "no digest"))])
def test_a_push_that_fails_ends_nothing(setup: Setup, error: Exception) -> None:
    setup.refuses = error
    found = setup.cached()
    assert found.state == setup.store.get("app").state == "active"
    assert setup.warnings == ["IB642"]
    assert "IB642" in setup.store.log_path(found.id).read_text()


def test_an_engine_that_exports_no_layers_pushes_the_image(setup: Setup) -> None:
    setup.engine.during = lambda request: setup._push(request) if not request.cache_to else refuse()

    def refuse() -> None:
        raise BuildFailed("Cache export is not supported for the docker driver.")

    setup.cached()
    assert setup.warnings == [] and TAG in setup.tools.manifests
    assert TAG not in setup.engine.images, "the name that such an engine keeps is taken away"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ImagebuilderError(Diagnostic("IB601", "interrupted"))])
def test_what_ends_while_it_is_pushed_is_built(setup: Setup, error: BaseException) -> None:
    setup.refuses = error
    with pytest.raises(type(error)):
        setup.cached()
    assert setup.store.get("app").state == "active" and setup.staged() == []


def test_an_image_with_a_secret_is_not_pushed(setup: Setup) -> None:
    plan = compile(
        Image.base("debian").arg("API_TOKEN", ""), platform="linux/amd64", build_args={"API_TOKEN": "hunter2x"}
    )
    assert setup.cached(plan).state == "active"  # type: ignore[arg-type]
    assert setup.warnings == ["IB643"] and len(setup.engine.requests) == 1


def test_a_name_in_the_registry(setup: Setup) -> None:
    """The image alone is named where the cache has it; it is neither sent again nor pulled for that."""
    setup.cached(push="ghcr.io/team/app:1", attest=False)
    assert setup.tools.manifests["ghcr.io/team/app:1"].digest == DIGEST
    setup.forget()
    found = setup.cached(push="ghcr.io/team/app:3", attest=False)
    assert (found.image, found.pushed) == (FOUND, "ghcr.io/team/app:3")
    assert setup.engine.requests == [] and "ghcr.io/team/app:3" in setup.tools.manifests
    assert [e.line for e in setup.events if isinstance(e, LogEvent)][-1] == "pushed as ghcr.io/team/app:3"
    assert setup.engine.pushed == {} and setup.engine.fetched == []


def test_what_is_said_of_an_image_of_the_cache_needs_the_image(setup: Setup) -> None:
    setup.cached()
    setup.forget()
    setup.cached(push="ghcr.io/team/app:1")
    assert setup.engine.fetched == [FOUND] and list(setup.engine.pushed) == ["ghcr.io/team/app:1"]
    assert "ghcr.io/team/app:1" in setup.tools.manifests, "named before, so that no layer is sent again"


def test_another_image_of_the_key_is_not_what_was_asked_for(setup: Setup) -> None:
    """What is here is pushed, though the cache has an image of that key, built elsewhere."""
    digest = setup.build().digest
    setup.tools.manifests[TAG] = Manifest(DIGEST, 500, True)
    found = setup.cached(push="ghcr.io/team/app:1", attest=False)
    assert found.pushed == f"ghcr.io/team/app@{digest}" and setup.engine.pushed == {"ghcr.io/team/app:1": digest}
    assert len(setup.engine.requests) == 1, "and nothing is built for it"


def test_a_cache_that_fails_keeps_nobody_from_pushing(setup: Setup) -> None:
    setup.tools.manifests[TAG] = Manifest("sha256:old", 1, True)
    setup.refuses = BuildFailed("denied")
    found = setup.cached(no_cache=True, push="ghcr.io/team/app:1")
    assert setup.engine.pushed == {"ghcr.io/team/app:1": found.digest}
    assert "ghcr.io/team/app:1" not in setup.tools.manifests


def test_a_name_that_cannot_be_given_is_an_error(setup: Setup) -> None:
    setup.cached()
    setup.forget()
    cache = Registry(CACHE, lambda: setup.tools, Branches("fix"))
    setup.tools.name = refusing  # type: ignore[method-assign]
    with pytest.raises(BuildError) as error:
        setup.build(cache=cache, push="ghcr.io/team/app:1", attest=False)
    assert error.value.diagnostics[0].code == "IB644" and "denied" in error.value.diagnostics[0].message
    assert setup.store.get("app").state == "active"


def refusing(source: str, target: str, timeout: float) -> None:
    raise RegistryError("denied")


# The client --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "client", "build", "used"),
    [
        ("a/env", None, None, "a/env"),
        ("a/env", "a/client", None, "a/client"),
        ("a/env", "a/client", "a/build", "a/build"),
        ("a/env", "a/client", "", None),
        ("a/env", "", None, None),
        ("", None, None, None),
    ],
)
def test_which_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, client: str | None, build: str | None, used: str
) -> None:
    monkeypatch.setenv("IMAGEBUILDER_CACHE", variable)
    told = Client(home=tmp_path, engine=FakeEngine(), cache=client)._options(
        None, None, None, build, no_cache=False, refresh=False
    )
    assert (told.cache.ref if told.cache else None) == used


@pytest.mark.parametrize(
    ("options", "code"),
    [({"cache": "x:1"}, "IB640"), ({"push": f"a/b@{DIGEST}"}, "IB125"), ({"push": "A B"}, "IB113")],
)
def test_mistakes_are_told_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, str], code: str
) -> None:
    monkeypatch.delenv("IMAGEBUILDER_CACHE", raising=False)
    with pytest.raises(CompileError) as error:
        Client(home=tmp_path, engine=FakeEngine()).build(IMAGE, name="app", **options)  # type: ignore[arg-type]
    assert error.value.diagnostics[0].code == code


def test_an_image_of_the_cache_is_pulled_when_it_is_run(setup: Setup) -> None:
    setup.cached()
    setup.forget()
    setup.cached()
    client = Client(home=setup.store.home, engine=setup.engine)
    client.run("app", ["true"])
    assert setup.engine.fetched == [FOUND]
    setup.build(Image.base("debian"), name="local")
    client.run("local", ["true"])
    assert setup.engine.fetched == [FOUND]
