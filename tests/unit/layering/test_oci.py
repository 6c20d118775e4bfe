"""A base with layers of packages on it: which of a plan's layers come so, and the image that a builder is given."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagebuilder.backends.dockerfile import render
from imagebuilder.diagnostics import Diagnostic, EngineError
from imagebuilder.engine.fake import FakeEngine
from imagebuilder.engine.protocol import ImageInfo, SavedImage, StepEvent
from imagebuilder.ir.ops import BaseImage, Env, Op, Run, Workdir
from imagebuilder.ir.packages import Layer, Packed
from imagebuilder.ir.stage import Stage, Step
from imagebuilder.layering import oci
from imagebuilder.layering.layers import LayerStore
from imagebuilder.steps import Steps
from tests.unit.layering.test_layers import kept, layer
from tests.unit.resolve.making import distribution, python

BASE = BaseImage(ref="python:3.12-slim")
IMAGE = "sha256:" + "b" * 64
MANIFEST = SavedImage(
    [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "digest": "sha256:" + "c" * 64, "size": 7}],
    {
        "os": "linux",
        "architecture": "amd64",
        "config": {"Env": ["A=b"]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "d" * 64]},
        "history": [{"created_by": "base"}],
    },
)
ENV, RUN = Env(variables=(("A", "b"),)), Run(command="true")


class Engine(FakeEngine):
    def __init__(self, manifest: SavedImage | None = MANIFEST) -> None:
        super().__init__()
        self.images[BASE.ref] = IMAGE
        self.asked = 0
        self._manifest = manifest

    def saved(self, image: ImageInfo) -> SavedImage | None:
        self.asked += 1
        return self._manifest


def named(name: str) -> Layer:
    return Layer(distributions=(distribution(name),), python=python())


def stage(*ops: Op) -> Stage:
    return Stage(BASE, tuple(Step(op) for op in ops))


def on_base(found: Stage) -> list[str]:
    return (
        [each.name for op in found.base.layers for each in op.distributions] if isinstance(found.base, Packed) else []
    )


# Which ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ops", "wanted"),
    [
        ((named("a"), named("b"), RUN), ["a", "b"]),
        ((ENV, named("a"), ENV, named("b"), RUN, named("c")), ["a", "b"]),
        ((RUN, named("a")), []),
        ((Workdir(path="/usr"), named("a")), []),
        ((RUN,), []),
    ],
)
def test_those_are_taken_below_which_no_other_layer_is(ops: tuple[Op, ...], wanted: list[str]) -> None:
    before = stage(*ops)
    found = oci.packed(before, lambda base: IMAGE)
    assert on_base(found) == wanted
    assert [step.op for step in found.steps] == list(ops) and (bool(wanted) or found is before)
    assert all(new.planned is old for new, old in zip(found.steps, before.steps, strict=True))


def test_a_base_whose_layers_no_builder_finds_stays() -> None:
    before = stage(named("a"))
    assert oci.packed(before, lambda base: "") is before


def test_two_of_them_have_two_names() -> None:
    def name(base: str, *ops: Op) -> str:
        found = oci.packed(stage(*ops), lambda _: base)
        assert isinstance(found.base, Packed)
        return found.base.digest

    assert len({name(IMAGE, named("a")), name(IMAGE, named("b")), name("sha256:" + "e" * 64, named("a"))}) == 3


# Rendered, and told of -----------------------------------------------------------------------------------


def test_a_stage_starts_from_it_and_adds_only_the_rest() -> None:
    planned = Step(ENV), Step(RUN), Step(Run(command="pip"))
    steps = tuple(
        replace(Step(op), part_of=planned[n]) for n, op in ((2, named("a")), (0, ENV), (2, named("b")), (1, RUN))
    )
    base = oci.packed(Stage(BASE, steps), lambda _: IMAGE)
    found = render(base, {})
    (context,) = found.contexts
    assert context.content == base.base and not context.main
    assert found.text.startswith(f"FROM {context.name}\n")
    assert "ADD" not in found.text
    assert [(each.step, each.position) for each in found.instructions if each.step is planned[1]] == [(planned[1], 1)]
    (told,) = found.packed(f"[context {context.name}] OCI load from client")
    assert told.step is planned[2] and told.first == 1
    assert found.packed("[context other] OCI load from client") == () and found.packed(f"FROM {context.name}") == ()


def test_its_steps_end_when_it_was_taken() -> None:
    """The image comes layer by layer, and the builder tells of each."""
    first, second = Step(Run(command="one"), intent=Run(command="one")), Step(Run(command="two"))
    steps = tuple(Step(named(n), None, "", s.intent, s) for n, s in (("a", first), ("b", first), ("c", second)))
    found = render(oci.packed(Stage(BASE, steps), lambda _: IMAGE), {})
    following = Steps(found)
    name = f"[context {found.contexts[0].name}] OCI load from client"
    told = [
        [(event.id, event.state, step) for event, step in following.told(StepEvent("x", name, state))]
        for state in ("started", "done", "done")
    ]
    assert told[0] == [("x/1", "started", first), ("x/2", "started", second)]
    assert told[1] == told[2] == [("x/1", "done", first), ("x/2", "done", second)]
    assert [(each.op, each.cached) for each in following.ended] == [("run", False)] * 2


# Manifests ---------------------------------------------------------------------------------------------


def test_a_bases_manifest_is_asked_for_once(tmp_path: Path) -> None:
    engine, known = Engine(), oci.Manifests(tmp_path)
    assert known.of(IMAGE) is None
    assert known.ask(BASE, engine) == oci.Manifests(tmp_path).ask(BASE, engine) == IMAGE and engine.asked == 1
    assert known.of(IMAGE) == MANIFEST


def test_that_there_is_none_is_remembered(tmp_path: Path) -> None:
    engine = Engine(None)
    assert [oci.Manifests(tmp_path).ask(BASE, engine) for _ in range(2)] == ["", ""] and engine.asked == 1


def test_an_engine_that_fails_is_asked_again(tmp_path: Path) -> None:
    engine = Engine()
    engine.saved = _fails  # type: ignore[method-assign] # of this one alone
    assert oci.Manifests(tmp_path).ask(BASE, engine) == ""
    assert oci.Manifests(tmp_path).ask(BASE, Engine()) == IMAGE


def test_a_base_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert oci.Manifests(tmp_path).ask(BaseImage(ref="python:3"), Engine()) == ""


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"layers": []}', "\x00"])
def test_what_was_spoilt_is_none(tmp_path: Path, text: str) -> None:
    known = oci.Manifests(tmp_path)
    known.ask(BASE, Engine())
    (path,) = (tmp_path / "packages" / "answers").iterdir()
    path.write_text(text)
    assert known.of(IMAGE) is None


def _fails(image: ImageInfo) -> SavedImage | None:
    raise EngineError(Diagnostic("IB503", "no"))


# Written -----------------------------------------------------------------------------------------------


def test_the_image_is_the_base_and_the_layers(tmp_path: Path) -> None:
    store, known = LayerStore(tmp_path), oci.Manifests(tmp_path)
    layers = layer(kept(tmp_path, "a")), layer(kept(tmp_path, "b"), kept(tmp_path, "c"))
    store.write(layers)
    known.ask(BASE, Engine())
    folder = tmp_path / "image"
    folder.mkdir()
    digest = oci.write(Packed(ref=BASE.ref, image=IMAGE, layers=layers), folder, known, store)

    def blob(described: dict[str, Any]) -> bytes:
        data = (folder / "blobs" / "sha256" / described["digest"].removeprefix("sha256:")).read_bytes()
        assert len(data) == described["size"] and hashlib.sha256(data).hexdigest() == described["digest"][7:]
        return data

    (top,) = json.loads((folder / "index.json").read_text())["manifests"]
    assert top["digest"] == digest and json.loads((folder / "oci-layout").read_text())["imageLayoutVersion"] == "1.0.0"
    manifest = json.loads(blob(top))
    config = json.loads(blob(manifest["config"]))
    below, *above = manifest["layers"]
    assert below == {**MANIFEST.layers[0], "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"}
    assert [blob(each) for each in above] == [store.path(each).read_bytes() for each in layers]
    assert config["rootfs"]["diff_ids"] == [
        *MANIFEST.config["rootfs"]["diff_ids"],
        *(store.blob(x).diff_id for x in layers),
    ]
    assert [each["created_by"] for each in config["history"]] == ["base", "install a", "install b c"]
    assert config["config"] == MANIFEST.config["config"]
    assert MANIFEST.config["history"] == [{"created_by": "base"}], "what is remembered stays as it is"


def test_without_the_bases_manifest_it_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        oci.write(
            Packed(ref=BASE.ref, image=IMAGE, layers=(named("a"),)),
            tmp_path,
            oci.Manifests(tmp_path),
            LayerStore(tmp_path),
        )
