"""Start, stop and report the embedded engine of one HOME."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from imagebuilder import command
from imagebuilder.diagnostics import EngineError
from imagebuilder.engine.api import Api
from imagebuilder.engine.embedded import network, process, rootfs
from imagebuilder.engine.embedded.layout import Layout, OnLine, failure, quiet, write_atomically
from imagebuilder.engine.endpoint import EMBEDDED, Endpoint
from imagebuilder.locks import lock

UP_SECONDS = 60.0
"""How long a daemon may take to answer; with much data to check it is slow."""
DOWN_SECONDS = 20.0
"""How long a daemon may take to stop its containers before it is killed."""
LOG_LINES = 15

_CAP_NET_ADMIN, _CAP_SYS_ADMIN = 12, 21
_CGROUPS = Path("/sys/fs/cgroup")
_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True)
class EngineStatus:
    """The embedded engine of one HOME; ``running`` means that it answers.

    ``docker_host`` is where it answers or would; ``pid`` is dockerd's.
    """

    running: bool
    docker_host: str
    version: str
    pid: int | None
    home: Path
    embedded: bool = True


@dataclass(frozen=True)
class Tools:
    """Docker's client and buildx out of the root file system, for a host that has none."""

    docker: Path | None
    buildx: Path | None


def tools(home: Path) -> Tools:
    """The programs of this HOME's root file system; None for each that is not there."""
    root = Layout.of(home).rootfs
    docker, buildx = root / "usr/bin/docker", root / "usr/libexec/docker/cli-plugins/docker-buildx"
    return Tools(*(path if os.access(path, os.X_OK) else None for path in (docker, buildx)))


def status(home: Path) -> EngineStatus:
    """What is there, without changing or waiting for anything."""
    layout = Layout.of(home)
    found = process.noted(layout)
    absent = EngineStatus(False, layout.docker_host, "", None, layout.home)
    if found is None:
        return absent
    try:
        version = str(api_of(layout).version().get("Version", ""))
    except EngineError:
        return absent
    return EngineStatus(True, layout.docker_host, version, process.daemon(found), layout.home)


def api_of(layout: Layout) -> Api:
    """Calls to the engine of this HOME."""
    return Api(Endpoint.at(layout.docker_host, EMBEDDED))


def start(home: Path, on_line: OnLine = quiet) -> EngineStatus:
    """Bring the engine up and wait until it answers; one that runs already is left alone.

    Two processes may call this at once: the second waits for the first. The
    engine outlives this process and its terminal.

    Raises:
        EngineError: this machine cannot run one (IB510 to IB516), or it did not come up.
    """
    _require_machine()
    layout = Layout.of(home)
    layout.make()
    with lock(layout.lock, lambda: on_line("waiting for another start of this engine")):
        if (running := process.find(layout)) and _wait_for_answer(layout, running):
            process.note(layout, running)
            return status(home)
        if running:
            raise failure(
                "IB518",
                f"the engine of {layout.home} runs as process {running.pid} but does not answer",
                "`imagebuilder engine stop`, then start it again",
            )
        rootfs.ensure(layout, on_line)
        _clean(layout)
        layout.make()
        try:
            _configure(layout, network.up(layout, on_line))
            _launch(layout)
        except BaseException:
            _end(layout)
            _clean(layout)
            raise
        found = status(home)
        on_line(f"the engine answers at {found.docker_host}")
        return found


def stop(home: Path) -> bool:
    """End the engine and all it started, and undo what it changed; whether one ran.

    Images, containers and volumes stay, for the next start.

    Raises:
        EngineError: IB519 where a process does not end; IB511 where one is there and we are not root.
    """
    layout = Layout.of(home)
    if not sys.platform.startswith("linux") or not layout.engine.exists():
        return False
    _require_root()
    with lock(layout.lock):
        ran = _end(layout)
        _clean(layout)
        return ran


def _require_root() -> None:
    if os.geteuid() != 0:
        raise failure(
            "IB511",
            "the embedded engine needs root: it mounts file systems and makes network interfaces",
            "run the command with sudo, or install Docker Engine and set DOCKER_HOST",
        )


def _require_machine() -> None:
    """Raises: EngineError where this machine cannot run the engine."""
    if not sys.platform.startswith("linux"):
        raise failure(
            "IB510",
            f"the embedded engine needs Linux, and this is {sys.platform}",
            "install Docker Desktop, or set DOCKER_HOST to an engine elsewhere",
        )
    _require_root()
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    held = next(int(line.split()[1], 16) for line in text.splitlines() if line.startswith("CapEff:"))
    for bit, name in ((_CAP_SYS_ADMIN, "CAP_SYS_ADMIN"), (_CAP_NET_ADMIN, "CAP_NET_ADMIN")):
        if not held >> bit & 1:
            raise failure(
                "IB512",
                f"this process is root without {name}, as in a container that is not privileged",
                "start the container with --privileged, or set DOCKER_HOST to an engine outside it",
            )


