"""Packages laid out as layers: the file system is an installer's, and a change ships what changed.

Compared with one plain ``uv pip install --system --no-deps --require-hashes`` of the same pins, run in one RUN on the
same base: every path of the image, with its type, mode, owner and group, the target of its link, its extended
attributes and the SHA-256 of its content. Left out are times alone.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from imagebuilder import Client, Image, Snapshot
from imagebuilder.compiler import compile
from imagebuilder.home import home as current_home
from imagebuilder.ir.packages import Distribution, Install
from imagebuilder.ir.stage import ordered
from imagebuilder.pythons import Pythons
from imagebuilder.resolve import uv
from imagebuilder.resolve.resolver import Resolver
from imagebuilder.store import Store
from tests.conftest import Cli
from tests.engine.test_build import docker, in_image
from tests.engine.test_cut import layers

# 200 of PyPI's most used as wheels, and docopt, which is there as a source alone; in C such are in test_from_source.py.
POPULAR = [line for line in Path(__file__).with_name("popular.txt").read_text().splitlines() if line]

# Of each distribution those modules of its RECORD that lie in no package, but perhaps in a namespace.
IMPORTS = """
import importlib, importlib.metadata, json, sys, warnings
warnings.simplefilter("ignore")
said = {}
for each in list(importlib.metadata.distributions()):
    modules = set()
    for file in each.files or ():
        parts, name = file.parts, file.name.partition(".")[0]
        if file.suffix in (".py", ".so") and ".." not in parts and all(part.isidentifier() for part in parts[:-1]):
            modules.add(parts[:-1] if name == "__init__" else (*parts[:-1], name))
    tops = {".".join(it) for it in modules if not any(it[:n] in modules for n in range(1, len(it)))}
    failed = {}
    for name in sorted(tops):
        try:
            importlib.import_module(name)
        except BaseException as error:
            failed[name] = f"{type(error).__name__}: {error}"
    said[each.metadata["Name"]] = len(tops), failed
json.dump(said, sys.stdout)
"""
# They want google.iam, which their distribution does not require.
NOT_IMPORTED = {"google.cloud._storage", "google.cloud._storage_v2"}


@pytest.fixture
def built(client: Client) -> Iterator[Callable[[Image], Snapshot]]:
    """Builds an image under a name of its own, which goes with the test."""
    made = []

    def build(image: Image, **options: bool) -> Snapshot:
        name = f"test-package-layers-{uuid4().hex[:12]}"
        made.append(name)
        return client.build(image, name=name, **options)

    yield build
    for name in made:
        client.snapshot.delete(name)


Built = Callable[..., Snapshot]


def slim() -> Image:
    return Image.debian_slim("3.13")


def pins(client: Client, image: Image) -> list[Distribution]:
    """What an image's requests were resolved to, as the home that built it remembers."""
    plan = compile(image)
    store = Store(current_home())
    plan = Resolver(store.home, Pythons(store, lambda: client.engine, plan.platform).of).resolved(plan)
    steps = [step.op for stage in ordered(plan.stage) for step in stage.steps]
    return [each for op in steps if isinstance(op, Install) for each in op.distributions]


def plain(distributions: list[Distribution], folder: Path) -> Image:
    """The same distributions by one plain install; uv itself is bound into the RUN."""
    folder.mkdir()
    shutil.copy(uv.program(), folder / "uv")
    lines = [f"{each.name}=={each.version} --hash=sha256:{each.files[0].sha256}\n" for each in distributions]
    (folder / "pins.txt").write_text("".join(lines))
    # What a source's build compiles of the base's own Python is nothing of the install.
    command = (
        "PYTHONDONTWRITEBYTECODE=1 "
        "/run/bound/uv pip install --system --no-deps --require-hashes --no-cache -r /run/bound/pins.txt"
    )
    return slim().dockerfile_commands(
        f"RUN --mount=type=bind,source=.,target=/run/bound --mount=type=tmpfs,target=/tmp {command}", context_dir=folder
    )


