"""Builds that go from one store to one engine in memory."""

from __future__ import annotations

from pathlib import Path

from imagebuilder import Image
from imagebuilder.builder import Build
from imagebuilder.compiler import Plan, compile
from imagebuilder.engine.fake import FakeEngine
from imagebuilder.engine.imagetools import Manifest, RegistryError
from imagebuilder.engine.protocol import BuildRequest, Event
from imagebuilder.options import BuildOptions
from imagebuilder.store import Snapshot, Store

IMAGE = Image.base("debian").run_commands("true")


class Watched(Store):
    """Keeps every state that somebody else could have seen."""

    seen: list[str]

    def begin(self, *args: object) -> Snapshot:
        found = super().begin(*args)  # type: ignore[arg-type]
        self.seen = [self.get(found.name).state]
        return found

    def building(self, snapshot: Snapshot) -> None:
        super().building(snapshot)
        self.seen.append(self.get(snapshot.name).state)


class FakeTools:
    """A registry in memory; ``error`` is what every call ends with, ``unread`` what reading by a digest does.

    What is ``gone`` was named by a manifest and is no longer there.
    """

    def __init__(self, manifests: dict[str, Manifest]) -> None:
        self.manifests = manifests
        self.asked: list[str] = []
        self.error: RegistryError | None = None
        self.unread: RegistryError | None = None
        self.gone: set[str] = set()

    def manifest(self, ref: str, timeout: float) -> Manifest | None:
        self.asked.append(ref)
        if self.error is not None:
            raise self.error
        return self.manifests.get(ref)

    def read(self, ref: str, timeout: float) -> bool:
        self.asked.append(ref)
        if self.unread is not None:
            raise self.unread
        return ref not in self.gone

    def name(self, source: str, target: str, timeout: float) -> None:
        if source not in self.manifests:
            raise RegistryError(f"{source}: not found")
        self.manifests[target] = self.manifests[source]


class Bench:
    """A store, an engine in memory, and builds that go from one to the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Watched(folder / "home")
        self.engine = FakeEngine()
        self.events: list[Event] = []

    def build(self, image: Image | Plan = IMAGE, name: str = "app", **options: object) -> Snapshot:
        plan = image if isinstance(image, Plan) else compile(image, platform="linux/amd64")
        chosen = BuildOptions(**options)  # type: ignore[arg-type]
        return Build(plan, name, chosen, self.store, lambda: self.engine, self.events.append).run()

    @property
    def request(self) -> BuildRequest:
        return self.engine.requests[-1]

    def staged(self) -> list[str]:
        folder = self.store.home / "staging"
        return [path.name for path in folder.iterdir()] if folder.exists() else []

    def project(self) -> Image:
        source = self.folder / "src"
        source.mkdir()
        (source / "a").write_text("a")
        return Image.base("debian").add_local_dir(source, "/app").add_text("no line end", "/b")
