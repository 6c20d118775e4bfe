"""A wheel of a source is built once for what it is made of, in a stage; what comes out of that is looked at."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from imagebuilder.diagnostics import BuildError, Span
from imagebuilder.engine.fake import FakeEngine
from imagebuilder.engine.protocol import BuildFailed, BuildRequest, Event, StepEvent
from imagebuilder.from_source import FromSource
from imagebuilder.ir.ops import BaseImage
from imagebuilder.ir.packages import DistributionFile
from imagebuilder.layering.wheels import WheelStore
from imagebuilder.locks import held
from imagebuilder.options import BuildOptions
from imagebuilder.resolve.logins import Logins
from imagebuilder.resolve.sources import NotHere, Source
from imagebuilder.store import Store
from tests.unit.resolve.making import python

REF = "python:3.12-slim"
TEXT = b"a source"
FILE = DistributionFile(url="https://e.test/docopt-0.6.2.tar.gz", sha256=sha256(TEXT).hexdigest())
SOURCE = Source("docopt", "0.6.2", FILE, BaseImage(ref=REF), python(), (), "", (), "pip_install", None)
WHEEL = "docopt-0.6.2-py3-none-any.whl"


def wheel(path: Path, metadata: str = "Name: docopt") -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("docopt.py", "")
        archive.writestr("docopt-0.6.2.dist-info/METADATA", metadata)


class Engine(FakeEngine):
    """Whose builds make what ``make`` puts into a folder; ``bound`` are the files that each could see."""

    def __init__(self, make: Callable[[Path], None] = lambda folder: wheel(folder / WHEEL)) -> None:
        super().__init__()
        self.images[REF] = "sha256:" + "a" * 64
        self.bound: list[dict[str, bytes]] = []
        self.make = make
        self.during = self._during

    def _during(self, request: BuildRequest) -> None:
        assert request.export is not None
        self.bound.append(
            {
                f"{name.partition('-')[0]}/{path.name}": b"" if name.startswith("uv-") else path.read_bytes()
                for name, folder in request.contexts.items()
                for path in Path(folder).iterdir()
            }
        )
        request.export.mkdir()
        self.make(request.export)


@pytest.fixture
def store(home: Path) -> Store:
    made = Store(home)
    path = WheelStore(home).path(FILE)
    path.parent.mkdir(parents=True)
    path.write_bytes(TEXT)
    return made


def builds(store: Store, engine: Engine, told: list[Event] | None = None, *, no_cache: bool = False) -> FromSource:
    heard = (told if told is not None else []).append
    return FromSource(store, lambda: engine, "linux/amd64", heard, BuildOptions(no_cache=no_cache))


def test_it_is_built_in_a_stage_of_which_the_wheel_alone_comes_out(store: Store) -> None:
    engine, told = Engine(), []
    wheels = builds(store, engine, told)
    found = wheels.built(
        replace(SOURCE, apt=("libpq-dev", "zlib1g-dev"), index_url="https://e.test/simple", env=(("A", "it's"),))
    )
    assert found.name == WHEEL and not found.is_source
    assert sha256(wheels.path(found).read_bytes()).hexdigest() == found.sha256
    with zipfile.ZipFile(wheels.path(found)) as archive:
        assert archive.read("docopt-0.6.2.dist-info/uv_build.json") == b"{}"
    (text,), (request,), (bound,) = engine.dockerfiles, engine.requests, engine.bound
    assert text.startswith(f"FROM {REF} AS compilers\n") and text.endswith(
        "FROM scratch\nCOPY --from=build /wheels/*.whl /\n"
    )
    assert request.tag == "" and bound.keys() == {
        "compilers/compilers.sh", "uv/uv", "source/build.sh", "source/source.tar.gz",
    }  # fmt: skip
    runs = [line.rpartition("compilers.sh")[2] for line in text.splitlines() if "compilers.sh" in line]
    assert runs == ['"]', '", "libpq-dev", "zlib1g-dev"]'] and bound["source/source.tar.gz"] == TEXT
    assert b"export A='it'\"'\"'s'\n" in bound["source/build.sh"]
    assert b"--default-index=https://e.test/simple" in bound["source/build.sh"]
    names = [event.name for event in told if isinstance(event, StepEvent)]
    assert names == ["building docopt 0.6.2 from source"] * 2
    assert not request.dockerfile.exists()


def test_what_is_made_of_the_same_is_built_once(store: Store) -> None:
    engine = Engine()
    first = builds(store, engine).built(SOURCE)
    assert builds(store, engine).built(SOURCE) == first and len(engine.requests) == 1
    builds(store, engine).built(replace(SOURCE, apt=("libpq-dev",)))
    builds(store, engine).built(replace(SOURCE, env=(("CFLAGS", "-O1"),)))
    builds(store, engine).built(replace(SOURCE, python=python(executable="/usr/bin/python3")))
    engine.images[REF] = "sha256:" + "b" * 64
    builds(store, engine).built(SOURCE)
    assert len(engine.requests) == 5


def test_two_at_once_do_the_work_once(store: Store) -> None:
    begun = threading.Event()

    def make(folder: Path) -> None:
        begun.set()
        assert waiting.wait(60)
        wheel(folder / WHEEL)

    waiting = threading.Event()
    engine = Engine(make)
    second = FromSource(store, lambda: engine, "linux/amd64", lambda event: waiting.set(), BuildOptions())
    with ThreadPoolExecutor() as pool:
        first = pool.submit(builds(store, engine).built, SOURCE)
        assert begun.wait(60)
        assert pool.submit(second.built, SOURCE).result() == first.result()
    assert len(engine.requests) == 1


def test_what_a_killed_build_left_is_where_the_next_removes_it(store: Store) -> None:
    """In the home, under the name of its lock; not among the machine's temporary files."""
    found: list[Path] = []

    def make(folder: Path) -> None:
        (name,) = (path.name for path in (store.home / "staging").iterdir())
        found.append(folder)
        assert folder.is_relative_to(store.home / "staging" / name) and held(store.locks / name)
        wheel(folder / WHEEL)

    builds(store, Engine(make)).built(SOURCE)
    assert found and not list((store.home / "staging").iterdir())


