"""``sandbox create | exec | cp | list | info | start | stop | delete | preview``."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from imagebuilder.amounts import gibibytes
from imagebuilder.cli.output import ago, print_json, print_rows, print_table, progress_option, tell, tell_event
from imagebuilder.cli.resources import given_resources, resource_options
from imagebuilder.cli.target import pairs
from imagebuilder.diagnostics import CompileError, Diagnostic, SandboxError
from imagebuilder.diagnostics.excerpt import visible
from imagebuilder.ir.resources import Resources

if TYPE_CHECKING:
    from imagebuilder.sandbox import FileSystem, Sandbox


def register(commands: Any) -> None:
    group = commands.add_parser("sandbox", help="make sandboxes of snapshots, run commands in them, copy files")
    verbs = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    create = verbs.add_parser("create", help="make and start a sandbox")
    create.add_argument("snapshot", metavar="SNAPSHOT", nargs="?", help="a snapshot's name (default: default)")
    create.add_argument("--snapshot", dest="of", metavar="SNAPSHOT", help="the same as SNAPSHOT above")
    create.add_argument("--image", metavar="REF", help="an image by name and tag, in place of a snapshot")
    resource_options(create)
    create.add_argument("--name", help="the sandbox's name (default: chosen)")
    create.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="a variable of its commands; a name alone takes yours",
    )
    create.add_argument("--label", action="append", default=[], metavar="NAME=VALUE", help="a label, to find it by")
    create.add_argument("--user", help="who its commands run as (default: the image's)")
    create.add_argument("--no-network", action="store_true", help="nothing but loopback")
    help = "a network, an address or a host that it may connect to, and nothing else; repeatable"
    create.add_argument("--allow", action="append", default=[], metavar="HOST", help=help)
    help = "the machine's own rights, for Docker in the sandbox; nothing protects from what runs in it"
    create.add_argument("--privileged", action="store_true", help=help)
    create.add_argument("--auto-stop", type=int, metavar="MINUTES", help="stop it after so long unused (default: 15)")
    create.add_argument("--auto-delete", type=int, metavar="MINUTES", help="delete it after so long stopped (0: never)")
    create.add_argument("--ephemeral", action="store_true", help="delete it as soon as it is stopped")
    progress_option(create)
    create.add_argument("--json", action="store_true", help="print JSON")
    create.set_defaults(command=_create)

    exec = verbs.add_parser(
        "exec",
        help="run a command in a sandbox",
        description="Run a program in a sandbox, and pass on what it prints and its exit code. No shell reads"
        " its words: where one is meant, name it, as in `sandbox exec one sh -c 'cd /srv && ls'`.",
        usage="imagebuilder sandbox exec [-h] [-i] [-t] [--json] [--cwd DIR] [--env NAME[=VALUE]] [--user USER]"
        " [--timeout SECONDS] NAME COMMAND …",
    )
    exec.add_argument("-i", "--interactive", action="store_true", help="hand it standard input")
    exec.add_argument("-t", "--tty", action="store_true", help="give it a terminal; with -i, yours")
    exec.add_argument("--cwd", metavar="DIR", help="the folder to run in")
    exec.add_argument("--env", action="append", default=[], metavar="NAME[=VALUE]", help="a variable; as of create")
    exec.add_argument("--user", help="who it runs as")
    exec.add_argument("--json", action="store_true", help="print its exit code and what it printed as JSON")
    exec.add_argument("--timeout", type=float, metavar="SECONDS", help="kill it after so long")
    exec.add_argument("name", metavar="NAME")
    exec.add_argument("words", metavar="COMMAND", nargs=argparse.REMAINDER, help="its words, as they are")
    exec.set_defaults(command=_exec)

    copy = verbs.add_parser("cp", help="copy a file or a folder: LOCAL NAME:PATH, or NAME:PATH LOCAL; - is a stream")
    copy.add_argument("source", metavar="FROM")
    copy.add_argument("target", metavar="TO")
    help = "what a folder that is fetched may take here (default: 16GiB)"
    copy.add_argument("--max-size", type=gibibytes, metavar="SIZE", help=help)
    copy.add_argument("--json", action="store_true", help="print JSON")
    copy.set_defaults(command=_copy)

    found = verbs.add_parser("list", help="all sandboxes, the newest first")
    found.add_argument("--label", action="append", default=[], metavar="NAME=VALUE", help="those that have it")
    found.add_argument("--json", action="store_true", help="print JSON")
    found.set_defaults(command=_list)

    for name, function, help in (
        ("info", _info, "one sandbox"),
        ("start", _start, "start one that was stopped; its files are as they were"),
        ("stop", _stop, "end what runs in it, and keep its files"),
        ("delete", _delete, "remove it with its files"),
    ):
        verb = verbs.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
        if name == "info":
            verb.add_argument("name", metavar="NAME")
        else:
            verb.add_argument("names", metavar="NAME", nargs="+" if name == "start" else "*")
        if name in ("stop", "delete"):
            many = verb.add_mutually_exclusive_group()
            many.add_argument("--all", action="store_true", help="every one")
            many.add_argument("--label", action="append", metavar="NAME=VALUE", help="those that have it")
        verb.add_argument("--json", action="store_true", help="print JSON")
        verb.set_defaults(command=function)

    logs = verbs.add_parser("logs", help="the last lines that its own command printed, what keeps it up")
    logs.add_argument("name", metavar="NAME")
    logs.add_argument("-n", "--lines", type=int, default=50, metavar="COUNT", help="(default: 50)")
    logs.add_argument("--json", action="store_true", help="print JSON")
    logs.set_defaults(command=_logs)

    preview = verbs.add_parser("preview", help="a port of this machine that leads into it, until Ctrl-C")
    preview.add_argument("name", metavar="NAME")
    preview.add_argument("port", metavar="PORT", type=int)
    preview.add_argument("--local-port", type=int, default=0, metavar="PORT", help="(default: one that is free)")
    preview.add_argument("--json", action="store_true", help="print JSON")
    preview.set_defaults(command=_preview)


def _create(arguments: argparse.Namespace) -> int:
    from imagebuilder.cli.progress import reporter
    from imagebuilder.client import Client
    from imagebuilder.sandbox import CreateSandboxFromImageParams, CreateSandboxFromSnapshotParams

    if arguments.of and arguments.snapshot:
        help = f"a sandbox is of one: `imagebuilder sandbox create {arguments.snapshot}`"
        raise CompileError(Diagnostic("IB700", "both a snapshot and --snapshot", help=help))
    snapshot = arguments.snapshot or arguments.of
    if arguments.image and snapshot:
        help = "a sandbox is of one of them"
        raise CompileError(Diagnostic("IB700", "both a snapshot and --image", help=help))
    resources = given_resources(arguments, Resources())
    if not arguments.image and resources != Resources():
        help = "`imagebuilder snapshot create NAME --cpu …` gives it others; or name an --image"
        raise CompileError(Diagnostic("IB700", "a sandbox of a snapshot has the snapshot's resources", help=help))
    common: dict[str, Any] = {
        "name": arguments.name,
        "env_vars": _variables(arguments.env),
        "labels": _labels(arguments.label),
        "user": arguments.user,
        "network_block_all": arguments.no_network,
        "network_allow_list": arguments.allow,
        "privileged": arguments.privileged,
        "auto_stop_interval": arguments.auto_stop,
        "auto_delete_interval": arguments.auto_delete,
        "ephemeral": arguments.ephemeral,
    }
    events = arguments.progress == "json"
    if arguments.privileged:
        message = "a privileged sandbox has the machine's own rights: nothing protects it from what runs there"
        tell_event("warning", message=message) if events else tell(f"warning: {message}")
    params = (
        CreateSandboxFromImageParams(image=arguments.image, resources=resources, **common)
        if arguments.image
        else CreateSandboxFromSnapshotParams(snapshot=snapshot, **common)
    )
    with reporter(arguments.progress) as progress:
        made = Client().create(params, on_event=progress.on_event)
    if arguments.json:
        print_json(made.as_json())
    else:
        print(made.name)
    if not arguments.json and not events:
        tell(f"  try    imagebuilder sandbox exec -it {made.name} sh")
    return 0


def _exec(arguments: argparse.Namespace) -> int:
    if not arguments.words:
        raise CompileError(Diagnostic("IB755", "no command", help="imagebuilder sandbox exec NAME COMMAND …"))
    # What stands between is for the command; the first -- is not.
    words = arguments.words[1:] if arguments.words[0] == "--" else arguments.words
    env = _variables(arguments.env)
    sandbox = _sandbox(arguments.name)
    if arguments.tty:
        if arguments.json:
            raise CompileError(Diagnostic("IB755", "-t with --json", help="what a terminal shows has no parts"))
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            help = "-i alone hands on what is piped in"
            raise CompileError(Diagnostic("IB755", "-t, and no terminal", help=help))
        from imagebuilder.cli.terminal import join

        term = {"TERM": os.environ.get("TERM", "xterm")}
        with sandbox.process.attach(words, cwd=arguments.cwd, env={**term, **env}, user=arguments.user) as running:
            return join(running, words, arguments.cwd)
    done = sandbox.process.exec(
        words,
        cwd=arguments.cwd,
        env=env,
        timeout=arguments.timeout,
        user=arguments.user,
        input=_input() if arguments.interactive else None,
        on_output=None if arguments.json else _pass_on,
    )
    if arguments.json:
        print_json(asdict(done))
    return done.exit_code


def _variables(given: list[str]) -> dict[str, str]:
    """Those of ``--env``; the value of a name alone is this program's, and on no command line."""
    taken = []
    for text in given:
        if "=" not in text and text not in os.environ:
            help = f"--env {text}=VALUE, or set it here: --env {text} takes its value from the environment"
            raise CompileError(Diagnostic("IB755", f"the variable {text!r} is not set", help=help))
        taken.append(text if "=" in text else f"{text}={os.environ[text]}")
    return pairs(taken, "IB755", "variable", "--env NAME=VALUE")


