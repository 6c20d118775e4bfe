"""What sandboxes ask of an engine: containers, commands in them, and files of theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Literal, Protocol

from imagebuilder.diagnostics import EngineError

ContainerState = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]

KEPT_CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID", "SYS_CHROOT",
)  # fmt: skip
"""What root in a container needs to install packages and to become another user. Docker's own default has more: raw
sockets, devices and audit records among them."""

PIDS = 1024

HOME, TRIAL = "imagebuilder.home", "imagebuilder.trial"
"""Labels: the home that a container belongs to; and that it goes with its maker, who holds the lock of that name."""


def maker_lock(home: Path, name: str) -> Path:
    """The lock that the maker of a container holds while it may go."""
    return home / "locks" / f"sandbox-{sha256(name.encode()).hexdigest()[:40]}"


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A container to be made.

    ``entrypoint`` takes the place of the image's own, and of its command. ``cpu`` is in CPUs, ``memory`` and ``disk``
    in GiB; where the engine cannot bound a container's disk, ``disk`` bounds each of its files. ``gpu`` counts GPUs.
    Without ``network`` there is none but loopback; ``joins`` is a container whose network it has in place of its own.
    ``hosts`` are names and their addresses. ``capabilities`` are what root may do in it. ``privileged`` takes every
    bound away but those of resources, and gives it a volume for Docker's own files, which goes with the container.
    """

    name: str
    image: str
    entrypoint: Sequence[str] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    workdir: str | None = None
    user: str | None = None
    hostname: str | None = None
    cpu: float = 1
    memory: float = 1
    disk: float = 3
    gpu: float = 0
    network: bool = True
    joins: str | None = None
    hosts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    capabilities: Sequence[str] = KEPT_CAPABILITIES
    privileged: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A command in a container: a program and its arguments.

    ``cwd`` None and ``user`` None are the container's own; ``env`` comes on top of the container's. ``terminal`` gives
    it one; without ``input`` its standard input is at its end.
    """

    words: Sequence[str]
    cwd: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    terminal: bool = False
    input: bool = False


@dataclass(frozen=True, slots=True)
class ContainerInfo:
    """A container as the engine has it.

    ``image`` is the image's digest or id; ``killed`` says that it went over its memory; ``address`` is its own in the
    engine's network, empty where it has none. ``cpu``, ``memory`` and ``disk`` are what it is bounded to, as in
    :class:`ContainerSpec`; 0 is no bound.
    """

    id: str
    name: str
    state: ContainerState
    image: str
    labels: Mapping[str, str]
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None
    exit_code: int = 0
    error: str = ""
    killed: bool = False
    address: str = ""
    workdir: str = "/"
    user: str = ""
    cpu: float = 0
    memory: float = 0
    disk: float = 0

    @property
    def is_running(self) -> bool:
        return self.state == "running"


@dataclass(frozen=True, slots=True)
class FileStat:
    """A path in a container. ``mode`` is the permissions alone; ``target`` is where a symbolic link leads."""

    name: str
    size: int
    mode: int
    type: Literal["file", "dir", "link", "other"]
    modified: datetime
    target: str = ""


class NameTaken(EngineError):
    """Another container has the name."""


class NotRunning(EngineError):
    """The container does not run."""


class Running(Protocol):
    """A command in a container, while it runs. Closing lets go of it; it is not ended by that."""

    id: str

    def __enter__(self) -> Running: ...

    def __exit__(self, *_: object) -> None: ...

    def read(self, timeout: float | None = None) -> tuple[int, bytes]:
        """What it printed next: the stream (1 or 2; 1 of a terminal) and some bytes, empty at the end of both.

        Raises:
            TimeoutError: nothing for so many seconds.
        """
        ...

    def write(self, data: bytes) -> None:
        """To its standard input.

        Raises:
            OSError: it has ended.
        """
        ...

    def close_input(self) -> None: ...

    def resize(self, columns: int, rows: int) -> None:
        """Of its terminal."""
        ...

    def exit_code(self) -> int:
        """Once its output has ended."""
        ...

    def fileno(self) -> int:
        """For select(); what was read ahead does not show there."""
        ...


class Containers(Protocol):
    """Every method raises :class:`~imagebuilder.diagnostics.EngineError` when the engine does not answer or refuses.

    ``engine`` is the engine's address.
    """

    engine: str

    def create(self, spec: ContainerSpec) -> str:
        """Its id.

        Raises:
            NameTaken: another container has the name.
        """
        ...

    def start(self, id: str) -> None: ...

    def set_network(self, id: str, *, on: bool) -> None:
        """Give it the engine's network, or take it away; of one that runs or not."""
        ...

    def stop(self, id: str, grace: float = 2.0) -> None:
        """End what runs in it: asked to, and after ``grace`` seconds killed."""
        ...

    def remove(self, id: str) -> None:
        """End it and remove it with its own volumes. Nothing happens where there is none."""
        ...

    def get(self, id: str) -> ContainerInfo | None: ...

    def list(self, labels: Mapping[str, str]) -> list[ContainerInfo]:
        """All that have these labels, in any state."""
        ...

    def is_busy(self, id: str) -> bool:
        """Whether a command runs in it besides its own."""
        ...

    def wait(self, id: str, timeout: float) -> int | None:
        """Its exit code, or None where it still runs after so many seconds."""
        ...

    def logs(self, id: str, lines: int = 50) -> str:
        """The last lines that its own command printed."""
        ...

    def run(self, id: str, command: Command) -> Running:
        """Start a command in it.

        Raises:
            NotRunning: the container does not run.
        """
        ...

    def file(self, id: str, path: str) -> FileStat | None:
        """What is at a path; links on the way are followed, one at its end is not."""
        ...

    def files(self, id: str, path: str) -> AbstractContextManager[IO[bytes]]:
        """A path and all below it, as a tar archive that is read while it comes.

        Raises:
            NotFound: there is nothing.
        """
        ...

    def export(self, id: str) -> AbstractContextManager[IO[bytes]]:
        """All its files, without those of volumes, as a tar archive that is read while it comes."""
        ...

    def put(self, id: str, folder: str, archive: Iterable[bytes] | Iterator[bytes]) -> None:
        """Unpack a tar archive into a folder. Folders on the way are made; owners are those of the archive."""
        ...
