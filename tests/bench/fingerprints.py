"""Fingerprints of 100,000 files (195 MB): the first and the next, beside the peers' and beside merely looking at them.

The peers' functions are the published packages' own, in a virtual environment of their own. Every figure is what the
function itself takes, without any start of a program, all of one tree that the system has in memory, in turn.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from run import show

from imagebuilder.context import read_tree
from imagebuilder.ir.ops import LocalSource

FOLDERS, FILES, BYTES = 1_000, 100, 1_950
RUNS = 7
PEERS = ("daytona==0.226.1", "e2b==2.63.0")

# What each says of a folder in the folder that is its argument; a line in, seconds out.
DAYTONA = """
from daytona._sync.object_storage import ObjectStorage
storage = object.__new__(ObjectStorage)
hashed = lambda root: storage._compute_hash_for_path_md5(root + "/src", "src")
"""
E2B = """
from e2b.template.utils import calculate_files_hash
hashed = lambda root: calculate_files_hash("src", "/src", root, [], False, None)
"""
SERVE = """
import sys, time
for line in sys.stdin:
    began = time.perf_counter()
    hashed(sys.argv[1])
    print(time.perf_counter() - began, flush=True)
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder / "src")
        python = environment(folder / "venv")
        peers = [Peer(python, code + SERVE, folder) for code in (DAYTONA, E2B)]
        try:
            figures(folder, *peers)
        finally:
            for peer in peers:
                peer.end()


def figures(folder: Path, daytona: Callable[[], float], e2b: Callable[[], float]) -> None:
    source = LocalSource(path="src")
    seen = folder / "stats"
    # So that files are old enough to be trusted.
    time.sleep(2.5)

    def first() -> None:
        shutil.rmtree(seen, ignore_errors=True)
        read_tree(str(folder), source, seen)

    found: dict[str, list[float]] = {}
    for number in range(RUNS + 1):
        for what, measure in (
            ("looks", lambda: timed(lambda: look(folder / "src"))),
            ("first", lambda: timed(first)),
            ("warm", lambda: timed(lambda: read_tree(str(folder), source, seen))),
            ("edited", lambda number=number: edited(folder, source, seen, number)),
            ("daytona", daytona),
            ("e2b", e2b),
        ):
            found.setdefault(what, []).append(measure())
    times = {what: each[1:] for what, each in found.items()}
    files = f"{FOLDERS * FILES:,} files"
    show("the first fingerprint, remembered", files, times["first"], "Daytona's hash", times["daytona"])
    show("the same", files, times["first"], "E2B's hash", times["e2b"])
    show("the next fingerprint", files, times["warm"], "scandir + lstat of each", times["looks"])
    show("the same after an edit", "one file changed", times["edited"], "scandir + lstat of each", times["looks"])


def edited(folder: Path, source: LocalSource, seen: Path, number: int) -> float:
    file = folder / "src" / f"d{number * 7}" / "f5.py"
    file.write_bytes(file.read_bytes()[::-1])
    return timed(lambda: read_tree(str(folder), source, seen))


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def look(root: Path) -> None:
    """The least that anything must do which notices a change of any file."""
    waiting = [str(root)]
    while waiting:
        with os.scandir(waiting.pop()) as found:
            for child in found:
                os.lstat(child.path)
                if child.is_dir(follow_symlinks=False):
                    waiting.append(child.path)


def make(root: Path) -> None:
    drawn = random.Random(1)
    for folder in range(FOLDERS):
        place = root / f"d{folder}"
        place.mkdir(parents=True)
        for file in range(FILES):
            (place / f"f{file}.py").write_bytes(drawn.randbytes(BYTES))


def environment(place: Path) -> Path:
    """Its Python, with the peers installed."""
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    pip = [str(place / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", *PEERS]
    subprocess.run(pip, check=True, stderr=subprocess.DEVNULL)
    return place / "bin/python"


class Peer:
    """A process that hashes the folder each time it is called; what it is called for is seconds."""

    def __init__(self, python: Path, code: str, folder: Path) -> None:
        argv = [str(python), "-c", code, str(folder)]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self) -> float:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(json.loads(self._process.stdout.readline()))

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


if __name__ == "__main__":
    main()
