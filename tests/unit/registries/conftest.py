"""A home without registries, a configuration of Docker's that says nothing, and a credential helper that notes all."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from imagebuilder.registries import Registries
from imagebuilder.store import Store

HELPER = f"""#!{sys.executable}
import json, os, sys
from pathlib import Path
folder = Path(__file__).parent
told = sys.stdin.read()
with open(folder / "calls", "a") as file:
    words = Path("/proc/self/cmdline").read_text().split(chr(0)) if os.path.exists("/proc/self") else sys.argv
    file.write(json.dumps([words, told, dict(os.environ)]) + "\\n")
kept = folder / "kept"
all = json.loads(kept.read_text()) if kept.exists() else {{}}
if (folder / "locked").exists():
    print("the keychain is locked; it was given " + told)
    sys.exit(1)
verb = sys.argv[1]
if verb == "store":
    found = json.loads(told)
    all[found["ServerURL"]] = found
elif told not in all:
    print("credentials not found in native keychain")
    sys.exit(1)
elif verb == "get":
    print(json.dumps(all[told]))
else:
    del all[told]
kept.write_text(json.dumps(all))
"""


class Docker:
    """Docker's configuration, and a helper that it may name."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "docker"
        self.config.mkdir()
        self.bin = folder / "bin"
        self.bin.mkdir()
        helper = self.bin / "docker-credential-test"
        helper.write_text(HELPER)
        helper.chmod(0o755)

    def configure(self, **settings: Any) -> None:
        (self.config / "config.json").write_text(json.dumps(settings))

    @property
    def kept(self) -> dict[str, Any]:
        path = self.bin / "kept"
        return json.loads(path.read_text()) if path.exists() else {}

    @property
    def calls(self) -> list[tuple[list[str], str, dict[str, str]]]:
        path = self.bin / "calls"
        return [tuple(json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []

    def lock(self) -> None:
        (self.bin / "locked").touch()


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    made = Docker(tmp_path)
    monkeypatch.setenv("DOCKER_CONFIG", str(made.config))
    monkeypatch.setenv("PATH", f"{made.bin}:{os.environ['PATH']}")
    return made


@pytest.fixture
def registries(docker: Docker, tmp_path: Path) -> Registries:
    return Registries(Store(tmp_path / "home"))
