"""The edit loop: a folder of 100,000 files (195 MB), built, and built again after a change.

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
from collections.abc import Callable
from pathlib import Path

from measure import run, show

from imagebuilder.engine.docker import DockerEngine

FOLDERS, FILES, BYTES = 1_000, 100, 1_950
ROUNDS = 3


def edit_loop(engine: DockerEngine) -> None:
    """The first build, a file changed for the first time, and one changed again."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        seed = random.randrange(1 << 30)
        for name in ("ours", "theirs"):
            (folder / name).mkdir()
            tree(folder / name / "src", f"{name} {seed}")
        (folder / "ours/spec.py").write_text(
            "from imagebuilder import Image\nimage = Image.debian_slim('3.13').add_local_dir('src', '/app/src')\n"
        )
        (folder / "Dockerfile").write_text("FROM python:3.13-slim-trixie\nCOPY . /app/src\n")
        env = {**os.environ, "IMAGEBUILDER_HOME": scratch + "/home", "DOCKER_HOST": engine.endpoint.host}
        env["DOCKER_CONFIG"] = str(folder / "docker")
        plugins = folder / "docker" / "cli-plugins"
        plugins.mkdir(parents=True)
        (plugins / "docker-buildx").symlink_to(engine.buildx().program)

        def ours() -> None:
            run(sys.executable, "-m", "imagebuilder", "build", str(folder / "ours/spec.py"), "--name", "bench", env=env)

        def theirs() -> None:
            run(
                str(engine.buildx().program), "build", "--progress=rawjson", "--provenance=false", "--load",
                "--tag=bench:bare", f"--file={folder}/Dockerfile", str(folder / "theirs/src"), env=env,
            )  # fmt: skip

        try:
            first = [timed(ours)], [timed(theirs)]
            plain, anywhere, again = [], [], []
            for number in range(ROUNDS):
                place = f"d{number * FOLDERS // ROUNDS:03}/f{number:02}.py"
                edit(folder / "theirs/src" / place)
                plain.append(timed(theirs))
                edit(folder / "ours/src" / place)
                anywhere.append(timed(ours))
                edit(folder / "ours/src" / place)
                again.append(timed(ours))
        finally:
            for ref in ("imagebuilder/bench:latest", "bench:bare"):
                engine.untag(ref)
    peer = "buildx build, a plain COPY"
    show("100,000 files, first build", "imagebuilder build", first[0], peer, first[1])
    show("the same, a file changed for the first time", "imagebuilder build", anywhere, peer, plain)
    show("the same, that file changed again", "imagebuilder build", again, peer, plain)


def tree(root: Path, seed: str) -> None:
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
    words = [str(root), seed, str(FOLDERS), str(FILES), str(BYTES)]
    subprocess.run([sys.executable, "-c", script, *words], check=True)


def edit(path: Path) -> None:
    path.write_bytes(os.urandom(BYTES))


def timed(command: Callable[[], None]) -> float:
    """Seconds, from a moment at which nothing of what came before is left to be written."""
    os.sync()
    began = time.perf_counter()
    command()
    return time.perf_counter() - began
