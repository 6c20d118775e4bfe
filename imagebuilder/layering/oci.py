"""A base with layers of packages on it, as an image that a builder takes without making those layers itself.

It is an OCI image layout (OCI image specification, 1.0) that lacks the base's own layers: the builder that the base is
at has them already. A builder unpacks what it is given there once, and exports it as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from imagebuilder.diagnostics import EngineError
from imagebuilder.engine.protocol import Engine, SavedImage
from imagebuilder.files import link_or_copy
from imagebuilder.home import private_folder
from imagebuilder.ir.ops import (
    Arg,
    BaseImage,
    Cmd,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Label,
    Maintainer,
    Shell,
    StopSignal,
    User,
)
from imagebuilder.ir.packages import Layer, Packed
from imagebuilder.ir.stage import Stage, rewrite
from imagebuilder.layering.layers import LayerStore
from imagebuilder.resolve.shelf import Answers

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
# What the layers of an image have been called before that specification.
_AS_OCI = {
    "application/vnd.docker.image.rootfs.diff.tar": _LAYER,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": f"{_LAYER}+gzip",
}
# They make no layer, so a layer of packages may as well lie below them.
_SETTINGS = (Arg, Cmd, Entrypoint, Env, Expose, Healthcheck, Label, Maintainer, Shell, StopSignal, User)


class Manifests:
    """Those of bases, remembered in one home by what the engine knows each by."""

    def __init__(self, home: Path) -> None:
        self._answers = Answers(home)

    def of(self, image: str) -> SavedImage | None:
        """That of a base that was asked for before; None where there is none to be had."""
        with suppress(ValueError, KeyError, TypeError):
            found = json.loads(self._answers.get(_name(image)) or b"")
            return SavedImage(found["layers"], found["config"])
        return None

    def ask(self, base: BaseImage, engine: Engine) -> str:
        """What the engine knows a base by whose manifest can be had from now on; empty where it cannot be."""
        # An engine may lack some of what it should have; the builder says it where that matters.
        with suppress(EngineError):
            return self._ask(base, engine)
        return ""

    def _ask(self, base: BaseImage, engine: Engine) -> str:
        image = engine.image(base.ref)
        if image is None:
            return ""
        if self._answers.get(_name(image.id)) is None:
            found = engine.saved(image)
            self._answers.keep(_name(image.id), json.dumps(found and found._asdict()))
        return image.id if self.of(image.id) is not None else ""


def _name(image: str) -> str:
    return f"manifest-{image.rpartition(':')[2]}"


def packed(target: Stage, image_of: Callable[[BaseImage], str]) -> Stage:
    """The graph with the layers of packages that are first in a stage put onto its base.

    Args:
        image_of: what the engine knows a base by; empty where its builder would not find its layers.
    """

    def change(stage: Stage) -> Stage:
        if not isinstance(stage.base, BaseImage) or not (found := tuple(_first(stage))):
            return stage
        if not (image := image_of(stage.base)):
            return stage
        base = Packed(ref=stage.base.ref, platform=stage.base.platform, image=image, layers=found)
        steps = tuple(replace(step, part_of=step.planned) for step in stage.steps)
        return replace(stage, base=base, steps=steps)

    return rewrite(target, change)


def _first(stage: Stage) -> Iterator[Layer]:
    for step in stage.steps:
        if isinstance(step.op, Layer):
            yield step.op
        elif not isinstance(step.op, _SETTINGS):
            return


def write(base: Packed, folder: Path, manifests: Manifests, layers: LayerStore) -> str:
    """Write the image into an empty folder; its digest.

    Raises:
        OSError: it cannot be written.
    """
    known = manifests.of(base.image)
    if known is None:
        raise FileNotFoundError(f"the manifest of {base.ref}")
    blobs = private_folder(private_folder(folder / "blobs") / "sha256")
    descriptions = [{**each, "mediaType": _AS_OCI.get(each["mediaType"], each["mediaType"])} for each in known.layers]
    config: dict[str, Any] = dict(known.config)
    diff_ids, history = list(config["rootfs"]["diff_ids"]), list(config.get("history") or ())
    for layer in base.layers:
        blob = layers.blob(layer)
        link_or_copy(layers.path(layer), blobs / blob.digest.removeprefix("sha256:"))
        descriptions.append({"mediaType": f"{_LAYER}+gzip", "digest": blob.digest, "size": blob.size})
        diff_ids.append(blob.diff_id)
        history.append({"created_by": f"install {' '.join(each.name for each in layer.distributions)}"})
    config |= {"rootfs": {"type": "layers", "diff_ids": diff_ids}, "history": history}
    of_config = _put(blobs, config, _CONFIG)
    manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": of_config, "layers": descriptions}
    top = _put(blobs, manifest, _MANIFEST)
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}', encoding="utf-8")
    index = {"schemaVersion": 2, "manifests": [top]}
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    return str(top["digest"])


def _put(blobs: Path, value: dict[str, Any], kind: str) -> dict[str, Any]:
    text = json.dumps(value, sort_keys=True).encode()
    digest = sha256(text).hexdigest()
    (blobs / digest).write_bytes(text)
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(text)}
