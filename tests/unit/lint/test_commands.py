"""A cd that nothing follows, versions of Debian packages, and how shell texts are read for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder import Image
from imagebuilder.lint.shell import commands
from tests.unit.lint.linting import dockerfile, only


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("cd /app", ".workdir('/app')"),
        ("mkdir -p /app && cd /app", ".workdir('/app')"),
        ("mkdir /app; cd /app/", ".workdir('/app')"),
        ("mkdir /app\ncd /app\n", ".workdir('/app')"),
        ("cd '/app'", ".workdir('/app')"),
        ("cd -- /app # from here on", ".workdir('/app')"),
        ("cd /app || exit 1", ".workdir('/app')"),
        ("make && cd /app || true", ".workdir('/app')"),
        ("cd app", ".workdir()"),
        ("cd", ".workdir()"),
        ("cd $HOME", ".workdir()"),
        ("cd -", ".workdir()"),
    ],
)
def test_a_cd_that_is_lost(text: str, help: str) -> None:
    (warning,) = only(Image.debian_slim().run_commands("true", text), "IB905")
    assert warning.message.startswith("'cd") and "is lost" in warning.message
    assert warning.help == f"{help} sets the folder for all that follows"


@pytest.mark.parametrize(
    "text",
    [
        "cd /app && make",
        "cd /app\nmake",
        "(cd /app)",
        "(cd /a; make) && true",
        "echo cd /app",
        "echo 'x && cd /app'",
        'bash -c "cd /app"',
        "if true; then cd /app; fi",
        "for d in *; do cd $d; done",
        "f() { cd /app; }",
        "test -d /app || cd /app || make",
        "cd /app | cat",
        "cd /app &",
        "cat <<EOF > /x\ncd /app\nEOF",
        "#!/bin/sh\ncd /app",
        "git clone https://example.org/cd /cd",
        "abcd /app",
        "cd /a /b",
    ],
)
def test_a_cd_that_is_not(text: str) -> None:
    assert only(Image.debian_slim().run_commands(text), "IB905") == []


def test_a_cd_for_the_next_command_of_the_call() -> None:
    base = Image.debian_slim()
    assert only(base.run_commands("cd /app", "make"), "IB905") == []
    assert only(base.run_commands(["cd", "/app"], "make"), "IB905") == []
    assert len(only(base.run_commands("make", ["cd", "/app"]), "IB905")) == 1


def test_a_cd_in_a_dockerfile(tmp_path: Path) -> None:
    text = "FROM x:1\nRUN cd src\nRUN cd /a && \\\n    make\nRUN <<EOF\nmake\ncd /b\nEOF\nRUN make && cd ~\n"
    told = only(dockerfile(tmp_path, text), "IB905")
    assert [each.place.line for each in told] == [2, 5, 9]  # type: ignore[union-attr]
    assert [each.help.split(" sets")[0] for each in told] == ["WORKDIR src", "WORKDIR /b", "WORKDIR"]


# Debian packages ------------------------------------------------------------------------------------


def test_packages_without_versions_at_the_strict_level_alone() -> None:
    image = Image.debian_slim().apt_install("git", "curl=7.88.1-10", "vim/bookworm").apt_install("less=1")
    assert only(image, "IB907") == []
    (warning,) = only(image, "IB907", "strict")
    assert warning.message == "no version is given for 'git'"
    assert warning.help.startswith(".apt_install('git=VERSION')") and "apt-cache policy git" in warning.help


def test_many_packages_are_counted() -> None:
    (warning,) = only(Image.debian_slim().apt_install(*"abcdef"), "IB907", "strict")
    assert warning.message == "no version is given for 'a', 'b', 'c', 'd' and 2 more"


@pytest.mark.parametrize(
    ("command", "names"),
    [
        (
            "apt-get update && apt-get install -y --no-install-recommends git curl=7 && rm -rf /var/lib/apt/lists/*",
            "git",
        ),
        ("DEBIAN_FRONTEND=noninteractive apt install -qq -y git > /dev/null 2>&1", "git"),
        ("sudo apt-get -y install -t bookworm-backports git", "git"),
        ("apt-get install -y \\\n  git \\\n  'g++:arm64' # tools\n", "git g++:arm64"),
        ("apt-get install -y git=1:2.39.5-0+deb12u2", ""),
        ("apt-get install -y ./git.deb $PACKAGES /tmp/x.deb git.deb", ""),
        ("apt-get update; apt-get purge -y git; apt-cache policy install vim", ""),
        ("echo apt-get install git", ""),
        ("pip install git", ""),
    ],
)
def test_packages_of_commands(tmp_path: Path, command: str, names: str) -> None:
    told = only(Image.debian_slim().run_commands(command), "IB907", "strict")
    text = "FROM debian:12\nRUN <<EOF\n" + command.rstrip("\n") + "\nEOF\n"
    told += only(dockerfile(tmp_path, text), "IB907", "strict")
    assert [each.help.partition("policy ")[2] for each in told] == ([names] * 2 if names else [])


# Reading --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a b", [("a b", "")]),
        ("a; b && c || d | e & f", [("a", ";"), ("b", "&&"), ("c", "||"), ("d", "|"), ("e", "&"), ("f", "")]),
        ("a\n\n b", [("a", "\n"), ("b", "")]),
        ("a \\\n b", [("a b", "")]),
        ("(a; b)", [("", "("), ("a", ";"), ("b", ")")]),
        ("a 'b c' \"d;e\" f\\ g", [("a b c d;e f g", "")]),
        ("a # b; c\nd", [("a", "\n"), ("d", "")]),
        ("a#b", [("a#b", "")]),
        ("a > /x 2>&1 b >>y", [("a b", "")]),
        ("a $(b; c) ${d:-e f} `g; h`", [("a $(b; c) ${d:-e f} `g; h`", "")]),
        ("a\nb <<EOF\nc\nEOF\nd", [("a", "\n")]),
        ("a 'b; c", [("a b", ";"), ("c", "")]),
    ],
)
def test_simple_commands(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(" ".join(each.words), each.end) for each in commands(text)] == expected


def test_the_program_of_a_command() -> None:
    programs = [each.program for each in commands("A=b sudo env C=d make x; if ! test y; then exec z; fi")]
    assert programs == [("make", "x"), ("test", "y"), ("z",), ("fi",)]


@pytest.mark.parametrize(
    "text", ['"' * 50_000, "'" * 50_001, "$(" * 50_000, "${" * 50_000, "`" * 9_999, "\\" * 9_999, "<" * 9_999]
)
def test_long_texts_take_no_time(text: str) -> None:
    assert isinstance(commands(text), list)
