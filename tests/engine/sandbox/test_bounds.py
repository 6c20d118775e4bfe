"""What a sandbox may not have: memory, processors, files, processes, rights and a network beyond its bounds."""

from __future__ import annotations

import socket
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from imagebuilder import (
    Client,
    CreateSandboxFromSnapshotParams,
    Sandbox,
    SandboxError,
)
from tests.engine.sandbox.conftest import code


def test_memory_is_bounded(sandbox: Sandbox) -> None:
    assert sandbox.process.code_run("x = bytearray(900_000_000)").exit_code == 137
    assert sandbox.process.exec("echo alive").result == "alive\n"


def test_cpu_is_bounded(sandbox: Sandbox) -> None:
    """Half a CPU: two seconds of the clock are about one of work, from two programs at once."""
    spin = "import time; e = time.time() + 2\nwhile time.time() < e: pass\nprint(time.process_time())"
    with ThreadPoolExecutor(2) as pool:
        used = sum(float(done.result) for done in pool.map(lambda _: sandbox.process.code_run(spin), range(2)))
    assert used < 2 * 0.5 * 1.6


def test_a_file_that_is_too_large_is_an_error_in_the_sandbox_alone(sandbox: Sandbox) -> None:
    done = sandbox.process.exec("dd if=/dev/zero of=/tmp/x bs=1M count=200; echo status $?")
    assert "File too large" in done.result or "status 153" in done.result
    assert sandbox.process.exec("echo alive").result == "alive\n"


def test_processes_are_bounded(sandbox: Sandbox) -> None:
    """Threads count as well, and take less memory than as many processes."""
    program = (
        "import threading\nthreading.stack_size(65536)\nstop, made = threading.Event(), 0\n"
        "try:\n    while made < 3000:\n        threading.Thread(target=stop.wait).start()\n        made += 1\n"
        "except RuntimeError:\n    pass\nstop.set()\nprint(made)"
    )
    assert 900 < int(sandbox.process.code_run(program, timeout=60).result) <= 1024
    assert sandbox.process.exec("echo alive").result == "alive\n"


def test_rights_are_few(sandbox: Sandbox) -> None:
    status = sandbox.process.exec("cat /proc/self/status").result
    assert "NoNewPrivs:\t1" in status
    for forbidden in (
        "mount -t tmpfs x /mnt",
        "dmesg",
        "chroot /proc/1/root true && ls /proc/1/root/work",
        "ip link add x type dummy",
    ):
        assert sandbox.process.exec(forbidden).exit_code != 0
    assert sandbox.process.exec("ls /var/run/docker.sock /run/docker.sock").exit_code != 0
    assert sandbox.process.exec("touch /tmp/x && chown nobody /tmp/x && su nobody -s /bin/sh -c id").exit_code == 0


def test_without_a_network_there_is_loopback_alone(client: Client, snapshot: str) -> None:
    with client.create(CreateSandboxFromSnapshotParams(snapshot=snapshot, network_block_all=True)) as sandbox:
        assert sandbox.process.exec("ls /sys/class/net").result == "lo\n"
        with pytest.raises(SandboxError) as caught:
            sandbox.preview(8000)
        assert code(caught) == "IB758"


def test_an_allow_list_holds(client: Client, snapshot: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sandboxes listen; a third may reach one of them, by its address and by its name, also when started again."""
    serve = "cd /srv && echo hello >index.html && python3 -m http.server 8000 >/dev/null 2>&1 &"
    addresses = []
    for _ in range(2):
        listening = client.create(CreateSandboxFromSnapshotParams(snapshot=snapshot))
        listening.process.exec(serve)
        addresses.append(listening.process.exec("hostname -I").result.strip())
        answers(listening)
    allowed, other = addresses
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (allowed, 0))])
    sandbox = client.create(CreateSandboxFromSnapshotParams(snapshot=snapshot, network_allow_list=["friend.test"]))
    monkeypatch.undo()
    for _ in range(2):
        assert reached(sandbox, allowed) == reached(sandbox, "friend.test") == "hello"
        for refused in (other, allowed.rpartition(".")[0] + ".1", "friend.other.test"):
            assert reached(sandbox, refused) in ("Connection refused", "Temporary failure in name resolution")
        assert "not permitted" in sandbox.process.exec("unshare --net true").result
        # What is asked from outside is answered.
        sandbox.process.exec(serve)
        answers(sandbox)
        sandbox.stop()
        sandbox.start()


def reached(sandbox: Sandbox, host: str) -> str:
    """What a server of a host says to a sandbox, or why it does not."""
    return sandbox.process.code_run(f"""
import urllib.error, urllib.request
try:
    print(urllib.request.urlopen("http://{host}:8000", timeout=20).read().decode(), end="")
except urllib.error.URLError as error:
    print(error.reason.strerror)""").result.strip()


def answers(sandbox: Sandbox) -> None:
    with sandbox.preview(8000) as opened:
        for _ in range(100):
            with suppress(OSError):
                assert urllib.request.urlopen(opened.url, timeout=5).read() == b"hello\n"
                return
            time.sleep(0.1)
    raise AssertionError("nothing answered")