def test_anew_it_is_built_once_more_and_not_twice(store: Store) -> None:
    engine = Engine()
    builds(store, engine).built(SOURCE)
    wheels = builds(store, engine, no_cache=True)
    assert wheels.built(SOURCE) == wheels.built(SOURCE)
    assert [request.no_cache for request in engine.requests] == [False, True]


def test_a_kept_wheel_that_is_not_what_it_was_is_built_again(store: Store) -> None:
    engine = Engine()
    wheels = builds(store, engine)
    wheels.path(wheels.built(SOURCE)).write_bytes(b"another")
    assert builds(store, engine).built(SOURCE) and len(engine.requests) == 2


def link(folder: Path) -> None:
    (folder / WHEEL).symlink_to("/etc/passwd")


def two(folder: Path) -> None:
    wheel(folder / WHEEL)
    wheel(folder / "docopt-0.6.2-py2.py3-none-any.whl")


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: None,
        link,
        two,
        lambda folder: (folder / WHEEL).mkdir(),
        lambda folder: (folder / WHEEL).write_text("no archive"),
        lambda folder: wheel(folder / "other-0.6.2-py3-none-any.whl"),
        lambda folder: wheel(folder / "docopt-0.6.3-py3-none-any.whl"),
        lambda folder: wheel(folder / "docopt-0.6.2-cp27-cp27m-linux_x86_64.whl"),
        lambda folder: wheel(folder / "docopt-0.6.2-py3-none-any.whl.txt"),
    ],
    ids=["nothing", "link", "two", "folder", "no archive", "name", "version", "tags", "ending"],
)
def test_what_comes_out_and_is_no_wheel_of_it(store: Store, make: Callable[[Path], None]) -> None:
    place = Span("app.py", 4)
    with pytest.raises(BuildError) as caught:
        builds(store, Engine(make)).built(replace(SOURCE, place=place))
    (told,) = caught.value.diagnostics
    assert told.code == "IB677" and "docopt 0.6.2" in told.message and told.place is place
    assert not list((store.home / "packages").glob("wheels/*/*.whl"))


@pytest.mark.parametrize(
    ("log", "hint"),
    [
        ("x.c:3:10: fatal error: libpq-fe.h: No such file or directory", "the package that has libpq-fe.h"),
        ("Error: pg_config executable not found.", "the package that has pg_config"),
        ("error: Failed to fetch: `https://pypi.org/simple/setuptools/`", "can a build reach the index?"),
        ("error: can't find Rust compiler", "cargo"),
        ("RuntimeError: no", "take a version that has a wheel"),
    ],
)
def test_a_build_that_fails_is_told_with_its_last_lines(store: Store, log: str, hint: str) -> None:
    engine = Engine()
    engine.fail = BuildFailed("no", exit_code=1, log=("first", "", log), step="[build 1/1] RUN")
    place = Span("app.py", 4)
    with pytest.raises(BuildError) as caught:
        builds(store, engine).built(replace(SOURCE, place=place))
    (told,) = caught.value.diagnostics
    assert told.code == "IB677" and told.place is place and hint in told.help
    assert told.notes[0].message == f"the last lines of its build:\nfirst\n{log}"


def test_without_compilers_nothing_is_built_here(store: Store) -> None:
    engine = Engine()
    engine.fail = BuildFailed("no", exit_code=1, log=("the base has no apt-get",), step="[compilers 2/2] RUN")
    with pytest.raises(NotHere, match=r"docopt 0\.6\.2 cannot be built from source on the base: the base has no apt"):
        builds(store, engine).built(SOURCE)


def test_a_base_that_is_gone(store: Store) -> None:
    engine = Engine()
    del engine.images[REF]
    with pytest.raises(NotHere, match="not there any more"):
        builds(store, engine).built(SOURCE)


def test_a_source_at_an_index_that_wants_a_login_is_fetched_with_it(home: Path, tmp_path: Path) -> None:
    asked: list[str | None] = []

    class Guarded(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers.get("Authorization"))
            self.send_response(200 if asked[-1] else 401)
            self.send_header("Content-Length", str(len(TEXT) if asked[-1] else 0))
            self.end_headers()
            self.wfile.write(TEXT if asked[-1] else b"")

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Guarded) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        index = f"http://127.0.0.1:{server.server_address[1]}/"
        file = FILE.model_copy(update={"url": f"{index}docopt-0.6.2.tar.gz"})
        engine = Engine()
        logins = Logins({index: ("me", "secret")})
        wheels = FromSource(Store(home), lambda: engine, "linux/amd64", lambda event: None, BuildOptions(), logins)
        try:
            assert wheels.built(replace(SOURCE, file=file)).name == WHEEL
        finally:
            server.shutdown()
    assert asked == ["Basic bWU6c2VjcmV0"]
    assert not any(b"secret" in text for build in engine.bound for text in build.values())
