"""Where the embedded engine of one HOME keeps its things, and who it is."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from imagebuilder.diagnostics import Diagnostic, EngineError, Note

OnLine = Callable[[str], None]

MACHINE = Path("/run/imagebuilder")
"""What the engines of one machine must agree on; gone after a reboot, as they are."""

SOCKET_LIMIT = 107
"""Bytes in the path of a Unix socket: ``sun_path`` is 108 with its final NUL."""


def quiet(line: str) -> None:
    """An ``on_line`` that tells nobody."""


def failure(code: str, message: str, help: str = "", said: Iterable[str] = ()) -> EngineError:
    """The error for one diagnostic, written ``raise failure(…)``; ``said`` are lines of a program's own."""
    text = "\n".join(said)
    return EngineError(Diagnostic(code, message, notes=(Note(text),) if text else (), help=help))


@dataclass(frozen=True)
class Layout:
    """The paths below ``HOME/engine``; ``home`` is absolute and free of symbolic links."""

    home: Path

    @staticmethod
    def of(home: Path) -> Layout:
        return Layout(Path(os.path.realpath(home)))

    @cached_property
    def id(self) -> str:
        """Eight hex digits that tell the engines of one machine apart."""
        return hashlib.sha256(os.fsencode(self.home)).hexdigest()[:8]

    @property
    def engine(self) -> Path:
        return self.home / "engine"

    @property
    def rootfs(self) -> Path:
        return self.engine / "rootfs"

    @property
    def data(self) -> Path:
        return self.engine / "data"

    @property
    def log(self) -> Path:
        return self.engine / "dockerd.log"

    @property
    def lock(self) -> Path:
        return self.engine / "lock"

    @property
    def launcher(self) -> Path:
        return self.engine / "launch.sh"

    @property
    def pidfile(self) -> Path:
        return self.engine / "engine.json"

    @property
    def network(self) -> Path:
        return self.engine / "network.json"

    @cached_property
    def run(self) -> Path:
        """The folder of the socket: below HOME, or below /run where HOME is too deep for a socket."""
        near = self.engine / "run"
        return near if len(os.fsencode(near / "docker.sock")) <= SOCKET_LIMIT else MACHINE / self.id

    @property
    def socket(self) -> Path:
        return self.run / "docker.sock"

    @property
    def docker_host(self) -> str:
        return f"unix://{self.socket}"

    @property
    def bridge(self) -> str:
        return f"ib{self.id}"

    @property
    def chain(self) -> str:
        """The name of its firewall chains."""
        return f"IB-{self.id}"

    @property
    def cgroup(self) -> str:
        return f"imagebuilder-{self.id}"

    def make(self) -> None:
        """Make the folders, for their owner alone."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.engine, MACHINE, self.run, self.data):
            folder.mkdir(mode=0o700, exist_ok=True)
            if folder != self.data:
                folder.chmod(0o700)


def write_atomically(path: Path, text: str, mode: int = 0o600) -> None:
    """Write so that a reader sees the old text or the new, never a part."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)


def read_json(path: Path) -> dict[str, object]:
    """The JSON object in a file, or an empty one where there is none to be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
