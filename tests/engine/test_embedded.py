"""Engines that really start, each in a home of its own; nothing here uses the machine's engine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from imagebuilder.diagnostics import EngineError
from imagebuilder.engine.embedded import base, engine, process
from imagebuilder.engine.embedded.layout import Layout
from imagebuilder.engine.embedded.rootfs import mounts_below
from imagebuilder.home import home as default_home
from tests.engine.runners import furnish

START = """
import sys, pathlib
from imagebuilder.engine.embedded import engine
print(engine.start(pathlib.Path(sys.argv[1])).pid)
"""
DEBIAN = "debian:bookworm-slim"


class Home:
    """A home with its engine, and Docker's client for it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.layout = Layout.of(path)
        self.api = engine.api_of(self.layout)

    def docker(self, *words: str, code: int = 0) -> str:
        client = engine.tools(self.path).docker
        assert client is not None
        env = {**os.environ, "DOCKER_HOST": self.layout.docker_host}
        done = subprocess.run([str(client), *words], env=env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == code, done.stderr
        return done.stdout.strip()

    def container(self, *options: str, image: str = DEBIAN, command: tuple[str, ...] = ("sleep", "600")) -> str:
        return self.docker("run", "-d", "--init", *options, image, *command)

    def clear(self) -> None:
        if ids := self.docker("ps", "-aq").split():
            self.docker("rm", "-f", *ids)


@pytest.fixture(scope="module")
def made(engine_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home whose engine has run once and holds a base image; its root file system is a copy of the machine's."""
    home = Home(tmp_path_factory.mktemp("embedded") / "home")
    furnish(home.path, default_home())
    engine.start(home.path)
    try:
        base.build_bases([DEBIAN], home.api, home.path)
        yield home
    finally:
        engine.stop(home.path)
        shutil.rmtree(home.path)


@pytest.fixture
def home(made: Home) -> Iterator[Home]:
    """That home with its engine up and no containers."""
    engine.start(made.path)
    made.clear()
    yield made
    engine.start(made.path)
    made.clear()


@pytest.fixture
def second(made: Home, tmp_path: Path) -> Iterator[Home]:
    """Another home, with a copy of the root file system."""
    home = Home(tmp_path / "second")
    furnish(home.path, made.path)
    try:
        yield home
    finally:
        engine.stop(home.path)
        shutil.rmtree(home.path)


def _namespace(home: Home) -> str:
    """The PID namespace of the engine; whatever it started is in there."""
    outer = process.find(home.layout)
    assert outer is not None
    return str(Path(f"/proc/{outer.pid}/ns/pid_for_children").readlink())


def _in_namespace(name: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str((entry / "ns/pid").readlink()) == name:
                found.append(entry.name)
        except OSError:
            continue
    return found


def _left(home: Home) -> dict[str, list[str]]:
    """All that an engine may leave on the machine."""
    identity, rootfs = home.layout.id, str(home.layout.rootfs)
    pool = IPv4Network(str(json.loads(home.layout.network.read_text())["pool"]))
    shown = subprocess.run(["chroot", rootfs, "ip", "-json", "-4", "address"], capture_output=True, check=True)
    addresses = {
        entry["ifname"]: [IPv4Address(address["local"]) for address in entry["addr_info"]]
        for entry in json.loads(shown.stdout)
        if entry
    }
    chains = [
        line
        for table in ("nat", "filter")
        for line in subprocess.run(
            ["chroot", rootfs, "iptables", "-t", table, "-S"], capture_output=True, text=True, check=True
        ).stdout.splitlines()
    ]
    return {
        "mounts": mounts_below(home.path),
        "interfaces": [path.name for path in Path("/sys/class/net").iterdir() if identity in path.name],
        "networks": [name for name, found in addresses.items() if any(each in pool for each in found)],
        "chains": [line for line in chains if identity in line],
        "cgroups": [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/*{identity}*")],
        "claims": [str(path) for path in Path("/run/imagebuilder").glob(f"{identity}*")],
        "socket": [str(home.layout.socket)] if home.layout.socket.exists() else [],
    }


def test_start_twice_is_one_engine(home: Home) -> None:
    first, again = engine.start(home.path), engine.start(home.path)
    assert first == again == engine.status(home.path)
    assert first.running
    assert first.version
    assert first.pid is not None
    assert Path(f"/proc/{first.pid}/comm").read_text().strip() == "dockerd"


def test_two_processes_start_one_engine(home: Home) -> None:
    engine.stop(home.path)
    starts = [
        subprocess.Popen([sys.executable, "-c", START, str(home.path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    pids = {start.communicate(timeout=60)[0].strip() for start in starts}
    assert pids == {str(engine.status(home.path).pid)}


def test_stop_twice_and_nothing_is_left(home: Home) -> None:
    home.docker("network", "create", "extra")
    home.container("--network", "extra", "-v", "kept:/data")
    home.container("-p", "8000")
    namespace = _namespace(home)
    assert len(_in_namespace(namespace)) > 4
    assert engine.stop(home.path) is True
    assert _in_namespace(namespace) == []
    assert not any(_left(home).values()), _left(home)
    assert engine.stop(home.path) is False
    assert engine.status(home.path).running is False

    engine.start(home.path)
    assert home.docker("volume", "ls", "-q") == "kept"
    home.clear()
    home.docker("network", "rm", "extra")
    home.docker("volume", "rm", "kept")


def test_start_after_kill_9(home: Home) -> None:
    name = home.container("-p", "8000")
    before = engine.status(home.path).pid
    assert before is not None
    namespace = _namespace(home)
    os.kill(before, signal.SIGKILL)
    end = time.monotonic() + 10
    while _in_namespace(namespace) and time.monotonic() < end:
        time.sleep(0.05)
    assert _in_namespace(namespace) == [], "the containers die with the daemon"
    assert engine.status(home.path).running is False
    after = engine.start(home.path)
    assert after.running
    assert after.pid != before
    home.docker("start", name)
    assert home.docker("exec", name, "echo", "here") == "here"


def test_stop_after_kill_9_leaves_nothing(home: Home) -> None:
    home.container()
    outer = process.find(home.layout)
    assert outer is not None
    os.kill(outer.pid, signal.SIGKILL)
    engine.stop(home.path)
    assert not any(_left(home).values()), _left(home)


def test_a_start_that_is_killed_is_taken_up_by_the_next(home: Home) -> None:
    engine.stop(home.path)
    for moment in (0.15, 0.25, 0.35):
        starting = subprocess.Popen([sys.executable, "-c", START, str(home.path)])
        time.sleep(moment)
        starting.kill()
        starting.wait()
        assert engine.start(home.path).running
        engine.stop(home.path)
        assert not any(_left(home).values()), _left(home)


def test_a_stale_note_is_no_engine(home: Home) -> None:
    engine.stop(home.path)
    home.layout.pidfile.write_text(json.dumps({"pid": os.getpid(), "started": 1}))
    home.layout.socket.touch()
    assert engine.status(home.path).running is False
    assert engine.stop(home.path) is False
    assert engine.start(home.path).running


def test_exec_does_not_show_the_host(home: Home, tmp_path: Path) -> None:
    (tmp_path / "of-the-host").touch()
    name = home.container()
    listed = home.docker("exec", name, "ls", "/", str(home.path.parent), code=2)
    assert ".dockerenv" in home.docker("exec", name, "ls", "-a", "/")
    assert "engine" not in listed
    home.docker("exec", name, "test", "-e", str(tmp_path / "of-the-host"), code=1)


def test_the_socket_is_its_owners_alone(home: Home) -> None:
    socket = home.layout.socket.stat()
    assert stat.S_ISSOCK(socket.st_mode)
    assert (socket.st_uid, socket.st_gid) == (0, 0)
    assert stat.S_IMODE(socket.st_mode) & 0o007 == 0
    for folder in (home.layout.run, home.layout.engine):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_nothing_listens_on_a_network(home: Home) -> None:
    text = Path("/proc/net/tcp").read_text().splitlines()[1:] + Path("/proc/net/tcp6").read_text().splitlines()[1:]
    listening = {line.split()[9] for line in text if line.split()[3] == "0A"}
    ours = set()
    for pid in _in_namespace(_namespace(home)):
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            try:
                ours.add(os.readlink(handle).removeprefix("socket:[").rstrip("]"))
            except OSError:
                continue
    assert not listening & ours


def test_the_daemon_keeps_none_of_the_callers_environment(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.stop(home.path)
    monkeypatch.setenv("SOME_TOKEN", "hunter2")
    monkeypatch.setenv("no_proxy", "a b,c")
    pid = engine.start(home.path).pid
    words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    assert not [word for word in words if b"hunter2" in word]
    assert b"no_proxy=a b,c" in words


def test_containers_reach_the_network_and_published_ports_are_on_loopback(home: Home) -> None:
    home.docker("network", "create", "other")
    try:
        for words in ((), ("--network", "other")):
            home.docker("run", "--rm", *words, DEBIAN, "apt-get", "update", "--error-on=any")
    finally:
        home.docker("network", "rm", "other")
    name = home.container("-p", "8000", image=DEBIAN)
    assert home.docker("port", name).startswith("8000/tcp -> 127.0.0.1:")


def test_two_homes_at_once(home: Home, second: Home) -> None:
    engine.start(second.path)
    assert second.docker("images", "-q") == ""
    base.build_bases([DEBIAN], second.api, second.path)
    first_id = home.docker("images", "-q", "--no-trunc", DEBIAN)
    assert second.docker("images", "-q", "--no-trunc", DEBIAN) == first_id
    one, other = home.container(), second.container()
    for each, name in ((home, one), (second, other)):
        each.docker("exec", name, "apt-get", "update", "--error-on=any")
    assert engine.stop(second.path) is True
    assert not any(_left(second).values()), _left(second)
    home.docker("exec", one, "apt-get", "update", "--error-on=any")


def test_the_tools_run_on_this_machine(home: Home) -> None:
    found = engine.tools(home.path)
    assert found.buildx is not None
    done = subprocess.run([str(found.buildx), "version"], capture_output=True, text=True, check=True)
    assert "buildx" in done.stdout
    assert home.docker("version", "--format", "{{.Server.Version}}") == engine.status(home.path).version


def test_a_start_that_fails_shows_the_log_and_leaves_nothing(home: Home) -> None:
    engine.stop(home.path)
    launcher = engine.files("imagebuilder.engine.embedded").joinpath("launch.sh")
    assert launcher.is_file()
    dockerd = home.layout.rootfs / "usr/sbin/dockerd"
    aside = dockerd.with_name("dockerd.aside")
    dockerd.rename(aside)
    try:
        with pytest.raises(EngineError) as error:
            engine.start(home.path)
    finally:
        aside.rename(dockerd)
    (problem,) = error.value.diagnostics
    assert problem.code == "IB517"
    assert "dockerd" in problem.notes[0].message
    assert not any(_left(home).values()), _left(home)


def test_a_base_is_made_once_and_never_over_another(home: Home) -> None:
    lines: list[str] = []
    base.build_bases([DEBIAN], home.api, home.path, lines.append)
    assert lines == [f"{DEBIAN}: there already (assembled from Debian bookworm's packages)"]
    (home.path / "empty.tar").write_bytes(bytes(10240))
    home.docker("import", str(home.path / "empty.tar"), "debian:trixie")
    with pytest.raises(EngineError) as error:
        base.build_bases(["debian:trixie"], home.api, home.path)
    assert error.value.diagnostics[0].code == "IB532"
    home.docker("rmi", "debian:trixie")


def test_a_python_base_looks_like_the_official_image(home: Home) -> None:
    (name,) = base.build_bases(["python:3.11-slim-bookworm"], home.api, home.path)
    assert name == "python:3.11-slim-bookworm"
    config = json.loads(home.docker("image", "inspect", name))[0]["Config"]
    assert config["Cmd"] == ["python3"]
    assert "LANG=C.UTF-8" in config["Env"]
    assert "PATH=/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" in config["Env"]
    assert config["Labels"]["imagebuilder.stand-in"] == "debian"
    script = """
        for name in python python3 pip pip3; do test "$(command -v $name)" = /usr/local/bin/$name || exit 1; done
        test -z "$(ls /usr/lib/python3*/EXTERNALLY-MANAGED 2>/dev/null)" || exit 2
        test -z "$(ls -A /var/lib/apt/lists)" || exit 3
        test "$(python -c 'import platform; print(platform.python_version())')" = "$PYTHON_VERSION" || exit 4
        test -s /etc/ssl/certs/ca-certificates.crt || exit 5
        test -f /usr/include/python3.11/Python.h || exit 6
        mkdir -p /tmp/p/src && cd /tmp/p
        printf '[project]\\nname = "probe"\\nversion = "1"\\n' >pyproject.toml && touch src/probe.py
        pip install --no-build-isolation --no-index . >/dev/null 2>&1 || exit 7
        cd / && python -c 'import probe' || exit 8
        python -m venv /tmp/v && /tmp/v/bin/python -c 'import sys; assert sys.prefix == "/tmp/v"' || exit 9
        apt-get update --error-on=any >/dev/null || exit 10
    """
    home.docker("run", "--rm", name, "sh", "-c", script)
    stand_in = base.build_bases(["3.12"], home.api, home.path, stand_in=True)
    labels = json.loads(home.docker("image", "inspect", *stand_in))[0]["Config"]["Labels"]
    assert labels["imagebuilder.stand-in.note"].startswith("stand-in: this is Python 3.11, not 3.12")


def test_a_published_port_answers_on_loopback(home: Home) -> None:
    (name,) = base.build_bases(["python:3.11-slim-bookworm"], home.api, home.path)
    container = home.container("-p", "8000", image=name, command=("python", "-m", "http.server", "8000"))
    port = home.docker("port", container).rpartition(":")[2]
    end = time.monotonic() + 10
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as answer:
                assert answer.status == 200
            break
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.1)
