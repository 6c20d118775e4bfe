"""What each intent becomes: which core operations, in which place, with which caches and secrets.

``test_lower_files.py`` has the files and the commands."""

from __future__ import annotations

import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from imagebuilder.diagnostics import CompileError, Span
from imagebuilder.ir import ops
from imagebuilder.ir.checks import MAX_TEXT
from imagebuilder.ir.ops import (
    CORE,
    INTENTS,
    Add,
    BaseImage,
    Copy,
    Env,
    LocalSource,
    Mount,
    Op,
    Run,
    Secret,
)
from imagebuilder.ir.stage import Stage, Step, ordered
from imagebuilder.ir.words import Word, expand
from imagebuilder.passes import Options
from imagebuilder.passes.lower import lower
from imagebuilder.passes.lower.packages import UV_VERSION, venv

BASE = BaseImage(ref="python:3.13")
PLACE = Span("image.py", 7, 3)
TOOL = Stage(BaseImage(ref="tool"), (Step(Run(command="make")),), name="tool")
USER = ops.User(name="app")

INTENT: tuple[Op, ...] = (
    ops.AptInstall(packages="git"),
    ops.PipInstall(packages="six"),
    ops.PipInstallFromRequirements(path="requirements.txt"),
    ops.PipInstallFromPyproject(packages="six"),
    ops.UvPipInstall(packages="six", requirements="a.txt"),
    ops.UvSync(),
    ops.NpmInstall(path="web", dest="/web"),
    ops.AddLocalFile(path="a", dest="/a"),
    ops.AddLocalDir(path="a", dest="/a"),
    ops.AddLocalPythonSource(modules="a"),
    ops.AddText(content="a", dest="/a"),
    ops.AddUrl(url="https://example.org/a", dest="/a"),
    ops.GitClone(url="https://example.org/a", dest="/a"),
    ops.CopyFrom(source=TOOL, src="/a", dest="/a"),
    ops.RunCommands(commands=("a", "b")),
)
CORES: tuple[Op, ...] = (
    Run(command="a"), Copy(sources=".", dest="/", origin=LocalSource(path=".")), Add(sources="a", dest="/"),
    ops.WriteFiles(files=(("", "a"),), dest="/a"), Env(variables={"A": "a"}), ops.Label(labels={"A": "a"}), ops.Arg(name="A"),
    ops.Workdir(path="/a"), USER, ops.Shell(words=["sh"]), ops.Entrypoint(command="a"), ops.Cmd(command="a"),
    ops.Expose(ports="1"), ops.Volume(paths="/a"), ops.Healthcheck(command=()), ops.StopSignal(signal="TERM"),
    ops.Onbuild(instruction="RUN a"), ops.Maintainer(name="a"),
)  # fmt: skip
MANAGERS: tuple[tuple[type[Op], dict[str, Any]], ...] = (
    (ops.PipInstall, {"packages": "six"}),
    (ops.PipInstall, {"packages": ("a", "b", "c", "d")}),
    (ops.PipInstallFromPyproject, {"packages": "six"}),
    (ops.PipInstallFromRequirements, {"path": "requirements.txt"}),
    (ops.UvPipInstall, {"packages": "six"}),
    (ops.UvSync, {}),
    (ops.NpmInstall, {"packages": "a"}),
    (ops.NpmInstall, {"packages": ("a", "b", "c", "d")}),
    (ops.NpmInstall, {"path": "web", "dest": "/web"}),
)


def lowered(*operations: Op, base: ops.Base | Stage = BASE) -> list[Op]:
    return [step.op for step in lower(Stage(base, tuple(Step(op) for op in operations)), Options()).steps]


def run(*operations: Op, base: ops.Base | Stage = BASE) -> Run:
    """The last RUN."""
    found = [op for op in lowered(*operations, base=base) if isinstance(op, Run)][-1]
    assert isinstance(found, Run)
    return found


