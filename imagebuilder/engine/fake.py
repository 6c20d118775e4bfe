"""An engine in memory, for unit tests of what stands above the engine."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from io import BytesIO

from imagebuilder.engine.fake_containers import FakeContainers
from imagebuilder.engine.protocol import (
    BuildFailed,
    BuildRequest,
    Cancel,
    EngineInfo,
    HistoryEntry,
    ImageInfo,
    ImageManifest,
    LogEvent,
    OnEvent,
    Output,
    SavedImage,
    StepEvent,
)


class FakeEngine:
    """Answers every build with an image whose digest is that of the Dockerfile.

    ``fail`` is raised by the next build; ``during`` is called inside of each. ``refuses`` is what a push ends with,
    ``loaded`` are the files of the last archive that was taken in.
    """

    def __init__(self) -> None:
        self.requests: list[BuildRequest] = []
        self.dockerfiles: list[str] = []
        self.images: dict[str, str] = {}
        self.layers = 5000
        self.histories: dict[str, Sequence[HistoryEntry]] = {}
        self.fail: BuildFailed | None = None
        self.fetched: list[str] = []
        self.logins: list[str | None] = []
        self.pushed: dict[str, str] = {}
        self.refuses: Exception | None = None
        self.manifests: dict[str, ImageManifest] = {}
        self.loaded: dict[str, bytes] = {}
        self.containers = FakeContainers()
        self.during: Callable[[BuildRequest], None] = lambda request: None

    def info(self) -> EngineInfo:
        return EngineInfo("fake://", "0", "linux/amd64", "memory")

    def build(self, request: BuildRequest, on_event: OnEvent) -> str:
        text = request.dockerfile.read_text()
        self.requests.append(request)
        self.dockerfiles.append(text)
        self.during(request)
        on_event(StepEvent("a", "[2/2] RUN true", "started", 0.0, "", 2))
        on_event(LogEvent("a", "hello from the build"))
        if self.fail is not None:
            failure, self.fail = self.fail, None
            on_event(StepEvent("a", "[2/2] RUN true", "failed", 0.1, "", 2))
            raise failure
        on_event(StepEvent("a", "[2/2] RUN true", "done", 0.1, "", 2))
        if request.export is not None:
            return ""
        digest = "sha256:" + sha256(text.encode()).hexdigest()
        self.images[request.tag] = digest
        return digest

    def image(self, ref: str) -> ImageInfo | None:
        digest = next((digest for tag, digest in self.images.items() if ref in (tag, digest)), None)
        if digest is None:
            return None
        return ImageInfo(digest, 1000, tuple(tag for tag, its in self.images.items() if its == digest))

    def saved(self, image: ImageInfo) -> SavedImage | None:
        return None

    def names(self, ref: str) -> Sequence[str] | None:
        image = self.image(ref)
        return None if image is None else image.tags

    def history(self, ref: str) -> Sequence[HistoryEntry]:
        return self.histories.get(ref, ())

    def fetch(self, ref: str, login: str | None = None) -> None:
        self.fetched.append(ref)
        self.logins.append(login)
        self.images.setdefault(ref, "sha256:" + sha256(ref.encode()).hexdigest())

    def push(
        self, image: str, ref: str, login: str | None = None, *, size: int = 0, cancel: Cancel | None = None
    ) -> str:
        self.logins.append(login)
        if self.refuses is not None:
            raise self.refuses
        self.pushed[ref] = self.images.get(image, image)
        return self.pushed[ref]

    def manifest(self, image: str) -> ImageManifest | None:
        return self.manifests.get(image)

    def load(self, archive: Iterable[bytes]) -> None:
        with tarfile.open(fileobj=BytesIO(b"".join(archive))) as tar:
            self.loaded = {item.name: file.read() for item in tar if (file := tar.extractfile(item))}
        for entry in json.loads(self.loaded["index.json"])["manifests"]:
            self.images[entry["annotations"]["io.containerd.image.name"]] = entry["digest"]

    def tag(self, image: str, ref: str) -> None:
        found = self.image(image)
        assert found is not None
        self.images[ref] = found.id

    def untag(self, ref: str) -> None:
        self.images.pop(ref, None)

    def builder_cache(self, *, unused: bool = False) -> int:
        return self.layers

    def prune_builder_cache(self, older_than: float | None = None) -> int:
        freed, self.layers = self.layers, 0
        return freed

    def require_builder(self, name: str) -> None:
        return

    @property
    def environment(self) -> Mapping[str, str]:
        return {}

    def run(self, image: str, command: Sequence[str], timeout: float = 60.0) -> Output:
        return Output(0, " ".join(command) + "\n", "")
