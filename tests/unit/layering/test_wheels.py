"""Wheels are fetched whole, once, and are what their SHA-256 says; from a server on loopback that answers as told."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import ValidationError

from imagebuilder.ir.packages import DistributionFile
from imagebuilder.layering.wheels import WheelStore
from tests.unit.layering.serving import DATA, NAME, Handler, Server, cut, refused, rest, status, whole


def left_over(home: Path) -> list[str]:
    return [each.name for each in home.rglob(".*")]


# What comes ---------------------------------------------------------------------------------------------


def test_what_is_fetched_is_kept(server: Server, store: WheelStore, home: Path) -> None:
    file = server.file()
    counted: list[int] = []
    assert store.missing([file, file]) == [file]
    store.fetch([file], counted.append)
    assert store.path(file).read_bytes() == DATA and sum(counted) == len(DATA)
    assert store.missing([file]) == [] and left_over(home) == []
    assert (home / "packages" / "wheels").stat().st_mode & 0o077 == 0


def test_of_many_each_is_asked_for_once(server: Server, store: WheelStore) -> None:
    data = {f"p{n}-1-py3-none-any.whl": str(n).encode() * 1000 for n in range(40)}
    server.answers = [lambda request: request.say(200, data[request.path.rpartition("/")[2]])]
    files = [server.file(content, name) for name, content in data.items()]
    store.fetch(store.missing(files))
    assert sorted(path for path, _ in server.asked) == sorted(f"/a/{name}" for name in data)
    assert [store.path(file).read_bytes() for file in files] == list(data.values())


def test_the_largest_come_first(store: WheelStore, server: Server) -> None:
    files = [server.file(size=size, sha256=f"{size:064x}") for size in (5, 100, 20)]
    assert [file.size for file in store.missing(files)] == [100, 20, 5]


def test_the_same_bytes_under_two_names_are_two_files(server: Server, store: WheelStore) -> None:
    files = [server.file(), server.file(name="demo-1.0-1-py3-none-any.whl")]
    store.fetch(store.missing(files))
    assert store.missing(files) == []


def test_nothing_is_asked_for_nothing(server: Server, store: WheelStore, home: Path) -> None:
    store.fetch([])
    assert server.asked == [] and not home.exists()


def test_a_file_that_lost_its_end_is_fetched_again(server: Server, store: WheelStore) -> None:
    """As after a crash of the machine, for which nothing waits."""
    file = server.file()
    store.fetch([file])
    store.path(file).write_bytes(DATA[:100])
    assert store.missing([file]) == [file]
    store.fetch([file])
    assert store.path(file).read_bytes() == DATA


def test_names_are_not_what_they_stand_for_in_a_url(server: Server, store: WheelStore) -> None:
    file = server.file(name="demo-1.0%2Bcpu-py3-none-any.whl?X-Amz-Signature=a/b")
    assert file.name == "demo-1.0+cpu-py3-none-any.whl"
    store.fetch([file])
    assert server.asked[0][0].endswith("?X-Amz-Signature=a/b")


@pytest.mark.parametrize(
    "url",
    [
        "https://h/a/x-1-py3-none-any%2F..%2F..%2F..%2Fevil.whl",
        "https://h/%2Fetc%2Fpasswd",
        "https://h/..",
        "https://h/%2e%2e",
        "https://h/.",
        "https://h/",
        "https://h",
        "https://h/a%00b.whl",
        "https://h/a%0Ab.whl",
        "https://h/" + "x" * 300,
    ],
)
def test_no_url_names_a_file_elsewhere(url: str) -> None:
    """An index says what it likes."""
    with pytest.raises(ValidationError):
        DistributionFile(url=url, sha256="0" * 64)


@pytest.mark.parametrize("digest", ["", "..", "../../x", "0" * 63, "0" * 65, "G" * 64, "A" * 64, "0" * 64 + "\n"])
def test_no_digest_names_a_folder_elsewhere(digest: str) -> None:
    with pytest.raises(ValidationError):
        DistributionFile(url="https://h/x.whl", sha256=digest)


# What goes wrong ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [404, 403, 401, 410, 400, 204, 206])
def test_another_answer_is_told(server: Server, store: WheelStore, home: Path, code: int) -> None:
    server.answers = [lambda request: request.say(code)]
    found, message = refused(store, server.file())
    assert found == "IB671" and f"from 127.0.0.1: the index answers {code}" in message
    assert len(server.asked) == 1 and left_over(home) == []


@pytest.mark.parametrize("code", [500, 502, 503, 504, 429])
def test_a_server_in_trouble_is_asked_again(server: Server, store: WheelStore, code: int) -> None:
    server.answers = [status(code), status(code, Retry_After="86400"), whole()]
    store.fetch([server.file()])
    assert len(server.asked) == 3


def test_and_not_for_ever(server: Server, store: WheelStore) -> None:
    server.answers = [status(503)]
    code, message = refused(store, server.file())
    assert code == "IB671" and "503" in message and len(server.asked) == 4


@pytest.mark.parametrize("data", [b"", DATA[:-1], DATA[:-1] + b"x", DATA + b"x"])
def test_other_bytes_are_refused(server: Server, store: WheelStore, home: Path, data: bytes) -> None:
    server.answers = [whole(data)]
    code, message = refused(store, server.file())
    assert code == "IB672" and "not what its index or lock says" in message
    assert not [each for each in home.rglob("*") if each.is_file()]


def test_a_file_without_an_end_is_given_up(server: Server, store: WheelStore) -> None:
    """More than was said is not taken, whatever comes then."""

    def endless(request: Handler) -> None:
        request.close_connection = True
        request.say(200, b"", 1 << 50)
        try:
            while True:
                request.wfile.write(DATA)
        except OSError:
            pass

    server.answers = [endless]
    code, message = refused(store, server.file())
    assert code == "IB672" and f"more than {len(DATA):,} bytes" in message


def test_what_was_cut_off_goes_on(server: Server, store: WheelStore) -> None:
    counted: list[int] = []
    server.answers = [cut(300_000), cut(300_000, ranges=True), rest()]
    store.fetch([server.file()], counted.append)
    assert store.path(server.file()).read_bytes() == DATA and sum(counted) == len(DATA)
    ranges = [headers.get("Range") for _, headers in server.asked]
    assert ranges == [None, "bytes=300000-", "bytes=600000-"]


def test_or_begins_anew_where_the_server_cannot(server: Server, store: WheelStore) -> None:
    counted: list[int] = []
    server.answers = [cut(300_000), whole()]
    store.fetch([server.file()], counted.append)
    assert store.path(server.file()).read_bytes() == DATA and sum(counted) == len(DATA)


def test_what_is_always_cut_off_is_told(server: Server, store: WheelStore, home: Path) -> None:
    server.answers = [cut(1000)]
    code, message = refused(store, server.file())
    assert code == "IB671" and message.endswith("from 127.0.0.1: the connection was cut off")
    assert len(server.asked) == 4 and left_over(home) == []


def test_nobody_listens(store: WheelStore, server: Server) -> None:
    code, message = refused(store, server.file(url=f"http://127.0.0.1:1/{NAME}"))
    assert code == "IB671" and "refused" in message


@pytest.mark.parametrize("url", [f"file:///tmp/{NAME}", f"ftp://127.0.0.1/{NAME}", f"/tmp/{NAME}", f"http:///{NAME}"])
def test_only_http_is_spoken(store: WheelStore, server: Server, url: str) -> None:
    assert refused(store, server.file(url=url))[0] == "IB671"


def test_one_that_fails_ends_the_others(server: Server, store: WheelStore, home: Path) -> None:
    """The error is told at once, however long another file would still take."""
    gone = threading.Event()

    def slow(request: Handler) -> None:
        request.say(200, b"", 1 << 40)
        try:
            while not gone.is_set():
                request.wfile.write(DATA)
        except OSError:
            gone.set()

    server.answers = [lambda request: slow(request) if "slow" in request.path else status(404)(request)]
    files = [server.file(name="slow-1-py3-none-any.whl", size=0), server.file()]
    assert "404" in refused(store, *files)[1]
    assert gone.wait(60) and left_over(home) == []


def test_a_full_disk_is_told(server: Server, store: WheelStore, home: Path) -> None:
    """As far as a process can fill one for itself."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        code, message = refused(store, server.file())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert code == "IB671" and message.startswith(f"cannot keep {NAME}: ") and left_over(home) == []


