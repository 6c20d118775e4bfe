"""Every operation says the same in both front ends: equal operations, equal keys."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

from imagebuilder import Image, Secret, expand
from imagebuilder.frontends.snap import load
from imagebuilder.frontends.snap.verbs import FACTORIES, factories, verbs
from imagebuilder.ir.ops import INTENTS, OPS

DESIGN = Path(__file__).parents[3] / "engine" / "snap" / "design"
SHA = "sha256:" + "0123456789abcdef" * 4

# A statement, and the same said fluently. Every verb and every option of each stands here at least once.
STATEMENTS: list[tuple[str, Callable[[Image], Image]]] = [
    ("apt_install git curl=7.88.1-10 libssl3:amd64", lambda i: i.apt_install("git", "curl=7.88.1-10", "libssl3:amd64")),
    ("apt_install [git, curl=7.88] recommends=true", lambda i: i.apt_install(["git", "curl=7.88"], recommends=True)),
    ("apt_install", lambda i: i.apt_install()),
    ("pip_install numpy>=2,<3 pandas==2.2.3 requests[socks]", lambda i: i.pip_install("numpy>=2,<3", "pandas==2.2.3", "requests[socks]")),
    (
        "pip_install six find_links=/wheels index_url=https://a.example/simple extra_index_urls=[https://b.example/simple]"
        ' pre=true extra_options="--no-deps -q" secrets=[TOKEN]',
        lambda i: i.pip_install("six", find_links="/wheels", index_url="https://a.example/simple", extra_index_urls=["https://b.example/simple"],
                                pre=True, extra_options="--no-deps -q", secrets=["TOKEN"]),
    ),
    ("pip_install git+https://host/x@v1#egg=y", lambda i: i.pip_install("git+https://host/x@v1#egg=y")),
    (
        "pip_install_from_requirements requirements.txt find_links=[/a, /b] index_url=https://a.example extra_index_urls=https://b.example"
        " pre=false extra_options=-q secrets=TOKEN",
        lambda i: i.pip_install_from_requirements("requirements.txt", find_links=["/a", "/b"], index_url="https://a.example",
                                                  extra_index_urls="https://b.example", pre=False, extra_options="-q", secrets="TOKEN"),
    ),
    (
        "pip_install_from_pyproject ./project [web] find_links=/a index_url=https://a.example extra_index_urls=https://b.example"
        " pre=true extra_options=-q secrets=[TOKEN]",
        lambda i: i.pip_install_from_pyproject("./project", ["web"], find_links="/a", index_url="https://a.example",
                                               extra_index_urls="https://b.example", pre=True, extra_options="-q", secrets=["TOKEN"]),
    ),
    ("pip_install_from_pyproject project optional_dependencies=web", lambda i: i.pip_install_from_pyproject("project", "web")),
    (
        "uv_pip_install certifi requirements=[requirements.txt] find_links=/a index_url=https://a.example"
        " extra_index_urls=https://b.example pre=true extra_options=-q secrets=[TOKEN]",
        lambda i: i.uv_pip_install("certifi", requirements=["requirements.txt"], find_links="/a", index_url="https://a.example",
                                   extra_index_urls="https://b.example", pre=True, extra_options="-q", secrets=["TOKEN"]),
    ),
    ("uv_sync", lambda i: i.uv_sync()),
    (
        "uv_sync locked groups=[lint] extras=web frozen=false extra_options=-q secrets=[TOKEN]",
        lambda i: i.uv_sync("locked", groups=["lint"], extras="web", frozen=False, extra_options="-q", secrets=["TOKEN"]),
    ),
    ("npm_install typescript@5 g=true secrets=[TOKEN]", lambda i: i.npm_install("typescript@5", g=True, secrets=["TOKEN"])),
    ("npm_install path=./web dest=/app dev=true", lambda i: i.npm_install(path="./web", dest="/app", dev=True)),
    ("add_local_file run.sh /usr/local/bin/ chmod=0755 chown=app:app", lambda i: i.add_local_file("run.sh", "/usr/local/bin/", chmod="0755", chown="app:app")),
    ('add_local_dir "./my app" /app/ ignore=["**/*.pyc", "!keep"] chown=1000', lambda i: i.add_local_dir("./my app", "/app/", ignore=["**/*.pyc", "!keep"], chown="1000")),
    ("add_local_python_source app app.settings ignore=**/x", lambda i: i.add_local_python_source("app", "app.settings", ignore="**/x")),
    ('add_text "a\\n" /etc/a.conf chmod=0600 chown=root', lambda i: i.add_text("a\n", "/etc/a.conf", chmod="0600", chown="root")),
    ("add_text '''\n  key = {x}\n    more\n''' /etc/a", lambda i: i.add_text("key = {x}\n  more\n", "/etc/a")),
    (
        f"add_url https://example.org/a.tar.gz?x=1&y=2 /opt/ checksum={SHA} chmod=0644 chown=1 unpack=true",
        lambda i: i.add_url("https://example.org/a.tar.gz?x=1&y=2", "/opt/", checksum=SHA, chmod="0644", chown="1", unpack=True),
    ),
    ("git_clone https://example.org/a.git /src ref=v1 keep_git_dir=true chown=1", lambda i: i.git_clone("https://example.org/a.git", "/src", ref="v1", keep_git_dir=True, chown="1")),
    ("copy_from other /a /b chown=1 chmod=0755", lambda i: i.copy_from(other(), "/a", "/b", chown="1", chmod="0755")),
    ("copy_from nginx:1.27 /a /b", lambda i: i.copy_from("nginx:1.27", "/a", "/b")),
    ('copy_from "nginx" /a /b', lambda i: i.copy_from("nginx", "/a", "/b")),
    ("run_commands true", lambda i: i.run_commands("true")),
    (
        'run_commands "a" [echo, "it\'s", \'$5\'] secrets=[TOKEN, OTHER="/run/other"] cache=[/var/cache/a] network=none',
        lambda i: i.run_commands("a", ["echo", "it's", "$5"], secrets=["TOKEN", Secret(name="OTHER", target="/run/other")], cache=["/var/cache/a"], network="none"),
    ),
    ('run_commands """\n  set -e\n  for n in 1 2; do\n    echo ${n} {a,b}\n  done\n"""', lambda i: i.run_commands("set -e\nfor n in 1 2; do\n  echo ${n} {a,b}\ndone")),
    ("dockerfile_commands 'ENV A=1' 'RUN true' context_dir=docker", lambda i: i.dockerfile_commands("ENV A=1", "RUN true", context_dir="docker")),
    ("dockerfile_commands 'COPY --from=build /a /b' stages=[build=other]", lambda i: i.dockerfile_commands("COPY --from=build /a /b", stages={"build": other()})),
    ('env A=1 "B.c"="x y" C=\'{raw}\' D="{{x}}" E=""', lambda i: i.env({"A": "1", "B.c": "x y", "C": "{raw}", "D": "{x}", "E": ""})),
    ('env PATH=$"/opt/bin:${PATH}" CONF=$"${XDG:-/etc}/app \\$5"', lambda i: i.env(PATH=expand("/opt/bin:${PATH}"), CONF=expand(r"${XDG:-/etc}/app \$5"))),
    ("workdir /srv/app", lambda i: i.workdir("/srv/app")),
    ('workdir $"${HOME}/x"', lambda i: i.workdir(expand("${HOME}/x"))),
    ("user 1000:1000", lambda i: i.user("1000:1000")),
    ("shell [/bin/bash, -o, pipefail, -c]", lambda i: i.shell(["/bin/bash", "-o", "pipefail", "-c"])),
    ('entrypoint ["python", "-m", "src.main"]', lambda i: i.entrypoint(["python", "-m", "src.main"])),
    ("entrypoint 'exec \"$@\"'", lambda i: i.entrypoint('exec "$@"')),
    ("cmd [a, b]", lambda i: i.cmd(["a", "b"])),
    ("cmd []", lambda i: i.cmd([])),
    ('label a.b=1 "with blank"="x y"', lambda i: i.label({"a.b": "1", "with blank": "x y"})),
    ("expose 8080 53/udp [9000-9010]", lambda i: i.expose(8080, "53/udp", "9000-9010")),
    ("volume /data '/with blank'", lambda i: i.volume("/data", "/with blank")),
    (
        'healthcheck [curl, -f, http://localhost] interval=1m30s timeout=5s start_period=2s start_interval=1s retries=3',
        lambda i: i.healthcheck(["curl", "-f", "http://localhost"], interval="1m30s", timeout="5s", start_period="2s", start_interval="1s", retries=3),
    ),
    ("healthcheck none", lambda i: i.healthcheck(None)),
    ("healthcheck 'none'", lambda i: i.healthcheck("none")),
    ("stop_signal SIGINT", lambda i: i.stop_signal("SIGINT")),
    ("arg VERSION '1.0 beta'", lambda i: i.arg("VERSION", "1.0 beta")),
    ("arg UNSET", lambda i: i.arg("UNSET")),
    ("arg A default=1", lambda i: i.arg("A", "1")),
]  # fmt: skip

# What an image starts from.
BASES: list[tuple[str, Callable[[], Image]]] = [
    ("debian_slim", lambda: Image.debian_slim()),
    ("debian_slim 3.10", lambda: Image.debian_slim("3.10")),
    ("debian_slim python_version=3.12 debian=trixie", lambda: Image.debian_slim("3.12", debian="trixie")),
    ("base ghcr.io/a/b:1.0", lambda: Image.base("ghcr.io/a/b:1.0")),
    (f'base "a@{SHA}"', lambda: Image.base(f"a@{SHA}")),
    ("base python:3.13 platform=linux/amd64", lambda: Image.base("python:3.13", platform="linux/amd64")),
    ("base python", lambda: Image.base("python")),
    ("base other", lambda: Image.base(other())),
    ("scratch", lambda: Image.scratch()),
    (
        "from_dockerfile docker/Dockerfile context_dir=docker build_args=[VERSION=2.0] target=test",
        lambda: Image.from_dockerfile("docker/Dockerfile", context_dir="docker", build_args={"VERSION": "2.0"}, target="test"),
    ),
]  # fmt: skip


def other() -> Image:
    return Image.scratch().add_text("x", "/a")


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files for the operations that read some now; the fluent side speaks from the same folder."""
    (tmp_path / "requirements.txt").write_text("six\n")
    (tmp_path / "project").mkdir()
    (tmp_path / "project/pyproject.toml").write_text(
        '[project]\nname = "x"\nversion = "1"\ndependencies = ["six"]\n[project.optional-dependencies]\nweb = ["flask"]\n'
    )
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker/Dockerfile").write_text(
        "ARG VERSION\nFROM scratch AS base\nARG VERSION\nLABEL v=$VERSION\nFROM base AS test\nUSER 1\n"
    )
    from imagebuilder.frontends import image

    real = image.caller

    monkeypatch.setattr(image, "caller", lambda: (real()[0], tmp_path))


