"""Every Python at hand finds the keys that are written down. Without an engine, but with the package index."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from imagebuilder.context import read_tree
from imagebuilder.ir.ops import LocalSource
from tests.conftest import ROOT

KEYS = """
import json, sys
from pathlib import Path
from imagebuilder.compiler import compile
from imagebuilder.context import read_tree, reading, tree
from imagebuilder.ir.ops import LocalSource
from tests.golden.cases import CASES
tree._WORTH_FILES = 0
found = {name: compile(case.make(), platform="linux/amd64", lock=case.lock).key for name, case in CASES.items()}
for reading.MANY in (10**9, 1):
    for _ in range(2):
        at = str(Path(sys.argv[1])), LocalSource(path="tests"), Path(sys.argv[2])
        found.setdefault("trees", []).append(read_tree(*at).digest)
print(json.dumps(found))
"""


def interpreters() -> dict[str, Path]:
    """From 3.12 on, by version: on the PATH, or installed by pyenv. The one that runs the tests has its own."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    found: dict[str, Path] = {}
    for minor in range(12, 30):
        name = f"python3.{minor}"
        on_path = shutil.which(name)
        for program in (*([Path(on_path)] if on_path else []), *sorted(pyenv.glob(f"*/bin/{name}"))):
            # A shim of pyenv stands for a version that may not be chosen.
            if subprocess.run([program, "-c", "import venv"], capture_output=True, check=False).returncode == 0:
                found[name] = program
                break
    return found


INTERPRETERS = interpreters()


@pytest.mark.parametrize("version", INTERPRETERS)
def test_the_keys_are_the_same(version: str, tmp_path: Path) -> None:
    place = tmp_path / "venv"
    subprocess.run([INTERPRETERS[version], "-m", "venv", str(place)], check=True, capture_output=True)
    tree = tmp_path / "tree/tests"
    shutil.copytree(ROOT / "tests/golden", tree, ignore=shutil.ignore_patterns("__pycache__"))
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    env["IMAGEBUILDER_HOME"] = str(tmp_path / "home")

    def run(*argv: str | Path) -> str:
        done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(place / "bin/pip", "install", "--quiet", "--disable-pip-version-check", ROOT)
    found = json.loads(run(place / "bin/python", "-B", "-c", KEYS, tree.parent, tmp_path / "seen"))
    assert found.pop("trees") == [read_tree(str(tree.parent), LocalSource(path="tests")).digest] * 4
    written = {
        file.stem: json.loads(file.read_text())["key"] for file in (ROOT / "tests/golden/expected").glob("*.json")
    }
    assert found == written
