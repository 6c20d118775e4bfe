"""``lsp``: the language server, for editors."""

from __future__ import annotations

import argparse
from typing import Any


def register(commands: Any) -> None:
    lsp = commands.add_parser("lsp", help="the language server for .snap files, started by an editor")
    lsp.add_argument("--stdio", action="store_true", help="what editors pass; there is no other way")
    lsp.set_defaults(command=_lsp)


def _lsp(arguments: argparse.Namespace) -> int:
    from imagebuilder.lsp import serve

    return serve()
