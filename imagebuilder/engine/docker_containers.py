"""Containers of a Docker Engine, by its HTTP API; see :class:`~imagebuilder.engine.containers.Containers`."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import IO, Any, Literal, cast
from urllib.parse import quote, urlencode

from imagebuilder.diagnostics import Diagnostic, EngineError
from imagebuilder.engine.api import Api, Conflict, NotFound, TimedOut, frames
from imagebuilder.engine.attached import Attached
from imagebuilder.engine.containers import (
    PIDS,
    Command,
    ContainerInfo,
    ContainerSpec,
    FileStat,
    NameTaken,
    NotRunning,
    Running,
)

_GIB = 1024**3
# Go's os.FileMode, as the engine writes it.
_DIR, _LINK = 1 << 31, 1 << 27
_SPECIAL = ((1 << 23, 0o4000), (1 << 22, 0o2000), (1 << 20, 0o1000))
_IRREGULAR = (1 << 26) | (1 << 25) | (1 << 24) | (1 << 21) | (1 << 19)
_COPY_TIMEOUT = 3600.0


class DockerContainers:
    """Those of one engine."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.engine = api.endpoint.host

    def create(self, spec: ContainerSpec) -> str:
        try:
            found = self._api.json("POST", f"/containers/create?{urlencode({'name': spec.name})}", _body(spec))
        except Conflict as error:
            raise NameTaken(error.diagnostics) from None
        return str(found["Id"])

    def start(self, id: str) -> None:
        self._api.json("POST", f"/containers/{id}/start")

    def set_network(self, id: str, *, on: bool) -> None:
        before, after = ("none", "bridge") if on else ("bridge", "none")
        found = self._api.json("GET", f"/containers/{id}/json")
        networks = (found.get("NetworkSettings") or {}).get("Networks") or {}
        # "none" is one of them, and there is no other besides it.
        if before in networks:
            self._api.json("POST", f"/networks/{before}/disconnect", {"Container": id, "Force": True})
        if after not in networks:
            self._api.json("POST", f"/networks/{after}/connect", {"Container": id})

    def stop(self, id: str, grace: float = 2.0) -> None:
        self._api.json("POST", f"/containers/{id}/stop?t={int(grace)}", timeout=grace + 60)

    def remove(self, id: str) -> None:
        said = ""
        for _ in range(50):
            try:
                self._api.json("DELETE", f"/containers/{id}?force=1&v=1")
            except NotFound:
                return
            except Conflict as error:
                # Somebody else removes it at the moment.
                said = error.diagnostics[0].message.partition(": ")[2]
                time.sleep(0.1)
            else:
                return
        held = self.get(id)
        if held is not None:
            message = f"the container {held.name!r} ({held.state}) cannot be removed: {said}"
            help = "another program removes it, or the engine hangs: `docker ps -a` shows whether it goes"
            raise EngineError(Diagnostic("IB503", message, help=help))

    def get(self, id: str) -> ContainerInfo | None:
        try:
            return _info(self._api.json("GET", f"/containers/{quote(id)}/json"))
        except NotFound:
            return None

    def list(self, labels: Mapping[str, str]) -> list[ContainerInfo]:
        wanted = json.dumps({"label": [f"{name}={value}" for name, value in labels.items()]})
        found = self._api.json("GET", "/containers/json?" + urlencode({"all": "1", "filters": wanted}))
        # The list says less of each than asking for it does, and one may go meanwhile.
        each = [self.get(str(entry["Id"])) for entry in found.get("items", ())]
        return [info for info in each if info is not None]

    def is_busy(self, id: str) -> bool:
        try:
            commands = self._api.json("GET", f"/containers/{id}/json").get("ExecIDs") or ()
            return any(self._api.json("GET", f"/exec/{each}/json").get("Running") for each in commands)
        except NotFound:
            return False

    def wait(self, id: str, timeout: float) -> int | None:
        try:
            return int(self._api.json("POST", f"/containers/{id}/wait", timeout=timeout)["StatusCode"])
        except TimedOut:
            return None

    def logs(self, id: str, lines: int = 50) -> str:
        raw = self._api.raw("GET", f"/containers/{id}/logs?stdout=1&stderr=1&tail={lines}")
        return b"".join(data for _, data in frames(raw)).decode(errors="replace")

    def run(self, id: str, command: Command) -> Running:
        body = {
            "Cmd": list(command.words),
            "Env": [f"{name}={value}" for name, value in command.env.items()],
            "WorkingDir": command.cwd or "",
            "User": command.user or "",
            "Tty": command.terminal,
            "AttachStdin": command.input,
            "AttachStdout": True,
            "AttachStderr": True,
        }
        try:
            made = str(self._api.json("POST", f"/containers/{id}/exec", body)["Id"])
        except Conflict as error:
            raise NotRunning(error.diagnostics) from None
        with ExitStack() as held:
            connection, response = self._api.upgrade(
                f"/exec/{made}/start", {"Detach": False, "Tty": command.terminal}, held
            )
            return Attached(
                made,
                connection,
                response,
                held.pop_all(),
                terminal=command.terminal,
                ended=lambda: self._exit_code(made),
                resize=lambda columns, rows: self._resize(made, columns, rows),
            )

    def _exit_code(self, exec: str) -> int:
        # The output may end a moment before the engine knows how the command did.
        for pause in (0.0, 0.001, 0.005, 0.02, *(0.1,) * 50):
            time.sleep(pause)
            found = self._api.json("GET", f"/exec/{exec}/json")
            if not found.get("Running"):
                return int(found.get("ExitCode") or 0)
        raise EngineError(Diagnostic("IB540", "the engine does not say how a command ended", help="try it again"))

    def _resize(self, exec: str, columns: int, rows: int) -> None:
        self._api.json("POST", f"/exec/{exec}/resize?h={rows}&w={columns}")

    def file(self, id: str, path: str) -> FileStat | None:
        try:
            said = self._api.head(f"/containers/{id}/archive?{_query(path=path)}", "X-Docker-Container-Path-Stat")
        except NotFound:
            return None
        found = json.loads(base64.b64decode(said))
        mode = int(found["mode"])
        type: Literal["file", "dir", "link", "other"] = "file"
        if mode & _DIR:
            type = "dir"
        elif mode & _LINK:
            type = "link"
        elif mode & _IRREGULAR:
            type = "other"
        special = sum(bit for flag, bit in _SPECIAL if mode & flag)
        return FileStat(
            str(found["name"]),
            int(found["size"]),
            (mode & 0o777) | special,
            type,
            _time(str(found["mtime"])) or datetime.fromtimestamp(0, UTC),
            str(found.get("linkTarget", "")),
        )

    @contextmanager
    def files(self, id: str, path: str) -> Iterator[IO[bytes]]:
        with self._api.stream(
            "GET", f"/containers/{id}/archive?{_query(path=path)}", timeout=_COPY_TIMEOUT
        ) as response:
            yield cast("IO[bytes]", response)

    @contextmanager
    def export(self, id: str) -> Iterator[IO[bytes]]:
        with self._api.stream("GET", f"/containers/{id}/export", timeout=_COPY_TIMEOUT) as response:
            yield cast("IO[bytes]", response)

    def put(self, id: str, folder: str, archive: Iterable[bytes]) -> None:
        query = urlencode({"path": folder, "noOverwriteDirNonDir": "1"})
        path = f"/containers/{id}/archive?{query}"
        self._api.raw("PUT", path, archive, "application/x-tar", timeout=_COPY_TIMEOUT)


