"""The golden cases: every operation, alone and in the combinations that people write.

A case is a function, so that a mistake in one is one failing test. Files come
from ``files/``. ``builds`` is False where a case needs what no test machine
has for certain (another registry's image, a public site, npm in the base); the
engine then checks the Dockerfile and does not build it.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from imagebuilder import Image, Secret, expand
from imagebuilder.resolve.lock import LockFile
from tests.golden.locks import locked

FILES = Path(__file__).parent / "files"
EXAMPLES = Path(__file__).parent.parent.parent / "examples"
# The digest of nothing that exists; a key needs none that does.
DIGEST = "sha256:" + "0123456789abcdef" * 4


@dataclass(frozen=True)
class Case:
    """``secrets`` are values for the build, which no key and no Dockerfile may show.

    ``lock`` is what is expected with one; without it the case is another's, and need not be built.
    """

    make: Callable[[], Image]
    builds: bool = True
    secrets: Mapping[str, str] = field(default_factory=dict)
    lock: LockFile | None = None


CASES: dict[str, Case] = {}


def case(*, builds: bool = True, **secrets: str) -> Callable[[Callable[[], Image]], Callable[[], Image]]:
    def add(make: Callable[[], Image]) -> Callable[[], Image]:
        CASES[make.__name__] = Case(make, builds, secrets)
        return make

    return add


def slim() -> Image:
    return Image.debian_slim("3.13")


# Bases ------------------------------------------------------------------------------------------------


@case()
def base_default() -> Image:
    return Image.debian_slim()


@case()
def base_series() -> Image:
    return Image.debian_slim("3.11").run_commands("python3 --version")


@case(builds=False)
def base_debian_chosen() -> Image:
    return Image.debian_slim("3.12.4", debian="trixie")


@case(builds=False)
def base_digest() -> Image:
    return Image.base(f"ghcr.io/example/app:1.0@{DIGEST}").label(a="b")


@case()
def base_scratch() -> Image:
    return Image.scratch().add_text("hello\n", "/hello.txt")


# Packages ---------------------------------------------------------------------------------------------


@case()
def apt_one() -> Image:
    return slim().apt_install("hello")


@case()
def apt_many() -> Image:
    return slim().apt_install(["less", "file"], "tree", "hello", recommends=True)


@case(builds=False)
def apt_locked() -> Image:
    return slim().apt_install("less", "tree").copy_from("busybox:1", "/bin/sh", "/opt/sh").apt_install("file")


CASES["apt_locked"] = replace(CASES["apt_locked"], lock=locked(apt_locked()))


@case()
def pip_few() -> Image:
    return slim().pip_install("six>=1.16", "idna")


@case(builds=False)
def pip_options() -> Image:
    return slim().pip_install(
        "six", "idna", "certifi", "requests[socks]>=2,<3",
        find_links="/wheels",
        index_url="https://index.example.org/simple",
        extra_index_urls=["https://other.example.org/simple"],
        pre=True,
        extra_options="--no-deps --no-compile",
    )  # fmt: skip


@case(builds=False)
def pip_private_index() -> Image:
    return slim().pip_install("internal", secrets=["PIP_INDEX_URL"])


@case()
def pip_as_a_user() -> Image:
    return slim().run_commands("useradd --create-home app").user("app").pip_install("six")


@case()
def pip_requirements() -> Image:
    return slim().pip_install_from_requirements(FILES / "requirements.txt")


@case()
def pip_pyproject() -> Image:
    return slim().pip_install_from_pyproject(FILES / "project", "web")


@case()
def uv_few() -> Image:
    return slim().uv_pip_install("certifi", requirements=FILES / "requirements.txt")


@case(builds=False)
def uv_project() -> Image:
    return slim().uv_sync(FILES / "locked", groups="lint", extras=["web"], frozen=False)


@case(builds=False)
def uv_sync_and_more() -> Image:
    return slim().uv_sync(FILES / "locked").pip_install("six").uv_pip_install("idna")


@case(builds=False)
def npm_packages() -> Image:
    return Image.base("node:22-slim").npm_install("typescript@5", "is-number", g=True)


@case(builds=False)
def npm_project() -> Image:
    return Image.base("node:22-slim").npm_install(path=FILES / "web", dest="/app").workdir("/app")


# Files ------------------------------------------------------------------------------------------------


@case()
def file_plain() -> Image:
    return slim().add_local_file(FILES / "run.sh", "/usr/local/bin/").add_local_file(FILES / "app/main.py", "/app.py")


@case()
def file_owned() -> Image:
    return slim().add_local_file(FILES / "run.sh", "/srv/run", chmod="0700", chown="1000:1000")


@case()
def folder_ignoring() -> Image:
    return slim().add_local_dir(FILES / "app", "/srv/app", ignore=["**/__init__.py", "!tests"])


@case()
def folder_linked() -> Image:
    return slim().add_local_dir(FILES / "app", "/app/code", chown="1000")


@case()
def python_source() -> Image:
    return slim().add_local_python_source("files.lib").run_commands("python -c 'from files.lib import solo'")


@case()
def python_source_beside_another_path() -> Image:
    return (
        slim()
        .env(PYTHONPATH="/srv")
        .add_local_python_source("files.lib.solo")
        .add_local_python_source("files.lib.tools", ignore="**/core.py")
        .run_commands("python -c 'from files.lib import solo, tools'")
    )


@case()
def text_files() -> Image:
    return (
        slim()
        .add_text("key = 'value $HOME'\n\ttabbed\n", "/etc/app.conf")
        .add_text("#!/bin/sh\necho run\n", "/usr/local/bin/run", chmod="0755")
        .add_text("EOF\nEOF_1\n", "/ends")
        .add_text("no line end", "/etc/one-line")
        .add_text("bell \a and return\r\n", "/etc/odd")
    )


@case(builds=False)
def url_unpacked() -> Image:
    return slim().add_url("https://example.org/app.tar.gz", "/opt/app/", checksum=DIGEST, unpack=True)


@case(builds=False)
def git_at_a_commit() -> Image:
    return slim().git_clone("https://example.org/app", "/src", ref="0123456789abcdef0123456789abcdef01234567")


@case()
def stages() -> Image:
    build = slim().add_local_dir(FILES / "app", "/src").run_commands("python -m compileall -q /src")
    return slim().copy_from(build, "/src", "/app").copy_from(build, "/src/main.py", "/main.py", chmod="0755")


@case()
def stages_sharing_a_base() -> Image:
    base = slim().env(SHARED="1").run_commands("echo shared >/shared")
    left, right = (base.run_commands(f"echo {side} >/{side}") for side in ("left", "right"))
    return base.copy_from(left, "/left", "/left").copy_from(right, "/right", "/right")


@case()
def stage_from_a_name() -> Image:
    return Image.scratch().copy_from("python:3.13-slim-trixie", "/etc/debian_version", "/etc/debian_version")


@case()
def names_that_are_patterns() -> Image:
    odd = slim().add_text("x\n", "/odd/a[1]*.txt").add_text("y\n", "/odd/with blank")
    return slim().copy_from(odd, "/odd/a[1]*.txt", "/a").copy_from(odd, "/odd/with blank", "/to here/b c")


# Commands ---------------------------------------------------------------------------------------------


@case()
def run_one() -> Image:
    return slim().run_commands("echo \"$HOME\" 'single' && true")


@case()
def run_several() -> Image:
    return slim().run_commands("cd /tmp", "for n in 1 2; do\n  echo $n >$n\ndone", ["echo", "it's", "$5"])


@case()
def run_words() -> Image:
    return slim().run_commands(["python3", "-c", "import sys; print(sys.argv)", "$HOME", 'a "b"', "\\", "ü"])


@case()
def run_script() -> Image:
    return slim().run_commands("#!/usr/bin/env python3\nimport sys\nprint('<<EOF', sys.version)\n")


@case()
def run_heredoc() -> Image:
    return slim().run_commands("cat <<EOF >/note\nhome is $HOME\nEOF\n", "grep -q home /note")


@case(TOKEN="not to be seen", OTHER="nor this")
def run_with_secrets() -> Image:
    return slim().run_commands(
        'test -n "$TOKEN"', "test -s /run/other", secrets=["TOKEN", Secret(name="OTHER", target="/run/other")]
    )


@case()
def run_with_caches() -> Image:
    return slim().run_commands("touch /var/cache/app/x", cache=["/var/cache/app", "/var/cache/more"])


@case()
def run_without_network() -> Image:
    return slim().run_commands("echo alone", network="none")


@case()
def commands_of_a_dockerfile() -> Image:
    return slim().dockerfile_commands(
        "ARG A=1",
        ["ENV B=${A:-2} C='single $A'", "COPY run.sh /run.sh", "RUN <<EOF", "echo $B", "EOF"],
        context_dir=FILES,
    )


# Settings ---------------------------------------------------------------------------------------------


@case()
def env_literal() -> Image:
    return slim().env(
        {"PRICE": "$5", "QUOTES": 'it\'s "so"', "SLASHES": "C:\\new\\", "BLANKS": "  a  ", "EMPTY": "", "UNI": "日本 ü"}
    )


@case()
def env_expanded() -> Image:
    return slim().env(PATH=expand("/opt/bin:${PATH}"), CONF=expand(r"${XDG:-/etc}/app \$5"))


@case()
def env_of_several_lines() -> Image:
    return slim().env(CERT="-----BEGIN-----\nabc\n-----END-----\n", TAB="a\tb", RETURN="a\rb")


@case()
def labels() -> Image:
    return slim().label(
        {"org.opencontainers.image.title": "it's a title", "with = sign": "x", "with blank": "$HOME", "--flag": "1"}
    )


@case()
def users_and_folders() -> Image:
    return slim().workdir("/srv/my app").user("1000:1000").workdir("/srv/-x").user("root")


@case()
def shells() -> Image:
    return (
        slim()
        .shell(["/bin/bash", "-o", "pipefail", "-c"])
        .run_commands("set -o | grep -q 'pipefail.*on'")
        .cmd("echo $HOME")
        .entrypoint(["/bin/sh", "-c", 'exec "$0" "$@"'])
    )


@case()
def entrypoint_of_several_lines() -> Image:
    return slim().entrypoint("set -e\necho 'first'\nexec sleep infinity")


@case()
def ports_volumes_and_signals() -> Image:
    return slim().expose(8080, "53/udp", "9000-9010").volume("/data", "/with blank").stop_signal("int")


@case()
def healthcheck() -> Image:
    return slim().healthcheck(
        ["python", "-c", "print('well')"],
        interval="1m30s",
        timeout="500ms",
        start_period="5s",
        start_interval="1s",
        retries=2,
    )


@case()
def healthcheck_off() -> Image:
    return slim().healthcheck(None)


@case()
def arguments() -> Image:
    return (
        slim()
        .arg("VERSION", "1.0 beta")
        .arg("UNSET")
        .env(VERSION=expand("${VERSION}"))
        .run_commands("echo $VERSION $UNSET")
    )


@case()
def superseded_settings() -> Image:
    return slim().cmd(["one"]).env(A="1").cmd(["two"]).env(A="2")


# Dockerfiles ------------------------------------------------------------------------------------------


@case()
def dockerfile_of_several_stages() -> Image:
    return Image.from_dockerfile(FILES / "docker/Dockerfile", build_args={"VERSION": "2.0"})


@case()
def dockerfile_target() -> Image:
    return Image.from_dockerfile(FILES / "docker/Dockerfile", target="test")


@case()
def dockerfile_escape_directive() -> Image:
    return Image.from_dockerfile(FILES / "docker/escape.Dockerfile")


@case()
def dockerfile_add() -> Image:
    return Image.from_dockerfile(FILES / "docker/add.Dockerfile")


@case()
def dockerfile_taken_further() -> Image:
    return (
        Image.from_dockerfile(FILES / "docker/add.Dockerfile")
        .pip_install("six")
        .copy_from(Image.from_dockerfile(FILES / "docker/Dockerfile", target="build"), "/out/app", "/more")
    )


# The examples -------------------------------------------------------------------------------------------


def _example(path: str) -> None:
    def make() -> Image:
        image = runpy.run_path(str(EXAMPLES / path))["image"]
        assert isinstance(image, Image)
        return image

    # The engine tests build the examples in full, each with its own expectations.
    CASES["example_" + path.partition("/")[0]] = Case(make, builds=False)


for _path in sorted(EXAMPLES.glob("*/*.py")):
    if "image = " in _path.read_text(encoding="utf-8"):
        _example(str(_path.relative_to(EXAMPLES)))
