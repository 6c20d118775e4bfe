"""``registry``: how a password comes in, and that it never comes out."""

from __future__ import annotations

import io
import os
import pty
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import ROOT
from tests.unit.cli.conftest import Run
from tests.unit.registries.answering import Answering, answering

PASSWORD = "hunter2-t0p"


@pytest.fixture(autouse=True)
def docker_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    """What the next command reads."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=raw, isatty=lambda: False))
    return raw


def give(stdin: io.BytesIO, data: bytes) -> None:
    stdin.seek(0)
    stdin.truncate()
    stdin.write(data)
    stdin.seek(0)


def kept(project: Path) -> str:
    return (project.parent / "home/registries/credentials.json").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--preset", "ghrc", "--username", "me"), "no preset is called 'ghrc'"),
        (("--preset", "ghcr"), "login has a user"),
        (("--preset", "gar"), "has no one address"),
        (("--url", "no host", "--username", "me"), "IB721"),
        (("--url", "quay.io", "--username", "me", "--keep-in", "attic"), "'attic'"),
        (("--url", "quay.io", "--username", "me"), "'gh' already"),
    ],
)
def test_what_is_wrong_is_told_before_a_password_is_asked_for(
    cli: Run, stdin: io.BytesIO, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    give(stdin, PASSWORD.encode())
    assert cli("registry", "add", "gh", "--url", "ghcr.io", "--username", "me", "--password-stdin").code == 0
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("getpass.getpass", lambda *_: pytest.fail("it was asked for"))
    done = cli("registry", "add", "gh", *words)
    assert done.code == 2 and said in done.err


@pytest.mark.parametrize(
    ("given", "taken"),
    [(b"a b\n", "a b"), (b"a b\r\n", "a b"), (b" a b", " a b"), (b"\xef\xbb\xbfa\n\n", "a\n")],
)
def test_from_standard_input(cli: Run, stdin: io.BytesIO, project: Path, given: bytes, taken: str) -> None:
    import json

    give(stdin, given)
    assert cli("registry", "add", "r", "--url", "ghcr.io", "--username", "me", "--password-stdin").code == 0
    assert list(json.loads(kept(project)).values()) == [taken]


def test_the_story(cli: Run, stdin: io.BytesIO, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("registry", "list").err.startswith("no registries yet")
    assert cli("registry", "list", "--json").json == []
    give(stdin, f"{PASSWORD}\n".encode())
    added = cli(
        "registry", "add", "gh", "--preset", "ghcr", "--username", "me", "--project", "team", "--password-stdin"
    )
    assert added.code == 0 and "added gh: me at ghcr.io" in added.out and "a file of your own" in added.out
    monkeypatch.setenv("TOKEN", PASSWORD + "2")
    more = cli("registry", "add", "hub", "--username", "you", "--password-env", "TOKEN", "--json")
    assert more.json.keys() == {"name", "url", "username", "project", "kept_in", "created_at"}
    listed = cli("registry", "list")
    assert [line.split()[:2] for line in listed.out.splitlines()[1:]] == [["gh", "ghcr.io"], ["hub", "docker.io"]]
    said = [added, more, listed, cli("registry", "list", "--json"), cli("registry", "remove", "hub", "--json")]
    assert said[-1].json == {"name": "hub", "removed": True}
    assert cli("registry", "remove", "gh").out == "removed gh\n"
    assert not any(PASSWORD in done.out + done.err for done in said)
    assert kept(project) == "{}"


@pytest.mark.parametrize(
    "words", [["--password", PASSWORD], [f"--password={PASSWORD}"], ["-p", PASSWORD], [f"-p{PASSWORD}"], ["--password"]]
)
@pytest.mark.parametrize("json", [[], ["--json"]])
def test_never_as_an_argument(cli: Run, words: list[str], json: list[str]) -> None:
    done = cli("registry", "add", "r", "--username", "me", *words, *json)
    assert done.code == 2 and "IB724" in done.err and "list of processes" in done.err
    assert "--password-stdin" in done.err and PASSWORD not in done.out + done.err
    assert "--password " not in cli("registry", "add", "--help").out


@pytest.mark.parametrize(
    ("words", "data", "told"),
    [
        ([], b"", "no password was given"),
        (["--password-stdin"], b"\n", "it is empty"),
        (["--password-stdin"], b"\xff", "not UTF-8"),
        (["--password-stdin"], b"x" * 70_000, "more than 65536 bytes"),
        (["--password-env", "NO_SUCH_TOKEN"], b"", "'NO_SUCH_TOKEN' is not set"),
        (["--password-env", PASSWORD], b"", "the environment variable is not set"),
    ],
)
def test_no_password(cli: Run, stdin: io.BytesIO, words: list[str], data: bytes, told: str) -> None:
    give(stdin, data)
    done = cli("registry", "add", "r", "--username", "me", *words)
    assert done.code == 2 and "IB724" in done.err and told in done.err and PASSWORD not in done.err
    assert "help:" in done.err


@pytest.mark.parametrize(("url", "told"), [("http://x.io", True), ("http://127.0.0.1:5", False), ("x.io", False)])
def test_without_tls_a_password_can_be_read(cli: Run, stdin: io.BytesIO, url: str, told: bool) -> None:
    give(stdin, PASSWORD.encode())
    done = cli("registry", "add", "r", "--url", url, "--username", "me", "--password-stdin")
    assert done.code == 0 and ("whoever is on the way" in done.err) is told


def test_both_ways_at_once(cli: Run) -> None:
    assert cli("registry", "add", "r", "--password-stdin", "--password-env", "X").code == 2


def test_on_a_terminal_it_is_asked_for_without_echo(tmp_path: Path) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        os.environ |= {"IMAGEBUILDER_HOME": str(tmp_path / "home"), "DOCKER_CONFIG": str(tmp_path)}
        os.execv(sys.executable, [sys.executable, "-m", "imagebuilder", "registry", "add", "r", "--username", "me"])
    said = b""
    while b"Password or token for r: " not in said:
        said += os.read(terminal, 1000)
    os.write(terminal, PASSWORD.encode() + b"\n")
    try:
        while chunk := os.read(terminal, 1000):
            said += chunk
    except OSError:
        pass  # The end of a terminal.
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, said
    assert b"added r" in said and PASSWORD.encode() not in said
    assert PASSWORD in (tmp_path / "home/registries/credentials.json").read_text()


@pytest.fixture
def server() -> object:
    with answering() as found:
        yield found


def test_testing(cli: Run, stdin: io.BytesIO, server: Answering) -> None:
    """One line, for people and as JSON; what fails ends with 1."""
    server.answer = lambda path, proof: (200, {}, {}) if proof else (401, {"WWW-Authenticate": "Basic"}, b"")
    give(stdin, PASSWORD.encode())
    cli("registry", "add", "r", "--url", f"http://{server.host}", "--username", "me", "--password-stdin")
    done = cli("registry", "test", "r", f"{server.host}/team/app:1")
    assert (done.code, done.err) == (0, "") and done.out.count("\n") == 1 and "may pull from 'team/app'" in done.out
    assert cli("registry", "test", "r", "--json").json["ok"] is True
    server.answer = lambda path, proof: (401, {"WWW-Authenticate": "Basic"}, b"")
    done = cli("registry", "test", "r")
    assert (done.code, done.out) == (1, "") and done.err.startswith("error[IB728]: ")
    done = cli("registry", "test", "r", "--json")
    assert done.code == 1 and done.json["error"][0]["code"] == "IB728" and PASSWORD not in done.out + done.err
    assert cli("registry", "test", "gone").code == 2
