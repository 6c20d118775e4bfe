"""What files, URLs, repositories and commands become; ``PYTHONPATH`` is set once and keeps what the image has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from imagebuilder.ir import ops
from imagebuilder.ir.ops import (
    Add,
    BaseImage,
    Copy,
    Env,
    ImageSource,
    LocalSource,
    Mount,
    Op,
    Run,
    RunCommands,
    WriteFiles,
)
from imagebuilder.ir.stage import Stage, Step
from imagebuilder.ir.words import Expansion, Var, Word, expand
from imagebuilder.passes import Options
from imagebuilder.passes.lower import lower

BASE = BaseImage(ref="python:3.13")
TOOL = Stage(BaseImage(ref="tool"), name="tool")
PYTHONPATH = Env(
    variables=(
        (
            "PYTHONPATH",
            Expansion(
                parts=("/opt/python", Var(name="PYTHONPATH", modifier=":+", word=Expansion(parts=(":", Var(name="PYTHONPATH")))))
            ),
        ),
    )
)  # fmt: skip


def lowered(*operations: Op, base: ops.Base | Stage = BASE) -> list[Op]:
    return [step.op for step in lower(Stage(base, tuple(Step(op) for op in operations)), Options()).steps]


@pytest.mark.parametrize(
    ("intent", "core"),
    [
        (
            ops.AddLocalFile(path="a.txt", dest="/b.txt", chmod="0600", chown="app"),
            Copy(sources=".", dest="/b.txt", origin=LocalSource(path="a.txt", kind="file"), chmod="0600", chown="app"),
        ),
        (
            ops.AddLocalFile(path="a.txt", dest="/b.txt"),
            Copy(sources=".", dest="/b.txt", origin=LocalSource(path="a.txt", kind="file")),
        ),
        (
            ops.AddLocalDir(path="src", dest="/srv", ignore=("*.log", "!keep.log"), chown="app:app"),
            Copy(
                sources=".",
                dest="/srv",
                origin=LocalSource(path="src", ignore=("*.log", "!keep.log"), dockerignore=".dockerignore"),
                chown="app:app",
            ),
        ),
        (
            ops.AddText(content="$HOME\n", dest="/a", chmod="0755", chown="1:2"),
            WriteFiles(files=(("", "$HOME\n"),), dest="/a", chmod="0755", chown="1:2"),
        ),
        (ops.AddText(content="", dest="/a"), WriteFiles(files=(("", ""),), dest="/a")),
        (ops.AddUrl(url="https://h/a", dest="/a"), Add(sources="https://h/a", dest="/a")),
        (
            ops.AddUrl(url="https://h/a.tar", dest="/", checksum=f"sha256:{'0' * 64}", chmod="0644", chown="app", unpack=True),
            Add(sources="https://h/a.tar", dest="/", checksum=f"sha256:{'0' * 64}", chmod="0644", chown="app", unpack=True),
        ),
        (
            ops.CopyFrom(source=TOOL, src="/a", dest="/b", chown="app", chmod="0755"),
            Copy(sources="/a", dest="/b", origin=TOOL, chown="app", chmod="0755"),
        ),
        (ops.CopyFrom(source="nginx:1", src="/a", dest="/b"), Copy(sources="/a", dest="/b", origin=ImageSource(ref="nginx:1"))),
    ],
)  # fmt: skip
def test_files(intent: Op, core: Op) -> None:
    assert lowered(intent) == [core]


@pytest.mark.parametrize(
    ("src", "pattern"),
    [("/a b", "/a b"), ("/*", "/[*]"), ("/a?", "/a[?]"), ("/[x]", "/[[]x]"), ("/a\\b", "/a[\\\\]b"), ("/$A", "/$A")],
)
def test_a_path_of_another_image_is_no_pattern(src: str, pattern: str) -> None:
    copy = lowered(ops.CopyFrom(source=TOOL, src=src, dest="/b"))[0]
    assert isinstance(copy, Copy) and copy.sources == (pattern,)


@pytest.mark.parametrize(
    ("url", "ref", "source"),
    [
        ("https://h/a", None, "https://h/a.git"),
        ("https://h/a/", None, "https://h/a.git"),
        ("https://h/a.git", None, "https://h/a.git"),
        ("https://h/a", "v1", "https://h/a.git#v1"),
        ("git@h:a", None, "git@h:a"),
        ("git@h:a.git", "main", "git@h:a.git#main"),
        ("https://h/a.git/", None, "https://h/a.git"),
        ("ssh://git@h/a", "main", "ssh://git@h/a#main"),
    ],
)
def test_git(url: str, ref: str | None, source: str) -> None:
    assert lowered(ops.GitClone(url=url, dest="/a", ref=ref)) == [Add(sources=source, dest="/a")]
    kept = ops.GitClone(url=url, dest="/a", ref=ref, keep_git_dir=True, chown="app")
    assert lowered(kept) == [Add(sources=source, dest="/a", keep_git_dir=True, chown="app")]


# Python sources --------------------------------------------------------------------------------------


def test_python_sources_are_modules_or_packages_without_bytecode() -> None:
    copy, env = lowered(ops.AddLocalPythonSource(modules=("a", "b.c"), ignore="tests"))
    assert isinstance(copy, Copy) and isinstance(origin := copy.origin, LocalSource)
    assert (copy.dest, origin.path, origin.kind) == ("/opt/python", ".", "dir")
    assert origin.include == (("a", "a.py"), ("b/c", "b/c.py"))
    assert origin.ignore == ("**/__pycache__", "**/*.py[co]", "tests")
    assert env == PYTHONPATH


SOURCE = ops.AddLocalPythonSource(modules="a")
SET = Env(variables={"PYTHONPATH": "/opt/python:/srv"})


@pytest.mark.parametrize(
    ("before", "base", "times"),
    [
        ((), BASE, 1),
        ((SOURCE,), BASE, 1),
        ((SOURCE, SOURCE), BASE, 1),
        ((Env(variables={"PATH": "/PYTHONPATH"}),), BASE, 1),
        ((ops.Label(labels={"PYTHONPATH": "a"}),), BASE, 1),
        ((SET,), BASE, 0),
        ((), Stage(BASE, (Step(SET),)), 0),
        ((), Stage(Stage(BASE, (Step(SOURCE),)), (Step(Run(command="a")),)), 0),
        ((Copy(sources="/a", dest="/a", origin=Stage(BASE, (Step(SET),))),), BASE, 1),
    ],
)
def test_pythonpath_is_set_once(before: Sequence[Op], base: ops.Base | Stage, times: int) -> None:
    """Counting what earlier stages set, and not what a stage has that is only copied from."""
    found = lowered(*before, SOURCE, base=base)
    assert found.count(PYTHONPATH) == times
    assert isinstance(found[-1], Copy) or found[-1] == PYTHONPATH


@pytest.mark.parametrize(
    ("value", "leads"),
    [
        ("/srv", False),
        ("/opt/python2:/srv/opt/python", False),
        (expand("/srv:$PYTHONPATH"), False),
        ("/opt/python", True),
        ("/srv:/opt/python", True),
        (expand("/opt/python:$OTHER"), True),
    ],
)
def test_a_pythonpath_that_does_not_lead_to_the_sources_is_kept_behind_them(value: Word, leads: bool) -> None:
    own = Env(variables={"PYTHONPATH": value})
    both = Env(variables={"PYTHONPATH": expand("/opt/python:$PYTHONPATH")})
    assert lowered(own, SOURCE)[2:] == ([] if leads else [both])
    assert lowered(SOURCE, base=Stage(BASE, (Step(own),)))[1:] == ([] if leads else [both])
    assert lowered(own, SOURCE, SOURCE).count(both) == (not leads)


# Commands --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        (("make",), "make"),
        (("  make  ",), "  make  "),
        (("make", "make install"), "set -ex\nmake\nmake install"),
        (("if a\nthen b\nfi",), "set -ex\nif a\nthen b\nfi"),
        (("make\n", "\ninstall\n\n"), "set -ex\nmake\ninstall"),
        ((("echo", "a b", "$A"),), ("echo", "a b", "$A")),
        ((("echo", "a b", "$A"), "make"), "set -ex\necho 'a b' '$A'\nmake"),
        (("make", ("echo", "it's")), "set -ex\nmake\necho 'it'\"'\"'s'"),
        (("#!/usr/bin/env python3\nprint(1)\n",), "#!/usr/bin/env python3\nprint(1)\n"),
        (("#!/bin/bash\na", "b"), "set -ex\n#!/bin/bash\na\nb"),
    ],
)
def test_commands(commands: tuple[Any, ...], expected: str | tuple[str, ...]) -> None:
    """A list of words alone is never seen by a shell, and a script with an interpreter of its own is left alone."""
    assert lowered(RunCommands(commands=commands)) == [Run(command=expected)]


@pytest.mark.parametrize("commands", [("a",), ("a", "b"), (("a", "b"),), ("#!/bin/sh\na\n",)])
@pytest.mark.parametrize("network", ["default", "none", "host"])
def test_mounts_and_network_reach_every_form(commands: tuple[Any, ...], network: Any) -> None:
    found = lowered(RunCommands(commands=commands, cache=("/b", "/a"), secrets="TOKEN", network=network))[0]
    assert isinstance(found, Run) and found.network == network
    assert found.mounts == (
        Mount(type="cache", target="/b", sharing="locked"),
        Mount(type="cache", target="/a", sharing="locked"),
        Mount(type="secret", id="TOKEN", env="TOKEN", required=True),
    )


def test_caches_that_were_asked_for_are_for_every_user() -> None:
    command = RunCommands(commands=("make",), cache="/home/app/.cache")
    assert lowered(ops.User(name="app"), command)[1] == lowered(command)[0]
