"""Commands in a sandbox on a real engine: exec, code, sessions, and who shares them."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from imagebuilder import (
    AsyncClient,
    Client,
    CodeRunParams,
    CompileError,
    CreateSandboxFromSnapshotParams,
    FileUpload,
    Sandbox,
    SandboxError,
    SessionExecuteRequest,
)
from tests.conftest import Cli
from tests.engine.sandbox.conftest import code

HOSTILE = b"\0\xff\r\n\x1b[31m" + bytes(range(256)) * 100


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
    done = sandbox.process.exec(["not-there"])
    assert (done.exit_code, done.stdout, done.stderr) == (127, "", "the sandbox has no command 'not-there'\n")
    done = sandbox.process.exec(["ls"], cwd="/not-there")
    assert (done.exit_code, done.stderr) == (127, "the folder to run in is not in the sandbox: '/not-there'\n")
    with pytest.raises(SandboxError, match="has no user nobody-here"):
        sandbox.process.exec("id", user="nobody-here")
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


@pytest.mark.parametrize(
    "how", ["su nobody -s /bin/sh -c 'sleep 104'", "exec setpriv --reuid=1000 --clear-groups sleep 104"]
)
def test_whoever_it_became(sandbox: Sandbox, how: str) -> None:
    """Root there may not look into others' processes."""
    with pytest.raises(SandboxError):
        sandbox.process.exec(how, timeout=1)
    assert "sleep\n" not in sandbox.process.exec("cat /proc/[0-9]*/comm; echo").result.replace("sleep\n", "", 1)


def test_a_session_whose_shell_is_busy_ends(sandbox: Sandbox) -> None:
    process = sandbox.process
    process.create_session("s")
    with pytest.raises(SandboxError) as caught:
        process.execute_session_command("s", "while :; do :; done", timeout=0.5)
    assert code(caught) == "IB753"
    with pytest.raises(SandboxError) as caught:
        process.execute_session_command("s", "echo")
    assert code(caught) == "IB757"
    process.delete_session("s")
    process.create_session("s")
    assert process.execute_session_command("s", "echo on").stdout == "on\n"


def test_code(sandbox: Sandbox) -> None:
    done = sandbox.process.code_run("import sys\nprint(sys.argv[1:], 6 * 7)\nsys.exit(4)", argv=["x y"])
    assert (done.exit_code, done.result) == (4, "['x y'] 42\n")
    assert "ZeroDivisionError" in sandbox.process.code_run("1/0").result
    assert sandbox.process.code_run("x = '" + "y" * 300_000 + "'\nprint(len(x))").result == "300000\n"


def test_what_is_asked_by_other_names(sandbox: Sandbox) -> None:
    process = sandbox.process
    done = process.code_run("import os, sys\nprint(sys.argv[1:], os.environ['A'])", CodeRunParams(["x"], {"A": "b"}))
    assert (done.exit_code, done.stdout) == (0, "['x'] b\n")
    assert (sandbox.get_work_dir(), sandbox.get_user_home_dir()) == ("/", "/root")
    sandbox.fs.upload_files([FileUpload(b"1", "/tmp/a"), FileUpload(b"2", "/tmp/b")])
    process.create_session("s")
    begun = process.execute_session_command("s", SessionExecuteRequest("cat /tmp/a /tmp/b; echo e >&2", var_async=True))
    assert begun.exit_code is None
    process.execute_session_command("s", "true")
    logs = process.get_session_command_logs("s", begun.cmd_id)
    assert (logs.stdout, logs.stderr, len(logs.output)) == ("12", "e\n", 4)


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
    with pytest.raises(SandboxError) as caught:
        process.execute_session_command("s", "echo nobody listens", timeout=60)
    assert code(caught) == "IB757"


def test_many_sessions_at_once(sandbox: Sandbox) -> None:
    def work(name: str) -> str:
        sandbox.process.create_session(name)
        for _ in range(20):
            sandbox.process.execute_session_command(name, f"X=${{X}}{name}")
        return sandbox.process.execute_session_command(name, "echo $X").stdout

    with ThreadPoolExecutor(5) as pool:
        assert list(pool.map(work, "abcde")) == [each * 20 + "\n" for each in "abcde"]


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


def test_a_terminal_for_a_program_that_is_not_there(cli: Cli, snapshot: str, env: dict[str, str]) -> None:
    cli("sandbox", "create", snapshot, "--name", "one")
    words = [sys.executable, "-m", "imagebuilder", "sandbox", "exec", "-it", "one", "not-there"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, words, env)
    try:
        seen = b""
        with suppress(OSError):
            while data := os.read(terminal, 4096):
                seen += data
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 127
        assert seen == b"the sandbox has no command 'not-there'\r\n"
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