def text(*operations: Op) -> str:
    found = run(*operations).command
    assert isinstance(found, str)
    return found


def cache(target: str, sharing: str = "locked") -> Mount:
    return Mount.model_validate({"type": "cache", "target": target, "sharing": sharing})


def bind(target: str, origin: LocalSource) -> Mount:
    return Mount(type="bind", target=target, origin=origin)


# Every intent ----------------------------------------------------------------------------------------


def test_every_operation_is_listed() -> None:
    assert {type(op) for op in INTENT} == set(INTENTS) and {type(op) for op in CORES} == set(CORE)


@pytest.mark.parametrize("op", [*INTENT, *CORES], ids=lambda op: op.verb)
def test_core_operations_that_keep_place_and_intent_come_of_it(op: Op) -> None:
    steps = lower(Stage(BASE, (Step(op, PLACE, "/root"),), PLACE, "name"), Options()).steps
    assert steps
    for step in steps:
        assert step.op.core and step.place is PLACE and step.intent == op
        assert step.root == ("/root" if any(True for _ in step.op.locals()) else "")


@pytest.mark.parametrize("op", CORES, ids=lambda op: op.verb)
def test_a_core_operation_is_its_own_lowering(op: Op) -> None:
    assert lowered(op) == [op]


def test_stages_keep_base_name_place_and_order() -> None:
    found = lower(Stage(TOOL, (Step(INTENT[0]), Step(CORES[0]), Step(INTENT[1])), PLACE, "name"), Options())
    assert (found.base, found.name, found.place) == (TOOL, "name", PLACE)
    assert [step.intent for step in found.steps] == [INTENT[0], CORES[0], INTENT[1]]


def test_every_stage_is_lowered() -> None:
    inner = Stage(BASE, (Step(ops.AptInstall(packages="git")),))
    target = Stage(
        inner, (Step(ops.CopyFrom(source=Stage(BASE, (Step(ops.PipInstall(packages="six")),)), src="/a", dest="/a")),)
    )
    found = ordered(lower(target, Options()))
    assert len(found) == 3 and all(step.op.core for stage in found for step in stage.steps)


def test_what_is_too_long_only_together_is_refused_at_its_place() -> None:
    op = ops.RunCommands(commands=("a" * (MAX_TEXT // 2), "b" * (MAX_TEXT // 2)))
    with pytest.raises(CompileError) as caught:
        lower(Stage(BASE, (Step(op, PLACE),)), Options())
    found = caught.value.diagnostics[0]
    assert (found.code, found.place) == ("IB102", PLACE) and found.help


# Package managers ------------------------------------------------------------------------------------


def test_apt() -> None:
    found = run(ops.AptInstall(packages=("b", "a")))
    assert isinstance(found.command, str)
    assert found.command.splitlines()[:3] == ["set -ex", "rm -f /etc/apt/apt.conf.d/docker-clean", "apt-get update"]
    *_, install, clean = found.command.splitlines()
    assert install.endswith("apt-get install -y --no-install-recommends -o APT::Keep-Downloaded-Packages=true a b")
    assert clean.startswith("rm -f /var/log/apt/"), "what says when it was done"
    assert found.mounts == (cache("/var/cache/apt"), cache("/var/lib/apt/lists"))
    assert "--no-install-recommends" not in text(ops.AptInstall(packages="a", recommends=True))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, []),
        ({"index_url": "https://i/s"}, ["--index-url=https://i/s"]),
        (
            {"extra_index_urls": ("https://b", "https://a")},
            ["--extra-index-url=https://b", "--extra-index-url=https://a"],
        ),
        ({"find_links": ("/w", "https://w o")}, ["--find-links=/w", "--find-links=https://w o"]),
        ({"extra_options": "--no-deps -v"}, ["--no-deps", "-v"]),
        ({"index_url": "https://i?a&b;c", "find_links": "/w"}, ["--find-links=/w", "--index-url=https://i?a&b;c"]),
    ],
)
@pytest.mark.parametrize("model", [ops.PipInstall, ops.PipInstallFromPyproject, ops.UvPipInstall])
def test_packages_and_options_reach_pip_and_uv(model: type[Op], options: dict[str, Any], words: list[str]) -> None:
    found = shlex.split(text(model(packages=("a>=1,<2", "b[c]"), **options)))
    assert found[-len(words) - 2 :] == [*words, "a>=1,<2", "b[c]"]


