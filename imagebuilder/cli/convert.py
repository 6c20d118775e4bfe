"""``convert``: a target in another form."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from imagebuilder.cli.output import print_json, print_text, tell
from imagebuilder.cli.target import load_one, target_options
from imagebuilder.diagnostics import CompileError, Diagnostic

_HELP = "by its name: .snap, .py, .json, or a Dockerfile"


def register(commands: Any) -> None:
    parser = commands.add_parser(
        "convert",
        help="write a target in another form",
        description="Write a target as .snap, Python, JSON or a Dockerfile. What is written is read back and compared;"
        " a step that has no equal in that form is an error that names it.",
    )
    target_options(parser, metavar="IN", platform="for one alone, such as linux/arm64 (default: whatever IN is for)")
    parser.add_argument("out", metavar="OUT", help=f"the file to write, {_HELP}; - is standard output, with --to")
    parser.add_argument("--to", metavar="FORM", help="snap, python, json or dockerfile, where the name does not say it")
    parser.add_argument("--force", action="store_true", help="write over a file that exists")
    parser.add_argument("--json", action="store_true", help="end with one JSON object on standard output")
    parser.set_defaults(command=_convert)


def _convert(arguments: argparse.Namespace) -> int:
    from imagebuilder.convert import FORMS, convert, form_of
    from imagebuilder.files import write_text

    to_stream = arguments.out == "-"
    out = Path.cwd() / ("Dockerfile" if to_stream else arguments.out)
    form = arguments.to or (None if to_stream else form_of(out))
    if form not in FORMS:
        what = repr(form) if form else f"the name {arguments.out!r} says none"
        raise CompileError(Diagnostic("IB415", f"no form to convert to: {what}", help=f"--to {', '.join(FORMS)}"))
    if not to_stream and out.exists() and not arguments.force:
        raise _exists(arguments.out)
    target = load_one(arguments, any_platform=True)
    text = convert(
        target.image, form, out, build_args=target.build_args, resources=target.resources, place=target.place
    )
    if not to_stream:
        try:
            write_text(out, text, force=arguments.force)
        except FileExistsError:
            raise _exists(arguments.out) from None
    if arguments.json:
        print_json({"form": form, "file": None, "text": text} if to_stream else {"form": form, "file": str(out)})
    elif to_stream:
        print_text(text)
    else:
        tell(f"wrote {arguments.out}")
    return 0


def _exists(name: str) -> CompileError:
    return CompileError(Diagnostic("IB416", f"{name!r} exists already", help="--force writes over it"))
