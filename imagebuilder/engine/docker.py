"""A Docker Engine: builds through buildx, everything else through the HTTP API."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

from imagebuilder.diagnostics import Diagnostic, EngineError
from imagebuilder.engine.api import Api, NotFound, TimedOut
from imagebuilder.engine.endpoint import EMBEDDED, Endpoint, configured, default
from imagebuilder.engine.protocol import (
    BuildRequest,
    Cancel,
    EngineInfo,
    HistoryEntry,
    ImageInfo,
    ImageManifest,
    OnEvent,
    Output,
    SavedImage,
)
from imagebuilder.home import id_of
from imagebuilder.locks import lock

if TYPE_CHECKING:
    # Imported late: to ask for an image takes neither buildx nor any other program.
    from imagebuilder.engine.buildx import Buildx
    from imagebuilder.engine.docker_containers import DockerContainers

_PIECE = 1 << 20
# Bytes of an image whose manifest is asked for: all its layers are read on the way.
_MOST_SAVED = 4 << 30
_MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)
_PULL_TIMEOUT = 1800.0
_PULL_HELP = "can the registry be reached from here, and does `imagebuilder registry add` or `docker login` know it?"
_LOGIN_HELP = "`imagebuilder registry test NAME IMAGE` says what is wrong; `imagebuilder registry list` has the names"

# What an engine puts before its reason, and says as well.
_WRAPPED = re.compile(
    r'\A(?:Error response from daemon: )?(?:failed to resolve reference "[^"]*": )?(?:failed to do request: )?'
)
_ASKED = re.compile(r'(?:Head|Get) "https?://(?P<host>[^/"]+)[^"]*": ')


class DockerEngine:
    """See :class:`~imagebuilder.engine.protocol.Engine`."""

    def __init__(self, endpoint: Endpoint, home: Path) -> None:
        self.endpoint = endpoint
        self._home = home
        self.api = Api(endpoint)

    def info(self) -> EngineInfo:
        version = self.api.version()
        driver = self.api.info().get("Driver", "")
        where = f"{version.get('Os', 'linux')}/{version.get('Arch', '')}"
        return EngineInfo(self.endpoint.host, version.get("Version", ""), where, driver)

    def buildx(self) -> Buildx:
        from imagebuilder.engine.buildx import Buildx, find_program

        return Buildx(find_program(self._home), self.endpoint, self._home / "buildx")

    def build(self, request: BuildRequest, on_event: OnEvent) -> str:
        self.api.ping()  # buildx's own message for an absent engine names none of the ways out.
        digest = self.buildx().build(request, on_event)
        if request.epoch is not None and not request.push:
            from imagebuilder.engine.buildx import archive_of

            path = archive_of(request)
            try:
                with path.open("rb") as archive:
                    self.api.load(iter(lambda: archive.read(_PIECE), b""))
            finally:
                path.unlink(missing_ok=True)
        return digest

    def image(self, ref: str) -> ImageInfo | None:
        found = self.api.image(ref)
        if found is None:
            return None
        config = found.get("Config") or {}
        return ImageInfo(
            found["Id"],
            int(found.get("Size", 0)),
            tuple(found.get("RepoTags") or ()),
            _digests(found),
            tuple(config.get("Entrypoint") or ()),
            tuple(config.get("Cmd") or ()),
            f"{found.get('Os', 'linux')}/{found['Architecture']}" if found.get("Architecture") else "",
            tuple(config.get("OnBuild") or ()),
        )

    def saved(self, image: ImageInfo) -> SavedImage | None:
        if image.size > _MOST_SAVED:
            return None
        from imagebuilder.engine import saved

        with self.api.stream("GET", f"/images/{quote(image.id)}/get") as archive:
            return saved.read(archive, image.id, image.platform)

    def names(self, ref: str) -> Sequence[str] | None:
        # Its history has them, and takes a third of an inspection, which measures the image's content.
        with suppress(NotFound):
            if found := self._history(ref):
                return tuple(found[0].get("Tags") or ())
        # An image without layers has none; one of another platform may be known by inspection alone.
        image = self.image(ref)
        return None if image is None else image.tags

    def history(self, ref: str) -> Sequence[HistoryEntry]:
        return [
            HistoryEntry(_instruction(str(each.get("CreatedBy") or "")), int(each.get("Size") or 0))
            for each in reversed(self._history(ref))
        ]

    def _history(self, ref: str) -> Sequence[Mapping[str, Any]]:
        return self.api.json("GET", f"/images/{quote(ref)}/history").get("items") or ()

    def fetch(self, ref: str, login: str | None = None) -> None:
        if self.api.image(ref) is None:
            self._fetch(ref, login)

    def _fetch(self, ref: str, login: str | None) -> None:
        import subprocess

        from imagebuilder import command
        from imagebuilder.engine.buildx import find_docker
        from imagebuilder.engine.imagetools import shorten
        from imagebuilder.engine.redact import of_login, redactor

        if login is not None:
            if said := self.api.pull_failure(ref, login):
                # A registry may say again what it was told.
                said = redactor(of_login(login))(said)
                raise EngineError(Diagnostic("IB645", not_pulled(ref, shorten(said)), help=_LOGIN_HELP))
            return
        # Docker's own client, since it knows whose credentials the registry wants; without it, as anybody.
        client = find_docker(self._home)
        if client is None:
            if not self.api.pull(ref):
                raise EngineError(Diagnostic("IB645", f"cannot pull {ref}", help=_PULL_HELP))
            return
        try:
            done = command.run([client, "pull", "--quiet", ref], env=dict(self.endpoint.env), timeout=_PULL_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise EngineError(
                Diagnostic("IB645", f"cannot pull {ref}: not done after {_PULL_TIMEOUT:g} s", help=_PULL_HELP)
            ) from None
        if done.returncode:
            said = shorten(done.stderr.decode(errors="replace"))
            raise EngineError(Diagnostic("IB645", not_pulled(ref, said), help=_PULL_HELP))

    def push(
        self, image: str, ref: str, login: str | None = None, *, size: int = 0, cancel: Cancel | None = None
    ) -> str:
        from imagebuilder.engine.pushing import push

        return push(self.api, self._home, image, ref, login, size, cancel)

    def manifest(self, image: str) -> ImageManifest | None:
        found = self.api.image(image) or {}
        what = found.get("Descriptor") or {}
        if what.get("mediaType") not in _MANIFESTS:
            return None
        return ImageManifest(what["mediaType"], what["digest"], int(what["size"]), str(found.get("Created") or ""))

    def load(self, archive: Iterable[bytes]) -> None:
        self.api.load(archive)

    def pull(self, ref: str) -> bool:
        """Whether a registry gave the image."""
        return self.api.pull(ref)

    def reaches_registry(self) -> tuple[bool, str]:
        """Whether the engine can ask Docker Hub for an image's digest, and its reason where it cannot."""
        try:
            self.api.registry_digest("hello-world:latest")
        except TimedOut:
            return False, "no answer in time"
        except EngineError as error:
            text = error.diagnostics[0].message
            return False, text.partition(": ")[2] or text
        return True, ""

    def tag(self, image: str, ref: str) -> None:
        self.api.tag(image, ref)

    def untag(self, ref: str) -> None:
        self.api.untag(ref)

    def builder_cache(self, *, unused: bool = False) -> int:
        return self.api.builder_cache(unused=unused)

    def prune_builder_cache(self, older_than: float | None = None) -> int:
        return self.api.prune_builder_cache(older_than)

    def require_builder(self, name: str) -> None:
        self.buildx().require(name)

    @property
    def environment(self) -> Mapping[str, str]:
        return self.endpoint.env if self.endpoint.source == EMBEDDED else {}

    @property
    def containers(self) -> DockerContainers:
        from imagebuilder.engine.docker_containers import DockerContainers

        return DockerContainers(self.api)

    def run(self, image: str, command: Sequence[str], timeout: float = 60.0) -> Output:
        # Whoever is killed meanwhile leaves a container that the next look at sandboxes finds.
        from imagebuilder.engine.containers import HOME, TRIAL, maker_lock

        trial = uuid4().hex
        with lock(maker_lock(self._home, trial)):
            return self.api.run(image, list(command), timeout, {HOME: id_of(self._home), TRIAL: trial})


