"""What goes wrong is shown at the author's line, and leaves nothing half-done behind."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from imagebuilder.compiler import host_platform
from tests.conftest import Cli, Done

BASE = "python:3.13-slim-trixie"


@dataclass(frozen=True)
class Failure:
    """A project whose build fails, and what must be said about it. ``{id}`` keeps the builder's cache out of it."""

    files: dict[str, str]
    target: str
    place: str
    excerpt: str
    says: tuple[str, ...]
    code: str = "IB600"
    notes: tuple[str, ...] = field(default=())


PYTHON = """
from imagebuilder import Image

base = Image.debian_slim("3.13").env({"ID": "{id}"})
image = base.workdir("/srv").run_commands(
    "echo going to fail; echo oh no >&2",
    "exit 7",
)
"""

FUNCTION = """
from imagebuilder import Image

def with_tools(image):
    return image.run_commands("echo {id}; false")

image = with_tools(Image.debian_slim("3.13"))
"""

CHAIN = """
from imagebuilder import Image

image = (
    Image.debian_slim("3.13")
    .env({"ID": "{id}"})
    .run_commands("true")
    .run_commands(["sh", "-c", "echo 'two words'; exit 3"])
    .run_commands("true")
)
"""

STAGE = """
from imagebuilder import Image

tools = Image.debian_slim("3.13").env({"ID": "{id}"}).run_commands("sleep 0.2; echo in tools; exit 9")
slow = Image.debian_slim("3.13").env({"ID": "{id}"}).run_commands("sleep 30")
image = Image.debian_slim("3.13").copy_from(slow, "/etc", "/a").copy_from(tools, "/etc", "/b")
"""

PACKAGES = """
from imagebuilder import Image

image = Image.debian_slim("3.13").env({"ID": "{id}"}).pip_install("no-such-package-{id}", extra_options="--no-index")
"""

MISSING_BASE = """
from imagebuilder import Image

image = Image.base("localhost:1/no/such:image")
image = image.run_commands("true")
"""

MISSING_SOURCE = """
from imagebuilder import Image

other = Image.debian_slim("3.13").env({"ID": "{id}"})
image = Image.scratch().copy_from(other, "/no/such/path", "/x")
"""

DOCKERFILE = f"""\
FROM {BASE} AS tools
ENV ID={{id}}

RUN echo first && \\
    echo second; \\
    exit 5
FROM scratch
COPY --from=tools /etc /etc
"""

HEREDOC = f"""\
FROM {BASE}
ENV ID={{id}}
RUN <<END
set -e
echo in the document
false
END
"""

FROM_DOCKERFILE = """
from imagebuilder import Image

image = Image.from_dockerfile("sub/Dockerfile").env({"MORE": "1"})
"""

FAILURES = {
    "a command": Failure(
        {"spec.py": PYTHON}, "spec.py", "spec.py:5", ".run_commands(", ("run_commands", "exit code 7"),
        notes=("echo going to fail", "exit 7", "going to fail\n", "oh no"),
    ),
    "a command in a function": Failure(
        {"spec.py": FUNCTION}, "spec.py", "spec.py:5", 'image.run_commands("echo {id}; false")', ("exit code 1",)
    ),
    "an argument vector in a chain": Failure(
        {"spec.py": CHAIN}, "spec.py", "spec.py:8", ".run_commands([", ("exit code 3",), notes=("two words",)
    ),
    "a command of a stage that is copied from, beside another": Failure(
        {"spec.py": STAGE}, "spec.py", "spec.py:4", 'run_commands("sleep 0.2; echo in tools; exit 9")',
        ("exit code 9",), notes=("in tools",),
    ),
    "packages": Failure(
        {"spec.py": PACKAGES}, "spec.py", "spec.py:4", ".pip_install(", ("pip_install", "exit code 1"),
        notes=("No matching distribution found for no-such-package-{id}",),
    ),
    "a base image that does not exist": Failure(
        {"spec.py": MISSING_BASE}, "spec.py", "spec.py:4", 'Image.base("localhost:1/no/such:image")',
        ("localhost:1/no/such:image",), code="IB602", notes=("is the name right",),
    ),
    "a path that the other image does not have": Failure(
        {"spec.py": MISSING_SOURCE}, "spec.py", "spec.py:5", '.copy_from(other, "/no/such/path", "/x")',
        ('"/no/such/path": not found',), code="IB602", notes=("is the path right?",),
    ),
    "a Dockerfile's command": Failure(
        {"Dockerfile": DOCKERFILE}, "Dockerfile", "Dockerfile:4", "RUN echo first && \\", ("exit code 5",),
        notes=("first\n", "second"),
    ),
    "a Dockerfile's here-document": Failure(
        {"Dockerfile": HEREDOC}, ".", "Dockerfile:3", "RUN <<END", ("exit code 1",), notes=("in the document",)
    ),
    "a command of a Dockerfile that Python builds on": Failure(
        {"spec.py": FROM_DOCKERFILE, "sub/Dockerfile": HEREDOC}, "spec.py", "sub/Dockerfile:3", "RUN <<END",
        ("exit code 1",), notes=("in the document",),
    ),
}  # fmt: skip