@pytest.mark.parametrize(("model", "flag"), [(ops.PipInstall, "--pre"), (ops.UvPipInstall, "--prerelease=allow")])
def test_pre_releases(model: type[Op], flag: str) -> None:
    assert flag in shlex.split(text(model(packages="a", pre=True)))
    assert flag not in shlex.split(text(model(packages="a")))


def test_pip() -> None:
    found = run(ops.PipInstall(packages=("six",)))
    assert shlex.split(str(found.command))[-5:] == ["python", "-m", "pip", "install", "six"]
    assert found.mounts == (cache("/root/.cache/pip", "shared"),)
    assert lowered(ops.PipInstallFromPyproject(packages=())) == []


def test_many_packages_stand_one_to_a_line() -> None:
    lines = text(ops.PipInstall(packages=("a", "b", "c", "d"))).splitlines()
    assert [line.strip(" \\") for line in lines[-4:]] == ["a", "b", "c", "d"]
    assert "\n" not in text(ops.PipInstall(packages=("a", "b", "c")))


def test_requirements_are_bound_and_not_copied() -> None:
    op = ops.PipInstallFromRequirements(path="sub/my reqs.txt", includes=("c.txt",))
    origin = LocalSource(path="sub", include=(("my reqs.txt",), ("c.txt",)), literal=True)
    assert bind("/run/requirements", origin) in run(op).mounts
    assert shlex.split(text(op))[-2:] == ["-r", "/run/requirements/my reqs.txt"]
    assert lowered(op) == [run(op)]


def test_uv_comes_from_a_stage_of_its_own() -> None:
    for op in (ops.UvPipInstall(packages="six"), ops.UvSync()):
        found = run(op)
        assert isinstance(tool := found.mounts[0].origin, Stage)
        assert (tool.base, tool.name, found.mounts[0].target) == (BASE, "uv", "/run/uv")
        assert f"uv=={UV_VERSION}" in str(tool.steps[0].op)
        assert isinstance(found.command, str) and "/run/uv/uv " in found.command
        assert cache("/root/.cache/uv", "shared") in found.mounts


@pytest.mark.parametrize("base", [Stage(BASE, (Step(Run(command="a")),)), Stage(Stage(BASE))])
def test_uvs_stage_starts_from_the_image_below_all_stages(base: Stage) -> None:
    origins = {run(ops.UvSync(), base=start).mounts[0].origin for start in (BASE, base)}
    assert len(origins) == 1


def test_uv_on_nothing_takes_a_python_of_its_own() -> None:
    assert isinstance(tool := run(ops.UvSync(), base=ops.Scratch()).mounts[0].origin, Stage)
    assert isinstance(tool.base, BaseImage) and tool.base.ref.startswith("python:")


def test_uv_pip_install_reads_several_requirements_files() -> None:
    op = ops.UvPipInstall(packages="six", requirements=("a.txt", "sub/b.txt"))
    assert run(op).mounts[2:] == (
        bind("/run/requirements/0", LocalSource(path=".", include=(("a.txt",),), literal=True)),
        bind("/run/requirements/1", LocalSource(path="sub", include=(("b.txt",),), literal=True)),
    )
    assert shlex.split(text(op))[-5:] == ["-r", "/run/requirements/0/a.txt", "-r", "/run/requirements/1/b.txt", "six"]


