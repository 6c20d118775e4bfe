"""An image's manifest is read of the archive that an engine saves, whatever else is in it."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any

import pytest

from imagebuilder.engine import saved as archives
from imagebuilder.engine.protocol import SavedImage

LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": "sha256:" + "1" * 64, "size": 9}


class Saved:
    """An OCI archive in the making."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def put(self, value: object) -> str:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        return digest

    def image(self, platform: str = "linux/amd64", layers: int = 1, diff_ids: int = 1) -> str:
        os, _, architecture = platform.partition("/")
        config = {"os": os, "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": ["x"] * diff_ids}}
        return self.put({"config": {"digest": self.put(config)}, "layers": [LAYER] * layers})

    def index(self, *digests: str) -> str:
        return self.put({"manifests": [{"digest": each} for each in digests]})

    def read(self, image: str, platform: str = "linux/amd64", cut: int | None = None) -> SavedImage | None:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            names: Mapping[str, bytes] = {d.replace("sha256:", "blobs/sha256/"): data for d, data in self.blobs.items()}
            for name, data in (*names.items(), ("index.json", b"{}"), ("manifest.json", b"[]")):
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
        return archives.read(io.BytesIO(out.getvalue()[:cut]), image, platform)


def test_of_an_image_by_its_manifest() -> None:
    saved = Saved()
    saved.put(b"\x1f\x8b a layer")
    found = saved.read(saved.image())
    assert found is not None and list(found.layers) == [LAYER] and found.config["architecture"] == "amd64"


def test_of_an_index_that_of_the_platform() -> None:
    saved = Saved()
    amd, arm, attestation = saved.image(), saved.image("linux/arm64", 2, 2), saved.image("unknown/unknown")
    index = saved.index(attestation, "sha256:" + "0" * 64, arm, amd)
    for platform, count in (("linux/amd64", 1), ("linux/arm64", 2)):
        found = saved.read(index, platform)
        assert found is not None and len(found.layers) == count and f"linux/{found.config['architecture']}" == platform
    assert saved.read(index, "linux/riscv64") is None


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        "text",
        {"manifests": 5},
        {"manifests": [{}]},
        {"layers": [LAYER]},
        {"config": {"digest": "sha256:gone"}, "layers": [LAYER]},
        b"{not JSON",
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_manifest_is_none(wrong: Any) -> None:
    saved = Saved()
    assert saved.read(saved.put(wrong)) is None


def test_layers_that_are_not_those_of_the_configuration_are_none() -> None:
    saved = Saved()
    assert saved.read(saved.image(layers=1, diff_ids=2)) is None


def test_an_engine_that_knows_images_otherwise_has_none() -> None:
    """Without containerd's image store, an image is known by its configuration."""
    saved = Saved()
    saved.image()
    (config,) = (digest for digest, data in saved.blobs.items() if b"rootfs" in data)
    assert saved.read("sha256:" + "5" * 64) is None and saved.read(config) is None


def test_what_breaks_off_is_none() -> None:
    saved = Saved()
    image = saved.image()
    assert saved.read(image, cut=700) is None
