"""Texts for the .snap front end: valid ones, random and mutated ones, and those that are meant to take long."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.unit.frontends.snap.test_equal import BASES, STATEMENTS

REPOSITORY = Path(__file__).parents[3]

HEAD = """snap 1

use "./common.snap" as common with flavour=x
use sub/other.snap as other

param python: string = "3.12"
param profile: one of ["cpu", 'gpu'] = cpu   # among them
param packages: list[string] = [six, "numpy>=2",
    requests[socks]]
param fast: bool = true
param jobs: int = 4
param room: size = 4GiB
param wait: duration = 1m30s
param both: string = "{python}-{profile}"
secret TOKEN OTHER

"""

DECLARED = """
image other from scratch { add_text x /a }
image tools from debian_slim "{python}" {
    apt_install git curl=7.88; env A="{both}" B='{raw}' C=$"${HOME}/{profile}" D={profile}
    pip_install {packages} numpy>=2,<3 secrets=[TOKEN]
    when profile == gpu and not fast or jobs != 3 and (fast or profile in [cpu, "gpu"]) {
        run_commands \"\"\"
            set -e
            for each in a b; do echo ${each} {{{profile}}}; done
        \"\"\"
    } else when profile not in [cpu] {
        workdir /x
    } else { user "{profile}" }
}
when fast { image quick from tools } else { image quick from base "debian:12" }
snapshot "ml:{profile}" from quick {
    resources cpu=2 memory={room} disk=512MiB
    copy_from tools /a /b
    copy_from common.tools "/out" '/in'
    healthcheck [true, "a"] interval={wait} retries=3
    entrypoint [
        python   # a comment
        "-m", main,
    ]
}
matrix version=["3.11", "3.12"] os=[a, b] {
    image one from debian_slim {version}
    snapshot "m:{version}-{os}" from one { label x={os} "odd key"="{version}" }
}
"""

COMMON = "snap 1\nparam flavour: string = plain\nimage tools from scratch { add_text {flavour} /out }\n"
OTHER = 'snap 1\nuse "../common.snap" as common\nimage app from common.tools { env A=1 }\n'


def project(folder: Path) -> Path:
    """A folder with what the valid texts name; the path of the file in it that they stand for."""
    for name, text in {
        "common.snap": COMMON,
        "sub/other.snap": OTHER,
        "requirements.txt": "six\n",
        "project/pyproject.toml": '[project]\nname = "x"\nversion = "1"\n[project.optional-dependencies]\nweb = ["a"]\n',
        "docker/Dockerfile": "ARG VERSION\nFROM scratch AS base\nFROM base AS test\nUSER 1\n",
    }.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder / "main.snap"


def seeds() -> list[str]:
    """Valid texts that hold the whole language, and the repository's own samples."""
    every = "\n    ".join(statement for statement, _ in STATEMENTS)
    found = [
        HEAD + DECLARED,
        f"{HEAD}image other from scratch\nimage it from tools {{\n    {every}\n}}\nimage tools from scratch\n",
    ]
    found += [f"snap 1\nimage it from {source}\nsnapshot s from it\n" for source, _ in BASES]
    for start in range(0, len(STATEMENTS), 4):
        some = "\n".join(statement for statement, _ in STATEMENTS[start : start + 4])
        found.append(
            f"snap 1\nsecret TOKEN OTHER\nimage other from scratch {{ add_text x /a }}\nimage it from debian_slim {{\n{some}\n}}\n"
        )
    samples = (path for name in ("examples", "tests/engine") for path in (REPOSITORY / name).rglob("*.snap"))
    return [*found, *(path.read_text() for path in sorted(samples))]


# Mutations ----------------------------------------------------------------------------------------

