"""``registry add | list | test | remove``."""

from __future__ import annotations

import argparse
import os
import re
import sys
from typing import Any, NoReturn

from imagebuilder.cli.output import ago, print_json, print_table
from imagebuilder.diagnostics import CompileError, Diagnostic

_ADD = """\
Remember a login, so that private images can be built from and pulled. The password comes
from standard input, from an environment variable, or is asked for on a terminal; it is kept
in the system's keyring, in Docker's credential helper, or in a file that only you can read.

presets:
{presets}"""
_MOST_BYTES = 1 << 16
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


class _Refused(argparse.Action):
    """A password as an argument, which is never taken, nor said again."""

    def __call__(self, *_: object) -> NoReturn:
        raise CompileError(
            Diagnostic(
                "IB724",
                "a password is not taken as an argument: everybody on this machine sees it in the list of processes,"
                " and the shell's history keeps it",
                help="give it by --password-stdin or --password-env VAR; the one just given should be renewed",
            )
        )


def register(commands: Any) -> None:
    group = commands.add_parser("registry", help="logins for private images")
    verbs = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add = verbs.add_parser("add", help="remember a login", formatter_class=argparse.RawDescriptionHelpFormatter)
    add.description = _ADD.format(presets="\n".join(_presets()))
    add.add_argument("name", metavar="NAME")
    add.add_argument("--url", metavar="URL", help="such as ghcr.io; empty is Docker Hub")
    add.add_argument("--username", metavar="USER", help="who logs in")
    add.add_argument("--project", metavar="PATH", help="the part that the login is for, such as team")
    add.add_argument("--preset", metavar="PRESET", help="a well-known registry; see above")
    password = add.add_mutually_exclusive_group()
    password.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    password.add_argument("--password-env", metavar="VAR", help="take it from that environment variable")
    add.add_argument("--password", "-p", nargs="?", action=_Refused, help=argparse.SUPPRESS)
    add.add_argument("--replace", action="store_true", help="instead of the one of that name; what is not given stays")
    add.add_argument("--keep-in", metavar="PLACE", help="where the password is kept: keyring, helper or file")
    add.set_defaults(command=_add)
    listing = verbs.add_parser("list", help="all registries")
    listing.set_defaults(command=_list)
    test = verbs.add_parser("test", help="log in, and say in one line what is wrong")
    test.add_argument("name", metavar="NAME")
    test.add_argument("image", metavar="IMAGE", nargs="?", help="whether this one may be pulled; pulls nothing")
    test.set_defaults(command=_test)
    remove = verbs.add_parser("remove", help="forget the login and its password")
    remove.add_argument("name", metavar="NAME")
    remove.set_defaults(command=_remove)
    for verb in (add, listing, test, remove):
        verb.add_argument("--json", action="store_true", help="print JSON")


def _presets() -> list[str]:
    return [
        "  dockerhub  Docker Hub; the password is a personal access token",
        "  ghcr       ghcr.io; a personal access token with read:packages",
        "  gar        Google Artifact Registry; give --url, and the JSON key by --password-stdin <key.json",
        "  ecr        Amazon ECR; give --url, and `aws ecr get-login-password | … --password-stdin`",
    ]


def _add(arguments: argparse.Namespace) -> int:
    from imagebuilder.client import Client
    from imagebuilder.registries.addresses import is_loopback

    added = Client().registry.add(
        arguments.name,
        url=arguments.url,
        username=arguments.username,
        password=lambda: _password(arguments),
        project=arguments.project,
        preset=arguments.preset,
        replace=arguments.replace,
        keep_in=arguments.keep_in,
    )
    if arguments.json:
        print_json(added.as_json())
    else:
        print(f"added {added.name}: {added.username} at {added.host}; its password is in {_where(added.kept_in)}")
        print(f"`imagebuilder registry test {added.name}` logs in", file=sys.stderr)
    if added.url.startswith("http://") and not is_loopback(added.host):
        print("without TLS, whoever is on the way can read the password", file=sys.stderr)
    return 0


def _list(arguments: argparse.Namespace) -> int:
    from imagebuilder.client import Client

    found = Client().registry.list()
    if arguments.json:
        print_json([registry.as_json() for registry in found])
    elif not found:
        print("no registries yet: `imagebuilder registry add NAME` makes one known", file=sys.stderr)
    else:
        rows = [(r.name, r.url, r.project, r.username, _where(r.kept_in), ago(r.created_at)) for r in found]
        print_table(("NAME", "URL", "PROJECT", "USER", "PASSWORD IN", "ADDED"), rows)
    return 0


def _test(arguments: argparse.Namespace) -> int:
    from imagebuilder.client import Client

    tested = Client().registry.test(arguments.name, arguments.image)
    if arguments.json:
        print_json(tested.as_json())
    else:
        print(f"{tested.name}: {tested.message}")
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    from imagebuilder.client import Client

    found = Client().registry.remove(arguments.name)
    if arguments.json:
        print_json({"name": found.name, "removed": True})
    else:
        print(f"removed {found.name}")
    return 0


def _where(kept_in: str) -> str:
    kind, _, name = kept_in.partition(":")
    return {"keyring": "the system's keyring", "helper": f"docker-credential-{name}"}.get(kind, "a file of your own")


def _password(arguments: argparse.Namespace) -> str:
    """What was given, without the line end that a program or an editor puts after it."""
    if arguments.password_env is not None:
        found = os.environ.get(arguments.password_env)
        if found is None:
            # A word that is no variable's name may be the password itself.
            named = f" {arguments.password_env!r}" if _VARIABLE.fullmatch(arguments.password_env) else ""
            help = "--password-env takes the name of a variable, not the password"
            raise CompileError(Diagnostic("IB724", f"the environment variable{named} is not set", help=help))
        return found
    if arguments.password_stdin:
        raw = sys.stdin.buffer.read(_MOST_BYTES + 1)
        if len(raw) > _MOST_BYTES:
            help = "is it the right file?"
            raise CompileError(Diagnostic("IB724", f"a password of more than {_MOST_BYTES} bytes", help=help))
        try:
            return raw.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            help = "is it the right file?"
            raise CompileError(Diagnostic("IB724", "a password that is not UTF-8 text", help=help)) from None
    if sys.stdin.isatty():
        from getpass import getpass

        return getpass(f"Password or token for {arguments.name}: ", sys.stderr)
    help = "give --password-stdin or --password-env VAR; on a terminal it is asked for"
    raise CompileError(Diagnostic("IB724", "no password was given", help=help))
