"""The README's commands and programs for snapshots and sandboxes, as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from imagebuilder import Client
from tests.conftest import ROOT, Cli

SECTION = (
    (ROOT / "README.md").read_text(encoding="utf-8").partition("## Snapshots and sandboxes")[2].partition("\n## ")[0]
)
COMMANDS, PROGRAM = (
    re.findall(rf"^```{language}\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)[0] for language in ("sh", "python")
)
# What wants a person: a terminal, and Ctrl-C. Other tests have both.
ATTENDED = ("exec -it", "sandbox preview")


def test_the_commands_and_the_program(client: Client, cli: Cli, env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python:3.13-slim-trixie\nCOPY data /data\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/file").write_text("x")
    (tmp_path / "app.snap").write_text("snap 1\nsnapshot web from debian_slim 3.13 { env A=1 }\n")
    engine = client.engine
    engine.tag("python:3.13-slim-trixie", "my-local-image:1.0")
    try:
        ran = 0
        for line in COMMANDS.splitlines():
            words = shlex.split(line, comments=True)
            if not words or any(part in line for part in ATTENDED):
                continue
            done = cli(*words[1:], cwd=tmp_path)
            assert done.code == 0, f"{line}\n{done.err}"
            ran += 1
        assert ran == 12
        names = [each.name for each in client.snapshot.list()]
        assert [name for name in names if not name.startswith("of-image/")] == ["mine", "app2", "app", "py"]
        program = subprocess.run(
            [sys.executable, "-c", PROGRAM], env={**os.environ, **env}, capture_output=True, text=True, check=False
        )
        assert program.returncode == 0, program.stderr
        for printed in ("1\n/tmp\n", "42\n", "file\n", "six "):
            assert printed in program.stdout
    finally:
        for sandbox in client.list():
            sandbox.delete()
        for snapshot in client.snapshot.list():
            client.snapshot.delete(snapshot.name)
        engine.untag("my-local-image:1.0")