def listing(env: dict[str, str], image: str) -> dict[str, tuple[object, ...]]:
    """Every path of an image with all but its times."""
    container = docker(env, "create", image, "none")
    found: dict[str, tuple[object, ...]] = {}
    try:
        process = subprocess.Popen([env["TEST_DOCKER"], "export", container], env=env, stdout=subprocess.PIPE)
        assert process.stdout is not None
        with tarfile.open(fileobj=process.stdout, mode="r|") as tar:
            for member in tar:
                file = tar.extractfile(member) if member.isfile() else None
                content = hashlib.file_digest(file, "sha256").hexdigest() if file else ""
                more = sorted((k, v) for k, v in member.pax_headers.items() if k.startswith("SCHILY.xattr."))
                about = (member.type, member.mode, member.uid, member.gid, member.linkname, tuple(more), content)
                found[f"/{member.name}"] = about
        assert process.wait() == 0
    finally:
        docker(env, "rm", container)
    return found


def different(ours: dict[str, tuple[object, ...]], theirs: dict[str, tuple[object, ...]]) -> dict[str, object]:
    return {
        path: (ours.get(path), theirs.get(path))
        for path in sorted(ours.keys() | theirs.keys())
        if ours.get(path) != theirs.get(path)
    }


def test_the_file_system_is_that_of_a_plain_install(
    client: Client, env: dict[str, str], built: Built, tmp_path: Path
) -> None:
    image = slim().pip_install(POPULAR)
    ours = built(image)
    found = pins(client, image)
    assert {f"{each.name}=={each.version}" for each in found} == set(POPULAR)
    theirs = built(plain(found, tmp_path / "plain"))
    assert len(layers(env, ours.image)) > 25 and len(layers(env, theirs.image)) == 2
    whole = listing(env, ours.image)
    assert len(whole) > 30_000
    assert different(whole, listing(env, theirs.image)) == {}

    assert in_image(env, ours.image, "python", "-m", "pip", "check") == "No broken requirements found."
    said = json.loads(in_image(env, ours.image, "python", "-c", IMPORTS))
    with_modules = {uv.normalized(name) for name, (modules, _) in said.items() if modules}
    assert with_modules == {each.name for each in found}  # Debian's own have no RECORD.
    assert {name: why for _, failed in said.values() for name, why in failed.items() if name not in NOT_IMPORTED} == {}


# A large one, and two small ones.
SOME = ["networkx==3.4.2", "idna==3.10", "six==1.17.0"]


def test_one_package_added_leaves_all_other_layers(env: dict[str, str], built: Built) -> None:
    before = layers(env, built(slim().pip_install(SOME)).image)
    after = layers(env, built(slim().pip_install([*SOME, "pygments==2.19.2"])).image)
    assert len(before) == 3 and len(after) == 4
    # The new one lies on those that are large as well; the small ones, of the same bytes, stay on top.
    assert [each for each in after if each in before] == before and after[:2] == before[:2]


def test_a_small_package_changed_leaves_the_large_ones(env: dict[str, str], built: Built) -> None:
    before = layers(env, built(slim().pip_install(SOME)).image)
    after = layers(env, built(slim().pip_install(["networkx==3.4.2", "idna==3.9", "six==1.17.0"])).image)
    assert before[:-1] == after[:-1] and before[-1] != after[-1]


