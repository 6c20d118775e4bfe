"""A warm fingerprint is the cold one after whatever was done; and equal trees have one digest wherever they are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import example, given, settings
from hypothesis import strategies as st

from imagebuilder.context import read_tree, tree, walk
from imagebuilder.diagnostics import Invalid
from imagebuilder.ir.ops import LocalSource
from tests.property.unit.trees import NAMES, TREES, File, Link, Node, on_disk

PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
EDITS = st.one_of(
    st.tuples(st.just("write"), PATHS, st.binary(max_size=3)),
    st.tuples(st.just("write, its mtime put back"), PATHS, st.binary(min_size=1, max_size=1)),
    st.tuples(st.just("replace, its mtime put back"), PATHS, st.binary(min_size=1, max_size=1)),
    st.tuples(st.just("chmod"), PATHS, st.sampled_from([0o644, 0o755, 0o600])),
    st.tuples(st.just("utime"), PATHS, st.integers(0, 3)),
    st.tuples(st.just("remove"), PATHS, st.none()),
    st.tuples(st.just("link"), PATHS, st.sampled_from(["a", "b", "..", "ab/a"])),
    st.tuples(st.just("hard link"), PATHS, PATHS),
    st.tuples(st.just("folder"), PATHS, st.none()),
    st.tuples(st.just("rename"), PATHS, PATHS),
    st.tuples(st.just("swap"), PATHS, PATHS),
    st.tuples(st.just("nothing"), st.just(""), st.none()),
)
SOURCES = st.sampled_from(
    [
        LocalSource(path="root"),
        LocalSource(path="root", ignore=["ab", "**/b"]),
        LocalSource(path="root", ignore=["*", "!a/b", "!**/é"]),
        LocalSource(path="root", dockerignore="a.b"),
    ]
)


@contextmanager
def remembering(slack: int) -> Iterator[None]:
    """Trees of any size, and with a negative slack files are trusted at once: here no two edits share a clock's tick."""
    worth, before = tree._WORTH_FILES, walk.SLACK
    tree._WORTH_FILES, walk.SLACK = 0, slack
    try:
        yield
    finally:
        tree._WORTH_FILES, walk.SLACK = worth, before


def edit(root: Path, what: str, path: str, value: object) -> None:
    target = root / path
    match what, value:
        case "write", bytes():
            target.write_bytes(value)
        case "write, its mtime put back", bytes():
            before = target.stat()
            target.write_bytes(value)
            os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
        case "replace, its mtime put back", bytes():
            before = target.stat()
            other = root.parent / "other"
            other.write_bytes(value)
            os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
            other.rename(target)
        case "chmod", int():
            target.chmod(value)
        case "utime", int():
            os.utime(target, (value, value))
        case "remove", _:
            target.unlink() if target.is_symlink() or target.is_file() else shutil.rmtree(target)
        case "link", str():
            target.symlink_to(value)
        case "hard link", str():
            target.hardlink_to(root / value)
        case "folder", _:
            target.mkdir(parents=True)
        case "rename", str():
            target.rename(root / value)
        case "swap", str():
            away = root.parent / "away"
            target.rename(away)
            (root / value).rename(target)
            away.rename(root / value)


def ticked(folder: Path) -> None:
    """Wait until the file system's clock has moved, as it does between what a person does and what follows."""
    probe = folder / "probe"
    probe.touch()
    first = probe.stat().st_ctime_ns
    while probe.stat().st_ctime_ns == first:
        probe.touch()
        probe.chmod(0o600)


@settings(max_examples=120, deadline=None)
@given(TREES, st.lists(EDITS, min_size=1, max_size=8), SOURCES, st.sampled_from([-(10**12), 2 * 10**9]))
@example({"a": File(b"x")}, [("write, its mtime put back", "a", b"y")], LocalSource(path="root"), -(10**12))
@example({"a": File(b"x")}, [("replace, its mtime put back", "a", b"y")], LocalSource(path="root"), -(10**12))
@example({"a": File(b"x"), "b": File(b"y")}, [("swap", "a", "b")], LocalSource(path="root"), -(10**12))
@example({"a": Link("a")}, [("remove", "a", None), ("folder", "a/b", None)], LocalSource(path="root"), -(10**12))
def test_warm_is_cold(start: Node, edits: list[tuple[str, str, object]], source: LocalSource, slack: int) -> None:
    with on_disk(start) as root, remembering(slack):
        seen = root.parent / "seen"
        outcome(root, source, seen)
        for what, path, value in edits:
            if slack < 0:
                ticked(root.parent)
            try:
                edit(root, what, path, value)
            except OSError:
                continue  # It cannot be done to what is there.
            assert outcome(root, source, seen) == outcome(root, source, None)