@pytest.fixture
def name() -> str:
    return f"test-failures-{uuid4().hex[:12]}"


def project(folder: Path, files: dict[str, str], id: str) -> Path:
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("{id}", id))
    return folder


def images(env: dict[str, str], name: str) -> str:
    argv = [env["TEST_DOCKER"], "images", "--quiet", "--filter", f"reference=imagebuilder/{name}"]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_a_build_that_fails(
    cli: Cli, env: dict[str, str], home: Path, tmp_path: Path, name: str, failure: Failure
) -> None:
    folder = project(tmp_path / "project", failure.files, name)
    done = cli("build", failure.target, "--name", name, "--json", cwd=folder)
    assert done.code == 1, done.err

    shown = done.err[done.err.index("error[") :]
    assert shown.startswith(f"error[{failure.code}]: ")
    for text in (*failure.says, *failure.notes, failure.excerpt, f"{failure.place}:", "^^^"):
        assert text.replace("{id}", name) in shown, shown
    assert "Traceback" not in done.err

    (told,) = done.json["error"]
    assert told["code"] == failure.code
    assert f"{told['span']['file']}:{told['span']['line']}".endswith(f"/{failure.place}")

    info = cli("snapshot", "info", name, "--json").json
    assert (info["state"], info["reason"]) == ("build_failed", told["message"])
    assert images(env, name) == ""
    assert list((home / "staging").iterdir()) == [] == list((home / "locks").iterdir())

    (folder / "good.py").write_text('from imagebuilder import Image\nimage = Image.debian_slim("3.13")\n')
    again = cli("build", "good.py", "--name", name, "--json", cwd=folder)
    assert again.code == 0, again.err
    assert cli("snapshot", "info", name, "--json").json["state"] == "active"
    assert cli("snapshot", "delete", name).code == 0


def test_the_log_of_a_failed_build_is_kept(cli: Cli, tmp_path: Path, name: str) -> None:
    folder = project(tmp_path, {"spec.py": PYTHON}, name)
    failed = cli("build", "spec.py", "--name", name, cwd=folder)
    assert f"imagebuilder snapshot logs {name}" in failed.err
    logs = cli("snapshot", "logs", name)
    assert logs.code == 0
    assert "going to fail\n" in logs.out and "oh no\n" in logs.out


def test_a_failed_build_leaves_the_last_image_alone(cli: Cli, env: dict[str, str], tmp_path: Path, name: str) -> None:
    """The name's image is replaced by one that was built, or not at all."""
    folder = project(tmp_path, {"spec.py": PYTHON}, name)
    (folder / "good.py").write_text('from imagebuilder import Image\nimage = Image.debian_slim("3.13")\n')
    good = cli("build", "good.py", "--name", name, "--json", cwd=folder).json
    before = images(env, name)
    assert cli("build", "spec.py", "--name", name, cwd=folder).code == 1
    assert images(env, name) == before != ""
    info = cli("snapshot", "info", name, "--json").json
    assert (info["state"], info["digest"]) == ("build_failed", good["digest"])
    back = cli("build", "good.py", "--name", name, "--json", cwd=folder).json
    assert back["digest"] == good["digest"]
    assert cli("snapshot", "delete", name).code == 0
    assert images(env, name) == ""


