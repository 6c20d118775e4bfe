"""Where the Pythons of bases have packages put: asked of each base once, and remembered by its digest."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from imagebuilder.diagnostics import BuildError, EngineError
from imagebuilder.engine.protocol import Engine
from imagebuilder.ir.ops import BaseImage
from imagebuilder.ir.packages import Python
from imagebuilder.registries import Registries
from imagebuilder.resolve.ground import HARMLESS
from imagebuilder.resolve.shelf import Answers
from imagebuilder.resolve.uv import normalized
from imagebuilder.store import Store

_PROBE = Path(__file__).parent / "resolve" / "probe.py"
# As uv looks for one.
_FIND = 'exec "$(command -v python || command -v python3 || echo python3)" -IB -c "$0"'
_TIMEOUT = 120.0


class Unknown(Exception):
    """A base of whose Python nothing is known; the text is why."""


class Pythons:
    """Those of the bases that one home's builds start from."""

    def __init__(self, store: Store, engine: Callable[[], Engine], platform: str) -> None:
        """
        Args:
            platform: that of the builds.
        """
        self._store = store
        self._connect = engine
        self._answers = Answers(store.home)
        self._platform = platform
        self._known: dict[tuple[str, str], Python | str] = {}

    def of(self, base: BaseImage) -> Python | str:
        """That of a base; a text says why packages cannot be laid out for it, or that it cannot be asked.

        Raises:
            EngineError: the engine does not answer.
        """
        asked = base.ref, base.platform if isinstance(base.platform, str) and base.platform else self._platform
        if asked not in self._known:
            try:
                self._known[asked] = self._of(*asked)
            except Unknown as error:
                self._known[asked] = str(error)
        return self._known[asked]

    def _of(self, ref: str, platform: str) -> Python:
        engine = self._connect()
        if engine.info().platform != platform:
            raise Unknown(f"the base is for {platform}, which is not the engine's own")
        image = engine.image(ref)
        if image is None:
            try:
                engine.fetch(ref, Registries(self._store).header(ref))
            except EngineError as error:
                raise Unknown(f"the base cannot be asked: {error.diagnostics[0].message}") from None
            image = engine.image(ref)
        if image is None:
            raise Unknown("the base cannot be asked")
        if image.platform and image.platform != platform:
            raise Unknown(f"the base here is for {image.platform}")
        if image.triggers:
            raise Unknown("the base has ONBUILD instructions, which come before it")
        probe = _PROBE.read_text(encoding="utf-8")
        # What another release asked for may be less.
        asked = sha256(probe.encode()).hexdigest()[:12]
        name = f"python-{image.id.rpartition(':')[2]}-{asked}"
        if (kept := _read(self._answers.get(name))) is not None:
            return kept
        found = self._asked(engine, image.id, probe)
        self._answers.keep(name, found.model_dump_json())
        return found

    def _asked(self, engine: Engine, image: str, probe: str) -> Python:
        try:
            done = engine.run(image, ["/bin/sh", "-c", _FIND, probe], _TIMEOUT)
        except BuildError as error:
            raise Unknown(f"the base's Python does not answer: {error.diagnostics[0].message}") from None
        if done.exit_code:
            raise Unknown(
                "the base has no Python" if done.exit_code in (126, 127) else "the base's Python does not work"
            )
        try:
            return _python(json.loads(done.stdout))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise Unknown("the base's Python does not say where its packages go") from None


def _python(found: dict[str, Any]) -> Python:
    if found["implementation"] != "cpython" or not found["glibc"]:
        raise Unknown("the base's Python is not CPython on the GNU C library")
    if found["free_threaded"]:
        raise Unknown("the base's Python is a free-threaded one")
    if found["uid"] != 0:
        raise Unknown("the base has another user than root")
    if found["in_venv"]:
        raise Unknown("the base's Python is that of a virtual environment")
    paths = {name: found[name] for name in ("executable", "purelib", "platlib", "scripts", "data", "include")}
    if not all(map(_plain, paths.values())) or " " in paths["executable"]:
        raise Unknown("the base's Python is in a place that scripts cannot name")
    if told := [each for each in found["settings"] if each not in HARMLESS]:
        raise Unknown(f"the base has settings for installers: {told[0]}")
    there = {normalized(name): version for name, version in found["there"]}
    return Python(
        version=found["version"],
        glibc=found["glibc"],
        folders=tuple(map(tuple, found["folders"])),
        links=tuple(map(tuple, found["links"])),
        there=tuple(sorted(there.items())),
        takes_venv=found["takes_venv"],
        uv_settings=str(found["uv_settings"]),
        **paths,
    )


def _plain(path: str) -> bool:
    whole = path.startswith("/") and not path.startswith("//") and posixpath.normpath(path) == path
    return whole and path.isprintable() and len(path) < 100


def _read(kept: bytes | None) -> Python | None:
    try:
        return Python.model_validate_json(kept or b"")
    except ValidationError:
        return None
