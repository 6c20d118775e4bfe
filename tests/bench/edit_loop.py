"""A build that has nothing to do, and the edit loop: a folder of 100,000 files (195 MB), built again after a change.

Beside `docker buildx build` of a plain COPY of the same files, which has a copy of the tree of its own, with a
content of its own, so that neither side finds the other's files in the builder's cache.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from measure import in_turn, run, show

from imagebuilder.engine.buildx import find_docker
from imagebuilder.engine.docker import DockerEngine
from imagebuilder.home import home

FILES, BYTES = 100, 1_950
ROUNDS = 3
PEER = "docker buildx build, a plain COPY"


def edit_loop(engine: DockerEngine) -> None:
    """Nothing to do at 10,000 and 100,000 files, the first build, a file changed for the first time, and again."""
    with _two_trees(engine, folders=100) as small:
        small.ours()
        small.theirs()
        _nothing_to_do(small, "10,000 files")
    with _two_trees(engine, folders=1_000) as large:
        first = [_timed(large.ours)], [_timed(large.theirs)]
        show("100,000 files, first build", "imagebuilder build", first[0], PEER, first[1])
        _nothing_to_do(large, "100,000 files")
        plain, anywhere, again = [], [], []
        for number in range(ROUNDS):
            place = f"src/d{number * 1_000 // ROUNDS:03}/f{number:02}.py"
            _edit(large.folder / "theirs" / place)
            plain.append(_timed(large.theirs))
            _edit(large.folder / "ours" / place)
            anywhere.append(_timed(large.ours))
            _edit(large.folder / "ours" / place)
            again.append(_timed(large.ours))
        show("the same, a file changed for the first time", "imagebuilder build", anywhere, PEER, plain)
        show("the same, that file changed again", "imagebuilder build", again, PEER, plain)


@dataclass(frozen=True)
class _Trees:
    folder: Path
    env: dict[str, str]
    docker: str

    def ours(self) -> None:
        spec = str(self.folder / "ours/spec.py")
        run(sys.executable, "-m", "imagebuilder", "build", spec, "--name", "bench", env=self.env)

    def theirs(self) -> None:
        run(
            self.docker, "buildx", "build", "--progress=rawjson", "--provenance=false", "--load", "--tag=bench:bare",
            f"--file={self.folder}/Dockerfile", str(self.folder / "theirs/src"), env=self.env,
        )  # fmt: skip


@contextmanager
def _two_trees(engine: DockerEngine, folders: int) -> Iterator[_Trees]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        seed = random.randrange(1 << 30)
        for name in ("ours", "theirs"):
            (folder / name).mkdir()
            _tree(folder / name / "src", f"{name} {seed}", folders)
        (folder / "ours/spec.py").write_text(
            "from imagebuilder import Image\nimage = Image.debian_slim('3.13').add_local_dir('src', '/app/src')\n"
        )
        (folder / "Dockerfile").write_text("FROM python:3.13-slim-trixie\nCOPY . /app/src\n")
        env = {**os.environ, "IMAGEBUILDER_HOME": scratch + "/home", "DOCKER_HOST": engine.endpoint.host}
        env["DOCKER_CONFIG"] = str(folder / "docker")
        plugins = folder / "docker" / "cli-plugins"
        plugins.mkdir(parents=True)
        (plugins / "docker-buildx").symlink_to(engine.buildx().program)
        try:
            yield _Trees(folder, env, str(find_docker(home())))
        finally:
            for ref in ("imagebuilder/bench:latest", "bench:bare"):
                engine.untag(ref)


def _nothing_to_do(trees: _Trees, what: str) -> None:
    # What was seen of a file counts once the file has been left alone for two seconds.
    time.sleep(2.5)
    trees.ours()
    ours, theirs = in_turn(6, lambda _: trees.ours(), lambda _: trees.theirs())
    show(f"nothing to do, {what}", "imagebuilder build", ours, PEER, theirs)


def _tree(root: Path, seed: str, folders: int) -> None:
    """Files that do not compress, made by a process of their own, so that this one stays small."""
    script = """
import os, random, sys
root, seed, folders, files, size = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
chance = random.Random(seed)
for folder in range(folders):
    os.makedirs(f"{root}/d{folder:03}")
    for file in range(files):
        with open(f"{root}/d{folder:03}/f{file:02}.py", "wb") as out:
            out.write(chance.randbytes(size))
"""
    words = [str(root), seed, str(folders), str(FILES), str(BYTES)]
    subprocess.run([sys.executable, "-c", script, *words], check=True)


def _edit(path: Path) -> None:
    path.write_bytes(os.urandom(BYTES))


def _timed(command: Callable[[], None]) -> float:
    """Seconds, from a moment at which nothing of what came before is left to be written."""
    os.sync()
    began = time.perf_counter()
    command()
    return time.perf_counter() - began