def test_a_home_that_takes_nothing_is_told(server: Server, store: WheelStore, home: Path) -> None:
    file = server.file()
    store.path(file).parent.parent.mkdir(parents=True)
    store.path(file).parent.write_text("in the way")
    assert refused(store, file)[0] == "IB671"


def test_a_bundle_that_is_none_is_told(server: Server, home: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("no certificate")
    for name in ("bad.pem", "missing.pem"):
        code, message = refused(WheelStore(home, tmp_path / name), server.file())
        assert code == "IB671" and name in message


# At the same time --------------------------------------------------------------------------------------


def test_threads_may_fetch_the_same(server: Server, store: WheelStore, home: Path) -> None:
    file = server.file()
    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(store.fetch, [file]) for _ in range(8)]:
            each.result()
    assert store.path(file).read_bytes() == DATA and left_over(home) == []


def test_processes_may_fetch_the_same(server: Server, store: WheelStore, home: Path) -> None:
    code = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from imagebuilder.ir.packages import DistributionFile\n"
        "from imagebuilder.layering.wheels import WheelStore\n"
        "WheelStore(Path(sys.argv[1])).fetch([DistributionFile(**json.loads(sys.argv[2]))])\n"
    )
    argv = [sys.executable, "-c", code, str(home), json.dumps(server.file().model_dump())]
    env = dict(os.environ)
    assert [each.wait(60) for each in [subprocess.Popen(argv, env=env) for _ in range(3)]] == [0, 0, 0]
    assert store.path(server.file()).read_bytes() == DATA and left_over(home) == []


def test_a_failure_waits_for_no_server_that_fell_silent(
    store: WheelStore, server: Server, other: Server, home: Path
) -> None:
    """Nor does Ctrl-C. What was begun is gone."""
    silent, over, ended = threading.Event(), threading.Event(), threading.Event()

    def stall(request: Handler) -> None:
        request.say(200, DATA[:100], len(DATA))
        request.wfile.flush()
        silent.set()
        over.wait(10)
        ended.set()

    def fail(request: Handler) -> None:
        silent.wait(30)
        request.say(404)

    server.answers, other.answers = [stall], [fail]
    try:
        assert refused(store, server.file(), other.file(b"x"))[0] == "IB671"
        assert silent.is_set() and not ended.is_set()
        assert not list((home / "packages").rglob(".new-*"))
    finally:
        over.set()
