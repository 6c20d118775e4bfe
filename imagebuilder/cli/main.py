"""The parser, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import argparse
import os
import re
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Any, NoReturn

from imagebuilder import __version__
from imagebuilder.cli.output import print_diagnostics, wants_events
from imagebuilder.diagnostics import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    CompileError,
    Diagnostic,
    ImagebuilderError,
    Interrupted,
    did_you_mean,
    refused_by_system,
)

_EPILOG = """\
a TARGET is file.snap[:name], file.py[:attribute], a Dockerfile, or a .json that `convert` wrote

exit codes: 0 done; 1 the build or command failed, or `check --strict` or `fmt --check` found something; 2 wrong
usage, or a spec that does not compile; 3 no engine; 130 interrupted

environment: IMAGEBUILDER_HOME (state; default: the platform's data folder), IMAGEBUILDER_CACHE (see build --cache),
DOCKER_HOST and DOCKER_CONTEXT (the engine), SSL_CERT_FILE (a CA bundle for the network inside builds)"""


# In the order of the help. Of a command that is named, nothing but its own module is imported.
_MODULES = {
    "build": "build",
    "render": "build",
    "hash": "build",
    "lock": "lock",
    "outdated": "lock",
    "verify": "verify",
    "plan": "plan",
    "explain": "explain",
    "check": "check",
    "fmt": "fmt",
    "convert": "convert",
    "snapshot": "snapshot",
    "sandbox": "sandbox",
    "registry": "registry",
    "cache": "cache",
    "engine": "engine",
    "base": "engine",
    "doctor": "doctor",
    "lsp": "lsp",
}

_CHOICE = re.compile(
    r"invalid choice: (?P<quote>['\"])(?P<word>.*)(?P=quote) \(choose from (?P<choices>.*)\)$", re.DOTALL
)


# What other programs call it.
_SAME = {
    "rm": ("delete", "remove"), "remove": ("delete",), "delete": ("remove",), "ls": ("list",), "ps": ("list",),
    "show": ("info",), "inspect": ("info",), "get": ("info",), "run": ("exec",), "new": ("create",), "add": ("create",),
    "copy": ("cp",), "upload": ("cp",), "download": ("cp",), "login": ("add",), "logout": ("remove",),
}  # fmt: skip


class _Parser(argparse.ArgumentParser):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})

    # argparse hands what a command does not know back to its caller, which knows neither its options nor its help.
    def parse_known_args(self, *given: Any, **options: Any) -> Any:
        known, rest = super().parse_known_args(*given, **options)
        if rest:
            from difflib import get_close_matches

            hint = f"`{self.prog} --help` shows how it is used"
            # Without the dashes, which all options have in common.
            options_by_word = {name.lstrip("-"): name for name in self._option_string_actions}
            word = rest[0].partition("=")[0]
            near = get_close_matches(word.lstrip("-"), options_by_word, n=1) if word.startswith("--") else []
            for each in near:
                hint = f"did you mean {options_by_word[each]!r}? {hint}"
            raise CompileError(Diagnostic("IB700", f"unrecognized arguments: {' '.join(rest)}", help=hint))
        return known, rest

    def error(self, message: str) -> NoReturn:
        hint = f"`{self.prog} --help` shows how it is used"
        # argparse lists every choice in quotes; the nearest one is of more use.
        if match := _CHOICE.search(message):
            choices = [choice.strip("' ") for choice in match["choices"].split(",")]
            message = f"{match['word']!r} is not a command"
            same = next((name for name in _SAME.get(match["word"], ()) if name in choices), "")
            near = f"did you mean {same!r}?" if same else did_you_mean(match["word"], choices)
            hint = near or f"one of: {', '.join(choices)}"
        raise CompileError(Diagnostic("IB700", message, help=hint))


def parser(command: str = "") -> argparse.ArgumentParser:
    """The whole command line, or that of one command; all of it where there is no such command."""
    top = _Parser(
        prog="imagebuilder",
        description="Container images from Python, a .snap file or a Dockerfile, built by BuildKit, keyed by content.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"imagebuilder {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=_Parser)
    modules = [_MODULES[command]] if command in _MODULES else dict.fromkeys(_MODULES.values())
    for module in modules:
        import_module(f"imagebuilder.cli.{module}").register(commands)
    return top


def run(argv: list[str]) -> int:
    """Parse, carry out, and return the exit code."""
    _open_streams()
    # Asked of the words, since wrong usage is to be told in the same form.
    form = {"as_json": "--json" in argv, "as_event": wants_events(argv)}
    try:
        if not argv:
            print(parser().format_help(), end="")
            return EXIT_USAGE
        arguments = parser(argv[0]).parse_args(argv)
        code = int(arguments.command(arguments))
        sys.stdout.flush()
        return code
    except SystemExit as stop:
        return int(stop.code or 0)  # --help and --version
    except ImagebuilderError as error:
        print_diagnostics(error, **form)
        return error.exit_code
    except KeyboardInterrupt:
        print_diagnostics(Interrupted(Diagnostic("IB601", "interrupted")), **form)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read the result has gone. Python would complain once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print_diagnostics(refused_by_system(error), as_json=False, as_event=form["as_event"])
        return EXIT_FAILED


def _open_streams() -> None:
    """A closed stream leads nowhere, and a character that one cannot show is escaped."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - until the end
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
