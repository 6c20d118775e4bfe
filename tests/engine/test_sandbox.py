"""Sandboxes on a real engine: commands, sessions, files, ports, bounds, and what is left when they end."""

from __future__ import annotations

import asyncio
import io
import os
import posixpath
import pty
import select
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from imagebuilder import (
    AsyncClient,
    BuildError,
    Client,
    CompileError,
    CreateSandboxFromImageParams,
    CreateSandboxFromSnapshotParams,
    CreateSnapshotParams,
    Image,
    Resources,
    Sandbox,
    SandboxError,
    SessionExecuteRequest,
)
from tests.conftest import Cli

PYTHON = "python:3.13-slim-trixie"
HOSTILE = b"\0\xff\r\n\x1b[31m" + bytes(range(256)) * 100


@pytest.fixture
def snapshot(client: Client) -> Iterator[str]:
    client.snapshot.create(CreateSnapshotParams("py", PYTHON, Resources(cpu=0.5, memory=0.25, disk=0.1)))
    yield "py"
    for each in client.list():
        each.delete()
    client.snapshot.delete("py")


@pytest.fixture
def sandbox(client: Client, snapshot: str) -> Iterator[Sandbox]:
    with client.create(CreateSandboxFromSnapshotParams(snapshot=snapshot, env_vars={"GIVEN": "a b"})) as made:
        yield made


def code(caught: pytest.ExceptionInfo[SandboxError]) -> str:
    return caught.value.diagnostics[0].code


# Commands ---------------------------------------------------------------------------------------------


def test_a_command(sandbox: Sandbox) -> None:
    done = sandbox.process.exec("echo $GIVEN; echo e >&2; pwd; exit 3", cwd="/tmp")
    assert (done.exit_code, done.stdout, done.stderr) == (3, "a b\n/tmp\n", "e\n")
    assert sorted(done.result.split()) == ["/tmp", "a", "b", "e"]
    assert sandbox.process.exec(["printf", "%s|", "a b", "$GIVEN", "'"]).result == "a b|$GIVEN|'|"
    assert sandbox.process.exec("echo $X", env={"X": "1"}).result == "1\n"
    assert sandbox.process.exec("id -un", user="nobody").result == "nobody\n"
    assert sandbox.process.exec(["cat"], input=HOSTILE).stdout.encode(errors="replace") == HOSTILE.decode(
        errors="replace"
    ).encode(errors="replace")
    assert sandbox.process.exec(["not-there"]).exit_code == 127
    assert sandbox.process.exec("x", cwd="/not/there").exit_code != 0


def test_output_comes_piece_by_piece(sandbox: Sandbox) -> None:
    pieces: list[tuple[float, int, bytes]] = []
    sandbox.process.exec(
        "echo one; sleep 1; echo two >&2", on_output=lambda n, data: pieces.append((time.monotonic(), n, data))
    )
    assert [(n, data) for _, n, data in pieces] == [(1, b"one\n"), (2, b"two\n")]
    assert pieces[1][0] - pieces[0][0] > 0.5


def test_a_command_that_does_not_end_is_killed_with_all_it_started(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError) as caught:
        sandbox.process.exec("sleep 101 & sh -c 'sleep 102' & sleep 103", timeout=1)
    assert code(caught) == "IB753"
    assert "sleep 10" not in sandbox.process.exec("cat /proc/[0-9]*/cmdline | tr '\\0' ' '").result.replace(
        "sleep 10\\", ""
    )


def test_code(sandbox: Sandbox) -> None:
    done = sandbox.process.code_run("import sys\nprint(sys.argv[1:], 6 * 7)\nsys.exit(4)", argv=["x y"])
    assert (done.exit_code, done.result) == (4, "['x y'] 42\n")
    assert "ZeroDivisionError" in sandbox.process.code_run("1/0").result
    assert sandbox.process.code_run("x = '" + "y" * 300_000 + "'\nprint(len(x))").result == "300000\n"


