"""Every check: what it takes, what it refuses, with which code, and that it says what to do instead."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from time import process_time
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter

from imagebuilder.diagnostics import CODES, Invalid
from imagebuilder.ir import checks
from imagebuilder.ir.words import expand

NOTHING = checks.nonempty("thing")
DIGEST = "0123456789abcdef" * 4
LONG = "x" * checks.MAX_TEXT

# Each with values that are taken as they are.
ACCEPTED: dict[Callable[..., Any], list[Any]] = {
    checks.text: ["", " ", "a\nb\tc\r", "$HOME 'a' \"b\" \\", "é日😀", "\x01\x7f", LONG],
    checks.word: ["", "a", "$A", expand("$A")],
    NOTHING: ["a", " a ", "\na"],
    checks.package: ["six", "six>=1,<2", "requests[socks]", "a @ https://example.org/a.whl", "git+ssh://git@example.org/a.git"]
    + ["name ; python_version < '3.12'", "./wheels/a.whl", "@scope/name@1", "email@example.org"],
    checks.apt_package: ["git", "g++", "libc6", "libstdc++6", "curl=7.88.1-10+deb12u5", "libc6:arm64", "git/bookworm", "0ad"]
    + ["libc6:arm64=2.36-9", "tzdata=2024a-0+deb12u1~1", "base-files=1:2.3"],
    checks.refuse_credentials: ["", "https://example.org/a@b", "user@example.org", "ssh://git@example.org/x", "git+ssh://me@h/x"]
    + ["git@example.org:x.git", "https://example.org/?a=b@c", "a://b c@d", "https://example.org https://example.com/@x"],
    checks.url: ["https://example.org/a?b#c", "http://h", "ftp://h/x", "git@example.org:x/y.git", "ssh://git@h/x.git", "HTTPS://H"],
    checks.index_url: ["https://example.org/simple", "/wheels", "./wheels", "file:///wheels"],
    checks.absolute: ["/", "/a", "/a/", "/a/./b", "/a b", "/..a/b..", "/$A", "/" + "n" * 255, ("/" + "n" * 255) * 15, "/" + "é" * 127],
    checks.file: ["/a", "/a/b.txt", "/a/."],
    checks.local: ["a", "../a", "/a", ".", "~/a", "a b"],
    checks.env_name: ["A", "a_1", "_", "1A", "a.b", "a-b", "É"],
    checks.identifier: ["A", "_a", "a-b.c_9"],
    checks.image_reference: ["python", "python:3.12", "a/b", "a/b/c:d", "host.example/a", "host:5000/a:b", f"a@sha256:{DIGEST}"]
    + [f"localhost:5000/a/b:1@sha256:{DIGEST}", "a__b", "a-b.c_d", "a--b", "HOST.example/a", "a:" + "T" * 128, "a:_b", "127.0.0.1:1/a"],
    checks.snapshot_name: ["a", "a:1.0", "team/a.b_c-d:V1", "a" * 200],
    checks.platform: ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/386"],
    checks.port: ["1", "65535", "80/tcp", "53/udp", "9/sctp", "8000-8010", "8000-8010/udp", "1-1"],
    checks.duration: ["0", "30s", "500ms", "1m30s", "1.5h", "1us", "1µs", "1ns"],
    checks.download_url: ["https://h/a", "http://h/a.tar", "HTTPS://h/a"],
    checks.module: ["app", "app.settings", "_x", "été"],
    checks.git_url: ["https://h/a.git", "git@h:a.git", "ssh://git@h/a", "https://h/a/"],
    checks.git_ref: ["main", "v1.2", "feature/x-y", "a" * 40, "refs/pull/1/head", "a#b", "a-", "@", "é"],
    checks.debian: ["", "bookworm", "trixie"],
    checks.checksum: [f"sha256:{DIGEST}", DIGEST[:40]],
    checks.chmod: ["755", "0755", "4755", "000", "7777"],
    checks.owner: ["root", "0", "app:app", "1000:1000", "a_b", "a.b-c:D", "_apt"],
    checks.command: ["true", "a\nb", "a\\\nb", "a\\\\", " a ", "# a", "a \\ ", "é"],
    checks.python_version: [*checks.DEBIAN_OF_PYTHON, "3.12.4", "3.9.0", "3.13.11"],
}  # fmt: skip

# Each with values that it turns into others.
TURNED: list[tuple[Callable[..., Any], Any, str]] = [
    (checks.snapshot_name, "a:latest", "a"),
    (checks.command, "a\\\\\n", "a\\\\"),
    (checks.command, "\na\n\n", "a"),
    (checks.command, "#!/bin/sh\na\n", "#!/bin/sh\na\n"),
    (checks.package, " six \n", "six"),
    (checks.apt_package, "\tgit ", "git"),
    (checks.port, 8080, "8080"),
    (checks.signal, "TERM", "SIGTERM"),
    (checks.signal, "SIGTERM", "SIGTERM"),
    (checks.signal, "sigterm", "SIGTERM"),
    (checks.signal, "kill", "SIGKILL"),
    (checks.signal, "SIGUSR1", "SIGUSR1"),
    (checks.signal, "1", "1"),
    (checks.signal, "15", "15"),
    (checks.signal, "64", "64"),
    (checks.signal, "RTMIN", "RTMIN"),
    (checks.signal, "SIGRTMIN+3", "SIGRTMIN+3"),
    (checks.signal, "SIGRTMAX-1", "SIGRTMAX-1"),
]

# Each with the code, and the values that are refused with it.
REFUSED: list[tuple[Callable[..., Any], str, list[Any]]] = [
    (checks.text, "IB101", ["\0", "a\0b", "\ud800", "a\udcff"]),
    (checks.text, "IB102", [LONG + "x", "é" * (checks.MAX_TEXT // 2 + 1)]),
    (checks.word, "IB101", ["\0", "\udcff"]),
    (checks.word, "IB102", [LONG + "x"]),
    (NOTHING, "IB103", ["", " ", "\n\t", "\u3000"]),
    (NOTHING, "IB101", ["a\0"]),
    (checks.package, "IB105", ["", " ", "a\nb", "a\rb"]),
    (checks.package, "IB106", ["-r", "--index-url=x", " -e ."]),
    (checks.package, "IB107", ["a @ https://user:secret@example.org/a.whl", "git+https://secret@example.org/a"]),
    (checks.package, "IB101", ["a\0", "\ud800"]),
    (checks.apt_package, "IB105", ["", "Git", "git curl", "git;id", "git=", "git=1 2", "git:", "$(id)", "git\ncurl", "+a", "é", "git*", "git="]),
    (checks.apt_package, "IB106", ["-y", "--reinstall"]),
    (checks.refuse_credentials, "IB107", ["https://user:secret@example.org", "https://secret@example.org", "x https://a:secret@b", "HTTP://a:secret@b"]
        + ["ssh://git:secret@example.org", "git+https://secret@b", "https://a:secret@", "https://ok.example https://secret@b", "_https://secret@b"]),
    (checks.url, "IB108", ["", "example.org", "/a", "https://a b", "https://a\nb", "https://a\tb", "//a/b", "git"]),
    (checks.url, "IB107", ["https://user:secret@example.org/a", "ftp://secret@a"]),
    (checks.url, "IB101", ["https://a\0"]),
    (checks.index_url, "IB106", ["-i", "--extra-index-url"]),
    (checks.index_url, "IB103", ["", "  "]),
    (checks.index_url, "IB107", ["https://user:secret@example.org/simple"]),
    (checks.index_url, "IB101", ["/a\0"]),
    (checks.absolute, "IB103", ["", " "]),
    (checks.absolute, "IB109", ["a", "./a", "../a", "~/a", "a/b", " /a", "C:\\a", "$A/b"]),
    (checks.absolute, "IB110", ["/..", "/a/../b", "/a/.."]),
    (checks.absolute, "IB132", ["/" + "n" * 256, "/" + "é" * 128, "/n" * 2048]),
    (checks.absolute, "IB101", ["/a\0"]),
    (checks.file, "IB133", ["/", "/a/"]),
    (checks.file, "IB109", ["a", "a/"]),
    (checks.file, "IB110", ["/a/../b"]),
    (checks.file, "IB103", [""]),
    (checks.local, "IB103", ["", "\n"]),
    (checks.local, "IB101", ["a\0b", "\udcff"]),
    (checks.env_name, "IB111", ["", "A=B", "A B", "A\n", "$A", "A\\", "'A'", '"A"', "\u2003"]),
    (checks.env_name, "IB101", ["A\0"]),
    (checks.identifier, "IB112", ["", "1a", "-a", ".a", "a b", "a=b", "a,b", "a\n", "é", "a/b", "a\0"]),
    (checks.image_reference, "IB113", ["", "Python", "a:b:c", "a/", "/a", "a//b", "a:", "a@sha256:12", "a b", "a\n", "-a", "a-", "a:-b", "a:" + "t" * 129]
        + ["a..b", "a___b", "https://a/b", "a@sha512:" + DIGEST, f"a@sha256:{DIGEST.upper()}", "a/B", "$A", "é"]),
    (checks.snapshot_name, "IB701", ["", "A", "a:", ":1", "a b", "-a", "a/", "a:b:c", "a@sha256:1", "../a"]),
    (checks.platform, "IB114", ["", "linux", "amd64/", "linux/", "Linux/amd64", "linux/arm/v7/x", "linux amd64", "linux/amd64\n", "linux/amd64,linux/arm64"]),
    (checks.port, "IB115", ["", "0", "65536", "-1", "a", "80/", "80/http", "80/TCP", "80:80", "80-", "0-80", "80-70000", "1-2-3", "8 0", "80\n", "100000", 0, 1.5, True, None]),
    (checks.signal, "IB116", ["", "0", "65", "099", "TERMINATE", "SIG", "SIGSIGTERM", "-9", "SIGTERM ", "TERM\n", "RTMIN+", "RTMID"]),
    (checks.duration, "IB117", ["", "30", "s", "1 s", "1d", "-1s", "1s ", "1S", "1.s", ".5s", "1s\n", "00", "1m 30s"]),
    (checks.git_ref, "IB134", ["", "-b", "a b", "a~1", "a^", "a:b", "a?", "a*", "a[b", "a\\b", "a\n", "a\x7f", "a\0"]),
    (checks.git_ref, "IB134", ["a..b", "a//b", "/a", "a/", "a.", "a.lock", "a@{1}"]),
    (checks.download_url, "IB108", ["ftp://h/a", "file:///a", "git@h:a", "h/a"]),
    (checks.download_url, "IB107", ["https://me:secret@h/a"]),
    (checks.module, "IB112", ["", "*", "..", "a/b", "a-b", "a.", "1a"]),
    (checks.git_url, "IB108", ["https://h/a#v1", "https://h/a?x=1", "h/a", "https://[::1"]),
    (checks.git_url, "IB107", ["https://me:secret@h/a"]),
    (checks.port, "IB115", ["8010-8000", "٣", "8000-٣"]),
    (checks.duration, "IB117", ["٣s"]),
    (checks.signal, "IB116", ["1٣", "RTMIN+31", "RTMAX+1", "RTMIN-1"]),
    (checks.python_version, "IB124", ["3.12.٤"]),
    (checks.git_ref, "IB101", ["a\ud800"]),
    (checks.git_ref, "IB102", [LONG + "x"]),
    (checks.debian, "IB135", ["Bookworm", "12", "bookworm-slim", "a b", "a\n", "é", "x" * 33]),
    (checks.checksum, "IB118", ["", DIGEST, "sha256:12", f"sha256:{DIGEST}0", f"sha256:{DIGEST.upper()}", f"md5:{DIGEST}", DIGEST[:39], f"sha256:{DIGEST}\n"]),
    (checks.chmod, "IB119", ["", "7", "75", "0o755", "00755", "888", "rwx", "u+x", "755\n", " 755"]),
    (checks.owner, "IB120", ["", ":", "a:", ":a", "a:b:c", "a b", "-a", "a:-b", "a\n", "a,b", "é", "$A"]),
    (checks.command, "IB121", ["", " ", "\n", " \n\t"]),
    (checks.command, "IB122", ["a\\", "a \\", "a\\\n", "a\\\n\n", "a\\\\\\", "\\"]),
    (checks.command, "IB123", ["a\r\nb", "a\r"]),
    (checks.command, "IB101", ["a\0b", "\ud800"]),
    (checks.command, "IB102", [LONG + "x"]),
    (checks.python_version, "IB124", ["", "3", "3.", "2.7", "3.8", "3.99", "4.0", "3.12.", "3.12.x", "3.12-slim", "python3.12", "3.12 ", "3.12\n", "3.012", "3.12.123"]),
]  # fmt: skip


def cases(table: dict[Callable[..., Any], list[Any]]) -> list[Any]:
    return [(check, value) for check, values in table.items() for value in values]


def name(value: Any) -> str | None:
    return getattr(value, "__name__", None)


@pytest.mark.parametrize(("check", "value"), cases(ACCEPTED), ids=name)
def test_accepted(check: Callable[..., Any], value: Any) -> None:
    assert check(value) == value


@pytest.mark.parametrize(("check", "value", "expected"), TURNED, ids=name)
def test_turned_into(check: Callable[..., Any], value: Any, expected: str) -> None:
    assert check(value) == expected


@pytest.mark.parametrize(
    ("check", "code", "value"), [(check, code, value) for check, code, values in REFUSED for value in values], ids=name
)
def test_refused(check: Callable[..., Any], code: str, value: Any) -> None:
    """With one sentence that a terminal can show, and a way out."""
    with pytest.raises(Invalid) as caught:
        check(value)
    found = caught.value
    assert found.code == code and code in CODES
    assert found.message and found.message.isprintable() and len(found.message) < 200
    assert found.help.strip()


def test_every_check_is_in_both_tables() -> None:
    functions = {f for _, f in inspect.getmembers(checks, inspect.isfunction) if f.__module__ == checks.__name__}
    public = {f for f in functions if not f.__name__.startswith("_")} - {checks.nonempty} | {NOTHING}
    assert public == {*ACCEPTED, *(check for check, _, _ in TURNED)}
    assert public == {check for check, _, _ in REFUSED}


@pytest.mark.parametrize("what", ["thing", "working folder"])
def test_what_is_empty_is_named(what: str) -> None:
    with pytest.raises(Invalid, match=f"an empty {what}") as caught:
        checks.nonempty(what)("")
    assert what in caught.value.help


@pytest.mark.parametrize(
    ("check", "value"), [(check, value) for check, code, values in REFUSED for value in values if code == "IB107"]
)
def test_a_credential_is_refused_without_showing_it(check: Callable[..., Any], value: str) -> None:
    with pytest.raises(Invalid) as caught:
        check(value)
    assert "secret" in value and "secret@" not in caught.value.message and "://…@" in caught.value.message
    assert "secrets=" in caught.value.help


@pytest.mark.parametrize(
    ("check", "value", "hint"),
    [
        (checks.absolute, "./a/b", "'/a/b'"),
        (checks.image_reference, "Python:3", "lower case"),
        (checks.signal, "SIGTREM", "did you mean 'TERM'?"),
        (checks.signal, "nonsense", "SIGTERM"),
        (checks.python_version, "3.8", "3.13"),
        (checks.text, LONG + "x", "add_text"),
        (checks.package, "--pre", "pre="),
    ],
)
def test_the_hint_fits_the_value(check: Callable[..., Any], value: str, hint: str) -> None:
    with pytest.raises(Invalid) as caught:
        check(value)
    assert hint in caught.value.help


def test_the_default_python_has_a_debian() -> None:
    assert checks.DEFAULT_PYTHON in checks.DEBIAN_OF_PYTHON


# Shapes of arguments ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (checks.Many, "ab", ("ab",)),
        (checks.Many, ["b", "a", "b"], ("b", "a", "b")),
        (checks.Many, (word for word in "ab"), ("a", "b")),
        (checks.Many, (), ()),
        (checks.Unordered, ("b", "a", "b"), ("a", "b")),
        (checks.Unordered, (), ()),
    ],
)
def test_several_words(kind: Any, value: Any, expected: tuple[str, ...]) -> None:
    assert TypeAdapter(Annotated[tuple[str, ...], kind]).validate_python(value) == expected


def test_the_order_of_a_dictionary_has_no_meaning_and_that_of_pairs_has() -> None:
    adapter = TypeAdapter(Annotated[tuple[tuple[str, str], ...], checks.Pairs])
    assert adapter.validate_python({"b": "1", "a": "2"}) == (("a", "2"), ("b", "1"))
    assert adapter.validate_python((("b", "1"), ("a", "2"))) == (("b", "1"), ("a", "2"))


@pytest.mark.parametrize(
    ("value", "refused"),
    [
        ("https://user:word@example.org", True),
        ("x" * 100 + "https://user@example.org", True),
        ("1http://a@b", True),
        ("a://b://c@d", True),
        ("git+ssh://git@example.org/a", False),
        ("ssh://git:word@example.org/a", True),
        ("://user@example.org", False),
        ("12://user@example.org", False),
        ("https://example.org/@scope", False),
    ],
)
def test_a_credential_needs_a_scheme_before_it(value: str, refused: bool) -> None:
    if refused:
        with pytest.raises(Invalid, match="credential"):
            checks.refuse_credentials(value)
    else:
        assert checks.refuse_credentials(value) == value


def test_a_long_text_is_looked_through_once() -> None:
    def seconds(size: int) -> float:
        began = process_time()
        checks.refuse_credentials("x" * size + "://" * 1_000)
        return process_time() - began

    # A look for each of its schemes would take a hundred times as long.
    assert min(seconds(1_000_000) for _ in range(3)) < 40 * min(seconds(100_000) for _ in range(3))


@pytest.mark.parametrize(
    ("value", "example"),
    [(".", "/app"), ("./", "/app"), ("..", "/app"), ("../a", "/app"), ("a", "/a"), ("./a/", "/a"), ("a/../b", "/b")],
)
def test_the_whole_path_that_is_proposed_is_one(value: str, example: str) -> None:
    with pytest.raises(Invalid) as caught:
        checks.absolute(value)
    assert caught.value.help == f"give the whole path, such as {example!r}"


def test_the_option_for_a_file_of_packages_has_a_call_of_its_own() -> None:
    for value in ("-r", "-r requirements.txt", "--requirement=x"):
        with pytest.raises(Invalid) as caught:
            checks.package(value)
        assert "pip_install_from_requirements" in caught.value.help