def test_layers_are_equal_wherever_they_are_made(
    env: dict[str, str], built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = slim().pip_install(SOME)
    first = layers(env, built(image).image)
    subprocess.run([env["TEST_DOCKER"], "buildx", "prune", "--force"], env=env, capture_output=True, check=True)
    monkeypatch.setenv("IMAGEBUILDER_HOME", str(tmp_path / "another"))
    other = Client()
    try:
        snapshot = other.build(image, name=(name := f"test-package-layers-{uuid4().hex[:12]}"))
        assert not snapshot.reused and layers(env, snapshot.image) == first
        assert next((tmp_path / "another/packages/layers").iterdir())
    finally:
        other.snapshot.delete(name)


def test_what_the_base_has_is_not_installed_again(client: Client, env: dict[str, str], built: Built) -> None:
    """Its own pip, packaging and wheel satisfy what is asked, directly or by another."""
    image = slim().pip_install("packaging", "wheel", "pytest==8.4.1")
    snapshot = built(image)
    assert {each.name for each in pins(client, image)} == {"pytest", "iniconfig", "pluggy", "pygments"}
    places = "import pip, packaging, wheel; print({m.__path__[0].rpartition('/')[0] for m in (pip, packaging, wheel)})"
    assert in_image(env, snapshot.image, "python", "-c", places) == "{'/usr/lib/python3/dist-packages'}"
    assert in_image(env, snapshot.image, "pytest", "--version") == "pytest 8.4.1"


def test_a_second_install_on_top_of_the_first(client: Client, env: dict[str, str], built: Built) -> None:
    first = slim().pip_install("six==1.16.0", "networkx==3.4.2")
    second = first.pip_install("python-dateutil==2.9.0.post0")
    below, above = (layers(env, built(image).image) for image in (first, second))
    assert above[: len(below)] == below and len(above) == len(below) + 1
    assert [each.name for each in pins(client, second)].count("six") == 1
    said = in_image(env, built(second).image, "python", "-c", "import dateutil.tz, six; print(six.__version__)")
    assert said == "1.16.0"


def test_apt_before_leaves_the_layers_as_they_are(env: dict[str, str], built: Built) -> None:
    other = layers(env, built(slim().apt_install("netcat-openbsd").pip_install(SOME)).image)
    snapshot = built(slim().apt_install("hello").pip_install(SOME))
    assert layers(env, snapshot.image)[-2:] == other[-2:]
    said = in_image(env, snapshot.image, "sh", "-c", "hello; python -c 'import networkx; print(networkx.__version__)'")
    assert said == "Hello, world!\n3.4.2"


def test_after_a_command_it_is_left_to_pip(env: dict[str, str], built: Built, home: Path) -> None:
    snapshot = built(slim().run_commands("true").pip_install("six==1.17.0"))
    assert in_image(env, snapshot.image, "python", "-c", "import six; print(six.__version__)") == "1.17.0"
    assert in_image(env, snapshot.image, "sh", "-c", "cat /usr/local/lib/python3*/*/six-*.dist-info/INSTALLER") == "pip"
    assert not (home / "packages" / "layers").exists()


def test_a_console_script_runs(env: dict[str, str], built: Built) -> None:
    snapshot = built(slim().pip_install("tabulate==0.9.0", "ruff==0.12.0"))
    assert in_image(env, snapshot.image, "sh", "-c", "echo 1 2 | tabulate --format plain") == "1  2"
    assert in_image(env, snapshot.image, "ruff", "--version") == "ruff 0.12.0"


def test_a_conflict_is_told_at_its_line_and_leaves_nothing(
    client: Client, cli: Cli, tmp_path: Path, home: Path
) -> None:
    (tmp_path / "app.py").write_text(
        'from imagebuilder import Image\n\nimage = (\n    Image.debian_slim("3.13")\n'
        '    .pip_install("starlette==0.14.1", "fastapi==0.115.0")\n)\n'
    )
    done = cli("build", tmp_path / "app.py", "--name", "test-package-layers-conflict")
    assert done.code == 2, done.err
    assert "IB670" in done.err and "app.py:5" in done.err
    assert "fastapi==0.115.0 depends on starlette" in " ".join(done.err.split())
    assert client.snapshot.list() == []
    assert not (home / "packages" / "wheels").exists() and not (home / "packages" / "layers").exists()


def test_a_wheel_that_was_changed_in_the_home_is_not_installed(env: dict[str, str], built: Built, home: Path) -> None:
    built(slim().pip_install("six==1.17.0"))
    wheel = next(home.glob("packages/wheels/*/six-*.whl"))
    forged = io.BytesIO()
    with zipfile.ZipFile(wheel) as whole, zipfile.ZipFile(forged, "w") as other:
        for member in whole.infolist():
            content = whole.read(member)
            other.writestr(member, content + b"\nFORGED = True\n" if member.filename == "six.py" else content)
    wheel.write_bytes(forged.getvalue())
    # Its archive is there still; another layer with it has to be written from the wheel.
    snapshot = built(slim().pip_install("six==1.17.0", "idna==3.10"))
    said = in_image(env, snapshot.image, "python", "-c", "import idna, six; print(hasattr(six, 'FORGED'))")
    assert said == "False"


# A large one with a script, one with headers, and a group and a condition that choose.
PROJECT = """
[project]
name = "App.One"
version = "1"
requires-python = ">=3.11"
dependencies = ["pygments==2.19.2", "greenlet==3.2.4", "colorama; sys_platform == 'win32'"]

[dependency-groups]
dev = ["idna==3.10"]
more = ["tabulate==0.9.0"]
"""


def project(folder: Path, text: str = PROJECT) -> Path:
    """A uv project with its uv.lock."""
    folder.mkdir()
    (folder / "pyproject.toml").write_text(text)
    subprocess.run([uv.program(), "lock", "--no-python-downloads"], cwd=folder, check=True, capture_output=True)
    return folder


def test_uv_sync_gives_what_uv_itself_gives(env: dict[str, str], built: Built, tmp_path: Path) -> None:
    """In the whole image, but for the bytecode that a RUN of uv leaves, its lock in /tmp and the places of its mounts."""
    folder = project(tmp_path / "project")
    ours = built(slim().uv_sync(folder, groups="more"))
    # The same command, which is left to the image's own uv with an option that is not known.
    theirs = built(slim().uv_sync(folder, groups="more", extra_options="--no-progress"))
    assert len(layers(env, ours.image)) == 4 and len(layers(env, theirs.image)) == 2
    whole, plain = listing(env, ours.image), listing(env, theirs.image)
    assert len(whole) > 3000 and not [path for path in whole if "/opt/venv" in path and "__pycache__" in path]
    found = different(whole, plain)
    left = re.compile(r".*/__pycache__(/.*)?|/run/.*|/tmp/uv-\w+\.lock|/root/\.cache(/.*)?")
    assert {path: about for path, about in found.items() if not left.fullmatch(path)} == {}
    said = in_image(env, ours.image, "sh", "-c", "command -v python; pygmentize -V; echo 1 2 | tabulate -f plain")
    assert said.splitlines()[0] == "/opt/venv/bin/python" and said.splitlines()[-1] == "1  2"


def test_more_goes_into_the_environment_of_the_project(env: dict[str, str], built: Built, tmp_path: Path) -> None:
    """Which has no pip of its own, and comes before the system's Python."""
    image = slim().uv_sync(project(tmp_path / "project")).pip_install("six==1.17.0").uv_pip_install("idna==3.9")
    said = in_image(
        env, built(image).image, "python", "-c", "import six, idna, pygments; print(six.__file__, idna.__file__)"
    )
    assert [path.startswith("/opt/venv/lib/") for path in said.split()] == [True, True]


def test_one_package_added_to_a_project_leaves_all_other_layers(
    env: dict[str, str], built: Built, tmp_path: Path
) -> None:
    before = layers(env, built(slim().uv_sync(project(tmp_path / "a"))).image)
    more = PROJECT.replace('["pygments', '["networkx==3.4.2", "pygments')
    after = layers(env, built(slim().uv_sync(project(tmp_path / "b", more))).image)
    assert len(after) == len(before) + 1 and [each for each in after if each in before] == before
