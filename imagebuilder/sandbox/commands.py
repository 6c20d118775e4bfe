"""Commands that can be found again and ended with all they started.

Each has a mark in its environment, which what it starts inherits. A file with
the mark in its name is locked for as long as the program lives that waits for
the command: what a killed program left running shows by a file that nobody
holds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from imagebuilder.diagnostics import EngineError
from imagebuilder.engine.containers import Command, Containers
from imagebuilder.locks import lock, unless_held
from imagebuilder.sandbox.box import file_of

MARK = "IMAGEBUILDER_COMMAND"
_FILE = "command-"
_CHUNK = 1 << 16
# Each process that still has the mark of a command, except one. Root without more rights than a sandbox's may not look
# into those of others, and prints whose they are.
_KILL = """\
user() { while read -r name id _; do [ "$name" != Uid: ] || echo "$id"; done < "$1/status"; }
own=$(user "/proc/$$")
for each in /proc/[0-9]*; do
    if (: < "$each/environ"); then
        [ "$each" = "/proc/$2" ] || ! tr '\\0' '\\n' < "$each/environ" | grep -qxF "$1" || kill -9 "${each#/proc/}"
    elif [ "$own" = 0 ]; then
        user "$each"
    fi
done 2>/dev/null"""
# Users of a sandbox that are looked for; whatever prints them is not trusted.
_MOST_USERS = 8


@contextmanager
def marked(home: Path, container: str, user: str | None) -> Iterator[str]:
    """A new mark, for a command that lives in the block.

    Args:
        user: who the command runs as.
    """
    mark = uuid4().hex
    with lock(home / "locks" / f"{_FILE}{container}-{mark}") as file:
        os.write(file, json.dumps(user).encode())
        yield mark


def sweep(home: Path, containers: Containers, there: Collection[str]) -> None:
    """End the commands of killed programs.

    Args:
        there: the ids of the sandboxes that the engine has.
    """
    for path in (home / "locks").glob(f"{_FILE}*"):
        container, _, mark = path.name.removeprefix(_FILE).rpartition("-")
        if container not in there and file_of(home, container).exists():
            continue  # It is another engine's.
        with unless_held(path) as left:
            if left and container in there:
                kill(containers, container, mark, user=_user(path))


def kill(containers: Containers, container: str, mark: str, *, besides: int = 0, user: str | None = None) -> bool:
    """End all processes that have the mark; whether that could be tried.

    Args:
        besides: the process that goes on.
        user: who the command ran as.
    """
    tried, others = _kill(containers, container, mark, besides, user)
    for each in others:
        _kill(containers, container, mark, besides, each)
    return tried


def _kill(containers: Containers, container: str, mark: str, besides: int, user: str | None) -> tuple[bool, list[str]]:
    """As a user, who may look into the user's own processes; whether there was a shell, and whose others are."""
    said = bytearray()
    words = ("sh", "-c", _KILL, "sh", f"{MARK}={mark}", str(besides))
    with suppress(EngineError, TimeoutError), containers.run(container, Command(words, user=user)) as running:
        while data := running.read(10)[1]:
            said += data[: _CHUNK - len(said)]
        if running.exit_code() in (126, 127):
            return False, []
    ids = dict.fromkeys(bytes(said).decode(errors="replace").split())
    # Never root: a sandbox's user may have put something of the user's own in the place of a tool.
    return True, [id for id in ids if id.isascii() and id.isdigit() and 0 < int(id[:11]) < 1 << 31][:_MOST_USERS]


def _user(path: Path) -> str | None:
    with suppress(OSError, ValueError):
        found = json.loads(path.read_bytes())
        return found if isinstance(found, str) else None
    return None
