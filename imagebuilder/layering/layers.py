"""Archives of packages as they lie in an image, written once and kept under the home.

They are packed as layers are: a builder takes one as it is where it can, and adds its files where it cannot.
"""

from __future__ import annotations

import errno
import json
import os
import tempfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import IO, NamedTuple, cast

from imagebuilder.diagnostics import BuildError, Diagnostic
from imagebuilder.ir.packages import DistributionFile, Layer
from imagebuilder.layering import archive
from imagebuilder.layering.wheels import WheelStore
from imagebuilder.resolve.logins import Logins
from imagebuilder.resolve.shelf import LAYERS, NEW, Shelf

_ARCHIVE = "layer.tar.gz"
_SEAL, _FILES, _BLOB = "seal", "files", "blob"
# Of zlib: beyond it, an archive takes twice as long to be a fiftieth smaller.
_LEVEL = 4
_GZIP = 31


class Blob(NamedTuple):
    """A layer's archive as manifests describe it. ``diff_id`` is the digest of what is packed in it."""

    digest: str
    size: int
    diff_id: str


class LayerStore:
    """Those of one home."""

    def __init__(self, home: Path, ca: Path | None = None, logins: Logins | None = None) -> None:
        """
        Args:
            ca: for what has to be fetched; None is that of ``SSL_CERT_FILE``, or the system's.
            logins: those of indexes, besides the user's own.
        """
        self._shelf = Shelf(home)
        self._wheels = WheelStore(home, ca, logins)

    def using(self) -> AbstractContextManager[None]:
        """Nothing that resolving keeps goes for as long as the block lasts."""
        return self._shelf.using()

    def path(self, layer: Layer) -> Path:
        return self._shelf.item(LAYERS, _name(layer)) / _ARCHIVE

    def blob(self, layer: Layer) -> Blob:
        """
        Raises:
            OSError: it was not written, or is gone.
        """
        return Blob(*json.loads(self.path(layer).with_name(_BLOB).read_text(encoding="utf-8")))

    def missing(self, layers: Iterable[Layer]) -> list[DistributionFile]:
        """The files that have to be fetched before all of these can be written."""
        wanted = [layer for layer in layers if not self._is_whole(layer)]
        return self._wheels.missing(file for layer in wanted for each in layer.distributions for file in each.files)

    def fetch(self, files: Sequence[DistributionFile], on_bytes: Callable[[int], None]) -> None:
        """
        Args:
            on_bytes: called with how many more bytes have come, from several threads.

        Raises:
            BuildError: one cannot be had.
        """
        self._wheels.fetch(files, on_bytes)

    def wheel(self, file: DistributionFile) -> Path:
        """Where a wheel is, once it was fetched."""
        return self._wheels.path(file)

    def write(self, layers: Iterable[Layer]) -> None:
        """Have the archives of all of these, whose wheels are here.

        Raises:
            BuildError: a wheel cannot be installed, or an archive cannot be written.
        """
        missing: dict[str, Layer] = {}
        for layer in layers:
            if self._is_whole(layer):
                self._shelf.used(LAYERS, _name(layer))
            else:
                missing[_name(layer)] = layer
        if not missing:
            return
        by_size = sorted(missing.values(), key=lambda layer: -sum(each.size for each in layer.distributions))
        stop = Event()
        with ThreadPoolExecutor(min(len(missing), os.cpu_count() or 1)) as pool:
            try:
                for _ in pool.map(partial(self._write, stop=stop), by_size):
                    pass
            except Exception:
                raise
            except BaseException:
                # The pool waits for those that have begun, which may be large.
                stop.set()
                raise

    def joined(self, layers: Sequence[Layer]) -> tuple[list[Layer], list[str]]:
        """The layers of one install, and what had to be done to them, in words.

        Which of them is on top is no part of a key: so those that have one path with different bytes become one layer,
        in which the order is that of their files' names.
        """
        found: dict[str, dict[int, str]] = {}
        for number, layer in enumerate(layers):
            files = json.loads(self.path(layer).with_name(_FILES).read_text(encoding="utf-8"))
            for path, row in files.items():
                found.setdefault(path, {})[number] = row
        one, told = list(range(len(layers))), []
        for path, rows in found.items():
            if len(set(rows.values())) > 1 and len(joined := {one[number] for number in rows}) > 1:
                names = " and ".join(_names(layers[number]) for number in rows)
                told.append(f"{names} have {path}, and are in one layer")
                one = [min(joined) if each in joined else each for each in one]
        if not told:
            return list(layers), []
        groups: dict[int, list[Layer]] = {}
        # Where the uppermost of them was.
        for number, layer in reversed(list(enumerate(layers))):
            groups.setdefault(one[number], []).append(layer)
        return [_one(each) for each in reversed(groups.values())], told

    def _is_whole(self, layer: Layer) -> bool:
        """Whether the archive is there, and untouched since it was written."""
        path = self.path(layer)
        with suppress(OSError):
            for name in (_FILES, _BLOB):
                path.with_name(name).stat()
            return path.with_name(_SEAL).read_bytes() == _seal(path)
        return False

    def _write(self, layer: Layer, stop: Event) -> None:
        folder = self._shelf.new(LAYERS, _name(layer))
        wheels = [self._wheels.path(file) for each in layer.distributions for file in each.files]
        with tempfile.NamedTemporaryFile(dir=folder, prefix=NEW, delete=False) as out:
            try:
                packing = _Packing(out, stop)
                files = archive.write(wheels, layer.python, cast("IO[bytes]", packing))
                blob = packing.end()
                out.flush()
                os.fsync(out.fileno())
                (folder / _FILES).write_text(json.dumps(files), encoding="utf-8")
                (folder / _BLOB).write_text(json.dumps(blob), encoding="utf-8")
                Path(out.name).replace(folder / _ARCHIVE)
                (folder / _SEAL).write_bytes(_seal(folder / _ARCHIVE))
            except archive.Unfit as error:
                names = ", ".join(f"{each.name} {each.version}" for each in layer.distributions)
                raise BuildError(Diagnostic("IB672", f"{names}: {error}", help="take another version")) from None
            except OSError as error:
                message = f"packages cannot be laid out: {error.strerror or error}"
                raise BuildError(Diagnostic("IB671", message, help="`imagebuilder cache prune` frees space")) from None
            finally:
                Path(out.name).unlink(missing_ok=True)


