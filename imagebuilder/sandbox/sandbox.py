"""One sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from imagebuilder.diagnostics import Diagnostic, SandboxError
from imagebuilder.engine.containers import ContainerInfo
from imagebuilder.ir.resources import Resources
from imagebuilder.sandbox.allow_list import of_labels
from imagebuilder.sandbox.box import Box
from imagebuilder.sandbox.fs import FileSystem
from imagebuilder.sandbox.params import State
from imagebuilder.sandbox.preview import Preview, open_preview
from imagebuilder.sandbox.process import Process

if TYPE_CHECKING:
    from imagebuilder.sandbox.lifecycle import Sandboxes


class Sandbox:
    """A container of a snapshot, for programs: ``process`` runs commands, ``fs`` has its files.

    As a context manager it is deleted at the end of the block. It outlives the program that made it: ``client.get``
    finds it again by its name.
    """

    def __init__(self, owner: Sandboxes, box: Box, found: ContainerInfo) -> None:
        self._owner = owner
        self._box = box
        self._found = found
        self._gone = False
        self._previews: list[Preview] = []
        self.name = box.name
        self.id = box.id
        self.process = Process(box)
        self.fs = FileSystem(box, self.process, found.workdir)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.delete()

    def __repr__(self) -> str:
        return f"<Sandbox {self.name}: {self.state}>"

    @property
    def state(self) -> State:
        """As it was when last looked at, which :meth:`refresh` does again; ``deleted`` once it was deleted here."""
        if self._gone:
            return "deleted"
        if self._found.is_running:
            return "started"
        return "error" if self.error_reason else "stopped"

    @property
    def snapshot(self) -> str:
        """The name of the snapshot that it was made of, or of the image."""
        return self._found.labels.get("imagebuilder.snapshot", "")

    @property
    def image(self) -> str:
        """The image, as the engine calls it: its digest."""
        return self._found.image

    @property
    def labels(self) -> Mapping[str, str]:
        return self._owner.kept(self.id).labels

    @property
    def network_allow_list(self) -> Sequence[str]:
        """The networks that it may connect to; empty where it has no such list."""
        allow = of_labels(self._found.labels)
        return () if allow is None else allow.networks

    @property
    def created_at(self) -> datetime:
        return self._found.created

    @property
    def last_used_at(self) -> datetime:
        return self._owner.kept(self.id).last_used or self._found.started or self._found.created

    @property
    def auto_stop_interval(self) -> int:
        """Minutes without use after which it is stopped; 0 is never."""
        return self._owner.kept(self.id).auto_stop

    @property
    def auto_delete_interval(self) -> int:
        """Minutes after its stop after which it is deleted; 0 is never."""
        return self._owner.kept(self.id).auto_delete

    @property
    def user(self) -> str:
        """Who its commands run as; empty is root."""
        return self._found.user

    @property
    def resources(self) -> Resources:
        """What it is bounded to."""
        return Resources(cpu=self._found.cpu, memory=self._found.memory, disk=self._found.disk)

    @property
    def exit_code(self) -> int | None:
        """How its own command ended; None while it runs."""
        return None if self._found.is_running else self._found.exit_code

    @property
    def error_reason(self) -> str:
        """Why it is in the state ``error``."""
        # The mark stays on a container that lived on when one of its commands was killed.
        killed = self._found.killed and self._found.exit_code == 137 and not self._found.is_running
        return self._found.error or ("it went over its memory" if killed else "")

    def refresh(self) -> Sandbox:
        """Look again.

        Raises:
            SandboxError: it is no longer there.
        """
        found = self._box.info()
        if found is None:
            self._gone = True
            raise self._box.gone()
        self._found = found
        return self

    refresh_data = refresh

    def logs(self, lines: int = 50) -> str:
        """The last lines that its own command printed, which is not one of ``process``.

        Raises:
            SandboxError: it is no longer there.
        """
        if self._box.info() is None:
            raise self._box.gone()
        return self._box.containers.logs(self.id, lines)

    def get_work_dir(self) -> str:
        """The folder in which its commands run, and at which relative paths start."""
        return self._found.workdir

    def get_user_home_dir(self) -> str:
        """The home folder of the user as whom its commands run.

        Raises:
            SandboxError: it does not run, or has no shell to ask.
        """
        done = self.process.exec('printf %s "$HOME"')
        if done.exit_code or not done.stdout.startswith("/"):
            help = "an image without `sh` does not tell; name the folder"
            message = f"the sandbox {self.name!r} does not say where its user's home is"
            raise SandboxError(Diagnostic("IB758", message, help=help))
        return done.stdout

    def start(self) -> None:
        """Start it again; its files are as they were.

        Raises:
            SandboxError: it does not start.
        """
        self._owner.start(self._box)
        self.refresh()

    def stop(self) -> None:
        """End what runs in it, and keep its files; one that is ephemeral is deleted."""
        if self._owner.kept(self.id).ephemeral:
            self.delete()
            return
        self._close()
        self._box.containers.stop(self.id)
        self.refresh()

    def delete(self) -> None:
        """Remove it with its files. Nothing happens where it is gone already."""
        self._close()
        self._owner.delete(self._box)
        self._gone = True

    def set_labels(self, labels: Mapping[str, str]) -> Mapping[str, str]:
        """Labels in the place of those that it has."""
        return self._owner.set(self.id, labels=labels).labels

    def set_autostop_interval(self, minutes: int) -> None:
        """Stop it after so many minutes without use; 0 is never."""
        self._owner.set(self.id, auto_stop=minutes)

    def set_auto_delete_interval(self, minutes: int) -> None:
        """Delete it after it was stopped for so many minutes; 0 is never."""
        self._owner.set(self.id, auto_delete=minutes)

    def preview(self, port: int, *, local_port: int = 0) -> Preview:
        """A port on this machine's loopback that leads to a port in the sandbox, for as long as this program runs.

        What listens in the sandbox has to listen on all of its addresses (``0.0.0.0``).

        Args:
            local_port: 0 chooses one that is free.

        Raises:
            SandboxError: the sandbox has no network, or the engine is on another machine.
        """
        opened = open_preview(self._box, port, local_port)
        self._previews.append(opened)
        return opened

    get_preview_link = preview

    def as_json(self) -> dict[str, Any]:
        """What is known of it; times in ISO 8601, UTC."""
        kept = self._owner.kept(self.id)
        return {
            "name": self.name,
            "id": self.id,
            "state": self.state,
            "reason": self.error_reason,
            "exit_code": self.exit_code,
            "user": self.user,
            "resources": {"cpu": self.resources.cpu, "memory": self.resources.memory, "disk": self.resources.disk},
            "snapshot": self.snapshot,
            "image": self.image,
            "labels": dict(kept.labels),
            "network_allow_list": list(self.network_allow_list),
            "created_at": self.created_at.isoformat(),
            "last_used_at": self.last_used_at.isoformat(),
            "auto_stop_interval": kept.auto_stop,
            "auto_delete_interval": kept.auto_delete,
            "ephemeral": kept.ephemeral,
        }

    def _close(self) -> None:
        for each in self._previews:
            each.close()
        self._previews.clear()
        self.process.close()