def _input() -> IO[bytes]:
    """Standard input without a buffer, whose lock a thread that waits for more would hold at the program's end."""
    if sys.stdin is None:
        return io.BytesIO()
    return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)


def _pass_on(stream: int, data: bytes) -> None:
    out = sys.stderr.buffer if stream == 2 else sys.stdout.buffer
    out.write(data)
    out.flush()


def _copy(arguments: argparse.Namespace) -> int:
    if arguments.json and arguments.target == "-":
        raise CompileError(Diagnostic("IB755", "a file on standard output with --json", help="name a file to copy to"))
    _copy_one(arguments)
    if arguments.json:
        print_json({"from": arguments.source, "to": arguments.target})
    return 0


def _copy_one(arguments: argparse.Namespace) -> None:
    for given in (arguments.source, arguments.target):
        if given.endswith(":") and "/" not in given:
            help = f"a path in the sandbox, such as {given}/srv/"
            raise CompileError(Diagnostic("IB755", f"no path after {given!r}", help=help))
    (source, from_path), (target, to_path) = _parted(arguments.source), _parted(arguments.target)
    if (source is None) == (target is None):
        help = "imagebuilder sandbox cp LOCAL NAME:PATH, or NAME:PATH LOCAL"
        raise CompileError(Diagnostic("IB755", "one of the two has to be in a sandbox", help=help))
    if target is not None:
        fs = _sandbox(target).fs
        if from_path == "-":
            fs.upload_file(_input(), to_path)
        elif Path(from_path).is_dir():
            fs.upload_dir(from_path, to_path)
        else:
            # As `cp` has it: into a folder that is named as one, or is one.
            into = f"{to_path}/{Path(from_path).name}" if _is_folder(fs, to_path) else to_path
            fs.upload_file(from_path, into)
        return
    assert source is not None
    fs = _sandbox(source).fs
    if to_path == "-":
        fs.download_file(from_path, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    elif fs.is_folder(from_path):
        bound = {} if arguments.max_size is None else {"max_size": arguments.max_size}
        fs.download_dir(from_path, to_path, **bound)
    else:
        local = Path(to_path)
        fs.download_file(from_path, local / Path(from_path).name if local.is_dir() else local)


def _is_folder(fs: FileSystem, path: str) -> bool:
    try:
        return path.endswith("/") or fs.is_folder(path)
    except SandboxError:
        return False


def _list(arguments: argparse.Namespace) -> int:
    from imagebuilder.client import Client

    found = Client().list(_labels(arguments.label))
    if arguments.json:
        print_json([each.as_json() for each in found])
    elif not found:
        tell("no sandboxes: `imagebuilder sandbox create SNAPSHOT` makes one")
    else:
        rows = [(each.name, each.state, each.snapshot, ago(each.created_at), ago(each.last_used_at)) for each in found]
        print_table(("NAME", "STATE", "SNAPSHOT", "CREATED", "LAST USED"), rows)
    return 0


def _info(arguments: argparse.Namespace) -> int:
    found = _sandbox(arguments.name)
    if arguments.json:
        print_json(found.as_json())
        return 0
    stop, delete = (found.as_json()[f"auto_{what}_interval"] for what in ("stop", "delete"))
    has = found.resources
    rows = {
        "name": found.name,
        "state": found.state + (f": {found.error_reason}" if found.error_reason else ""),
        **({"ended": f"exit code {found.exit_code}"} if found.exit_code else {}),
        "snapshot": found.snapshot,
        "image": found.image,
        "user": found.user or "root",
        "resources": f"{has.cpu:g} CPU, {has.memory:g} GiB of memory, {has.disk:g} GiB a file",
        "labels": " ".join(f"{name}={value}" for name, value in found.labels.items()),
        "created": f"{found.created_at:%Y-%m-%d %H:%M:%S} UTC ({ago(found.created_at)})",
        "last used": ago(found.last_used_at),
        "auto-stop": f"after {stop} min without use" if stop else "never",
        "auto-delete": f"after {delete} min stopped" if delete else "never",
        **({"reaches": ", ".join(allowed)} if (allowed := found.network_allow_list) else {}),
    }
    print_rows(rows, 11)
    return 0


def _logs(arguments: argparse.Namespace) -> int:
    text = _sandbox(arguments.name).logs(arguments.lines)
    if arguments.json:
        print_json({"name": arguments.name, "lines": text.splitlines()})
    else:
        sys.stdout.write(visible(text) if sys.stdout.isatty() else text)
    return 0


def _start(arguments: argparse.Namespace) -> int:
    return _each(arguments, "started", lambda found: found.start())


def _stop(arguments: argparse.Namespace) -> int:
    return _each(arguments, "stopped", lambda found: found.stop())


def _delete(arguments: argparse.Namespace) -> int:
    return _each(arguments, "deleted", lambda found: found.delete())


def _each(arguments: argparse.Namespace, done: str, do: Callable[[Sandbox], None]) -> int:
    every, told = _chosen(arguments, done), []
    for found in every:
        do(found)
        told.append({"name": found.name, "deleted": True} if done == "deleted" else found.as_json())
        if not arguments.json:
            # One that is ephemeral goes as it is stopped.
            print(f"{'deleted' if found.state == 'deleted' else done} {found.name}")
    if arguments.json:
        print_json(told[0] if len(arguments.names) == 1 else told)
    elif not every:
        tell(f"nothing to be {done}: no sandbox is of that kind")
    return 0


def _chosen(arguments: argparse.Namespace, done: str) -> Sequence[Sandbox]:
    """The sandboxes that are named, or are of the kind; all are looked for before anything is done to one."""
    from imagebuilder.client import Client

    labels = getattr(arguments, "label", None)
    kind = "--all" if getattr(arguments, "all", False) else "--label" if labels else ""
    if bool(arguments.names) == bool(kind):
        message = f"both names and {kind}" if kind else "no sandbox is named"
        raise CompileError(Diagnostic("IB700", message, help="give their names, or --all, or --label NAME=VALUE"))
    client = Client()
    if not kind:
        return [client.get(name) for name in arguments.names]
    found = client.list(_labels(labels or []))
    return [each for each in found if each.state == "started"] if done == "stopped" else found


def _preview(arguments: argparse.Namespace) -> int:
    import signal

    with _sandbox(arguments.name).preview(arguments.port, local_port=arguments.local_port) as opened:
        if arguments.json:
            print_json({"name": arguments.name, "port": arguments.port, "url": opened.url})
            sys.stdout.flush()
        else:
            print(opened.url, flush=True)
        tell("Ctrl-C closes it")
        with suppress(KeyboardInterrupt):
            signal.pause()
    return 0


def _sandbox(name: str) -> Sandbox:
    from imagebuilder.client import Client

    return Client().get(name)


def _parted(text: str) -> tuple[str | None, str]:
    """A sandbox and a path in it, or None and a local path: one that has a slash before its colon, or no colon."""
    name, colon, path = text.partition(":")
    return (name, path) if colon and "/" not in name and path else (None, text)


def _labels(given: list[str]) -> dict[str, str]:
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise CompileError(Diagnostic("IB755", f"not a label: {text!r}", help="--label NAME=VALUE"))
        found[name] = value
    return found
