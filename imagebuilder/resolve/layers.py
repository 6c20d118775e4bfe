"""Archives of packages as they lie in an image, written once and kept under the home."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from imagebuilder.diagnostics import BuildError, Diagnostic
from imagebuilder.home import private_folder
from imagebuilder.ir.ops import DistributionFile, Layer
from imagebuilder.resolve import archive
from imagebuilder.resolve.wheels import WheelStore


class LayerStore:
    """Those of one home."""

    def __init__(self, home: Path, ca: Path | None = None) -> None:
        """
        Args:
            ca: for what has to be fetched; None is that of ``SSL_CERT_FILE``, or the system's.
        """
        self._folder = home / "layers"
        self._wheels = WheelStore(home, ca)

    def path(self, layer: Layer) -> Path:
        return self._folder / f"{layer.digest.removeprefix('sha256:')}.tar"

    def missing(self, layers: Iterable[Layer]) -> list[DistributionFile]:
        """The files that have to be fetched before all of these can be written."""
        wanted = [layer for layer in layers if not self.path(layer).exists()]
        return self._wheels.missing(file for layer in wanted for each in layer.distributions for file in each.files)

    def fetch(self, files: Sequence[DistributionFile]) -> None:
        """
        Raises:
            BuildError: one cannot be had.
        """
        self._wheels.fetch(files)

    def write(self, layers: Iterable[Layer]) -> None:
        """Have the archives of all of these, whose wheels are here.

        Raises:
            BuildError: a wheel cannot be installed, or an archive cannot be written.
        """
        missing = {self.path(layer): layer for layer in layers if not self.path(layer).exists()}
        if not missing:
            return
        private_folder(self._folder)
        by_size = sorted(missing, key=lambda path: -sum(each.size for each in missing[path].distributions))
        with ThreadPoolExecutor(min(len(missing), os.cpu_count() or 1)) as pool:
            for _ in pool.map(lambda path: self._write(path, missing[path]), by_size):
                pass

    def _write(self, path: Path, layer: Layer) -> None:
        wheels = [self._wheels.path(file) for each in layer.distributions for file in each.files]
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".", delete=False) as out:
            try:
                archive.write(wheels, layer.python, out)
                out.close()
                Path(out.name).replace(path)
            except archive.Unfit as error:
                names = ", ".join(f"{each.name} {each.version}" for each in layer.distributions)
                raise BuildError(Diagnostic("IB672", f"{names}: {error}", help="take another version")) from None
            except OSError as error:
                message = f"packages cannot be laid out: {error.strerror or error}"
                raise BuildError(Diagnostic("IB671", message, help="`imagebuilder cache prune` frees space")) from None
            finally:
                Path(out.name).unlink(missing_ok=True)