def _one(layers: Sequence[Layer]) -> Layer:
    each = (distribution for layer in layers for distribution in layer.distributions)
    return Layer(distributions=tuple(sorted(each, key=lambda each: each.name)), python=layers[0].python)


class _Packing:
    """Packs what is written to it, and says afterwards what came of it."""

    def __init__(self, out: IO[bytes], stop: Event) -> None:
        self._out = out
        self._stop = stop
        self._pack = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        self._inner, self._outer = sha256(), sha256()
        self._size = 0

    def write(self, data: bytes) -> int:
        if self._stop.is_set():
            raise OSError(errno.EINTR, os.strerror(errno.EINTR))
        self._inner.update(data)
        self._put(self._pack.compress(data))
        return len(data)

    def end(self) -> Blob:
        self._put(self._pack.flush())
        return Blob(f"sha256:{self._outer.hexdigest()}", self._size, f"sha256:{self._inner.hexdigest()}")

    def _put(self, data: bytes) -> None:
        self._outer.update(data)
        self._size += len(data)
        self._out.write(data)


def _names(layer: Layer) -> str:
    names = [each.name for each in layer.distributions]
    return names[0] if len(names) == 1 else f"one of {len(names)} small packages"


def _name(layer: Layer) -> str:
    return layer.digest.removeprefix("sha256:")


def _seal(path: Path) -> bytes:
    # Without ctime, which moves when a build links the archive into its context.
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ino}".encode()