def test_uv_sync() -> None:
    found, env = lowered(ops.UvSync(path="p", groups="g", extras=("e",), extra_options="--no-dev"))
    project = LocalSource(path="p", include=(("pyproject.toml",), ("uv.lock",)))
    assert isinstance(found, Run) and bind("/run/project", project) in found.mounts
    words = shlex.split(str(found.command))
    assert {
        "UV_PROJECT_ENVIRONMENT=/opt/venv",
        "sync",
        "--project=/run/project",
        "--frozen",
        "--group=g",
        "--extra=e",
    } < {*words}
    assert words[-1] == "--no-dev" and "--no-install-project" in words
    assert env == Env(variables=(("PATH", expand("/opt/venv/bin:$PATH")), ("VIRTUAL_ENV", "/opt/venv")))
    checked = shlex.split(text(ops.UvSync(frozen=False)))
    assert "--locked" in checked and "--frozen" not in checked


AFTER = [
    ((), True),
    ((ops.User(name="app"), ops.Env(variables=(("VIRTUAL_ENV", ""),))), True),
    ((ops.Env(variables=(("PATH", expand("/app/bin:$PATH")),)),), True),
    ((ops.Env(variables=(("PATH", "/app/bin:/opt/venv/bin:/usr/local/bin"),)),), True),
    ((ops.Env(variables=(("PATH", "/usr/local/bin:/usr/bin"),)),), False),
    ((ops.Env(variables=(("PATH", "/bin"),)), ops.Env(variables=(("PATH", expand("/app/bin:$PATH")),))), False),
]


@pytest.mark.parametrize(("between", "inside"), AFTER)
def test_what_is_installed_after_uv_sync_is_where_path_finds_it(between: tuple[Op, ...], inside: bool) -> None:
    below: ops.Base | Stage = BASE
    for synced in ((ops.UvSync(), *between), between):
        pip = run(*synced, ops.PipInstall(packages=("six",)), base=below)
        uv = run(*synced, ops.UvPipInstall(packages=("six",)), base=below)
        assert ("--python=/opt/venv" in str(pip.command), "--python=/opt/venv" in str(uv.command)) == (inside, inside)
        assert ("--system" in str(uv.command)) is not inside
        # The same above a stage that has it.
        below = Stage(BASE, (Step(ops.UvSync()),))


def test_the_pip_of_below_is_found_whatever_comes_before_it_on_path(tmp_path: Path) -> None:
    for folder, name in (("below", "python"), ("opt/venv/bin", "python"), ("app", "other")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / name).write_text(f"#!/bin/sh\necho {folder} $*")
        (tmp_path / folder / name).chmod(0o755)
    command = text(ops.UvSync(), ops.PipInstall(packages=("six",))).replace("/opt/venv", f"{tmp_path}/opt/venv")
    for before in ("", f"{tmp_path}/app:"):
        path = f"{before}{tmp_path}/opt/venv/bin:{tmp_path}/below:/usr/bin:/bin"
        done = subprocess.run(["/bin/sh", "-c", command], env={"PATH": path}, capture_output=True, text=True)
        assert done.stdout == f"below -m pip --python={tmp_path}/opt/venv install six\n"


def test_a_virtual_environment_of_the_authors_has_its_own_pip() -> None:
    env = ops.Env(variables=(("PATH", expand("/opt/venv/bin:$PATH")), ("VIRTUAL_ENV", "/opt/venv")))
    found = text(ops.RunCommands(commands=("python3 -m venv /opt/venv",)), env, ops.PipInstall(packages=("six",)))
    assert "python -m pip install six" in found


def test_a_virtual_environment_alone_is_that_of_an_empty_project() -> None:
    """Whatever the project's texts are, they are no words of the shell."""
    made = venv(BASE, "it's", ">=3.11,<4")
    (step,) = made.steps
    assert made.base == BASE and isinstance(step.op, Run)
    words = shlex.split(str(step.op.command))
    about = words[words.index("%s") + 1]
    assert tomllib.loads(about)["project"] == {"name": "it's", "version": "0", "requires-python": ">=3.11,<4"}
    assert {"UV_PROJECT_ENVIRONMENT=/opt/venv", "sync", "--offline", "--no-install-project"} < {*words}
    (bare,) = venv(BASE, "app", "").steps
    assert "requires-python" not in str(getattr(bare.op, "command", ""))