def described(text: str, folder: Path) -> Image:
    whole = f"snap 1\nsecret TOKEN OTHER\nimage other from scratch {{ add_text x /a }}\n{text}\n"
    return load(folder / "x.snap", source=whole).images["it"]


@pytest.mark.parametrize(("statement", "fluent"), STATEMENTS, ids=[statement[:60] for statement, _ in STATEMENTS])
def test_a_statement_says_what_the_method_says(
    statement: str, fluent: Callable[[Image], Image], tmp_path: Path
) -> None:
    assert (
        described(f"image it from debian_slim {{\n{statement}\n}}", tmp_path).stage == fluent(Image.debian_slim()).stage
    )


@pytest.mark.parametrize(("source", "fluent"), BASES, ids=[source[:60] for source, _ in BASES])
def test_an_image_starts_as_the_factory_does(source: str, fluent: Callable[[], Image], tmp_path: Path) -> None:
    assert described(f"image it from {source}", tmp_path).stage == fluent().stage


def test_every_verb_and_option_is_among_them() -> None:
    for table, known in ((STATEMENTS, verbs()), (BASES, factories())):
        for name, verb in known.items():
            said = " ".join(text for text, _ in table if text.split()[0] == name)
            assert said, f"no statement of {name}"
            missing = [p.name for p in verb.parameters.values() if not p.positional and f" {p.name}=" not in said]
            assert not missing, f"{name} is never said with {missing}"


def test_every_operation_has_a_verb() -> None:
    """One that only a Dockerfile says comes by dockerfile_commands."""
    only_a_dockerfile = {"run", "copy", "add", "write_files", "onbuild", "maintainer"}
    assert {op.verb for op in INTENTS} <= set(verbs())
    assert set(OPS) - set(verbs()) == only_a_dockerfile
    assert set(factories()) == set(FACTORIES)


@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_the_sample_of_the_design_equals_the_same_said_fluently(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    found = load(DESIGN / "ml.snap", params={"profile": profile})
    fluent = runpy.run_path(str(DESIGN / "fluent.py"))["ml"](profile)
    (snapshot,) = found.snapshots
    assert snapshot.name == "ml:1.0"
    assert (snapshot.resources.cpu, snapshot.resources.memory, snapshot.resources.disk) == (2, 4, 8)
    assert snapshot.image.stage == fluent.stage
    assert snapshot.image.key() == fluent.key()
