"""``engine start | stop | status`` and ``base build``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from imagebuilder.cli.output import print_json, tell
from imagebuilder.diagnostics import EXIT_NO_ENGINE, EngineError
from imagebuilder.home import home


def register(commands: Any) -> None:
    engine = commands.add_parser("engine", help="the embedded Docker Engine, for a machine that has none")
    verbs = engine.add_subparsers(title="commands", metavar="COMMAND", required=True)
    start = _verb(verbs, "start", _start, "start it; the first time, its file system is made from Debian's packages")
    start.add_argument("--if-needed", action="store_true", help="do nothing where an engine answers already")
    _verb(verbs, "stop", _stop, "stop it and all that runs in it")
    _verb(verbs, "status", _status, "which engine is used, and whether it is the embedded one")

    base = commands.add_parser("base", help="base images for a machine that reaches no registry")
    verbs = base.add_subparsers(title="commands", metavar="COMMAND", required=True)
    build = _verb(verbs, "build", _base_build, "assemble base images from Debian's packages, under the official names")
    build.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="such as python:3.13-slim-trixie or 3.13 (default: Python 3.11 on bookworm and 3.13 on trixie)",
    )
    build.add_argument(
        "--stand-in",
        action="store_true",
        help="where Debian has no such Python, put the suite's own under that name",
    )
    build.add_argument(
        "--if-needed", action="store_true", help="only what the engine does not have and no registry gives it"
    )
    build.add_argument("--force", action="store_true", help="replace an image of that name that was made otherwise")


def _verb(verbs: Any, name: str, function: Callable[[argparse.Namespace], int], help: str) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(name, help=help)
    verb.add_argument("--json", action="store_true", help="print JSON")
    verb.set_defaults(command=function)
    return verb


def _start(arguments: argparse.Namespace) -> int:
    from imagebuilder.engine.docker import connect
    from imagebuilder.engine.embedded.engine import start
    from imagebuilder.engine.endpoint import configured

    if arguments.if_needed:
        try:
            connect(home())
        except EngineError:
            if configured() is not None:
                # One of our own would not be used either: the environment comes first.
                raise
        else:
            return _status(arguments)
    start(home(), tell)
    return _status(arguments)


def _stop(arguments: argparse.Namespace) -> int:
    from imagebuilder.engine.embedded.engine import stop

    stopped = stop(home())
    if arguments.json:
        print_json({"stopped": stopped})
    else:
        print(f"stopped the engine of {home()}" if stopped else f"no engine of {home()} was running")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    from imagebuilder.engine.docker import connect
    from imagebuilder.engine.embedded.engine import status

    own = status(home())
    try:
        info = connect(home()).info()
    except EngineError as error:
        tell(str(error))
        if arguments.json:
            print_json({"docker_host": None, "version": None, "embedded": False})
        return EXIT_NO_ENGINE
    is_own = own.running and info.docker_host == own.docker_host
    if arguments.json:
        print_json(
            {
                "docker_host": info.docker_host,
                "version": info.version,
                "embedded": is_own,
                "driver": info.driver,
                "platform": info.platform,
            }
        )
    else:
        print(f"Docker Engine {info.version} at {info.docker_host}{' (embedded)' if is_own else ''}")
        if is_own:
            print(f"  for docker's own commands: export DOCKER_HOST={info.docker_host}")
    return 0


def _base_build(arguments: argparse.Namespace) -> int:
    from imagebuilder.engine.docker import connect
    from imagebuilder.engine.embedded.base import build_bases, full_names

    engine = connect(home())
    names = full_names(arguments.names or None, stand_in=arguments.stand_in)
    if arguments.if_needed:
        names = [name for name in names if engine.image(name) is None and not engine.pull(name)]
    made = build_bases(names, engine.api, home(), tell, stand_in=arguments.stand_in, force=arguments.force)
    if arguments.json:
        print_json({"images": list(made)})
    else:
        for name in made:
            print(name)
    return 0