def _configure(layout: Layout, net: network.Network) -> None:
    """Write what the daemon reads when it starts, the machine's resolver and trust among it."""
    etc = layout.rootfs / "etc"
    config = {
        "features": {"containerd-snapshotter": True},
        "hosts": ["unix:///run/imagebuilder/docker.sock"],
        "group": "root",
        "bridge": layout.bridge,
        "iptables": False,
        "ip6tables": False,
        "ip-forward": False,
        "ip": "127.0.0.1",
        "default-address-pools": [{"base": str(net.pool), "size": 24}],
        "mtu": net.mtu,
        "default-network-opts": {"bridge": {"com.docker.network.driver.mtu": str(net.mtu)}},
        "cgroup-parent": f"/{layout.cgroup}",
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        "shutdown-timeout": 10,
    }
    (etc / "docker").mkdir(exist_ok=True)
    write_atomically(etc / "docker/daemon.json", json.dumps(config, indent=1))
    for name in ("resolv.conf", "hosts"):
        source = _resolver() if name == "resolv.conf" else Path("/etc/hosts")
        if source.exists():
            write_atomically(etc / name, source.read_text(encoding="utf-8", errors="replace"), 0o644)
    bundle = Path(os.environ.get("SSL_CERT_FILE") or _BUNDLE)
    if bundle.is_file():
        text = bundle.read_text(encoding="utf-8", errors="replace")
        write_atomically(layout.rootfs / str(_BUNDLE).lstrip("/"), text, 0o644)
    script = files("imagebuilder.engine.embedded").joinpath("launch.sh").read_text(encoding="utf-8")
    write_atomically(layout.launcher, script)


def _resolver() -> Path:
    """The resolv.conf that names real servers: a stub on loopback is out of a container's reach."""
    usual, real = Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf")
    text = usual.read_text(encoding="utf-8", errors="replace") if usual.exists() else ""
    servers = [line.split()[1] for line in text.splitlines() if line.startswith("nameserver ")]
    stub = bool(servers) and all(server.startswith("127.") for server in servers)
    return real if stub and real.exists() else usual


def _launch(layout: Layout) -> None:
    """Start the daemon and wait until it answers.

    Raises:
        EngineError: IB517 with the end of its log.
    """
    if layout.log.exists():
        layout.log.replace(layout.log.with_suffix(".log.1"))
    argv = ["setsid", "--fork", "unshare", "--mount", "--pid", "--fork", "--kill-child"]
    argv += ["/bin/sh", str(layout.launcher), str(layout.rootfs), str(layout.data), str(layout.run)]
    handle = os.open(layout.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        # setsid goes at once, so the daemon is nobody's child and nobody's zombie.
        command.spawn(argv, stdout=handle, stderr=handle, new_session=True, cwd="/").wait()
    finally:
        os.close(handle)
    running = None
    for _ in range(40):
        if running := process.find(layout):
            break
        time.sleep(0.05)
    if running is not None:
        process.note(layout, running)
        if _wait_for_answer(layout, running):
            return
    raise failure(
        "IB517",
        "the embedded engine did not come up; this is the end of its log",
        f"the whole log is {layout.log}",
        layout.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:],
    )


def _wait_for_answer(layout: Layout, running: process.Process) -> bool:
    end = time.monotonic() + UP_SECONDS
    while running.alive() and time.monotonic() < end:
        if api_of(layout).answers():
            return True
        time.sleep(0.05)
    return False


def _end(layout: Layout) -> bool:
    """End the engine's processes; whether there were any."""
    outer = process.find(layout)
    if outer is None:
        return False
    family = [outer, *process.children(outer)]
    for init in family[1:]:
        init.send(signal.SIGTERM)
    if not process.wait_gone(family, DOWN_SECONDS):
        # Process 1 of the PID namespace goes with it, and every process in there with that.
        outer.send(signal.SIGKILL)
        if not process.wait_gone(family, 10.0):
            raise failure("IB519", f"process {outer.pid} of the engine does not end, even when killed")
    return True


def _clean(layout: Layout) -> None:
    """Undo what an engine leaves when it ends, however it ended; the caller knows that none runs."""
    network.down(layout)
    for folder in _cgroups(layout):
        for _ in range(20):
            try:
                folder.rmdir()
                break
            except FileNotFoundError:
                break
            except OSError:
                time.sleep(0.05)
    for leftover in (layout.pidfile, layout.socket):
        leftover.unlink(missing_ok=True)
    if layout.run.parent != layout.engine:
        shutil.rmtree(layout.run, ignore_errors=True)


def _cgroups(layout: Layout) -> Iterator[Path]:
    """The engine's control groups in every hierarchy, innermost first."""
    for top in (_CGROUPS / layout.cgroup, *_CGROUPS.glob(f"*/{layout.cgroup}")):
        for folder, _, _ in os.walk(top, topdown=False):
            yield Path(folder)