def test_a_session_keeps_its_state(sandbox: Sandbox) -> None:
    process = sandbox.process
    process.create_session("s")

    def run(line: str) -> tuple[int | None, str, str]:
        done = process.execute_session_command("s", SessionExecuteRequest(line))
        return done.exit_code, done.stdout, done.stderr

    assert run("cd /tmp; export X=1; f() { echo f$1; }") == (0, "", "")
    assert run("pwd; echo $X; f 2; printf none; false") == (1, "/tmp\n1\nf2\nnone", "")
    assert run("echo $?") == (0, "1\n", "")
    assert run("cat") == (0, "", ""), "it reads nothing of what comes next"
    for broken in ("if", "echo 'open", "}", ")", "echo $((", "# comment", "cat <<X"):
        assert isinstance(run(broken)[0], int)
    assert run("echo still here >&2") == (0, "", "still here\n")
    assert run("printf 'a\\000b'")[1] == "a\0b"
    assert len(process.get_session("s").commands) > 10 and [s.session_id for s in process.list_sessions()] == ["s"]
    with pytest.raises(CompileError):
        process.create_session("s")
    process.delete_session("s")
    with pytest.raises(CompileError):
        process.get_session("s")


def test_a_session_outlives_a_command_that_does_not_end(sandbox: Sandbox) -> None:
    process = sandbox.process
    process.create_session("s")
    process.execute_session_command("s", "X=kept")
    with pytest.raises(SandboxError) as caught:
        process.execute_session_command("s", "sleep 100", timeout=0.5)
    assert code(caught) == "IB753"
    assert process.execute_session_command("s", "echo $X").stdout == "kept\n"
    started = process.execute_session_command("s", SessionExecuteRequest("sleep 0.5; echo later", run_async=True))
    assert started.exit_code is None
    assert process.execute_session_command("s", "echo after").stdout == "after\n"
    found = process.get_session_command("s", started.cmd_id)
    assert (found.exit_code, found.stdout) == (0, "later\n")
    with pytest.raises(SandboxError) as caught:
        process.execute_session_command("s", "exit 3")
    assert code(caught) == "IB757"


def test_many_sessions_at_once(sandbox: Sandbox) -> None:
    def work(name: str) -> str:
        sandbox.process.create_session(name)
        for _ in range(20):
            sandbox.process.execute_session_command(name, f"X=${{X}}{name}")
        return sandbox.process.execute_session_command(name, "echo $X").stdout

    with ThreadPoolExecutor(5) as pool:
        assert list(pool.map(work, "abcde")) == [each * 20 + "\n" for each in "abcde"]


# Files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["f", "/tmp/a b\n'\"$x.bin", "deep/er/file", "/tmp/-rf", "ümläut", "x" * 200])
def test_any_bytes_under_any_name(sandbox: Sandbox, path: str) -> None:
    sandbox.fs.upload_file(HOSTILE, path)
    assert sandbox.fs.download_file(path) == HOSTILE
    folder, name = posixpath.split(path)
    assert name in [each.name for each in sandbox.fs.list_files(folder or ".")]
    assert sandbox.fs.get_file_info(path).size == len(HOSTILE)
    sandbox.fs.delete_file(path)
    with pytest.raises(SandboxError) as caught:
        sandbox.fs.download_file(path)
    assert code(caught) == "IB758"


def test_large_files_are_streamed(sandbox: Sandbox, tmp_path: Path) -> None:
    local, back = tmp_path / "large", tmp_path / "back"
    with local.open("wb") as file:
        for number in range(60):
            file.write(bytes([number]) * (1 << 20))
    sandbox.fs.upload_file(local, "/tmp/large")
    sandbox.fs.download_file("/tmp/large", back)
    assert back.read_bytes() == local.read_bytes()
    sandbox.fs.upload_file(io.BytesIO(b"from a stream"), "/tmp/large")
    assert sandbox.fs.download_file("/tmp/large") == b"from a stream"


