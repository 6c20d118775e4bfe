"""Sandboxes from their beginning to their end.

The engine is what knows which there are: a sandbox is a container with labels
that name it and the home it belongs to, and the engine lets no two have one
name. Beside it stands a small file with what may change; the file's time says
when the sandbox was last used. So there is no state that a program could leave
half written: whatever was killed, the next call finds a container that runs,
which is a sandbox, or one that was never started and whose maker holds no lock,
which goes.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from imagebuilder.diagnostics import CompileError, Diagnostic, EngineError, SandboxError, did_you_mean
from imagebuilder.engine.containers import HOME, TRIAL, ContainerInfo, Containers, ContainerSpec, NameTaken, maker_lock
from imagebuilder.home import id_of, private_folder
from imagebuilder.ir.resources import Resources
from imagebuilder.locks import held, lock
from imagebuilder.sandbox.allow_list import AllowList, bounded, of_labels, start
from imagebuilder.sandbox.box import Box, file_of
from imagebuilder.sandbox.commands import sweep
from imagebuilder.sandbox.sandbox import Sandbox
from imagebuilder.sandbox.stays_up import Started, keep_up, too_large
from imagebuilder.sandbox.wanted import AUTO_STOP, Params, Wanted, checked, minutes, texts
from imagebuilder.sandbox.watch import Watch

# Seconds between two looks at what was left, of a program that makes many.
_SWEEP = 30.0
# Seconds in which a file is written.
_WRITTEN = 60.0
_SANDBOX, _SNAPSHOT = "imagebuilder.sandbox", "imagebuilder.snapshot"


@dataclass(frozen=True, slots=True)
class Kept:
    """What may change of a sandbox. Intervals are in minutes; 0 is never. ``engine`` is the address of its engine."""

    labels: Mapping[str, str] = field(default_factory=dict)
    auto_stop: int = AUTO_STOP
    auto_delete: int = 0
    ephemeral: bool = False
    engine: str = ""
    last_used: datetime | None = None


class Sandboxes:
    """The sandboxes of one home."""

    def __init__(self, home: Path, containers: Callable[[], Containers], tool: Callable[[], str]) -> None:
        """
        Args:
            containers: those of the engine.
            tool: the image of :data:`imagebuilder.sandbox.allow_list.TOOL`; called when it is needed.
        """
        self._home = home
        self._containers = containers
        self._tool = tool
        self._folder = home / "sandboxes"
        self._swept = 0.0
        self._watch = Watch(self)
        self.home_id = id_of(home)

    def create(
        self,
        params: Params,
        *,
        image: str,
        snapshot: str,
        resources: Resources,
        entrypoint: Sequence[str] | None,
        wanted: Wanted | None = None,
    ) -> Sandbox:
        """Make and start one.

        Args:
            image: what the engine has it under.
            snapshot: the name to show.
            entrypoint: what keeps it up; None is the image's own.
            wanted: what :meth:`check` gave for these; None checks them.

        Raises:
            CompileError: the name is none, or taken.
            SandboxError: it does not start.
        """
        wanted = wanted or self.check(params)
        name, allow = wanted.name, wanted.allow
        if time.monotonic() - self._swept > _SWEEP:
            self.sweep()
        spec = ContainerSpec(
            name=self._container(name),
            image=image,
            entrypoint=entrypoint,
            env=wanted.env,
            labels={HOME: self.home_id, _SANDBOX: name, _SNAPSHOT: snapshot},
            user=params.user,
            hostname=re.sub(r"[^a-z0-9\-]", "-", name)[:63].strip("-") or "sandbox",
            cpu=resources.cpu,
            memory=resources.memory,
            disk=resources.disk,
            gpu=resources.gpu,
            network=not params.network_block_all,
            privileged=params.privileged,
        )
        if allow is not None:
            spec = bounded(spec, allow)
        with lock(self._lock(name)):
            try:
                id = self._containers().create(spec)
            except NameTaken:
                help = f"`imagebuilder sandbox delete {name}`, or take another name"
                raise CompileError(Diagnostic("IB751", f"there is a sandbox {name!r} already", help=help)) from None
            except EngineError as error:
                raise too_large(error, spec) or error from None
            try:
                engine = self._containers().engine
                self._write(id, Kept(wanted.labels, wanted.stop, wanted.delete, params.ephemeral, engine))
                box = self._box(name, id)
                self._start(box, allow)
                found = box.info()
                if found is None:
                    raise box.gone()
            except BaseException:
                self._drop(id)
                raise
        if wanted.stop or wanted.delete:
            self._watch.begin()
        return Sandbox(self, box, found)

    def check(self, params: Params) -> Wanted:
        """What is asked for, once it is known to be in order; CompileError says what is not. Asks no engine."""
        return checked(params)

    def get(self, name: str) -> Sandbox:
        """The sandbox of that name, or of that id.

        Raises:
            CompileError: there is none.
        """
        every = self.list()
        for found in every:
            if name == found.name or (len(name) >= 12 and found.id.startswith(name)):
                return found
        hint = did_you_mean(name, [each.name for each in every])
        hint = hint or ("`imagebuilder sandbox list` shows what there is" if every else "there are no sandboxes")
        raise CompileError(Diagnostic("IB750", f"no sandbox is called {name!r}", help=hint))

    def find_one(self, name: str | None, labels: Mapping[str, str] | None) -> Sandbox:
        """That of a name or id, or else the newest that has these labels; CompileError where there is none."""
        if name:
            return self.get(name)
        if not labels:
            help = 'find_one("one"), or find_one(labels={"team": "a"})'
            raise CompileError(Diagnostic("IB755", "neither a name nor labels", help=help))
        for found in self.list(labels):
            return found
        help = "`imagebuilder sandbox list --json` shows the labels of each"
        raise CompileError(Diagnostic("IB750", f"no sandbox has the labels {texts(labels, 'labels')}", help=help))

    def sweep(self) -> Sequence[ContainerInfo]:
        """End and remove what a killed program left, and what was not used for long; those that are there."""
        left = []
        self._swept = time.monotonic()
        # Listed first: what has a file by now has a container, unless that is gone.
        files = list(self._folder.iterdir()) if self._folder.is_dir() else []
        there = self._containers().list({HOME: self.home_id})
        ids = {found.id for found in there}
        self._clear(files, ids)
        sweep(self._home, self._containers(), ids)
        for found in there:
            name = found.labels.get(_SANDBOX, "")
            if TRIAL in found.labels:
                if not held(self._lock(found.labels[TRIAL])):
                    self._drop(found.id)
                continue
            if found.state == "created" and not held(self._lock(name)):
                self._drop(found.id)
                continue
            if (kept := self._aged(found)) is not None:
                left.append(kept)
        return left

    def _clear(self, files: Sequence[Path], there: Collection[str]) -> None:
        """Remove the files of this engine's sandboxes that are gone, and what a killed program had begun to write."""
        for path in files:
            with suppress(OSError):
                if path.name.startswith("."):
                    if time.time() - path.stat().st_mtime > _WRITTEN:
                        path.unlink()
                elif path.name not in there and self.kept(path.name).engine == self._containers().engine:
                    path.unlink()

    def list(self, labels: Mapping[str, str] | None = None) -> Sequence[Sandbox]:
        """All, the newest first, or those that have these labels."""
        found = [
            Sandbox(self, self._box(each.labels[_SANDBOX], each.id), each)
            for each in self.sweep()
            if _SANDBOX in each.labels
        ]
        wanted = texts(labels or {}, "labels").items()
        found = [each for each in found if wanted <= dict(each.labels).items()]
        return sorted(found, key=lambda each: each.created_at, reverse=True)

    def _aged(self, found: ContainerInfo) -> ContainerInfo | None:
        """The container as it is after its intervals have been looked at; None where it is gone."""
        kept = self.kept(found.id)
        now = datetime.now(UTC)
        if found.is_running and kept.auto_stop:
            used = max(filter(None, (kept.last_used, found.started)), default=found.created)
            if (now - used).total_seconds() >= kept.auto_stop * 60 and not self._containers().is_busy(found.id):
                if kept.ephemeral:
                    self._drop(found.id)
                    return None
                with suppress(EngineError):
                    self._containers().stop(found.id)
                return self._containers().get(found.id)
        ended = found.ended or found.created
        if found.state == "exited" and kept.auto_delete and (now - ended).total_seconds() >= kept.auto_delete * 60:
            self._drop(found.id)
            return None
        return found

    def start(self, box: Box) -> None:
        """
        Raises:
            SandboxError: it does not start; the reason and its last lines are told.
        """
        found = box.info()
        if found is None:
            raise box.gone()
        if found.is_running:
            box.used()
        else:
            self._start(box, of_labels(found.labels))

    def _start(self, box: Box, allow: AllowList | None) -> None:
        try:
            if allow is None:
                self._containers().start(box.id)
            else:
                trial = uuid4().hex
                tool = replace(self._trial(trial, self._tool()), name=f"{self._container('trial')}-{trial[:8]}")
                with lock(self._lock(trial)):
                    start(self._containers(), box.id, allow, tool)
        except EngineError as error:
            message = error.diagnostics[0].message.rpartition(": ")[2] or error.diagnostics[0].message
            help = "is the image for this machine, and does it have what its entrypoint names?"
            raise SandboxError(
                Diagnostic("IB759", f"the sandbox {box.name!r} does not start: {message}", help=help)
            ) from None
        box.used()

    def delete(self, box: Box) -> None:
        self._forget(box.id)

    def kept(self, id: str) -> Kept:
        """What may change of a sandbox; the defaults where that is lost."""
        path = file_of(self._home, id)
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            used = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            labels = {str(name): str(value) for name, value in found["labels"].items()}
            intervals = int(found["auto_stop"]), int(found["auto_delete"])
            return Kept(labels, *intervals, bool(found["ephemeral"]), str(found.get("engine", "")), used)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return Kept()

    def set(self, id: str, **changes: Any) -> Kept:
        """Change it; see :class:`Kept`."""
        for name in ("auto_stop", "auto_delete"):
            if name in changes:
                changes[name] = minutes(changes[name], 0)
        if "labels" in changes:
            changes["labels"] = texts(changes["labels"], "labels")
        kept = replace(self.kept(id), **changes)
        self._write(id, kept)
        return kept

    def keep_up(
        self,
        image: str,
        own: Started,
        entrypoint: Sequence[str] | None,
        resources: Resources,
        *,
        privileged: bool = False,
    ) -> tuple[str, ...] | None:
        """What keeps containers of an image up; see :func:`imagebuilder.sandbox.stays_up.keep_up`."""
        trial = uuid4().hex
        spec = replace(
            self._trial(trial, image),
            cpu=resources.cpu,
            memory=resources.memory,
            disk=resources.disk,
            privileged=privileged,
        )
        return keep_up(self._containers(), spec, own, entrypoint, self._lock(trial))

    @contextmanager
    def unstarted(self, image: str) -> Iterator[str]:
        """The id of a container of an image, which is never started and goes with the block."""
        if time.monotonic() - self._swept > _SWEEP:
            self.sweep()
        trial = uuid4().hex
        # An image without a command makes no container.
        spec = replace(self._trial(trial, image), name=f"{self._container('trial')}-{trial[:8]}", entrypoint=("-",))
        with lock(self._lock(trial)):
            id = self._containers().create(spec)
            try:
                yield id
            finally:
                self._drop(id)

    def _trial(self, trial: str, image: str = "") -> ContainerSpec:
        """A container that goes when its maker does."""
        labels = {HOME: self.home_id, TRIAL: trial}
        return ContainerSpec(name=self._container("trial"), image=image, labels=labels, network=False)

    def _write(self, id: str, kept: Kept) -> None:
        private_folder(self._folder)
        handle, name = tempfile.mkstemp(dir=self._folder, prefix=".")
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump({**asdict(kept), "last_used": None}, out)
        Path(name).replace(file_of(self._home, id))

    def _forget(self, id: str) -> None:
        self._containers().remove(id)
        file_of(self._home, id).unlink(missing_ok=True)

    def _drop(self, id: str) -> None:
        """As :meth:`_forget`, of what the next sweep removes where it cannot be now."""
        with suppress(EngineError):
            self._forget(id)

    def _box(self, name: str, id: str) -> Box:
        return Box(name, id, self._containers, self._home)

    def _lock(self, name: str) -> Path:
        return maker_lock(self._home, name)

    def _container(self, name: str) -> str:
        return f"imagebuilder-{self.home_id}-{name}"