@pytest.mark.parametrize(
    ("options", "command"),
    [({}, "npm install a b"), ({"g": True}, "npm install --global a b"), ({"dev": True}, "npm install --save-dev a b")],
)
def test_npm(options: dict[str, bool], command: str) -> None:
    (run,) = lowered(ops.NpmInstall(packages=("b", "a"), **options))
    assert isinstance(run, Run) and run.mounts == (cache("/root/.npm"), Mount(type="tmpfs", target="/run/npm"))
    lines = str(run.command).splitlines()
    assert lines[2:] == [command, "rm -rf ~/.cache/node-gyp"]


def test_npm_leaves_nothing_of_its_own() -> None:
    """No log, no cache, no temporary file: also where another user cannot reach root's cache."""
    root, other = (
        str(lowered(*before, ops.NpmInstall(packages=("a",)))[-1].command) for before in ((), (ops.User(name="web"),))
    )
    assert "TMPDIR=/run/npm " in root and "npm_config_logs_max=0" in root and "update_notifier=false" in root
    assert "npm_config_cache=/root/.npm " in root and "npm_config_cache=/run/npm/cache " in other


@pytest.mark.parametrize(("dev", "omit"), [(False, True), (True, False)])
def test_npm_of_a_folder(dev: bool, omit: bool) -> None:
    copy, found = lowered(ops.NpmInstall(path="web", dest="/a b", dev=dev))
    origin = LocalSource(path="web", include=(("package.json",), ("package-lock.json", "package.json")))
    assert copy == Copy(sources=".", dest="/a b", origin=origin)
    lines = str(found.command).splitlines()
    assert lines[2] == "cd '/a b'" and "npm ci" in lines[3] and ("--omit=dev" in lines[3]) is omit


# Users and secrets -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "options"), MANAGERS)
@pytest.mark.parametrize(
    ("name", "root"),
    [
        ("root", True),
        ("0", True),
        ("0:0", True),
        ("root:root", True),
        ("app", False),
        ("1000:0", False),
        (expand("$U"), False),
    ],
)
def test_only_root_gets_caches_in_roots_home(model: type[Op], options: dict[str, Any], name: Word, root: bool) -> None:
    def has_cache(*operations: Op, base: ops.Base | Stage = BASE) -> bool:
        return any(m.type == "cache" and str(m.target).startswith("/root/") for m in run(*operations, base=base).mounts)

    user, op = ops.User(name=name), model(**options)
    assert has_cache(op) and has_cache(op, user)
    assert has_cache(user, op) is root
    assert has_cache(op, base=Stage(Stage(BASE, (Step(user),)))) is root
    assert has_cache(user, ops.User(name="root"), op)
    assert has_cache(op, base=Stage(Stage(BASE, (Step(user),)), (Step(ops.User(name="root")),)))


@pytest.mark.parametrize(("model", "options"), [*MANAGERS, (ops.RunCommands, {"commands": ("a", "b")})])
def test_a_script_with_secrets_is_not_traced(model: type[Op], options: dict[str, Any]) -> None:
    secrets = (Secret(name="TOKEN"), Secret(name="KEY", target="/run/key"))
    found = run(model(**options, secrets=secrets))
    assert found.mounts[-2:] == (
        Mount(type="secret", id="TOKEN", env="TOKEN", required=True),
        Mount(type="secret", id="KEY", target="/run/key", required=True),
    )
    plain = text(model(**options))
    assert "-ex" not in str(found.command) and found.command == plain.replace("set -ex\n", "set -e\n")
    assert not any(mount.type == "secret" for mount in run(model(**options)).mounts)
