"""npm as it is asked by a build: what the build is, what is made of its answer, and how it fails."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

import pytest

from imagebuilder import Image
from imagebuilder.compiler import Plan, compile
from imagebuilder.diagnostics import BuildError, CompileError, ImagebuilderError
from imagebuilder.engine.fake import FakeEngine
from imagebuilder.engine.protocol import BuildFailed, BuildRequest, LogEvent, OnEvent
from imagebuilder.ir.ops import NpmInstall
from imagebuilder.ir.packages import NpmRun
from imagebuilder.locking import Change, changes, locked
from imagebuilder.options import BuildOptions
from imagebuilder.resolve.lock import LockFile, read, written
from imagebuilder.store import Store

BASE, PLATFORM = "node:22-slim", "linux/amd64"
DIGEST = "sha256:" + "d" * 64
IMAGE = Image.base(BASE).npm_install("typescript@5", g=True)


def entry(version: str = "1.0.0", **more: Any) -> dict[str, Any]:
    return {"version": version, "integrity": "sha512-" + "A" * 86 + "==", "license": "MIT", **more}


class Npm(FakeEngine):
    """Its builds print a lock of what the manifest asks for, each with a library; of ``versions``, or as it was."""

    def __init__(self) -> None:
        super().__init__()
        self.versions: dict[str, str] = {}
        self.said: list[str] | None = None
        self.entries: dict[str, Any] = {}

    def build(self, request: BuildRequest, on_event: OnEvent) -> str:
        script = request.dockerfile.read_text()
        marker = re.search(r"^ANSWER=(\S+)$", script, re.M)
        manifest = re.search(r'^({"dependencies".*?)^package\.json$', script, re.M | re.S)
        kept = re.search(r"^package\.json\n(.+?)^lock\.000$", script, re.M | re.S)
        assert marker and manifest and request.no_cache
        before = json.loads(kept[1])["packages"] if kept and kept[1].strip() else {}
        packages: dict[str, Any] = {"": {}}
        for name in json.loads(manifest[1])["dependencies"]:
            for path in (f"node_modules/{name}", f"node_modules/{name}/node_modules/lib"):
                packages[path] = before.get(path) or entry(self.versions.get(name, "1.0.0"))
        text = json.dumps({"packages": packages | self.entries})
        lines = self.said or [base64.b64encode(zlib.compress(text.encode())).decode()]
        for line in [marker[1], *lines, marker[1]]:
            on_event(LogEvent("a", line))
        return super().build(request, on_event)


@pytest.fixture
def engine() -> Npm:
    return Npm()


def plan(image: Image) -> Plan:
    return compile(image, platform=PLATFORM)


def lock(
    image: Image, engine: Npm, home: Path, before: LockFile | None = None, upgrade: list[str] | None = None
) -> tuple[LockFile, list[str]]:
    known = before or LockFile(home / "app.lock", {(BASE, PLATFORM): DIGEST})
    found, left = locked(
        plan(image),
        known.path,
        known,
        Store(home),
        lambda: engine,
        lambda event: None,
        BuildOptions(),
        upgrade=upgrade or [],
    )
    return found, [each.reason for each in left]


def test_a_lock_has_all_that_npm_would_install_and_a_build_installs_that(engine: Npm, tmp_path: Path) -> None:
    engine.entries = {
        "node_modules/typescript": entry("5.9.3", bin={"tsc": "bin/tsc"}, resolved="https://r/t.tgz", peer=True),
        "node_modules/typescript/node_modules/a": entry(hasInstallScript=True, optional=True, os=["linux"]),
    }
    found, left = lock(IMAGE, engine, tmp_path)
    found.path.write_text(written(found))
    assert read(found.path) == found and not left
    built = compile(IMAGE, platform=PLATFORM, lock=found)
    (step,) = built.stage.steps
    assert not built.open and isinstance(step.op, NpmRun) and isinstance(step.intent, NpmInstall)
    assert step.op.pins == (
        "typescript/node_modules/a=1.0.0", "typescript/node_modules/lib=1.0.0", "typescript=5.9.3",
    )  # fmt: skip
    text = built.dockerfile().text
    assert '"hasInstallScript": true' in text and "https://r/t.tgz" in text and "MIT" not in text
    assert "set -- typescript typescript/node_modules/a\n" in text, "what has scripts or commands is built"
    (asked,) = engine.dockerfiles
    assert f"\nFROM {BASE}@{DIGEST}\n" in asked and not engine.images, "the image that was asked is gone"


def test_a_long_lock_is_cut_between_packages(engine: Npm, tmp_path: Path) -> None:
    engine.entries = {f"node_modules/typescript/node_modules/a{number}": entry() for number in range(900)}
    found, _ = lock(IMAGE, engine, tmp_path)
    text = compile(IMAGE, platform=PLATFORM, lock=found).dockerfile().text
    assert "lock.000" in text and "lock.001" in text and all(f"/a{number}" in text for number in range(900))


def test_versions_stay_unless_they_are_to_be_upgraded(engine: Npm, tmp_path: Path) -> None:
    before, _ = lock(IMAGE, engine, tmp_path)
    engine.versions = {"typescript": "2.0.0"}
    assert lock(IMAGE, engine, tmp_path, before)[0] == before and before.npms
    now, _ = lock(IMAGE, engine, tmp_path, before, ["lib"])
    assert changes(before, now) == [Change("npm", "lib", "1.0.0", "2.0.0")]
    now, _ = lock(IMAGE, engine, tmp_path, before, ["typescript"])
    assert [each.name for each in changes(before, now)] == ["lib", "typescript"], "and what it brings"


@pytest.mark.parametrize(
    ("said", "entries", "reason"),
    [
        (["No npm"], {}, "the base has no npm"),
        (["Old npm 8.19.4"], {}, "npm 8.19.4 of the base is older than 9"),
        (["what?"], {}, "npm does not say what it would install"),
        (["[output clipped]"], {}, "npm does not say what it would install"),
        (None, {"node_modules/a": {"version": "1"}}, "a has no hash"),
        (None, {"node_modules/a": entry(resolved="git+ssh://h/a#1")}, "a is not of a registry: git+ssh://h/a#1"),
        (None, {"../a": entry()}, "not a path of an npm package: '../a'"),
        (None, {"node_modules/a/../../b": entry()}, "not a path of an npm package: 'a/../../b'"),
    ],
)
def test_what_cannot_be_locked_is_left_knowingly(
    engine: Npm, tmp_path: Path, said: list[str] | None, entries: dict[str, Any], reason: str
) -> None:
    engine.said, engine.entries = said, entries
    found, left = lock(IMAGE, engine, tmp_path)
    assert left == [reason] and [each.left for each in found.npms] == [reason]
    built = compile(IMAGE, platform=PLATFORM, lock=found)
    assert not built.open and not isinstance(built.stage.steps[0].op, NpmRun)


@pytest.mark.parametrize(
    ("exit_code", "log", "kind", "said"),
    [
        (71, ["npm error code E404", "npm error 404 no such thing"], CompileError, "npm cannot install typescript@5"),
        (71, ["npm error code ETARGET"], CompileError, "npm cannot install typescript@5"),
        (71, ["npm error code ENOTFOUND"], BuildError, "npm's registry does not answer"),
        (71, ["npm ERR! code SELF_SIGNED_CERT_IN_CHAIN"], BuildError, "npm's registry does not answer"),
        (1, [], BuildError, "npm_install failed with exit code 1"),
    ],
)
def test_what_npm_refuses_is_told_at_its_line(
    engine: Npm, tmp_path: Path, exit_code: int, log: list[str], kind: type[ImagebuilderError], said: str
) -> None:
    lock(IMAGE, engine, tmp_path)
    line = engine.dockerfiles[0].partition("\nRUN")[0].count("\n") + 2
    engine.fail = BuildFailed("x", line=line, exit_code=exit_code, log=log)
    with pytest.raises(kind) as caught:
        lock(IMAGE, engine, tmp_path)
    (diagnostic,) = caught.value.diagnostics
    assert said in diagnostic.message and diagnostic.place is not None and diagnostic.help
    assert all(line in str(diagnostic.notes) for line in log)
