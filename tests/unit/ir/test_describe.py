"""An operation in one short line: its verb, and what a person would name it by."""

from __future__ import annotations

from typing import Any

import pytest

from imagebuilder.ir import ops
from imagebuilder.ir.describe import describe
from imagebuilder.ir.ops import LocalSource, Model, Secret
from imagebuilder.ir.stage import Stage
from imagebuilder.ir.words import Expansion, Var, expand

LOCAL = LocalSource(path="src")
TOOL = Stage(ops.Scratch(), name="tool")


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        (ops.DebianSlim(python_version="3.12", debian="trixie"), "debian_slim 3.12"),
        (ops.BaseImage(ref="python:3.12", platform="linux/arm64"), "base python:3.12"),
        (ops.Scratch(), "scratch"),
        (ops.AptInstall(packages=("git", "curl"), recommends=True), "apt_install curl git"),
        (ops.PipInstall(packages=("six", "idna>=3"), index_url="https://example.org"), "pip_install idna>=3 six"),
        (ops.PipInstallFromRequirements(path="requirements.txt"), "pip_install_from_requirements requirements.txt"),
        (ops.PipInstallFromPyproject(packages="six"), "pip_install_from_pyproject six"),
        (ops.UvPipInstall(packages="six", requirements="a.txt"), "uv_pip_install six a.txt"),
        (ops.UvSync(path="project"), "uv_sync"),
        (ops.NpmInstall(packages=("b", "a"), g=True), "npm_install a b"),
        (ops.NpmInstall(path="web", dest="/web"), "npm_install"),
        (ops.AddLocalFile(path="a.txt", dest="/srv/a.txt", chmod="0600"), "add_local_file a.txt /srv/a.txt"),
        (ops.AddLocalDir(path="src", dest="/srv", ignore="*.pyc"), "add_local_dir src /srv"),
        (ops.AddLocalPythonSource(modules=("a", "b")), "add_local_python_source a b"),
        (ops.AddText(content="hello\n  world\n", dest="/a"), "add_text hello world /a"),
        (ops.AddUrl(url="https://example.org/a", dest="/a"), "add_url https://example.org/a /a"),
        (ops.GitClone(url="https://example.org/a.git", dest="/a", ref="main"), "git_clone https://example.org/a.git /a"),
        (ops.CopyFrom(source=TOOL, src="/a", dest="/b"), "copy_from tool /a /b"),
        (ops.CopyFrom(source=Stage(ops.Scratch()), src="/a", dest="/b"), "copy_from image /a /b"),
        (ops.CopyFrom(source="python:3.12", src="/a", dest="/b"), "copy_from python:3.12 /a /b"),
        (ops.RunCommands(commands=("make", "make install"), cache="/c"), "run_commands make; make install"),
        (ops.RunCommands(commands=("mkdir /o\n  echo 'a b' >/o/x\n\n",)), "run_commands mkdir /o; echo 'a b' >/o/x"),
        (ops.RunCommands(commands=("for x in *; do\n  cat $x \\\n    | wc\ndone",)), "run_commands for x in *; do cat $x | wc; done"),
        (ops.RunCommands(commands=(("echo", "a b"),)), "run_commands echo 'a b'"),
        (ops.Run(command="make  all\n\tinstall"), "run make all install"),
        (ops.Run(command=("echo", "a")), "run echo a"),
        (ops.Run(command=("echo", "a b")), "run echo 'a b'"),
        (ops.Copy(sources=("a", "b"), dest="/c", origin=LOCAL), "copy a b /c"),
        (ops.Copy(sources="/a", dest="/b", origin=TOOL), "copy /a /b tool"),
        (ops.Add(sources="a.tar", dest="/a", origin=LOCAL), "add a.tar /a"),
        (ops.WriteFiles(files=(("", "text"),), dest="/a"), "write_files text /a"),
        (ops.Env(variables={"B": "2", "A": "1"}), "env A 1 B 2"),
        (ops.Env(variables={"PATH": expand("/opt:$PATH")}), "env PATH /opt:$PATH"),
        (ops.Label(labels={"a": "b c"}), "label a 'b c'"),
        (ops.Arg(name="A"), "arg A"),
        (ops.Arg(name="A", default="1"), "arg A 1"),
        (ops.Arg(name="A", default=expand("$B-1")), "arg A $B-1"),
        (ops.Workdir(path=expand("/srv/${A:-x}")), "workdir /srv/$A"),
        (ops.User(name="app"), "user app"),
        (ops.Entrypoint(command=("python", "-c", "print(1)")), "entrypoint python -c print(1)"),
        (ops.Cmd(command=()), "cmd"),
        (ops.Expose(ports=("80", "53/udp")), "expose 80 53/udp"),
        (ops.Healthcheck(command=(), interval="1s", retries=3), "healthcheck"),
        (ops.StopSignal(signal="TERM"), "stop_signal SIGTERM"),
        (ops.Onbuild(instruction="RUN make"), "onbuild RUN make"),
        (Secret(name="TOKEN"), "Secret TOKEN"),
    ],
)  # fmt: skip
def test_describe(op: Model, expected: str) -> None:
    assert describe(op) == expected


LENGTH = 72


@pytest.mark.parametrize("count", [LENGTH - 5, LENGTH - 4, LENGTH - 3, 500, 50_000])
def test_a_long_one_is_cut(count: int) -> None:
    shown = describe(ops.Run(command="x" * count))
    whole = "run " + "x" * count
    assert len(shown) <= LENGTH
    assert shown == whole if len(whole) <= LENGTH else shown == whole[: LENGTH - 1] + "…"


@pytest.mark.parametrize(
    "op",
    [
        ops.Run(command="a\n\n\tb\r\nc"),
        ops.Run(command=("a\nb", "c d")),
        ops.Env(variables={"A": Expansion(parts=("a\nb", Var(name="B"), "\n"))}),
        ops.AddText(content="\n" * 100, dest="/a"),
    ],
)
def test_it_is_always_one_line(op: Any) -> None:
    shown = describe(op)
    assert shown.splitlines() == [shown] and shown == shown.strip() and "  " not in shown


def test_options_are_not_shown() -> None:
    """Where secrets, owners and mounts would only push out what tells one step from another."""
    mount = ops.Mount(type="secret", id="TOKEN", env="TOKEN")
    assert describe(ops.Run(command="make", mounts=(mount,), network="none")) == "run make"
    assert describe(ops.PipInstall(packages="a", secrets="TOKEN", extra_options="--no-deps")) == "pip_install a"