_TOKEN = re.compile(r"\w+|\s+|\"\"\"|'''|[^\w\s]")
ODD = [
    "", " ", "\t", "\n", "\r\n", "\r", "\0", "\f", "\v", "\x1b[31m", "\x7f", "\x85", "\xa0", "\u2028", "\u3000", "\ufeff", "\ud800",
    "é", "日本", "\U0001f600", "e\u0301", "\u202e", "ß", "İ", "“", "”", "‘", "’", '"', "'", '"""', "'''", '$"', "\\", "\\\n", '\\"',
    "{", "}", "{{", "}}", "{{{", "}}}", "[", "]", "(", ")", "[]", "{}", "{a}", "${A}", "{python}", "{packages}", "{{{python}}}", "$", ";", "; ",
    ",", ",,", "=", "==", "!=", ">=", "#", "# x\n", "a=", "a=b", '"k"=v', "a==1", ":", "|", "@", "-", "/", ".", "..", "\\u{110000}", "\\u{d800}",
    "\\u{0}", "\\q", "snap 1\n", "use", "as", "with", "param", "list", "one of", "secret", "image", "from", "snapshot", "matrix", "when", "else",
    "and", "or", "not", "in", "none", "true", "common.tools", "common", "tools", "it", "debian_slim", "scratch", "base", "from_dockerfile",
    "resources cpu=nan", "cpu=1e999", "memory=9999999999999999TiB", "99999999999999999999", "-1", "1e5", "x" * 3000, "[" * 300, "{" * 300, "(" * 300,
    "not " * 100, '"' * 7, "{a" * 200, "a" + "[" * 200, "\\" * 99, "]" * 50, "}" * 50, "\n" * 50, "when fast {\n" * 40, "{python}" * 300,
]  # fmt: skip


def mutated(random: Random, texts: list[str]) -> str:
    """One of the texts after a few changes; part of another may be in it."""
    text = random.choice(texts)
    if len(text) > 1500 and random.random() < 0.8:
        # Most of a long text says nothing about the mistake in it, and costs as much.
        lines = text.splitlines(keepends=True)
        begin = random.randrange(len(lines))
        text = "".join(lines[: random.randrange(25)] + lines[begin : begin + random.randrange(25)])
    for _ in range(random.choice((1, 1, 1, 1, 1, 2, 3, 8))):
        text = random.choice(_MUTATIONS)(random, text, texts)
    return text[:20_000]


def _cut(random: Random, text: str) -> tuple[int, int]:
    begin = random.randint(0, len(text))
    return begin, min(len(text), begin + random.choice((1, 1, 1, 2, 5, 20, 200)))


def _delete(random: Random, text: str, texts: list[str]) -> str:
    begin, end = _cut(random, text)
    return text[:begin] + text[end:]


def _insert(random: Random, text: str, texts: list[str]) -> str:
    at = random.randint(0, len(text))
    return text[:at] + random.choice(ODD) + text[at:]


def _replace(random: Random, text: str, texts: list[str]) -> str:
    begin, end = _cut(random, text)
    return text[:begin] + random.choice(ODD) + text[end:]


def _character(random: Random, text: str, texts: list[str]) -> str:
    at = random.randint(0, len(text))
    return text[:at] + chr(random.choice((random.randrange(128), random.randrange(0x110000)))) + text[at + 1 :]


def _repeat(random: Random, text: str, texts: list[str]) -> str:
    begin, end = _cut(random, text)
    return text[:end] + text[begin:end] * random.choice((1, 2, 50)) + text[end:]


def _splice(random: Random, text: str, texts: list[str]) -> str:
    other = random.choice(texts)
    begin, end = _cut(random, other)
    at = random.randint(0, len(text))
    return text[:at] + other[begin:end] + text[at:]


def _end(random: Random, text: str, texts: list[str]) -> str:
    return text[: random.randint(0, len(text))]


def _line_ends(random: Random, text: str, texts: list[str]) -> str:
    return text.replace("\n", random.choice(("\r\n", "\r", "\n\n", " \n", "; ", " ", "")))


def _tokens(random: Random, text: str, texts: list[str]) -> str:
    """Whole words and marks: what parses is found more often than by characters."""
    tokens = _TOKEN.findall(text)
    if not tokens:
        return text
    one, two = random.randrange(len(tokens)), random.randrange(len(tokens))
    match random.randrange(5):
        case 0:
            tokens[one], tokens[two] = tokens[two], tokens[one]
        case 1:
            tokens[one] = tokens[two]
        case 2:
            tokens.insert(one, tokens[two])
        case 3:
            del tokens[one]
        case _:
            tokens[one] = random.choice(ODD)
    return "".join(tokens)


def _lines(random: Random, text: str, texts: list[str]) -> str:
    lines = text.splitlines(keepends=True) or [""]
    one, two = random.randrange(len(lines)), random.randrange(len(lines))
    match random.randrange(3):
        case 0:
            lines[one], lines[two] = lines[two], lines[one]
        case 1:
            lines.insert(one, lines[two])
        case _:
            del lines[one]
    return "".join(lines)