def test_the_files_of_a_sandbox(sandbox: Sandbox) -> None:
    fs = sandbox.fs
    fs.create_folder("/srv/a/b", "750")
    fs.upload_file(b"one\ntwo ${x}\nthree\n", "/srv/a/f.txt")
    fs.upload_file(b"#!/bin/sh\necho ran\n", "/srv/a/run", mode=0o755)
    assert sandbox.process.exec(["/srv/a/run"]).result == "ran\n"
    assert [(f.name, f.is_dir, f.mode) for f in fs.list_files("/srv/a")] == [
        ("b", True, "0750"), ("f.txt", False, "0644"), ("run", False, "0755")
    ]  # fmt: skip
    assert [(m.file, m.line, m.content) for m in fs.find_files("/srv", "two")] == [("/srv/a/f.txt", 2, "two ${x}")]
    assert fs.search_files("/srv", "*.txt") == ["/srv/a/f.txt"]
    assert fs.replace_in_files(["/srv/a/f.txt"], "two", "2") == 1
    assert fs.download_file("/srv/a/f.txt") == b"one\n2 ${x}\nthree\n"
    fs.set_file_permissions("/srv/a/f.txt", "600", "nobody")
    info = next(f for f in fs.list_files("/srv/a") if f.name == "f.txt")
    assert (info.mode, info.owner) == ("0600", "nobody")
    fs.move_files("/srv/a/f.txt", "/srv/a/b")
    assert [f.name for f in fs.list_files("/srv/a/b")] == ["f.txt"]
    with pytest.raises(SandboxError):
        fs.delete_file("/srv/a/b")
    fs.delete_file("/srv/a/b", recursive=True)
    assert [f.name for f in fs.list_files("/srv/a")] == ["run"]
    sandbox.process.exec("ln -s /srv/a/run /srv/link; ln -s loop2 /srv/loop1; ln -s loop1 /srv/loop2")
    assert fs.download_file("/srv/link") == b"#!/bin/sh\necho ran\n"
    fs.upload_file(b"through\n", "/srv/link")
    assert fs.download_file("/srv/a/run") == b"through\n" and fs.get_file_info("/srv/link").link_target == "/srv/a/run"
    for wrong in (
        lambda: fs.download_file("/srv/loop1"),
        lambda: fs.download_file("/srv"),
        lambda: fs.list_files("/x"),
    ):
        with pytest.raises(SandboxError) as caught:
            wrong()
        assert code(caught) == "IB758" and caught.value.diagnostics[0].help


def test_folders_there_and_back(sandbox: Sandbox, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep/file").write_bytes(HOSTILE)
    (source / "deep/program").write_text("x")
    (source / "deep/program").chmod(0o755)
    (source / "link").symlink_to("deep/file")
    sandbox.fs.upload_dir(source, "/srv/there")
    sandbox.fs.download_dir("/srv/there", tmp_path / "back")
    assert (tmp_path / "back/deep/file").read_bytes() == HOSTILE
    assert (tmp_path / "back/deep/program").stat().st_mode & 0o111 and os.readlink(
        tmp_path / "back/link"
    ) == "deep/file"
    with pytest.raises(CompileError):
        sandbox.fs.download_dir("/srv/there", tmp_path / "back")


@pytest.mark.parametrize(
    "evil",
    [
        "ln -s /etc/passwd x",
        "ln -s .. x",
        "ln -s ../../../up x",
        "ln -s . b; ln -s b/.. x",
        "mkfifo x",
        "mknod x c 1 3",
    ],
)
def test_nothing_of_a_sandbox_leads_out_of_a_folder(sandbox: Sandbox, tmp_path: Path, evil: str) -> None:
    made = sandbox.process.exec(f"mkdir -p /srv/evil && cd /srv/evil && {evil}")
    if made.exit_code:
        assert "mknod" in evil, "no right to make devices"
        return
    with pytest.raises(SandboxError) as caught:
        sandbox.fs.download_dir("/srv/evil", tmp_path / "out")
    assert code(caught) == "IB758" and "refused" in str(caught.value)
    assert not (tmp_path / "out/x").is_symlink()


# Bounds -----------------------------------------------------------------------------------------------


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


def test_a_build_that_takes_too_long_is_given_up(client: Client) -> None:
    image = Image.debian_slim("3.13").run_commands(f"echo {time.time()}; sleep 60")
    began = time.monotonic()
    with pytest.raises(BuildError) as caught:
        client.create(CreateSandboxFromImageParams(image=image), timeout=4)
    assert caught.value.diagnostics[0].code == "IB604" and time.monotonic() - began < 30
    (snapshot,) = client.snapshot.list()
    assert snapshot.state == "build_failed"
    client.snapshot.delete(snapshot.name)


def test_with_an_event_loop(client: Client, snapshot: str) -> None:
    """Ten at a time, and nothing is left."""

    async def use(number: int) -> str:
        params = CreateSandboxFromSnapshotParams(snapshot=snapshot)
        async with await asynchronous.create(params) as sandbox:
            await sandbox.fs.upload_file(str(number).encode(), "/tmp/n")
            return (await sandbox.process.exec("cat /tmp/n")).result

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*map(use, range(10)))

    asynchronous = AsyncClient(home=client.home, engine=client.engine)
    assert asyncio.run(all_of_them()) == [str(number) for number in range(10)]
    assert asyncio.run(asynchronous.list()) == []


