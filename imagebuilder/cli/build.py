"""``build``, ``render`` and ``hash``: everything that takes a TARGET."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagebuilder.cli.output import print_json, size, tell
from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid, span_json

if TYPE_CHECKING:
    from imagebuilder.compiler import Plan
    from imagebuilder.frontends.target import Target


def register(commands: Any) -> None:
    build = commands.add_parser("build", help="build an image and keep it as a snapshot")
    _target_options(build)
    build.add_argument("--name", help="the snapshot's name, NAME or NAME:TAG (default: after the target)")
    build.add_argument("--secret", action="append", default=[], metavar="SPEC",
                       help="a build secret: NAME, or id=NAME[,env=VARIABLE|,src=FILE]")  # fmt: skip
    build.add_argument(
        "--ca",
        type=Path,
        metavar="FILE",
        help="a CA bundle for the network inside the build (default: SSL_CERT_FILE)",
    )
    build.add_argument("--builder", help="a builder of `docker buildx ls`")
    build.add_argument("--no-cache", action="store_true", help="run every step again")
    build.add_argument("--json", action="store_true", help="end with one JSON object on standard output")
    build.set_defaults(command=_build)

    render = commands.add_parser("render", help="print the Dockerfile that a target is built from")
    _target_options(render)
    render.add_argument(
        "--json", action="store_true", help="the Dockerfile, its contexts and where each line comes from"
    )
    render.set_defaults(command=_render)

    hash = commands.add_parser("hash", help="print the content key of a target")
    _target_options(hash)
    hash.add_argument("--json", action="store_true", help="the key of every step too")
    hash.set_defaults(command=_hash)


def _target_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", help="file.py[:attribute], a Dockerfile, or file.json")
    parser.add_argument("--platform", help="such as linux/arm64 (default: this machine's)")
    parser.add_argument(
        "--build-arg",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a value for an ARG; part of the key",
    )
    parser.add_argument(
        "--context", type=Path, metavar="DIR", help="a Dockerfile's build context (default: its folder)"
    )
    parser.add_argument("--target", dest="stage", metavar="STAGE", help="a Dockerfile's stage (default: the last)")


def _load(arguments: argparse.Namespace) -> Target:
    from imagebuilder.frontends.target import load_target

    return load_target(
        arguments.target,
        context_dir=arguments.context.absolute() if arguments.context else None,
        build_args=build_args(arguments.build_arg),
        stage=arguments.stage,
    )


def _plan(arguments: argparse.Namespace) -> Plan:
    from imagebuilder.compiler import compile

    target = _load(arguments)
    return compile(target.image, platform=arguments.platform, build_args=target.build_args)


def _build(arguments: argparse.Namespace) -> int:
    from imagebuilder.cli.progress import reporter
    from imagebuilder.client import Client

    target = _load(arguments)
    client = Client()
    with reporter() as progress:
        snapshot = client.build(
            target.image,
            name=target.name if arguments.name is None else arguments.name,
            platform=arguments.platform,
            build_args=target.build_args,
            secrets=_secrets(arguments.secret),
            ca=arguments.ca,
            builder=arguments.builder,
            no_cache=arguments.no_cache,
            on_event=progress.on_event,
        )
    if arguments.json:
        print_json(snapshot.as_json())
        return 0
    how = "reused" if snapshot.reused else "built"
    print(f"{how} {snapshot.name} in {snapshot.seconds:.1f} s: {snapshot.image} ({size(snapshot.size)})")
    print(f"  key    {snapshot.key}\n  digest {snapshot.digest}")
    variables = "".join(f"{name}={value} " for name, value in client.engine.environment.items())
    print(f"  try    {variables}docker run --rm -it {snapshot.image}")
    return 0


def _render(arguments: argparse.Namespace) -> int:
    from imagebuilder.backends.dockerfile import Text

    plan = _plan(arguments)
    dockerfile = plan.dockerfile()
    contexts = {
        context.name: None if isinstance(context.content, Text) else str(plan.trees[context.content].source)
        for context in dockerfile.contexts
    }
    if arguments.json:
        lines = [{"first": i.first, "last": i.last, "span": span_json(i.place)} for i in dockerfile.instructions]
        print_json(
            {
                "dockerfile": dockerfile.text,
                "contexts": contexts,
                "build_args": dict(dockerfile.build_args),
                "lines": lines,
            }
        )
        return 0
    sys.stdout.write(dockerfile.text)
    for name, path in contexts.items():
        tell(f"# the folder files/ of {name} is {path or 'a text of the spec'}")
    for name in dockerfile.build_args:
        tell(f"# {name} is a value that a Dockerfile cannot hold; --json has it")
    return 0


def _hash(arguments: argparse.Namespace) -> int:
    plan = _plan(arguments)
    if not arguments.json:
        print(plan.key)
        return 0
    steps = [
        {"op": (step.intent or step.op).verb, "key": key, "span": span_json(step.place)}
        for step, key in zip(plan.stage.steps, plan.keys[plan.stage].steps, strict=True)
    ]
    print_json({"key": plan.key, "platform": plan.platform, "steps": steps})
    return 0


def build_args(given: list[str]) -> dict[str, str]:
    """The values of ``--build-arg``."""
    from imagebuilder.ir.checks import identifier

    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise CompileError(Diagnostic("IB705", f"not a build argument: {text!r}", help="--build-arg NAME=VALUE"))
        try:
            found[identifier(name)] = value
        except Invalid as error:
            raise CompileError(error.at(None)) from None
    return found


def _secrets(given: list[str]) -> dict[str, str | Path]:
    import csv
    import os

    found: dict[str, str | Path] = {}
    for text in given:
        # As buildx reads it: a path with a comma is quoted, id=NAME,"src=a,b".
        parts = next(csv.reader([text]), [])
        fields = dict(part.partition("=")[::2] for part in parts) if "=" in text else {"id": text}
        unknown = set(fields) - {"id", "env", "src", "source", "type"}
        name = fields.get("id", "")
        if not name or unknown:
            raise CompileError(
                Diagnostic(
                    "IB706",
                    f"not a secret: {text!r}",
                    help="--secret NAME, or --secret id=NAME,src=FILE, or --secret id=NAME,env=VARIABLE",
                )
            )
        if file := fields.get("src") or fields.get("source"):
            found[name] = Path(file)
            continue
        variable = fields.get("env") or name
        if variable not in os.environ:
            raise CompileError(
                Diagnostic(
                    "IB150",
                    f"the build secret {name!r} has no value",
                    help=f"set the environment variable {variable}",
                )
            )
        found[name] = os.environ[variable]
    return found