# Bad input ------------------------------------------------------------------------------------------

START = "from imagebuilder import Image\n\n"


@dataclass(frozen=True)
class Bad:
    """A spec that means nothing; ``line`` 0 where no line of a file is to blame."""

    code: str
    says: str
    hint: str
    text: str = ""
    line: int = 0
    excerpt: str = ""
    target: str = "spec.py"
    words: tuple[str, ...] = ()
    file: str = "spec.py"


def chain(call: str) -> str:
    return f'{START}image = (\n    Image.debian_slim("3.13")\n    {call}\n)\n'


BAD = {
    "a missing file": Bad(
        "IB201", "gone.txt", "relative paths start", chain('.add_local_file("gone.txt", "/x")'), 5, ".add_local_file("
    ),
    "a missing folder": Bad(
        "IB201", "gone'", "relative paths start", chain('.add_local_dir("gone", "/x")'), 5, ".add_local_dir("
    ),
    "a missing requirements file": Bad(
        "IB201", "gone.txt", "relative paths start", chain('.pip_install_from_requirements("gone.txt")'), 5, ".pip_in"
    ),
    "an empty package name": Bad(
        "IB105", "an empty package name", "leave it out", chain('.pip_install("six", "")'), 5, '.pip_install("six", "")'
    ),
    "an empty Debian package name": Bad(
        "IB105", "an empty package name", "leave it out", chain('.apt_install(" ")'), 5, ".apt_install("
    ),
    "a package that is an option": Bad(
        "IB106", "'--index-url=http://x'", "index_url=", chain('.pip_install("--index-url=http://x")'), 5, ".pip_install("
    ),
    "a Debian package that is an option": Bad(
        "IB106", "'-y'", "options", chain('.apt_install("-y", "git")'), 5, '.apt_install("-y", "git")'
    ),
    "a relative destination": Bad(
        "IB109", "'app/x'", "'/app/x'", chain('.add_text("x", "app/x")'), 5, '.add_text("x", "app/x")'
    ),
    "an unknown Python version": Bad(
        "IB124", "3.99", "3.13", f'{START}image = Image.debian_slim("3.99")\n', 3, 'Image.debian_slim("3.99")'
    ),
    "a Python version that is none": Bad(
        "IB124", "'three'", "3.12", f'{START}image = Image.debian_slim("three")\n', 3, 'Image.debian_slim("three")'
    ),
    "a credential in an index URL": Bad(
        "IB107", "a credential inside a URL", "secrets=", chain('.pip_install("six", index_url="https://me:hunter2@host/simple")'),
        5, ".pip_install(",
    ),
    "an invalid name": Bad(
        "IB701", "'Not A Name'", "lower-case", f"{START}image = Image.scratch()\n", words=("--name", "Not A Name")
    ),
    "a target without an Image": Bad("IB403", "no Image", "image = Image.", f"{START}x = 1\n", 1, "from imagebuilder"),
    "a target without that Image": Bad(
        "IB403", "'imgae'", "did you mean 'image'?", f"{START}image = Image.scratch()\n", 1, target="spec.py:imgae"
    ),
    "a missing target": Bad(
        "IB401", "spce.py", "did you mean 'spec.py'?", f"{START}image = Image.scratch()\n", target="spce.py"
    ),
    "a target of another kind": Bad("IB401", "spec.txt", "Dockerfile", "x", target="spec.txt", file="spec.txt"),
    "a target that raises": Bad("IB402", "KeyError: 'x'", "", f"{START}y = {{}}\nimage = y['x']\n", 4, "y['x']"),
    "a target that is no Python": Bad("IB402", "not valid Python", "", f"{START}image = (\n", 3, "image = ("),
    "an unknown method": Bad(
        "IB402", "pip_instal", "did you mean 'pip_install'?", chain('.pip_instal("six")'), 5, ".pip_instal"
    ),
    "an unknown instruction": Bad(
        "IB307", "COPI", "COPY", f"FROM {BASE}\nRUN true\nCOPI a b\n", 3, "COPI a b", "Dockerfile", file="Dockerfile"
    ),
    "a missing source of a Dockerfile": Bad(
        "IB203", "gone.txt", "", f"FROM {BASE}\nCOPY gone.txt /x\n", 2, "COPY gone.txt /x", "Dockerfile", file="Dockerfile"
    ),
    "a Dockerfile without that stage": Bad(
        "IB321", "'tols'", "tools", f"FROM {BASE} AS tools\n", 0, "", "Dockerfile", ("--target", "tols"), "Dockerfile"
    ),
    "a build argument without a value": Bad(
        "IB705", "'X'", "NAME=VALUE", f"{START}image = Image.scratch()\n", words=("--build-arg", "X")
    ),
    "an unknown build argument": Bad(
        "IB130", "'VERSOIN'", "did you mean 'VERSION'?", chain('.arg("VERSION", "1")'), words=("--build-arg", "VERSOIN=1")
    ),
    "a platform that is none": Bad(
        "IB114", "'arm64'", "linux/arm64", f"{START}image = Image.scratch()\n", words=("--platform", "arm64")
    ),
    "a secret without a value": Bad(
        "IB150", "'NO_SUCH_TOKEN'", "NO_SUCH_TOKEN", chain('.run_commands("true", secrets="NO_SUCH_TOKEN")')
    ),
    "a secret whose file is missing": Bad(
        "IB151", "gone", "src=FILE", chain('.run_commands("true", secrets="T")'), words=("--secret", "id=T,src=gone")
    ),
    "a CA bundle that is missing": Bad(
        "IB152", "gone.pem", "--ca or SSL_CERT_FILE", f"{START}image = Image.scratch()\n", words=("--ca", "gone.pem")
    ),
}  # fmt: skip