def outcome(root: Path, source: LocalSource, seen: Path | None) -> object:
    try:
        found = read_tree(str(root.parent), source, seen)
    except Invalid as refused:
        return refused.code, refused.message
    return found.digest, found.size, found.entries


@settings(max_examples=60, deadline=None)
@given(TREES, st.sampled_from([0o000, 0o022, 0o077]), st.randoms(use_true_random=False))
def test_equal_trees_have_one_digest(node: Node, mask: int, random: object) -> None:
    """Whatever the umask, the times, the owner, the order in which files were made, and where the folder lies."""
    with on_disk(node) as root, TemporaryDirectory() as elsewhere:
        digest = read_tree(str(root.parent), LocalSource(path="root")).digest
        copy = Path(elsewhere) / "another" / "näme"
        before = os.umask(mask)
        try:
            copy.mkdir(parents=True)
            _shuffled(root, copy, random.shuffle)  # type: ignore[attr-defined]
        finally:
            os.umask(before)
        assert read_tree(str(copy.parent), LocalSource(path=copy.name)).digest == digest


def _shuffled(source: Path, copy: Path, shuffle: Callable[[list[Path]], None]) -> None:
    children = list(source.iterdir())
    shuffle(children)
    for number, child in enumerate(children):
        target = copy / child.name
        if child.is_symlink():
            target.symlink_to(child.readlink())
        elif child.is_dir():
            target.mkdir()
            _shuffled(child, target, shuffle)
        else:
            target.write_bytes(child.read_bytes())
            # The executable bit of one is that of all.
            target.chmod(0o711 if child.stat().st_mode & 0o111 else 0o604)
            os.utime(target, (number, number))
            if os.geteuid() == 0:
                os.chown(target, number, 7)


@settings(max_examples=60, deadline=None)
@given(TREES, TREES)
def test_a_folder_has_the_digest_of_its_content_wherever_it_is(outer: Node, inner: Node) -> None:
    with on_disk({**outer, "sub": {"deep": inner}}) as root, on_disk(inner) as alone:  # type: ignore[dict-item]
        whole = read_tree(str(root.parent), LocalSource(path="root"))
        assert whole.digest_of("sub/deep") == f"dir:{read_tree(str(alone.parent), LocalSource(path='root')).digest}"
        for name, child in inner.items():
            found = whole.digest_of(f"sub/deep/{name}")
            if isinstance(child, File):
                source = LocalSource(path=name, kind="file")
                assert found == f"file:{read_tree(str(alone), source).digest}"
            else:
                assert (found is None) == isinstance(child, Link)


PROCESSES: dict[str, dict[str, str]] = {
    "C": {"LC_ALL": "C"},
    "POSIX, no UTF-8": {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "UTF-8": {"LC_ALL": "C.UTF-8"},
    "hash seed 0": {"PYTHONHASHSEED": "0"},
    "hash seed 4242": {"PYTHONHASHSEED": "4242"},
    "another zone": {"TZ": "Pacific/Kiritimati"},
    "optimised": {"PYTHONOPTIMIZE": "2"},
}


def test_every_process_finds_one_key(tmp_path: Path) -> None:
    """One for cold and warm, alone and with a helper, in every environment."""
    root = tmp_path / "root"
    for path in ("ünï/é", "ünï/z", "B", "a/x", "a-b", "漢", "\U0001f600", "data/large"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path * 1000)
    (root / "link").symlink_to("ünï")
    code = (
        "import sys; from pathlib import Path; from imagebuilder.frontends.image import Image\n"
        "from imagebuilder.context import reading, tree\n"
        "tree._WORTH_FILES = 0\n"
        "for reading.MANY in (10**9, 1):\n"
        "    for _ in range(2): print(Image.base('debian:12').add_local_dir(Path(sys.argv[1]), '/x')"
        ".key(platform='linux/amd64'))"
    )
    found = set()
    for number, environment in enumerate(PROCESSES.values()):
        env = {**os.environ, **environment, "IMAGEBUILDER_HOME": str(tmp_path / f"home{number}")}
        argv = [sys.executable, "-c", code, os.fsencode(root)]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
        found.update(done.stdout.split())
        assert len(done.stdout.split()) == 4
    assert len(found) == 1
