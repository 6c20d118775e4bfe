"""Builds that are killed at any moment, one after another: nothing is broken, nothing wrong is reused, nothing is left.

A soak of many is ``KILLS=200 pytest tests/engine/test_kill.py``; each moment comes from the seed that a failure prints.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from imagebuilder.client import Client
from imagebuilder.locks import held
from tests.conftest import Cli

KILLS = int(os.environ.get("KILLS", "10"))
SEED = int(os.environ.get("SEED", str(time.time_ns() % 10**6)))
# As many as are remembered between builds, so that a kill may meet that, too.
FILES = 300
SPEC = """
from imagebuilder import Image

image = (
    Image.debian_slim("3.13")
    .env({"ID": "{id}"})
    .add_local_dir("src", "/src")
    .run_commands("cat /src/* | sha256sum >/sum; sleep 0.2")
)
"""


def test_killed_at_any_moment(
    cli: Cli, client: Client, env: dict[str, str], home: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "spec.py").write_text(SPEC.replace("{id}", name))
    for number in range(FILES):
        (folder / "src" / f"{number:03}").write_text(f"{number}\n")
    draw = random.Random(SEED)
    argv = [sys.executable, "-m", "imagebuilder", "build", "spec.py", "--name", name]
    longest = 3.0
    for kill in range(KILLS):
        told = f"seed {SEED}, kill {kill}"
        # The same size each time, and the time put back: what was built before must not pass for it.
        file = folder / "src" / f"{draw.randrange(FILES):03}"
        before = file.stat()
        file.write_text(f"{draw.randrange(10 ** (before.st_size - 1)):0{before.st_size - 1}}\n")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        process = subprocess.Popen(argv, env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(draw.random() * longest)
        process.send_signal(signal.SIGKILL)
        process.wait()
        states = {snapshot["state"] for snapshot in cli("snapshot", "list", "--json").json}
        assert states <= {"active", "build_failed"}, told

        started = time.monotonic()
        done = cli("build", "spec.py", "--name", name, "--json", cwd=folder)
        longest = min(longest, time.monotonic() - started + 0.5)
        assert done.code == 0, (told, done.err)
        found = client.run(name, ["sh", "-c", "cat /src/* | sha256sum | cmp - /sum && cat /src/*"])
        expected = "".join(path.read_text() for path in sorted((folder / "src").iterdir()))
        assert (found.exit_code, found.stdout) == (0, expected), told
        assert not [path for path in (home / "locks").iterdir() if held(path)], told
        assert list((home / "staging").iterdir()) == [], told
