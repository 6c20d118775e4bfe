"""A day of a CI service on one machine: `python examples/ci/story.py [REPOSITORY]`.

Three runners, each an engine of its own that has built nothing yet, share a
registry and nothing else: A builds, B wants the same, and C has a changed line.
Needs to be root on Debian, and Debian's docker-registry where no repository is
given.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from imagebuilder.home import home as usual_home

HERE = Path(__file__).parent
Words = str | os.PathLike[str]


def imagebuilder(home: Path, *words: Words, cwd: Path | None = None) -> str:
    """Run the command line as a runner would, and return what it prints."""
    env = {**os.environ, "IMAGEBUILDER_HOME": str(home), "DOCKER_HOST": f"unix://{home}/engine/run/docker.sock"}
    argv = [sys.executable, "-m", "imagebuilder", *words]
    return subprocess.run(argv, env=env, cwd=cwd, check=True, text=True, stdout=subprocess.PIPE).stdout


@contextmanager
def runner(home: Path) -> Iterator[Path]:
    """A new machine: an engine, the base image, and nothing else."""
    for part in ("engine/rootfs", "base"):
        # What the usual home has need not be made again from Debian's packages.
        if (usual_home() / part).exists():
            (home / part).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            subprocess.run(["cp", "-a", "--reflink=auto", usual_home() / part, home / part], check=True)
    imagebuilder(home, "engine", "start")
    try:
        imagebuilder(home, "base", "build", "--if-needed", "3.13")
        yield home
    finally:
        imagebuilder(home, "engine", "stop")


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """A repository in a registry of this machine's own."""
    program = shutil.which("docker-registry")
    if program is None:
        sys.exit("give a repository, such as ghcr.io/team/cache, or install Debian's docker-registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = folder / "registry.yml"
    config.write_text(
        f"version: 0.1\nhttp: {{addr: '{address}'}}\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
        f"storage: {{filesystem: {{rootdirectory: '{folder}/registry'}}}}\n"
    )
    process = subprocess.Popen([program, "serve", config])
    try:
        while socket.socket().connect_ex(("127.0.0.1", int(address.rpartition(":")[2]))):
            assert process.poll() is None
            time.sleep(0.05)
        yield f"{address}/story/cache"
    finally:
        process.terminate()
        process.wait()


def play(cache: str, folder: Path) -> None:
    project = folder / "project"
    shutil.copytree(HERE / "src", project / "src")
    shutil.copy(HERE / "app.py", project)

    def build(home: Path) -> dict[str, Any]:
        began = time.monotonic()
        found: dict[str, Any] = json.loads(
            imagebuilder(home, "build", "app.py", "--json", "--cache", cache, cwd=project)
        )
        steps = [step["op"] for step in found["steps"] if step["cached"]]
        how = "reused" if found["reused"] else f"built, cached: {', '.join(steps) or 'nothing'}"
        print(f"runner {home.name}: {time.monotonic() - began:5.1f} s  {how}\n          {found['image']}", flush=True)
        return found

    with runner(folder / "A") as home:
        first = build(home)
    with runner(folder / "B") as home:
        second = build(home)
    assert second["reused"] and second["digest"] == first["digest"]
    main = project / "src/main.py"
    main.write_text(main.read_text() + "print('and one more line')\n")
    with runner(folder / "C") as home:
        third = build(home)
    assert not third["reused"] and third["key"] != first["key"]


def run() -> None:
    # Short: the path of an engine's socket has to be.
    with tempfile.TemporaryDirectory(prefix="ib-") as scratch:
        folder = Path(scratch)
        if len(sys.argv) > 1:
            play(sys.argv[1], folder)
        else:
            with registry(folder) as cache:
                play(cache, folder)


if __name__ == "__main__":
    run()
