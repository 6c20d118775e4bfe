"""Containers in memory, for unit tests of what stands above the engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import BytesIO
from typing import IO
from uuid import uuid4

from imagebuilder.diagnostics import Diagnostic, EngineError
from imagebuilder.engine.containers import (
    Command,
    ContainerInfo,
    ContainerSpec,
    FileStat,
    NameTaken,
    NotRunning,
    Running,
)


@dataclass
class FakeRunning:
    """A command that has printed ``output`` and ended."""

    id: str
    output: list[tuple[int, bytes]]
    code: int = 0

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, timeout: float | None = None) -> tuple[int, bytes]:
        return self.output.pop(0) if self.output else (1, b"")

    def write(self, data: bytes) -> None:
        pass

    def close_input(self) -> None:
        pass

    def resize(self, columns: int, rows: int) -> None:
        pass

    def exit_code(self) -> int:
        return self.code

    def fileno(self) -> int:
        raise OSError


class FakeContainers:
    """All stay up, but those of the images and entrypoints in ``ends``, which end with an exit code.

    ``exits`` are exit codes by images. ``done`` is what was started, and whose network changed, in order.
    ``archives`` are what the files of images are, by what containers are made of; ``last_lines`` is what they printed.
    """

    def __init__(self) -> None:
        self.engine = "unix:///fake.sock"
        self.specs: dict[str, ContainerSpec] = {}
        self.infos: dict[str, ContainerInfo] = {}
        self.ends: dict[tuple[str, ...] | None, int] = {}
        self.exits: dict[str, int | None] = {}
        self.done: list[str] = []
        self.refuses: set[tuple[str, ...] | None] = set()
        self.busy: set[str] = set()
        self.commands: list[list[str]] = []
        self.archives: dict[str, bytes] = {}
        self.last_lines = "its last line\n"

    def create(self, spec: ContainerSpec) -> str:
        if any(info.name == spec.name for info in self.infos.values()):
            raise NameTaken(Diagnostic("IB503", "in use"))
        id = uuid4().hex
        self.specs[id] = spec
        self.infos[id] = ContainerInfo(
            id, spec.name, "created", spec.image, dict(spec.labels), datetime.now(UTC),
            user=spec.user or "", cpu=spec.cpu, memory=spec.memory, disk=spec.disk,
        )  # fmt: skip
        return id

    def start(self, id: str) -> None:
        entrypoint = self._entrypoint(id)
        if entrypoint in self.refuses:
            raise EngineError(Diagnostic("IB503", f'the engine refused POST: exec: "{entrypoint}": not found'))
        spec = self.specs[id]
        joined = f"tool: {(spec.entrypoint or '-')[0]} in {spec.joins} with {' '.join(spec.capabilities)}"
        self.done.append(f"start {joined if spec.joins else id}")
        self._change(id, state="running", started=datetime.now(UTC))

    def set_network(self, id: str, *, on: bool) -> None:
        self.done.append(f"network {'on' if on else 'off'} {id}")
        self.specs[id] = replace(self.specs[id], network=on)

    def stop(self, id: str, grace: float = 2.0) -> None:
        self._change(id, state="exited", ended=datetime.now(UTC))

    def remove(self, id: str) -> None:
        self.infos.pop(id, None)

    def get(self, id: str) -> ContainerInfo | None:
        return self.infos.get(id)

    def list(self, labels: Mapping[str, str]) -> list[ContainerInfo]:
        return [info for info in self.infos.values() if labels.items() <= info.labels.items()]

    def is_busy(self, id: str) -> bool:
        return id in self.busy

    def wait(self, id: str, timeout: float) -> int | None:
        return self.exits.get(self.specs[id].image, self.ends.get(self._entrypoint(id)))

    def logs(self, id: str, lines: int = 50) -> str:
        return self.last_lines

    def run(self, id: str, command: Command) -> Running:
        if self.infos[id].state != "running":
            raise NotRunning(Diagnostic("IB503", "it does not run"))
        self.commands.append(list(command.words))
        return FakeRunning("x", [(1, " ".join(command.words).encode()), (2, b"!")], 3)

    def file(self, id: str, path: str) -> FileStat | None:
        return None

    @contextmanager
    def files(self, id: str, path: str) -> Iterator[IO[bytes]]:
        yield BytesIO()

    @contextmanager
    def export(self, id: str) -> Iterator[IO[bytes]]:
        yield BytesIO(self.archives[self.specs[id].image])

    def put(self, id: str, folder: str, archive: Iterable[bytes]) -> None:
        b"".join(archive)

    def _entrypoint(self, id: str) -> tuple[str, ...] | None:
        found = self.specs[id].entrypoint
        return None if found is None else tuple(found)

    def _change(self, id: str, **changes: object) -> None:
        self.infos[id] = replace(self.infos[id], **changes)  # type: ignore[arg-type] # fields by their names
