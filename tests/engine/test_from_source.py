"""Packages that are there as a source alone: built in a stage, equal to a plain install, and kept off this machine."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from imagebuilder import Client
from imagebuilder.diagnostics import BuildError
from imagebuilder.home import home as current_home
from imagebuilder.resolve import uv
from tests.conftest import Cli
from tests.engine.test_build import in_image
from tests.engine.test_package_layers import Built, built, different, listing, pins, slim
from tests.unit.resolve.index import Index

__all__ = ["built"]

# One of Python alone whose metadata nobody knows before it is built, one in C that has no wheel for any new Python.
SOURCES = ["docopt==0.6.2", "pycosat==0.6.6"]
BACKEND = """
import os, zipfile

def build_wheel(folder, settings=None, metadata=None):
    {body}
    info = "{name}-1.0.dist-info"
    with zipfile.ZipFile(os.path.join(folder, "{name}-1.0-py3-none-any.whl"), "w") as archive:
        archive.writestr("{name}.py", "saw = " + repr(saw))
        archive.writestr(info + "/METADATA", "Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n")
        archive.writestr(info + "/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(info + "/RECORD", "")
    return "{name}-1.0-py3-none-any.whl"
"""
IN_TREE = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """One on this machine, which no build can reach."""
    made = Index(tmp_path / "index")
    (tmp_path / "index").mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(tmp_path / "index"))  # type: ignore[arg-type]

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_port}/"
        Thread(target=server.serve_forever, daemon=True).start()
        yield made
        server.shutdown()


def backend(name: str, body: str) -> dict[str, str]:
    return {"pyproject.toml": IN_TREE, "backend.py": BACKEND.format(name=name, body=body)}


def added(env: dict[str, str], image: str, below: str) -> dict[str, tuple[object, ...]]:
    before = listing(env, below)
    return {path: about for path, about in listing(env, image).items() if before.get(path) != about}


def test_it_is_what_a_plain_install_on_compilers_would_put_there(
    client: Client, env: dict[str, str], built: Built, tmp_path: Path
) -> None:
    image = slim().pip_install(*SOURCES, "six==1.17.0")
    ours = built(image)
    found = pins(client, image)
    assert {f"{each.name}=={each.version}" for each in found} == {*SOURCES, "six==1.17.0"}
    assert [each.files[0].is_source for each in sorted(found, key=lambda each: each.name)] == [True, True, False]

    (tmp_path / "bound").mkdir()
    shutil.copy(uv.program(), tmp_path / "bound/uv")
    lines = [f"{each.name}=={each.version} --hash=sha256:{each.files[0].sha256}\n" for each in found]
    (tmp_path / "bound/pins.txt").write_text("".join(lines))
    compilers = slim().apt_install("build-essential", "python3-dev")
    theirs = built(
        compilers.dockerfile_commands(
            "RUN --mount=type=bind,source=.,target=/run/bound --mount=type=tmpfs,target=/tmp "
            "CFLAGS=-g0 LDFLAGS=-Wl,-s SOURCE_DATE_EPOCH=315532800 PYTHONDONTWRITEBYTECODE=1 "
            "/run/bound/uv pip install --system --no-deps --require-hashes --no-cache -r /run/bound/pins.txt",
            context_dir=tmp_path / "bound",
        )
    )
    new = added(env, ours.image, built(slim()).image)
    assert any(path.endswith(".so") for path in new) and any(path.endswith("/docopt.py") for path in new)
    assert different(new, added(env, theirs.image, built(compilers).image)) == {}

    solve = "import docopt, pycosat; print(docopt.__version__, pycosat.solve([[1, -2], [2]]))"
    assert in_image(env, ours.image, "python", "-c", solve) == "0.6.2 [1, 2]"
    assert in_image(env, ours.image, "python", "-m", "pip", "check") == "No broken requirements found."
    assert in_image(env, ours.image, "sh", "-c", "command -v cc || ls -d /wheels /run/imagebuilder || echo no") == "no"


def test_a_locked_source_gives_one_digest_in_every_home(
    client: Client, env: dict[str, str], cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tmp_path / "app.py"
    spec.write_text(
        "from imagebuilder import Image\n\n"
        f'image = Image.debian_slim("3.13").pip_install("{SOURCES[0]}", "{SOURCES[1]}")\n'
    )
    digests = []
    for number in range(2):
        own = {**env, "IMAGEBUILDER_HOME": str(tmp_path / f"home-{number}")}
        if number == 0:
            assert cli("lock", spec, env=own).code == 0
        done = cli("build", spec, "--locked", "--name", f"test-from-source-{number}", "--json", env=own)
        assert done.code == 0, done.err
        digests.append(done.json["digest"])
        assert cli("snapshot", "delete", f"test-from-source-{number}", env=own).code == 0
        # What the builder keeps would be the first wheel once more.
        subprocess.run([env["TEST_DOCKER"], "buildx", "prune", "--force"], env=env, capture_output=True, check=True)
    text = next(tmp_path.glob("*.lock")).read_text()
    assert "docopt-0.6.2.tar.gz" in text and "pycosat-0.6.6.tar.gz" in text
    assert digests[0] == digests[1]


def test_what_a_package_runs_it_runs_in_the_stage(
    client: Client,
    env: dict[str, str],
    built: Built,
    index: Index,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret, written = tmp_path / "secret", tmp_path / "written"
    secret.write_text("hunter2")
    monkeypatch.setenv("A_TOKEN", "hunter2")
    body = f"""saw = [os.path.exists({str(secret)!r}), os.environ.get("A_TOKEN"), os.path.exists("/run/docker.sock")]
    os.makedirs({str(tmp_path)!r}, exist_ok=True)
    open({str(written)!r}, "w").write("here")"""
    index.sdist("hostile", "1.0", files=backend("hostile", body))
    snapshot = built(slim().pip_install("hostile", index_url=index.url))
    assert in_image(env, snapshot.image, "python", "-c", "import hostile; print(hostile.saw)") == "[False, None, False]"
    assert not written.exists()
    assert in_image(env, snapshot.image, "sh", "-c", f"test -e {written} || echo no") == "no"


def test_a_link_that_comes_out_is_no_wheel(client: Client, env: dict[str, str], index: Index) -> None:
    """The file that it names is this machine's."""
    body = """saw = os.symlink("/etc/passwd", os.path.join(folder, "linked-1.0-py3-none-any.whl"))
    return "linked-1.0-py3-none-any.whl\""""
    index.sdist("linked", "1.0", files=backend("linked", body))
    with pytest.raises(BuildError, match=r"linked 1\.0") as caught:
        client.build(slim().pip_install("linked", index_url=index.url), name="test-from-source-linked")
    assert caught.value.diagnostics[0].code == "IB677"
    assert not list((current_home() / "packages").glob("wheels/*/linked*.whl"))


@pytest.mark.parametrize(
    ("files", "told", "hint"),
    [
        (
            backend("broken", 'raise SystemExit("x.c:1:10: fatal error: libpq-fe.h: No such file or directory")'),
            "fatal error: libpq-fe.h",
            "the package that has libpq-fe.h",
        ),
        (
            {"pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'},
            "setuptools",
            "can a build reach the index?",
        ),
        (
            backend(
                "broken",
                'open(os.path.join(folder, "broken-1.0-py3-none-any.whl"), "w").truncate(3 << 30)\n'
                '    return "broken-1.0-py3-none-any.whl"',
            ),
            "its wheel has more than 2048 MiB",
            "take a version that has a wheel",
        ),
    ],
    ids=["a header", "no network", "too large"],
)
def test_a_build_that_fails_is_told_at_its_line(
    client: Client,
    cli: Cli,
    env: dict[str, str],
    home: Path,
    tmp_path: Path,
    index: Index,
    files: dict[str, str],
    told: str,
    hint: str,
) -> None:
    index.sdist("broken", "1.0", files=files)
    spec = tmp_path / "app.py"
    spec.write_text(
        'from imagebuilder import Image\n\nimage = Image.debian_slim("3.13")\n'
        f'image = image.pip_install("broken", index_url="{index.url}")\n'
    )
    done = cli("build", spec, "--name", "test-from-source-broken", env={**env, "IMAGEBUILDER_HOME": str(home)})
    assert done.code == 1, done.err
    assert "IB677" in done.err and "app.py:4" in done.err and "broken 1.0" in done.err
    assert told in done.err and hint in " ".join(done.err.split())
    assert client.snapshot.list() == []


def test_what_the_image_has_before_it_is_there_when_it_is_built(
    env: dict[str, str], built: Built, index: Index
) -> None:
    body = 'saw = os.path.exists("/usr/bin/hello"), os.environ["FLAG"]'
    index.sdist("sees", "1.0", files=backend("sees", body))
    snapshot = built(slim().apt_install("hello").env({"FLAG": "a $b 'c'"}).pip_install("sees", index_url=index.url))
    assert in_image(env, snapshot.image, "python", "-c", "import sees; print(*sees.saw)") == "True a $b 'c'"


def test_where_there_are_no_compilers_it_is_the_images_own_installer(
    env: dict[str, str], built: Built, cli: Cli, home: Path, tmp_path: Path
) -> None:
    base = built(slim().run_commands("rm /usr/bin/apt-get"))
    spec = tmp_path / "app.py"
    spec.write_text(
        "from imagebuilder import Image\n\n"
        f'image = Image.base("{base.image}").pip_install("docopt==0.6.2", "six==1.17.0")\n'
    )
    own = {**env, "IMAGEBUILDER_HOME": str(home)}
    done = cli("build", spec, "--name", "test-from-source-bare", env=own)
    assert done.code == 0, done.err
    assert "pip_install (app.py:3) is left to the image's own installer" in done.err and "no apt-get" in done.err
    assert in_image(env, "imagebuilder/test-from-source-bare", "python", "-c", "import docopt, six; print(1)") == "1"
    assert cli("snapshot", "delete", "test-from-source-bare", env=own).code == 0