@pytest.fixture
def watched(env: dict[str, str], tmp_path: Path) -> Path:
    """A buildx that writes down that it was called; nothing should call it."""
    plugins = Path(env["DOCKER_CONFIG"]) / "cli-plugins"
    mine = tmp_path / "docker-config/cli-plugins"
    mine.mkdir(parents=True)
    calls = tmp_path / "calls"
    script = f'#!/bin/sh\necho "$@" >>"{calls}"\nexec "{plugins}/docker-buildx" "$@"\n'
    (mine / "docker-buildx").write_text(script)
    (mine / "docker-buildx").chmod(0o755)
    env["DOCKER_CONFIG"] = str(mine.parent)
    return calls


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_bad_input(cli: Cli, watched: Path, home: Path, tmp_path: Path, bad: Bad) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / bad.file).write_text(bad.text)
    done: Done = cli("build", bad.target, "--json", *bad.words, cwd=folder)
    assert done.code == 2, done.err

    told: list[dict[str, Any]] = done.json["error"]
    assert [found["code"] for found in told] == [bad.code], told
    assert bad.says in told[0]["message"] and bad.hint in told[0]["help"], told
    assert bad.hint or bad.line, "neither a place nor a hint: what is the person to do?"
    assert done.err.startswith(f"error[{bad.code}]: ") and "Traceback" not in done.err
    if bad.line:
        assert f"{told[0]['span']['file']}:{told[0]['span']['line']}".endswith(f"{bad.file}:{bad.line}"), told
        assert f"{bad.line} | " in done.err and bad.excerpt in done.err
    assert "hunter2" not in done.err + done.out

    assert not watched.exists(), "buildx was called"
    assert json.loads(cli("snapshot", "list", "--json").out) == []
    left = sorted(path.relative_to(home).as_posix() for path in home.rglob("*") if not path.is_dir())
    assert [path for path in left if not path.startswith("store.db")] == []


def test_a_base_for_another_platform(cli: Cli, tmp_path: Path) -> None:
    """The builder would take it all the same, and call what comes of it the other platform's image."""
    text = f"from imagebuilder import Image\nimage = Image.debian_slim('3.13').run_commands('echo {uuid4().hex}')\n"
    (tmp_path / "spec.py").write_text(text)
    other = "linux/amd64" if host_platform() != "linux/amd64" else "linux/arm64"
    done = cli("build", "spec.py", "--json", "--platform", other, cwd=tmp_path)
    assert done.code == 1
    (found,) = done.json["error"]
    assert found["code"] == "IB603" and other in found["message"] and host_platform() in found["help"]
    assert found["span"]["line"] == 2
    assert cli("snapshot", "info", "spec", "--json").json["state"] == "build_failed"
