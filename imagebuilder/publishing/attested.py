"""An image with what is said of it: an index of its manifest and an attestation manifest, as BuildKit lays them out.

The image's own manifest is in it as it was built, under the digest that the
snapshot has. Annotations stand at the index and, since those who put several
platforms together make an index of their own, at its entry for the image.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from imagebuilder.engine.protocol import ImageManifest

INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_STATEMENT = "application/vnd.in-toto+json"
_PREDICATE = "in-toto.io/predicate-type"


@dataclass(frozen=True, slots=True)
class Predicate:
    """What is said of an image, and of which type that is."""

    type: str
    content: Mapping[str, Any]


@dataclass
class Attested:
    """The index and what it needs besides the image; ``digest`` is the index's."""

    digest: str
    _blobs: dict[str, bytes] = field(repr=False)
    _index: Mapping[str, Any] = field(repr=False)

    def archive(self, name: str) -> bytes:
        """As an OCI archive without the image, for an engine that has it; ``name`` is what it is called there."""
        entry = {**self._index, "annotations": {"io.containerd.image.name": name}}
        whole = io.BytesIO()
        with tarfile.open(fileobj=whole, mode="w") as tar:
            _add(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
            _add(tar, "index.json", _json({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}))
            for digest, blob in self._blobs.items():
                _add(tar, f"blobs/{digest.replace(':', '/')}", blob)
        return whole.getvalue()


def attested(
    image: ImageManifest, platform: str, name: str, predicates: Sequence[Predicate], annotations: Mapping[str, str]
) -> Attested:
    """Put together what is pushed; the same arguments give the same bytes.

    Args:
        platform: such as ``linux/arm64/v8``.
        name: what the image is called in its registry.
    """
    blobs: dict[str, bytes] = {}

    def put(media_type: str, content: Mapping[str, Any]) -> dict[str, Any]:
        blob = _json(content)
        digest = "sha256:" + sha256(blob).hexdigest()
        blobs[digest] = blob
        return {"mediaType": media_type, "digest": digest, "size": len(blob)}

    subject = [{"name": name, "digest": {"sha256": image.digest.removeprefix("sha256:")}}]
    layers = [
        {**put(_STATEMENT, _statement(each, subject)), "annotations": {_PREDICATE: each.type}} for each in predicates
    ]
    nothing = {"architecture": "unknown", "os": "unknown"}
    diffs = [layer["digest"] for layer in layers]
    config = put(_CONFIG, {**nothing, "config": {}, "rootfs": {"type": "layers", "diff_ids": diffs}})
    said = put(_MANIFEST, {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": layers})
    refers = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image.digest}
    entry = {"mediaType": image.media_type, "digest": image.digest, "size": image.size}
    index = put(
        INDEX,
        {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [
                {**entry, "platform": _platform(platform), "annotations": dict(annotations)},
                {**said, "platform": nothing, "annotations": refers},
            ],
            "annotations": dict(annotations),
        },
    )
    return Attested(index["digest"], blobs, index)


def _statement(said: Predicate, subject: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": said.type,
        "subject": list(subject),
        "predicate": dict(said.content),
    }


def _platform(text: str) -> dict[str, str]:
    return dict(zip(("os", "architecture", "variant"), text.split("/"), strict=False))


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    item = tarfile.TarInfo(name)
    item.size = len(content)
    tar.addfile(item, io.BytesIO(content))
