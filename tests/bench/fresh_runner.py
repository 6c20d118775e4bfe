"""A fresh runner whose image is in the registry already, beside buildx with that registry's layer cache.

Two embedded engines stand for two runners: one builds and pushes, the other has the base image and nothing else.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from tests.bench.measure import show
from tests.engine.registry import running
from tests.engine.runners import BASE, Runner, runner

RUNS = 6
# 200 MB in 7,000 files, as a few Python packages have.
PACKAGES = "for n in 1 2 3; do mkdir -p /packages/$n && cp -a /usr/lib/. /packages/$n; done"
SPEC = f"""
from imagebuilder import Image

image = (
    Image.debian_slim("3.13")
    .run_commands("{PACKAGES}")
    .add_local_dir("src", "/app")
    .run_commands("python -m compileall -q /app")
)
"""
DOCKERFILE = f"""
FROM {BASE}
RUN {PACKAGES}
COPY src /app
RUN python -m compileall -q /app
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        project = folder / "project"
        (project / "src").mkdir(parents=True)
        (project / "app.py").write_text(SPEC)
        (project / "Dockerfile").write_text(DOCKERFILE)
        for number in range(500):
            (project / "src" / f"m{number}.py").write_text(f"print({number})\n")
        with running(folder / "registry") as registry, runner(folder / "a") as a, runner(folder / "b") as b:
            cache, layers = registry.repository("ours"), registry.repository("theirs") + ":cache"
            a.build(project, "--cache", cache)
            buildx(a, project, f"--cache-to=type=registry,ref={layers},mode=max")
            ours: list[float] = []
            pulled: list[float] = []
            theirs: list[float] = []
            for _ in range(RUNS):
                b.forget()
                began = time.perf_counter()
                done = b.build(project, "--cache", cache)
                ours.append(time.perf_counter() - began)
                b.docker("pull", "--quiet", done.json["image"])
                pulled.append(time.perf_counter() - began)
                assert done.json["reused"]
                b.forget()
                began = time.perf_counter()
                buildx(b, project, f"--cache-from=type=registry,ref={layers}")
                theirs.append(time.perf_counter() - began)
            name = "buildx build --cache-from, cold"
            show("fresh runner, key in the registry", "imagebuilder build --cache", ours[1:], name, theirs[1:])
            show("the same, and the image pulled", "… and docker pull", pulled[1:], name, theirs[1:])


def buildx(runner: Runner, project: Path, option: str) -> None:
    docker = shutil.which("docker") or runner.buildx
    words = [docker, *(["buildx"] if docker != runner.buildx else []), "build", "--load", "--tag=theirs", option]
    subprocess.run([*words, "--provenance=false", project], env=runner.env, check=True, capture_output=True)


if __name__ == "__main__":
    main()
