"""The archives of layers: written once, from wheels that are fetched once, whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import os
import signal
import tarfile
import threading
import time
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import IO

import pytest

from imagebuilder.diagnostics import BuildError
from imagebuilder.ir.packages import Distribution, DistributionFile, Layer
from imagebuilder.layering import archive
from imagebuilder.layering.layers import LayerStore
from imagebuilder.layering.wheels import WheelStore
from tests.unit.resolve.making import SITE, python, wheel


def kept(home: Path, name: str, data: bytes | None = None, shared: str = "") -> Distribution:
    """A distribution whose wheel is here already."""
    path = wheel(home, {f"{name}.py": "", **({"shared.py": shared} if shared else {})}, name=name)
    data = path.read_bytes() if data is None else data
    path.unlink()
    file = DistributionFile(url=f"https://h/{path.name}", sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    target = WheelStore(home).path(file)
    target.parent.mkdir(parents=True)
    target.write_bytes(data)
    return Distribution(name=name, version="1.0", files=(file,))


def layer(*distributions: Distribution) -> Layer:
    return Layer(distributions=distributions, python=python())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def left_over(home: Path) -> Sequence[Path]:
    return [each for each in (home / "packages" / "layers").rglob("*") if each.name.startswith(".")]


def test_layers_are_written_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, layers = LayerStore(home), [layer(kept(home, "a"), kept(home, "b")), layer(kept(home, "c"))]
    assert store.missing(layers) == []
    store.write([*layers, *layers])
    with tarfile.open(store.path(layers[0])) as found:
        assert {f"{SITE}/a.py".lstrip("/"), f"{SITE}/b.py".lstrip("/")} <= set(found.getnames())
    written = (home / "packages" / "layers").rglob("*.tar.gz")
    assert sorted(written) == sorted(store.path(each) for each in layers)
    monkeypatch.setattr(archive, "write", None)
    store.write(layers)


def test_what_has_to_be_fetched(home: Path) -> None:
    store, (a, b) = LayerStore(home), (kept(home, "a"), kept(home, "b"))
    store.write([layer(b)])
    WheelStore(home).path(b.files[0]).unlink()
    assert store.missing([layer(a, b), layer(b)]) == list(b.files)
    assert store.missing([layer(b)]) == [], "of a layer that is here, no wheel is needed"
    store.path(layer(b)).write_bytes(b"cut")
    assert store.missing([layer(b)]) == list(b.files), "of one that lost its end it is"


def test_those_that_have_one_path_are_one_layer(home: Path) -> None:
    """Which of them is on top would be up to the order, which no key covers."""
    store = LayerStore(home)
    files = (("a", "1"), ("b", "2"), ("c", "1"), ("d", ""), ("e", ""))
    each = {name: kept(home, name, shared=text) for name, text in files}
    a, b, c, d, e = (layer(distribution) for distribution in each.values())
    store.write([a, b, c, d, e])
    assert store.joined([a, c, d]) == ([a, c, d], []), "the same bytes are no matter"
    whole = layer(each["a"], each["b"], each["c"])
    for order in permutations([a, b, c]):
        found, told = store.joined([d, *order, e])
        assert found == [d, whole, e]
        assert len(told) == 1 and told[0].endswith(f"have {SITE}/shared.py, and are in one layer")
    assert store.joined([b, d, a]) == (
        [d, layer(each["a"], each["b"])],
        [f"b and a have {SITE}/shared.py, and are in one layer"],
    )
    store.write([whole])
    with tarfile.open(store.path(whole)) as packed:
        assert packed.extractfile(f"{SITE}/shared.py".lstrip("/")).read() == b"1"  # type: ignore[union-attr] # a file


def test_a_layers_blob_is_what_a_manifest_says_of_it(home: Path) -> None:
    store, made = LayerStore(home), layer(kept(home, "a"))
    store.write([made])
    packed, blob = store.path(made).read_bytes(), store.blob(made)
    assert blob.size == len(packed) and blob.digest == f"sha256:{hashlib.sha256(packed).hexdigest()}"
    assert blob.diff_id == f"sha256:{hashlib.sha256(gzip.decompress(packed)).hexdigest()}"
    assert packed[4:8] == bytes(4), "no time of day is in it"


def test_a_wheel_that_is_none_is_told(home: Path) -> None:
    made = layer(kept(home, "a", b"no wheel"))
    with pytest.raises(BuildError) as caught:
        LayerStore(home).write([made])
    (found,) = caught.value.diagnostics
    assert found.code == "IB672" and found.message.startswith("a 1.0: not a wheel") and found.help
    assert not list((home / "packages" / "layers").rglob("*.tar.gz")) and not left_over(home)


def test_a_wheel_that_has_gone_is_told(home: Path) -> None:
    made = kept(home, "a")
    WheelStore(home).path(made.files[0]).unlink()
    with pytest.raises(BuildError) as caught:
        LayerStore(home).write([layer(made)])
    assert caught.value.diagnostics[0].code == "IB671" and left_over(home) == []


def test_a_full_disk_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive, "_write", full)
    with pytest.raises(BuildError) as caught:
        LayerStore(home).write([layer(kept(home, "a"))])
    (found,) = caught.value.diagnostics
    assert found.code == "IB671" and "No space left on device" in found.message and left_over(home) == []


def test_one_that_fails_leaves_the_others(home: Path) -> None:
    good, bad = layer(kept(home, "a")), layer(kept(home, "b", b""))
    with pytest.raises(BuildError):
        LayerStore(home).write([good, bad])
    assert not LayerStore(home).path(bad).exists() and left_over(home) == []


def test_who_interrupts_does_not_wait_for_a_large_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be waited for until its end, with all that is in it."""
    pieces = 0

    def endless(wheels: object, python: object, out: IO[bytes]) -> None:
        nonlocal pieces
        while pieces < 1_000_000:
            pieces += out.write(b"x")
            time.sleep(0.001)
            if pieces == 100:  # By then, this thread is being waited for.
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    monkeypatch.setattr(archive, "write", endless)
    with pytest.raises(KeyboardInterrupt):
        LayerStore(home).write([layer(kept(home, "a"))])
    assert pieces < 1_000_000 and left_over(home) == []


@pytest.mark.parametrize("damaged", ["changed", "cut off", "emptied"])
def test_an_archive_that_was_changed_is_written_anew(home: Path, damaged: str) -> None:
    store, wanted = LayerStore(home), layer(kept(home, "abc"))
    store.write([wanted])
    path = store.path(wanted)
    whole = path.read_bytes()
    path.write_bytes({"changed": whole.replace(b"abc", b"xyz"), "cut off": whole[:-9], "emptied": b""}[damaged])
    # As after some time: a file system's clock may tick slower than this test.
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**9))
    store.write([wanted])
    assert path.read_bytes() == whole


def test_one_that_a_build_has_linked_is_as_it_was(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, wanted = LayerStore(home), layer(kept(home, "a"))
    store.write([wanted])
    (home / "context").hardlink_to(store.path(wanted))
    monkeypatch.setattr(archive, "write", None)
    store.write([wanted])
