"""Packages laid out as layers: the file system is an installer's, and a change ships what changed.

Compared with one plain ``uv pip install --system --no-deps --require-hashes`` of the same pins, run in one RUN on the
same base: every path of the image, with its type, mode, owner and group, the target of its link, its extended
attributes and the SHA-256 of its content. Left out are times alone.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from imagebuilder import Client, Image, Snapshot
from imagebuilder.compiler import compile
from imagebuilder.home import home as current_home
from imagebuilder.ir.ops import Distribution, Install
from imagebuilder.ir.stage import ordered
from imagebuilder.pythons import Pythons
from imagebuilder.resolve import uv
from imagebuilder.resolve.resolver import Resolver
from imagebuilder.store import Store
from tests.engine.test_build import docker, in_image
from tests.engine.test_cut import layers

# 200 of PyPI's most used, all of them as wheels: an sdist keeps its whole request with pip, see resolver.py.
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
# Those that want another system, or a package that theirs does not require.
NOT_IMPORTED = {"google.cloud._storage_v2"}


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
    command = "/run/bound/uv pip install --system --no-deps --require-hashes --no-cache -r /run/bound/pins.txt"
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
    assert {uv.normalized(name) for name in said} >= {each.name for each in found}
    assert [name for name, (modules, _) in said.items() if not modules] == []
    assert {name: why for _, failed in said.values() for name, why in failed.items() if name not in NOT_IMPORTED} == {}