# Life -------------------------------------------------------------------------------------------------


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


def test_the_sample_of_the_page(client: Client, snapshot: str) -> None:
    """As on the page that the project began from, with another import and another name."""
    daytona = client
    sandbox = daytona.create(
        CreateSandboxFromSnapshotParams(
            snapshot="py",
        )
    )
    assert sandbox.process.exec("echo hello").result == "hello\n"
    daytona.delete(sandbox)
    assert client.list() == []


# The command line -------------------------------------------------------------------------------------


def test_the_command_line(cli: Cli, snapshot: str, tmp_path: Path) -> None:
    made = cli("sandbox", "create", snapshot, "--name", "one", "--label", "a=b", "--json")
    assert made.code == 0 and made.json["labels"] == {"a": "b"}
    again = cli("sandbox", "create", snapshot, "--name", "one")
    assert again.code == 2 and "IB751" in again.err
    done = cli("sandbox", "exec", "one", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.code, done.out, done.err) == (7, "out\n", "err\n")
    late = cli("sandbox", "exec", "--timeout", "1", "one", "sleep", "60")
    assert late.code == 1 and "IB753" in late.err
    (tmp_path / "f").write_bytes(HOSTILE)
    assert cli("sandbox", "cp", tmp_path / "f", "one:/tmp/").code == 0
    assert cli("sandbox", "cp", "one:/tmp/f", tmp_path / "g").code == 0
    assert (tmp_path / "g").read_bytes() == HOSTILE
    assert [each["name"] for each in cli("sandbox", "list", "--label", "a=b", "--json").json] == ["one"]
    assert cli("sandbox", "list", "--label", "a=c", "--json").json == []
    assert cli("sandbox", "stop", "one").out == "stopped one\n"
    stopped = cli("sandbox", "exec", "one", "true")
    assert stopped.code == 1 and "sandbox start one" in stopped.err
    used = cli("snapshot", "delete", snapshot)
    assert used.code == 1 and "IB762" in used.err
    assert cli("sandbox", "delete", "one").out == "deleted one\n"
    gone = cli("sandbox", "info", "one")
    assert gone.code == 2 and "IB750" in gone.err


def test_a_real_terminal(cli: Cli, snapshot: str, env: dict[str, str]) -> None:
    cli("sandbox", "create", snapshot, "--name", "one")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(
            sys.executable,
            [sys.executable, "-m", "imagebuilder", "sandbox", "exec", "-it", "one", "bash", "--norc"],
            env,
        )
    try:
        import fcntl
        import struct
        import termios

        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
        os.kill(pid, signal.SIGWINCH)
        seen = b""

        def until(text: bytes) -> None:
            nonlocal seen
            end = time.monotonic() + 30
            while text not in seen:
                assert select.select([terminal], [], [], max(0.0, end - time.monotonic()))[0], seen
                seen += os.read(terminal, 4096)

        until(b"# ")
        os.write(terminal, b"test -t 0 && echo a-$((1+1))-tty; stty size\r")
        until(b"a-2-tty")
        until(b"33 101")
        os.write(terminal, b"sleep 100\r")
        time.sleep(0.5)
        os.write(terminal, b"\x03")
        os.write(terminal, b"echo code-$?\r")
        until(b"code-130")
        os.write(terminal, b"exit 5\r")
        with suppress(OSError):  # The other end closes with the program.
            while os.read(terminal, 4096):
                pass
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
    finally:
        os.close(terminal)
        cli("sandbox", "delete", "one")


def test_threads_share_a_sandbox(sandbox: Sandbox) -> None:
    seen: list[str] = []

    def work(number: int) -> None:
        seen.append(sandbox.process.exec(f"echo {number}").result.strip())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == sorted(map(str, range(8)))


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
