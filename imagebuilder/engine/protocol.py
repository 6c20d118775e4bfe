"""What the rest of the project asks of an engine.

Small on purpose: a fake of it fits on a page, and whatever builds images can
stand behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from imagebuilder.diagnostics import Diagnostic

if TYPE_CHECKING:
    from imagebuilder.engine.containers import Containers


class EngineInfo(NamedTuple):
    """``docker_host`` is what DOCKER_HOST would be; ``driver`` is the engine's storage driver."""

    docker_host: str
    version: str
    platform: str
    driver: str = ""


@dataclass(frozen=True, slots=True)
class SecretValue:
    """A secret's value, which is passed through the environment or is a file, never an argument.

    ``hidden`` says that it must not show in what the build prints.
    """

    value: str | None = field(default=None, repr=False)
    file: Path | None = None
    hidden: bool = True


class Cancel:
    """Ends builds from another thread: those that run, and those that have not begun."""

    def __init__(self) -> None:
        self.is_set = False
        self._lock = Lock()
        self._stops: dict[int, Callable[[], None]] = {}

    def cancel(self) -> None:
        with self._lock:
            self.is_set = True
            stops = list(self._stops.values())
        for stop in stops:
            stop()

    @contextmanager
    def watching(self, stop: Callable[[], None]) -> Iterator[None]:
        """Have ``stop`` called when it is cancelled inside the block, or at once where it was before."""
        with self._lock:
            already = self.is_set
            self._stops[id(stop)] = stop
        try:
            if already:
                stop()
            yield
        finally:
            with self._lock:
                del self._stops[id(stop)]


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """One build. All paths exist; ``tag`` is the reference that the image gets.

    A context is a folder, or what buildx takes in its place, such as ``docker-image://NAME``. ``lock`` is the
    file descriptor of a lock that shall not be free before the builder is gone, even if this process is killed.

    ``cache_from`` names layer caches in registries, which have to answer: one that does not holds the builder.
    With ``push`` the image goes to a registry under that name and to no engine, and its layers to ``cache_to``,
    where they are an extra. ``limit`` is in seconds, after which the build has failed.

    ``docker_config`` is a folder that stands in for Docker's own configuration, with the logins that are needed.

    With ``export`` the files of what is built go into that folder, and no image is made.

    With an ``epoch``, seconds since 1970, nothing in the image is younger, so that the same steps give the same digest.
    """

    dockerfile: Path
    context: Path
    tag: str
    platform: str
    contexts: Mapping[str, Path | str] = field(default_factory=dict)
    build_args: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, SecretValue] = field(default_factory=dict)
    no_cache: bool = False
    builder: str | None = None
    cache_from: Sequence[str] = ()
    push: str | None = None
    cache_to: str | None = None
    limit: float | None = None
    docker_config: Path | None = None
    epoch: int | None = None
    export: Path | None = None
    cancel: Cancel | None = field(default=None, compare=False)
    lock: int | None = field(default=None, compare=False)


class ImageInfo(NamedTuple):
    """``id`` is what the engine calls the image, ``size`` is in bytes, ``digests`` are what registries call it.

    ``entrypoint`` and ``command`` are how its containers start. ``platform`` is such as ``linux/arm64``, or empty where
    the engine does not say it. ``triggers`` are what a build that starts from it does first (ONBUILD).
    """

    id: str
    size: int
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    platform: str = ""
    triggers: tuple[str, ...] = ()


class SavedImage(NamedTuple):
    """An image's layers as its manifest describes them, and its configuration (OCI image specification, 1.0)."""

    layers: Sequence[Mapping[str, Any]]
    config: Mapping[str, Any]


class ImageManifest(NamedTuple):
    """The manifest of an image in an engine's store, as an index names it, and when the image was made (ISO 8601)."""

    media_type: str
    digest: str
    size: int
    created: str


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """An instruction that an image was made by, as its history has it, and the bytes that it added."""

    instruction: str
    size: int

    @property
    def keyword(self) -> str:
        return self.instruction.partition(" ")[0]


@dataclass(frozen=True, slots=True)
class Output:
    """What a command in a container printed, and how it ended."""

    exit_code: int
    stdout: str
    stderr: str


State = Literal["started", "done", "cached", "failed"]


BESIDE = -1


@dataclass(frozen=True, slots=True)
class StepEvent:
    """A step of a build changed its state. ``stage`` and ``position`` are those of ``[stage 2/5]``.

    ``seconds`` is how long it ran, once it has ended. Its ``position`` is :data:`BESIDE` where it is something besides
    the steps of a build, such as a pull.
    """

    id: str
    name: str
    state: State
    seconds: float = 0.0
    stage: str = ""
    position: int = 0

    @property
    def is_chore(self) -> bool:
        """Whether it is one of BuildKit's own, of interest only when it fails."""
        return self.position == 0 and self.state != "failed" and not self.name.startswith("exporting")


