"""An image as `docker save` writes it, streamed from a layer that lies on disk.

Loading an archive, and not importing a tar, keeps every byte ours: the date, the
history and so the image's digest are the same wherever the layer is.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20
_BLOCK = tarfile.BLOCKSIZE


@dataclass(frozen=True)
class Image:
    """What an image is apart from its one layer; ``created`` is RFC 3339."""

    name: str
    architecture: str
    created: str
    env: tuple[str, ...]
    cmd: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    comment: str

    def config(self, diff_id: str) -> bytes:
        """The image's configuration, in bytes that only depend on what it says."""
        step = {"created": self.created, "created_by": "imagebuilder base build", "comment": self.comment}
        found: dict[str, Any] = {
            "architecture": self.architecture,
            "config": {"Cmd": list(self.cmd), "Env": list(self.env), "Labels": dict(self.labels)},
            "created": self.created,
            "history": [step],
            "os": "linux",
            "rootfs": {"diff_ids": [diff_id], "type": "layers"},
        }
        return json.dumps(found, sort_keys=True, separators=(",", ":")).encode()


def sha256_of(path: Path) -> str:
    """``sha256:…`` of a file."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def stream(image: Image, layer: Path, diff_id: str) -> Iterator[bytes]:
    """The archive in pieces of a megabyte at most."""
    config = image.config(diff_id)
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    layer_name = f"{diff_id.removeprefix('sha256:')}.tar"
    entry = {"Config": config_name, "RepoTags": [image.name], "Layers": [layer_name]}
    for name, body in ((config_name, config), ("manifest.json", json.dumps([entry]).encode())):
        yield _header(name, len(body)) + body + _padding(len(body))
    size = layer.stat().st_size
    yield _header(layer_name, size)
    with layer.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
    yield _padding(size) + bytes(2 * _BLOCK)


def _header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(tarfile.PAX_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)
