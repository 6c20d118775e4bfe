"""The language server as a command: what it says where it cannot start."""

from __future__ import annotations

import subprocess
import sys

import pytest


def lsp_without(module: str) -> subprocess.CompletedProcess[str]:
    """``imagebuilder lsp`` in a process that cannot import a module."""
    program = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from imagebuilder.cli.main import run\n"
        "sys.exit(run(['lsp']))"
    )  # fmt: skip
    return subprocess.run([sys.executable, "-c", program], stdin=subprocess.DEVNULL, capture_output=True, text=True)


@pytest.mark.parametrize("name", ["pygls", "pygls.lsp.server", "lsprotocol"])
def test_without_pygls(name: str) -> None:
    """Also with pygls 1, which has no ``pygls.lsp.server``."""
    done = lsp_without(name)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error[IB720]: the language server needs pygls 2\n  = help: it is an extra: pip install 'imagebuilder[lsp]'\n"
    )


def test_a_fault_of_its_own_is_not_hidden() -> None:
    done = lsp_without("imagebuilder.lsp.completion")
    assert done.returncode == 1
    assert done.stderr.endswith(
        "ModuleNotFoundError: import of imagebuilder.lsp.completion halted; None in sys.modules\n"
    )