def _query(**words: str) -> str:
    """A path may hold bytes that are no text."""
    return urlencode(words, errors="surrogateescape")


def _body(spec: ContainerSpec) -> dict[str, Any]:
    memory = int(spec.memory * _GIB)
    host: dict[str, Any] = {
        "NanoCpus": int(spec.cpu * 1e9),
        "Memory": memory,
        # No swap besides: the bound is on all that it takes.
        "MemorySwap": memory,
        "PidsLimit": PIDS,
        "Init": True,
        "NetworkMode": f"container:{spec.joins}" if spec.joins else "bridge" if spec.network else "none",
        "ExtraHosts": [f"{name}:{each}" for name, addresses in spec.hosts.items() for each in addresses],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "8m", "max-file": "2"}},
        "Ulimits": [{"Name": "fsize", "Soft": int(spec.disk * _GIB), "Hard": int(spec.disk * _GIB)}],
    }
    if spec.privileged:
        host["Privileged"] = True
        del host["Ulimits"], host["PidsLimit"]
    else:
        host |= {"CapDrop": ["ALL"], "CapAdd": list(spec.capabilities), "SecurityOpt": ["no-new-privileges"]}
    if spec.gpu:
        host["DeviceRequests"] = [{"Count": int(spec.gpu), "Capabilities": [["gpu"]]}]
    body: dict[str, Any] = {
        "Image": spec.image,
        "Env": [f"{name}={value}" for name, value in spec.env.items()],
        "Labels": dict(spec.labels),
        "Hostname": spec.hostname or "",
        "User": spec.user or "",
        "WorkingDir": spec.workdir or "",
        "HostConfig": host,
    }
    if spec.privileged:
        # Docker in a container cannot keep its layers in a layer of that container's.
        body["Volumes"] = {"/var/lib/docker": {}}
    if spec.entrypoint is not None:
        body |= {"Entrypoint": list(spec.entrypoint), "Cmd": []}
    return {name: value for name, value in body.items() if value != ""}


def _info(found: Mapping[str, Any]) -> ContainerInfo:
    state, config, host = found["State"], found["Config"], found.get("HostConfig") or {}
    files = [int(each["Hard"]) for each in host.get("Ulimits") or () if each["Name"] == "fsize"]
    networks = (found.get("NetworkSettings") or {}).get("Networks") or {}
    addresses = [str(each.get("IPAddress") or "") for each in networks.values()]
    return ContainerInfo(
        id=str(found["Id"]),
        name=str(found["Name"]).lstrip("/"),
        state=state["Status"],
        image=str(found["Image"]),
        labels=dict(config.get("Labels") or {}),
        created=_time(found["Created"]) or datetime.fromtimestamp(0, UTC),
        started=_time(state.get("StartedAt", "")),
        ended=_time(state.get("FinishedAt", "")),
        exit_code=int(state.get("ExitCode") or 0),
        error=str(state.get("Error") or ""),
        killed=bool(state.get("OOMKilled")),
        address=next(filter(None, addresses), ""),
        workdir=str(config.get("WorkingDir") or "/"),
        user=str(config.get("User") or ""),
        cpu=(host.get("NanoCpus") or 0) / 1e9,
        memory=(host.get("Memory") or 0) / _GIB,
        disk=files[0] / _GIB if files else 0,
    )


def _time(text: str) -> datetime | None:
    """A time of the engine's, which has nanoseconds; its zero is none."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,6})?\d*(Z|[+-]\d\d:\d\d)", text)
    if match is None or text.startswith("0001-"):
        return None
    zone = "+00:00" if match[3] == "Z" else match[3]
    return datetime.fromisoformat(f"{match[1]}{match[2] or ''}{zone}")
