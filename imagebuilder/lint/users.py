"""Containers that run as root because nobody said otherwise."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from imagebuilder.diagnostics import Diagnostic
from imagebuilder.ir.ops import Base, BaseImage, Cmd, Entrypoint, Healthcheck, Op, Run, RunCommands, User
from imagebuilder.ir.stage import Stage
from imagebuilder.lint.graph import lineage
from imagebuilder.lint.saying import said
from imagebuilder.lint.shell import commands

# Official images whose user is root, and that are no servers which give it up themselves (nginx, postgres, redis…).
# Of any other image nothing is known.
_ROOT = frozenset(
    ("almalinux", "alpine", "amazoncorretto", "amazonlinux", "archlinux", "bash", "buildpack-deps", "busybox",
     "clojure", "dart", "debian", "eclipse-temurin", "elixir", "erlang", "fedora", "gcc", "golang", "haskell",
     "julia", "maven", "node", "openjdk", "oraclelinux", "perl", "photon", "pypy", "python", "r-base",
     "rockylinux", "ruby", "rust", "sapmachine", "swift", "ubuntu")
)  # fmt: skip
_OFFICIAL = re.compile(r"(?:(?:index\.)?docker\.io/)?(?:library/)?([a-z0-9-]+)(?::[^/@]*)?(?:@.*)?")
# Programs that change the user when the container starts.
_STEPS_DOWN = re.compile(r"\b(?:gosu|su-exec|setpriv|runuser|fixuid|s6-overlay|s6-setuidgid|chroot)\b")
# Programs that start as root by design, and give it up or hand it on themselves.
_ROOT_BY_DESIGN = frozenset(
    ("apache2", "apache2-foreground", "apache2ctl", "apachectl", "cron", "crond", "dind", "dockerd", "haproxy",
     "httpd", "httpd-foreground", "init", "named", "nginx", "php-fpm", "postfix", "rsyslogd", "service", "sshd",
     "supervisord", "systemd", "vsftpd")
)  # fmt: skip
_WRAPPERS = frozenset(
    ("tini", "dumb-init", "catatonit", "nohup", "setsid", "exec", "cd", "export", "set", "source", ".")
)
_SHELLS = frozenset(("sh", "bash", "ash", "zsh", "fish"))


def container_as_root(target: Stage) -> Iterator[Diagnostic]:
    """A program that runs as root since ``user`` was never set.

    Only where that is certain: on ``scratch``, ``debian_slim`` and official images
    that are known for it, with an entry point, command or health check of its own.
    Who sets ``user("root")`` has answered. An entry point that is a script may
    change the user itself, and a shell is meant for a person.
    """
    base, stages = lineage(target)
    steps = [step for stage in stages for step in stage.steps]
    if not _is_root(base) or any(isinstance(step.op, User) or _changes_user(step.op) for step in steps):
        return
    last = {type(step.op): step for step in steps if isinstance(step.op, Entrypoint | Cmd | Healthcheck)}
    started = [step for kind in (Entrypoint, Cmd, Healthcheck) if (step := last.get(kind)) and _words(step.op)]
    if not started or _program(started[0].op) in _SHELLS | _ROOT_BY_DESIGN or _is_script(started[0].op):
        return
    place = started[0].place
    help = said(
        place,
        python=".user('10001:10001') before it, or a user that the image has",
        dockerfile="USER 10001:10001 before it, or a user that the image has",
        snap="user 10001:10001 before it, or a user that the image has",
    )
    program = "" if isinstance(started[0].op, Healthcheck) else f" {_program(started[0].op)!r}"
    message = f"the container runs{program} as root: no user is set"
    yield Diagnostic("IB906", message, place, help=help, severity="warning")


def _is_root(base: Base) -> bool:
    if not isinstance(base, BaseImage):
        return True
    found = _OFFICIAL.fullmatch(base.ref)
    return found is not None and found[1] in _ROOT


def _changes_user(op: Op) -> bool:
    match op:
        case Run() | RunCommands():
            return bool(_STEPS_DOWN.search(str(op)))
        case Entrypoint() | Cmd():
            return bool(_STEPS_DOWN.search(" ".join(_words(op))))
    return False


def _commands(op: Op) -> list[list[str]]:
    command = getattr(op, "command", ())
    if isinstance(command, str):
        return [list(found.program) for found in commands(command) if found.program]
    return [list(command)] if command else []


def _words(op: Op) -> list[str]:
    return [word for command in _commands(op) for word in command]


def _program(op: Op) -> str:
    """The name of the program that stays: what stands behind wrappers such as ``tini --``."""
    name = ""
    for command in _commands(op):
        names = [posixpath.basename(word) for word in command if not word.startswith("-")]
        for name in names:
            if name not in _WRAPPERS:
                return name
            if name in ("cd", "export", "set", "source", "."):
                break
    return name


def _is_script(op: Op) -> bool:
    """An entry point that is a file of the image's own making, or a command behind one."""
    return any(word.endswith(".sh") or "entrypoint" in posixpath.basename(word) for word in _words(op)[:4])