@dataclass(frozen=True, slots=True)
class LogEvent:
    """A line that a step printed."""

    id: str
    line: str


@dataclass(frozen=True, slots=True)
class WarningEvent:
    """Something that the person should know, and that does not end the build."""

    diagnostic: Diagnostic


Event = StepEvent | LogEvent | WarningEvent
OnEvent = Callable[[Event], None]


_LOST_TRACK = re.compile(r"failed to stat active key during commit|failed to prepare extraction snapshot")


class BuildFailed(Exception):
    """The builder refused or a step failed; the caller knows where the line comes from.

    ``line`` is the Dockerfile's (0 if unknown), ``exit_code`` the failed
    command's (None if none ran), ``log`` the last lines of the failed step, and
    ``step`` what the builder calls that.
    """

    def __init__(
        self,
        message: str,
        *,
        line: int = 0,
        exit_code: int | None = None,
        log: Sequence[str] = (),
        step: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.exit_code = exit_code
        self.log = tuple(log)
        self.step = step

    @property
    def is_passing(self) -> bool:
        """Whether the same build may well succeed now.

        BuildKit loses track of a step that it cancels for one client, which was killed, while it runs
        it for another.
        """
        return _LOST_TRACK.search(self.message) is not None


class WrongBase(BuildFailed):
    """A base is for another platform than it has to be; the builder would take it all the same."""

    def __init__(self, ref: str, has: str, wanted: str, line: int) -> None:
        super().__init__(f"{ref} is for {has}, not for {wanted}", line=line)
        self.ref, self.has, self.wanted = ref, has, wanted


class Engine(Protocol):
    """Builds, keeps and runs images.

    Every method raises :class:`~imagebuilder.diagnostics.EngineError` when the engine does not answer.
    """

    def info(self) -> EngineInfo: ...

    def build(self, request: BuildRequest, on_event: OnEvent) -> str:
        """Build, and return the image's digest; an empty one where none is made.

        Raises:
            BuildFailed: a step failed, or a base is for another platform; no step has run then.
            Interrupted: the person pressed Ctrl-C; the builder has stopped.
        """
        ...

    def image(self, ref: str) -> ImageInfo | None:
        """The image of that name, digest or id, or None."""
        ...

    def saved(self, image: ImageInfo) -> SavedImage | None:
        """Its manifest; None where its builder would not find those layers, or to ask would take too long."""
        ...

    def names(self, ref: str) -> Sequence[str] | None:
        """The names that an image has, or None where it is not there: the cheapest question about an image."""
        ...

    def history(self, ref: str) -> Sequence[HistoryEntry]:
        """What an image that it has was made by, the oldest first."""
        ...

    def fetch(self, ref: str, login: str | None = None) -> None:
        """Have the image of a name or of ``NAME@DIGEST``, pulled from its registry where it is not there.

        Args:
            login: the header ``X-Registry-Auth``; None is what Docker's own client knows of that registry.

        Raises:
            EngineError: it cannot be had.
        """
        ...

    def push(
        self, image: str, ref: str, login: str | None = None, *, size: int = 0, cancel: Cancel | None = None
    ) -> str:
        """Push an image as it is under a name, which the engine does not keep.

        Args:
            login: as in :meth:`fetch`.
            size: its bytes, which decide how long this may take.
            cancel: ends it, without an error.

        Returns:
            The digest that the registry has it by, empty where the engine does not say it.

        Raises:
            EngineError: the registry would not.
        """
        ...

    def manifest(self, image: str) -> ImageManifest | None:
        """The manifest of an image, or None where the engine's store has none, or one for several platforms."""
        ...

    def load(self, archive: Iterable[bytes]) -> None:
        """Take in an archive of images, given in pieces; of what it refers to, it may leave out what is there."""
        ...

    def tag(self, image: str, ref: str) -> None: ...

    def untag(self, ref: str) -> None:
        """Take the name away; the image goes when it has no other. Nothing happens where there is none."""
        ...

    def builder_cache(self, *, unused: bool = False) -> int:
        """Bytes of the layers that the builder keeps, or of those that no build uses right now."""
        ...

    def prune_builder_cache(self, older_than: float | None = None) -> int:
        """Drop the builder's layers, or those not used for so many seconds; the bytes that went."""
        ...

    def require_builder(self, name: str) -> None:
        """
        Raises:
            CompileError: there is no builder of that name.
        """
        ...

    @property
    def environment(self) -> Mapping[str, str]:
        """What Docker's own client needs in its environment to talk to this engine, beyond what is there."""
        ...

    @property
    def containers(self) -> Containers:
        """What sandboxes are made of."""
        ...

    def run(self, image: str, command: Sequence[str], timeout: float = 60.0) -> Output:
        """Run a command in a new container of the image and remove the container. ``timeout`` is in seconds.

        Raises:
            BuildError: the command did not end in time.
        """
        ...