Mutation = Callable[[Random, str, list[str]], str]
_MUTATIONS: list[Mutation] = [
    _delete, _insert, _insert, _replace, _character, _repeat, _splice, _end, _line_ends, _tokens, _tokens, _tokens, _lines, _lines,
]  # fmt: skip


# Random texts -------------------------------------------------------------------------------------

_NAMES = ["a", "b", "c", "tools", "python", "common.tools", "profile"]
_WORDS = [
    "x",
    "/a",
    "3.12",
    "a=b",
    "numpy>=2,<3",
    "{a}",
    "{b}",
    '"{a}{b}"',
    "'x y'",
    '"x y"',
    '$"${A}{b}"',
    "'''\n x\n'''",
    "[]",
    "TOKEN",
    "none",
    "true",
    "1",
]
_LINES = [
    "snap 1", "secret TOKEN", 'use "./common.snap" as N', 'use "./sub/other.snap" as N with flavour=W', "param N: string = W", "param N: list = L", "param N: T",
    "param N: T = W", "param N: one of L = W", "image N from N B", "image N from debian_slim W B", "image N from scratch B", "snapshot N from N B", "snapshot W from N B",
    "matrix N=L I", "matrix N={a} N=L I", "when C I", "when C I else I", "when C I else when C I else I",
]  # fmt: skip
_VERBS = sorted({statement.split()[0] for statement, _ in STATEMENTS} | {"resources"})


def generated(random: Random, depth: int = 0) -> str:
    """A text by the grammar, with names that may or may not fit."""
    lines = [_grown(random, random.choice(_LINES), depth) for _ in range(random.randrange(1, 12))]
    return "\n".join([*(["snap 1"] if not depth and random.random() < 0.9 else []), *lines]) + "\n"


def _grown(random: Random, shape: str, depth: int) -> str:
    return re.sub(r"\b[A-Z]\b", lambda match: _GROW[match[0]](random, depth), shape)


def _list(random: Random, depth: int) -> str:
    words = [_GROW["W"](random, depth + 1) for _ in range(random.randrange(4))]
    return f"[{random.choice((', ', ',', chr(10))).join(words)}]"


def _word(random: Random, depth: int) -> str:
    if depth < 4 and random.random() < 0.1:
        return _list(random, depth)
    return random.choice(ODD) if random.random() < 0.02 else random.choice(_WORDS)


def _block(random: Random, depth: int) -> str:
    if depth > 3 or random.random() < 0.2:
        return "{}"
    lines = [_statement(random, depth) for _ in range(random.randrange(5))]
    return f"{{\n{chr(10).join(lines)}\n}}" if random.random() < 0.7 else f"{{ {'; '.join(lines)} }}"


def _statement(random: Random, depth: int) -> str:
    if random.random() < 0.2:
        return _grown(random, random.choice(("when C B", "when C B else B", "when C B else when C B")), depth + 1)
    if random.random() < 0.4:
        return random.choice(STATEMENTS)[0]
    words = [_GROW["W"](random, depth) for _ in range(random.randrange(4))]
    options = [
        f"{random.choice(('chmod', 'secrets', 'A', 'cpu', 'path'))}={_GROW['W'](random, depth)}"
        for _ in range(random.randrange(2))
    ]
    return " ".join([random.choice(_VERBS), *words, *options])


def _condition(random: Random, depth: int) -> str:
    shapes = ["N", "N == W", "N != W", "N in L", "N not in L", "N in {a}"]
    if depth < 4:
        shapes += ["not C", "(C)", "C and C", "C or C"]
    return _grown(random, random.choice(shapes), depth + 1)


_GROW: dict[str, Callable[[Random, int], str]] = {
    "N": lambda random, depth: random.choice(_NAMES),
    "W": _word,
    "L": _list,
    "T": lambda random, depth: random.choice(
        ["string", "int", "bool", "size", "duration", "list", "list[int]", "one of [x, '1']"]
    ),
    "B": _block,
    "C": _condition,
    "I": lambda random, depth: f"{{\n{generated(random, depth + 1)}}}" if depth < 3 else "{}",
}