def not_pulled(ref: str, said: str) -> str:
    """One sentence of what an engine said of a pull: who was asked, and its reason last."""
    said = _WRAPPED.sub("", said)
    asked = _ASKED.match(said)
    if asked is None:
        return f"cannot pull {ref}: {said}"
    return f"cannot pull {ref}, since asking {asked['host']} failed: {said[asked.end() :]}"


def _instruction(said: str) -> str:
    """On one line, as a Dockerfile has it; of the builder before BuildKit, too."""
    text = " ".join(said.removesuffix("# buildkit").split())
    if text.startswith("/bin/sh -c #(nop)"):
        return text.removeprefix("/bin/sh -c #(nop)").strip()
    text = re.sub(r"^(RUN )?/bin/sh -c ", "RUN ", text)
    return text or "an imported archive"


def _digests(image: Mapping[str, Any]) -> tuple[str, ...]:
    """Of ``NAME@DIGEST`` the digest; with containerd's image store the id is one, too."""
    return tuple(dict.fromkeys([*(each.partition("@")[2] for each in image.get("RepoDigests") or ()), image["Id"]]))


def connect(home: Path) -> DockerEngine:
    """The engine to use; it answers.

    Raises:
        EngineError: none does.
    """
    endpoint = configured() or default()
    try:
        Api(endpoint).ping()
    except EngineError:
        from imagebuilder.engine.embedded.engine import status

        own = status(home)
        if endpoint.source != "default" or not own.running:
            raise
        endpoint = Endpoint.at(own.docker_host, EMBEDDED)
    return DockerEngine(endpoint, home)
