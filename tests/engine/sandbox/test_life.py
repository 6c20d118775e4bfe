"""How sandboxes come to be, are reached, stopped and found again, and what is left when they end."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from imagebuilder import (
    BuildError,
    Client,
    CreateSandboxFromImageParams,
    CreateSandboxFromSnapshotParams,
    CreateSnapshotParams,
    Image,
    Resources,
    Sandbox,
    SandboxError,
)
from tests.engine.sandbox.conftest import code


def test_a_build_that_takes_too_long_is_given_up(client: Client) -> None:
    image = Image.debian_slim("3.13").run_commands(f"echo {time.time()}; sleep 60")
    began = time.monotonic()
    with pytest.raises(BuildError) as caught:
        client.create(CreateSandboxFromImageParams(image=image), timeout=4)
    assert caught.value.diagnostics[0].code == "IB604" and time.monotonic() - began < 30
    (snapshot,) = client.snapshot.list()
    assert snapshot.state == "build_failed"
    client.snapshot.delete(snapshot.name)


def test_a_port_leads_into_it(sandbox: Sandbox) -> None:
    sandbox.fs.upload_file(b"hello", "/srv/www/index.html")
    sandbox.process.exec("cd /srv/www && python3 -m http.server 8000 >/dev/null 2>&1 &")
    with sandbox.preview(8000) as opened:
        assert opened.url.startswith("http://127.0.0.1:")
        for _ in range(50):
            try:
                assert urllib.request.urlopen(opened.url, timeout=5).read() == b"hello"
                break
            except OSError:
                time.sleep(0.1)
        else:
            pytest.fail("nothing answered")
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(opened.url, timeout=2)


def test_stopped_and_started_again(client: Client, sandbox: Sandbox) -> None:
    sandbox.fs.upload_file(b"kept", "/srv/f")
    began = time.monotonic()
    sandbox.stop()
    assert time.monotonic() - began < 8 and sandbox.state == "stopped"
    with pytest.raises(SandboxError) as caught:
        sandbox.process.exec("true")
    assert code(caught) == "IB752"
    found = Client(home=client.home).get(sandbox.name)
    found.start()
    assert found.fs.download_file("/srv/f") == b"kept" and found.process.exec("echo $GIVEN").result == "a b\n"


def test_of_an_image_that_is_built_when_it_is_asked_for(client: Client) -> None:
    lines: list[str] = []
    image = Image.debian_slim("3.13").run_commands("echo built > /built").workdir("/srv")
    params = CreateSandboxFromImageParams(image=image, resources=Resources(memory=0.5))
    with client.create(params, on_snapshot_create_logs=lines.append) as sandbox:
        assert sandbox.process.exec("cat /built; pwd").result == "built\n/srv\n" and lines
    lines.clear()
    with client.create(params, on_snapshot_create_logs=lines.append) as sandbox:
        assert sandbox.process.exec("cat /built").result == "built\n" and not lines
    (snapshot,) = client.snapshot.list()
    client.snapshot.delete(snapshot.name)


def test_fifty_of_them_leave_nothing(client: Client, snapshot: str) -> None:
    engine = client.engine.containers
    before = {each.id for each in engine.list({})}

    def use(number: int) -> str:
        with client.create(CreateSandboxFromSnapshotParams(snapshot=snapshot)) as sandbox:
            sandbox.fs.upload_file(str(number).encode(), "/tmp/n")
            return sandbox.process.exec("cat /tmp/n").result

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(use, range(50))) == [str(number) for number in range(50)]
    assert {each.id for each in engine.list({})} == before
    assert not list((client.home / "sandboxes").iterdir()) and client.list() == []


def test_what_a_killed_client_left_is_found_and_cleaned(client: Client, snapshot: str, env: dict[str, str]) -> None:
    program = (
        "import sys, imagebuilder\n"
        "client = imagebuilder.Client()\n"
        "print('ready', flush=True)\n"
        "client.create(imagebuilder.CreateSandboxFromSnapshotParams(snapshot='py'))\n"
    )
    for pause in (0.0, 0.03, 0.06, 0.09, 0.12, 0.2):
        running = subprocess.Popen([sys.executable, "-c", program], env=env, stdout=subprocess.PIPE)
        assert running.stdout is not None
        running.stdout.readline()
        time.sleep(pause)
        running.send_signal(signal.SIGKILL)
        running.wait()
        running.stdout.close()
    time.sleep(1)
    for each in client.list():
        assert each.state == "started"
        each.delete()
    assert client.sandboxes.sweep() == []
    assert client.engine.containers.list({"imagebuilder.home": client.sandboxes.home_id}) == []


def test_a_command_of_an_image_ends_with_its_killed_client(client: Client, snapshot: str, env: dict[str, str]) -> None:
    program = "import imagebuilder; imagebuilder.Client().run('py', ['sleep', '600'], timeout=600)"
    running = subprocess.Popen([sys.executable, "-c", program], env=env)
    mine = {"imagebuilder.home": client.sandboxes.home_id}
    for _ in range(100):
        if any(each.is_running for each in client.engine.containers.list(mine)):
            break
        time.sleep(0.1)
    else:
        pytest.fail("it does not start")
    client.list()
    assert client.engine.containers.list(mine), "its client lives"
    running.kill()
    running.wait()
    client.list()
    assert client.engine.containers.list(mine) == []


@pytest.mark.parametrize("options", [(), ("-i",), ("--user", "nobody"), ("-it",)])
def test_the_command_of_a_killed_client_ends(sandbox: Sandbox, env: dict[str, str], options: tuple[str, ...]) -> None:
    """And with it what it started; what runs in the sandbox besides goes on."""
    sandbox.process.exec("sleep 7001 & sleep 0.1")
    line = "sleep 7002 & exec sleep 7003"
    words = [sys.executable, "-m", "imagebuilder", "sandbox", "exec", *options, sandbox.name, "sh", "-c", line]
    ours, theirs = pty.openpty()
    running = subprocess.Popen(words, env=env, stdin=theirs, stdout=theirs, start_new_session=True)
    os.close(theirs)
    seen = "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"
    for _ in range(100):
        if "sleep 7003" in sandbox.process.exec(seen).result:
            break
        time.sleep(0.1)
    else:
        pytest.fail("it does not start")
    running.kill()
    running.wait()
    os.close(ours)
    listed = subprocess.run([*words[:3], "sandbox", "list"], env=env, capture_output=True, text=True, check=True)
    assert sandbox.name in listed.stdout
    left = sandbox.process.exec(seen).result
    assert "sleep 7001" in left and "sleep 7002" not in left and "sleep 7003" not in left


def test_docker_in_a_sandbox(client: Client) -> None:
    """Where no registry can be reached: Docker from Debian's packages, and an image that is made inside."""
    packages = ("docker.io", "docker-cli", "docker-buildx", "iptables", "ca-certificates", "busybox-static")
    image = Image.debian_slim("3.13").apt_install(*packages).entrypoint(["dockerd"])
    client.snapshot.create(CreateSnapshotParams("dind", image, Resources(cpu=2, memory=2)))
    with client.create(CreateSandboxFromSnapshotParams(snapshot="dind", privileged=True)) as sandbox:
        for _ in range(60):
            if sandbox.process.exec("docker info", timeout=30).exit_code == 0:
                break
            time.sleep(0.5)
        sandbox.fs.upload_file(b'FROM base:1\nRUN echo built > /made\nCMD ["cat", "/made"]\n', "/b/Dockerfile")
        done = sandbox.process.exec(
            "set -e; mkdir -p /b/bin; cp /bin/busybox /b/bin/; for t in sh echo cat; do ln -sf busybox /b/bin/$t; done\n"
            "tar -C /b -c bin | docker import - base:1 && docker build -q -t mine /b && docker run --rm mine",
            timeout=180,
        )
        assert done.result.splitlines()[-1] == "built", done.result
    client.snapshot.delete("dind")
