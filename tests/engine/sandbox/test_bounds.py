"""What a sandbox may not have: memory, processors, files, processes, rights and a network beyond its bounds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

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
