"""An image's manifest, of the archive that an engine saves it as; what layers hold is passed over."""

from __future__ import annotations

import http.client
import json
import tarfile
from typing import IO, Any, cast

from imagebuilder.engine.protocol import SavedImage

# Manifests and configurations are small; a layer may be smaller.
_MOST_BYTES = 4 << 20
_CHUNK = 1 << 20
_BLOBS = "blobs/sha256/"


def read(archive: IO[bytes], image: str, platform: str) -> SavedImage | None:
    """The manifest of an image in an OCI archive (OCI image layout, 1.0), for a platform.

    None where the engine does not know images by their manifests, or the archive cannot be read.

    Args:
        image: the digest that the engine knows the image by: a manifest's, or that of an index of them.
    """
    found: dict[str, Any] = {}
    try:
        with tarfile.open(fileobj=archive, mode="r|", bufsize=_CHUNK) as tar:
            for item in tar:
                if item.isreg() and item.name.startswith(_BLOBS) and item.size <= _MOST_BYTES:
                    file = tar.extractfile(item)
                    assert file is not None
                    if (text := file.read()).startswith(b"{"):
                        found["sha256:" + item.name.removeprefix(_BLOBS)] = json.loads(text)
        return _read(found, image, platform)
    except (tarfile.TarError, OSError, http.client.HTTPException, ValueError, KeyError, TypeError, RecursionError):
        return None


def _read(found: dict[str, Any], image: str, platform: str) -> SavedImage | None:
    top = found.get(image)
    if top is None:
        return None
    for digest in (each["digest"] for each in top["manifests"]) if "manifests" in top else (image,):
        manifest = found.get(digest)
        if manifest is None or "layers" not in manifest:
            continue
        config = found.get(manifest["config"]["digest"])
        # Attestations are manifests, too, of no platform.
        if config is None or f"{config.get('os')}/{config.get('architecture')}" != platform:
            continue
        if len(config["rootfs"]["diff_ids"]) == len(manifest["layers"]):
            return SavedImage(cast("list[dict[str, Any]]", manifest["layers"]), cast("dict[str, Any]", config))
    return None
