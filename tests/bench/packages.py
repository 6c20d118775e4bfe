"""Twenty packages from PyPI, and a change to them, beside the Dockerfile that Daytona's image builder prints for them.

Daytona's is what ``Image.debian_slim("3.13").pip_install(…)`` renders there, with two words more where the base is
Debian's own Python: its pip has no RECORD that a newer one could take away. Ours is the command as a person runs it,
with all that it resolves and fetches. An engine of its own, since the builder's cache has to be empty.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from imagebuilder.backends.dockerfile import ca
from tests.bench.measure import show
from tests.engine.runners import BASE, Runner, runner

COLD = 2
"""Rounds with empty caches; a change is made once, since a second one would find the first in the cache."""

# fmt: off
PACKAGES = [
    "anthropic", "beautifulsoup4", "boto3", "django", "fastapi", "flask", "httpx", "numpy==2.5.4", "pandas",
    "pillow", "pydantic", "pyyaml", "requests", "rich", "scikit-learn", "scipy", "sqlalchemy", "tqdm==4.67.0", "typer", "uvicorn",
]
# fmt: on
# What is changed, how, and the ratio that is wanted.
CHANGES = {
    "one package added": ([*PACKAGES, "lxml"], 0.08),
    "a small package's version changed": ([each.replace("tqdm==4.67.0", "tqdm==4.67.1") for each in PACKAGES], 0.1),
    "numpy's version changed": ([each.replace("numpy==2.5.4", "numpy==2.5.5") for each in PACKAGES], 0.4),
}
OURS, THEIRS = "imagebuilder build", "buildx build of Daytona's Dockerfile"


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch, runner(Path(scratch)) as engine:
        folder = Path(scratch)
        cold: tuple[list[float], list[float]] = ([], [])
        for _ in range(COLD):
            engine.forget()
            shutil.rmtree(engine.home / "packages", ignore_errors=True)
            cold[0].append(ours(engine, folder, PACKAGES))
            cold[1].append(theirs(engine, folder, PACKAGES))
        show("20 packages, caches empty", OURS, cold[0], THEIRS, cold[1], wanted=0.3)
        sizes = [size(engine, ref) for ref in ("imagebuilder/bench:latest", "bench:theirs")]
        for what, (packages, wanted) in CHANGES.items():
            times = [ours(engine, folder, packages)], [theirs(engine, folder, packages)]
            show(f"the same, {what}", OURS, times[0], THEIRS, times[1], wanted=wanted)
        print("the size of the image of 20 packages, as `docker images` has it")
        for name, megabytes in zip((OURS, THEIRS), sizes, strict=True):
            print(f"  {name:<36} {megabytes:8.0f} MB")
        print(f"  {'ratio':<36} {sizes[0] / sizes[1]:8.2f}   (0.5 wanted)")


def ours(engine: Runner, folder: Path, packages: Sequence[str]) -> float:
    (folder / "app.py").write_text(
        f"from imagebuilder import Image\n\nimage = Image.debian_slim('3.13').pip_install({list(packages)!r})\n"
    )
    began = _quiet()
    engine.build(folder, "--name", "bench")
    return time.perf_counter() - began


def theirs(engine: Runner, folder: Path, packages: Sequence[str]) -> float:
    flags = " ".join(ca.FLAGS)
    (folder / "Dockerfile").write_text(
        f"FROM {BASE}\n"
        "RUN apt-get update\n"
        "RUN apt-get install -y gcc gfortran build-essential\n"
        f"RUN {flags} pip install --upgrade --ignore-installed pip\n"
        "RUN echo 'debconf debconf/frontend select Noninteractive' | debconf-set-selections\n"
        f"RUN {flags} python -m pip install {' '.join(sorted(packages))}\n"
    )
    empty = folder / "empty"
    empty.mkdir(exist_ok=True)
    bundle = os.environ.get("SSL_CERT_FILE")
    secrets = (f"--secret=id={ca.SECRET},src={bundle}", f"--secret=id={ca.PATH_SECRET},env=CA") if bundle else ()
    words = [str(engine.buildx), "build", "--load", "--provenance=false", "--tag=bench:theirs", *secrets]
    began = _quiet()
    done = subprocess.run(
        [*words, f"--file={folder}/Dockerfile", str(empty)],
        env={**engine.env, "CA": ca.PATH},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return time.perf_counter() - began


def size(engine: Runner, ref: str) -> float:
    """Megabytes: what the engine keeps of it, packed and unpacked."""
    said = engine.docker("image", "ls", "--format", "{{.Size}}", ref)
    units = {"GB": 1000.0, "MB": 1.0}
    return float(said[:-2]) * units[said[-2:]]


def _quiet() -> float:
    """Now, with nothing of what came before left to be written."""
    os.sync()
    return time.perf_counter()


if __name__ == "__main__":
    main()
