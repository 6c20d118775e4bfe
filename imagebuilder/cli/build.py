"""``build``, ``render`` and ``hash`` of a TARGET."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagebuilder.cli.output import print_json, progress_option, rendered, size, tell, tell_event
from imagebuilder.cli.target import load, load_one, locked_option, read_lock, target_options
from imagebuilder.diagnostics import CompileError, Diagnostic, EngineError, ImagebuilderError, span_json

if TYPE_CHECKING:
    from imagebuilder.client import Client
    from imagebuilder.compiler import Plan
    from imagebuilder.frontends.target import Target
    from imagebuilder.store import Snapshot


def register(commands: Any) -> None:
    build = commands.add_parser("build", help="build an image and keep it as a snapshot")
    target_options(build)
    locked_option(build)
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
    build.add_argument("--cache", metavar="REPOSITORY",
                       help="a registry's repository to share builds by (default: IMAGEBUILDER_CACHE)")  # fmt: skip
    build.add_argument("--push", metavar="NAME:TAG", help="push the image to a registry under this name")
    build.add_argument("--attest", action=argparse.BooleanOptionalAction, default=True,
                       help="push it with an SBOM, its provenance and annotations (default: yes)")  # fmt: skip
    build.add_argument("--refresh", action="store_true", help="ask whether the bases' tags have moved, and follow them")
    build.add_argument("--reproducible", action=argparse.BooleanOptionalAction,
                       help="let nothing in the image tell when it was made (default: with a lock)")  # fmt: skip
    build.add_argument("--timeout", type=float, metavar="SECONDS", help="give it up after so long")
    progress_option(build)
    build.add_argument("--json", action="store_true", help="end with one JSON object on standard output")
    build.set_defaults(command=_build)

    render = commands.add_parser("render", help="print the Dockerfile that a target is built from")
    target_options(render)
    locked_option(render)
    render.add_argument(
        "--json", action="store_true", help="the Dockerfile, its contexts and where each line comes from"
    )
    render.set_defaults(command=_render)

    hash = commands.add_parser("hash", help="print the content key of a target")
    target_options(hash)
    locked_option(hash)
    hash.add_argument("--json", action="store_true", help="the key of every step too")
    hash.set_defaults(command=_hash)


def plans(targets: Sequence[Target], arguments: argparse.Namespace, *, locks: bool = True) -> list[Plan]:
    """The targets compiled; with their locks, unless nothing is to be taken from those."""
    from imagebuilder.compiler import Trees, check_lock, compile

    known: Trees = {}
    found = []
    for each in targets:
        lock = read_lock(arguments, each) if locks else None
        plan = compile(each.image, platform=arguments.platform, build_args=each.build_args, known=known, lock=lock)
        if lock is not None and (told := check_lock(plan, lock, locked=arguments.locked)):
            tell(told.render())
        found.append(plan)
    return found


def _build(arguments: argparse.Namespace) -> int:
    from imagebuilder.client import Client

    targets = load(arguments)
    client = Client()
    if len(targets) > 1:
        return _build_all(client, targets, arguments)
    from imagebuilder.cli.progress import reporter

    (target,) = targets
    with reporter(arguments.progress) as progress:
        snapshot = client.build(
            target.image,
            name=target.name if arguments.name is None else arguments.name,
            platform=arguments.platform,
            build_args=target.build_args,
            secrets=secrets_of(arguments.secret),
            ca=arguments.ca,
            builder=arguments.builder,
            no_cache=arguments.no_cache,
            cache=arguments.cache,
            push=arguments.push,
            attest=arguments.attest,
            refresh=arguments.refresh,
            resources=target.resources,
            timeout=arguments.timeout,
            on_event=progress.on_event,
            lock=read_lock(arguments, target),
            locked=arguments.locked,
            reproducible=arguments.reproducible,
        )
    if arguments.json:
        print_json(snapshot.as_json())
    else:
        _show(snapshot, client)
    return 0


def _build_all(client: Client, targets: list[Target], arguments: argparse.Namespace) -> int:
    """Every snapshot of a file; those that fail are told of when all have ended."""
    from imagebuilder.cli.progress import labelled, reporter
    from imagebuilder.client import Wanted

    for option in ("name", "push", "timeout"):
        if getattr(arguments, option) is not None:
            help = f"`imagebuilder build {arguments.target}:{targets[0].name} --{option} …` is for one of them"
            raise CompileError(Diagnostic("IB404", f"--{option} for a file of several snapshots", help=help))
    with reporter(arguments.progress) as progress:
        outcomes = client.build_all(
            [
                Wanted(each.name, each.image, each.resources, each.build_args, read_lock(arguments, each))
                for each in targets
            ],
            platform=arguments.platform,
            secrets=secrets_of(arguments.secret),
            ca=arguments.ca,
            builder=arguments.builder,
            no_cache=arguments.no_cache,
            cache=arguments.cache,
            refresh=arguments.refresh,
            locked=arguments.locked,
            reproducible=arguments.reproducible,
            on_event=lambda name, event: progress.on_event(labelled(name, event)),
        )
    failures = [outcome for outcome in outcomes if isinstance(outcome, ImagebuilderError)]
    if arguments.json:
        print_json(
            [
                {"name": target.name, "error": [each.as_json() for each in outcome.diagnostics]}
                if isinstance(outcome, ImagebuilderError)
                else outcome.as_json()
                for target, outcome in zip(targets, outcomes, strict=True)
            ]
        )
    told: dict[str, list[str]] = {}
    for target, outcome in zip(targets, outcomes, strict=True):
        if not isinstance(outcome, ImagebuilderError):
            if not arguments.json:
                _show(outcome, client)
        elif arguments.progress == "json":
            tell_event("error", name=target.name, diagnostics=[each.as_json() for each in outcome.diagnostics])
        else:
            told.setdefault(rendered(outcome), []).append(target.name)
    for text, names in told.items():
        tell(f"{', '.join(names)} failed:\n{text}")
    return max((failure.exit_code for failure in failures), default=0)


def _show(snapshot: Snapshot, client: Client) -> None:
    how = "reused" if snapshot.reused else "built"
    print(f"{how} {snapshot.name} in {snapshot.seconds:.1f} s: {snapshot.image} ({size(snapshot.size)})")
    print(f"  key    {snapshot.key}\n  digest {snapshot.digest}")
    if snapshot.pushed:
        print(f"  pushed {snapshot.pushed}")
    try:
        environment = client.engine.environment
    except EngineError:
        environment = {}  # An image of the cache needs no engine until it is run.
    variables = "".join(f"{name}={value} " for name, value in environment.items())
    print(f"  try    {variables}docker run --rm -it {snapshot.image}")


def _render(arguments: argparse.Namespace) -> int:

    (plan,) = plans([load_one(arguments)], arguments)
    dockerfile = plan.dockerfile()
    contexts = {
        context.name: str(plan.trees[context.content].source) if isinstance(context.content, tuple) else None
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
    targets = load(arguments)
    compiled = plans(targets, arguments)
    if arguments.json:
        found = [_keys(target.name, plan) for target, plan in zip(targets, compiled, strict=True)]
        print_json(found if len(found) > 1 else found[0])
    elif len(compiled) == 1:
        print(compiled[0].key)
    else:
        for target, plan in zip(targets, compiled, strict=True):
            print(f"{plan.key}  {target.name}")
    return 0


def _keys(name: str, plan: Plan) -> dict[str, Any]:
    steps = [
        {"op": (step.intent or step.op).verb, "key": key, "span": span_json(step.place)}
        for step, key in zip(plan.stage.steps, plan.keys[plan.stage].steps, strict=True)
    ]
    return {"name": name, "key": plan.key, "platform": plan.platform, "steps": steps}


def secrets_of(given: list[str]) -> dict[str, str | Path]:
    """The values of ``--secret``."""
    import csv
    import os

    found: dict[str, str | Path] = {}
    for text in given:
        # As buildx reads it: a path with a comma is quoted, id=NAME,"src=a,b".
        try:
            parts = next(csv.reader([text]), [])
        except csv.Error:
            parts = []
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
