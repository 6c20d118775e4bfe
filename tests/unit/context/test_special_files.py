"""Files that are not what they seem, or not for long: each has a defined result or a diagnostic."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path

import pytest

from imagebuilder.context import Tree, fingerprints, read_tree
from imagebuilder.diagnostics import Invalid
from imagebuilder.ir.ops import LocalSource


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    return root


def read(root: Path) -> Tree:
    return read_tree(str(root.parent), LocalSource(path=root.name))


def refused(root: Path) -> Invalid:
    with pytest.raises(Invalid) as caught:
        read(root)
    return caught.value


def test_hard_links_are_files_of_one_content(root: Path, tmp_path: Path) -> None:
    """An image's files are its own: what else their inodes are called is nobody's business."""
    (root / "a").write_text("x")
    (root / "b").hardlink_to(root / "a")
    (tmp_path / "copies").mkdir()
    for name in ("a", "b"):
        (tmp_path / "copies" / name).write_text("x")
    assert read(root).digest == read(tmp_path / "copies").digest


@pytest.mark.parametrize("size", [1 << 16, fingerprints.LARGE + 5])
def test_a_sparse_file_is_its_zeros(root: Path, tmp_path: Path, size: int) -> None:
    with (root / "f").open("wb") as file:
        file.truncate(size)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/f").write_bytes(bytes(size))
    (entry,) = read(root).entries
    assert (entry.size, entry.content) == (size, hashlib.sha256(bytes(size)).hexdigest())
    assert read(root).digest == read(tmp_path / "full").digest


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="there is no /proc")
def test_a_file_that_the_system_makes_when_it_is_read() -> None:
    """Its inode says that it is empty."""
    tree = read_tree("/proc", LocalSource(path="version", kind="file"))
    content = Path("/proc/version").read_bytes()
    assert [(entry.content, entry.size) for entry in tree.entries] == [
        (hashlib.sha256(content).hexdigest(), len(content))
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make devices")
def test_a_device_is_refused(root: Path) -> None:
    try:
        os.mknod(root / "null", 0o020600, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("this system lets nobody make devices")
    assert refused(root).code == "IB207"


def above(root: Path) -> Iterator[Path]:
    """The folders of the tests that it is in."""
    return takewhile(lambda folder: str(folder) != tempfile.gettempdir(), root.parents)


def test_what_nobody_may_read(root: Path) -> None:
    """As another user, where the tests run as root, who may read everything."""
    (root / "secret").write_text("x")
    (root / "secret").chmod(0)
    (root / "closed").mkdir(mode=0)
    as_nobody = os.geteuid() == 0
    for folder in (root, *above(root)):
        if as_nobody and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o055)
    for ignored, name in ((["closed"], "secret"), (["secret"], "closed")):
        if as_nobody:
            os.seteuid(65534)
        try:
            with pytest.raises(Invalid) as caught:
                read_tree(str(root.parent), LocalSource(path="root", ignore=ignored))
        finally:
            if as_nobody:
                os.seteuid(0)
        assert caught.value.code == "IB201"
        assert f"{name}': permission denied" in caught.value.message
    tree = read_tree(str(root.parent), LocalSource(path="root", ignore=["closed", "secret"]))
    assert tree.entries == ()


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="asks as another user than root")
def test_a_file_in_a_folder_that_may_be_entered_but_not_listed(root: Path) -> None:
    (root / "f").write_text("x")
    for folder in (root, *above(root)):
        folder.chmod(0o711)
    os.seteuid(65534)
    try:
        tree = read_tree(str(root), LocalSource(path="f", kind="file"))
    finally:
        os.seteuid(0)
    assert [entry.path for entry in tree.entries] == ["f"]


@pytest.mark.parametrize("pattern", ["*/l*", "*"])
def test_a_folder_on_the_way_whose_name_is_not_utf8(root: Path, pattern: str) -> None:
    folder = Path(os.fsdecode(os.fsencode(root) + b"/\xff"))
    folder.mkdir()
    (folder / "link").symlink_to("nowhere")
    with pytest.raises(Invalid) as caught:
        read_tree(str(root), LocalSource(path=".", include=[(pattern,)]))
    assert caught.value.code == "IB206"


# Files that change while they are read ------------------------------------------------------------------


def swapped(monkeypatch: pytest.MonkeyPatch, name: str, change: Callable[[Path], object], root: Path) -> None:
    """Change the file right before it is opened, each time."""
    original = os.open

    def changing(path: bytes, flags: int, *arguments: int, **options: int) -> int:
        if path == name.encode():
            change(root / name)
        return original(path, flags, *arguments, **options)

    monkeypatch.setattr(fingerprints.os, "open", changing)


def instead(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        if path.is_dir() and not path.is_symlink():
            return
        path.unlink(missing_ok=True)
        make(path)

    return change


def test_a_file_that_became_a_link(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not followed."""
    (root / "f").write_text("x")
    swapped(monkeypatch, "f", instead(lambda path: path.symlink_to("/etc/passwd")), root)
    assert [(entry.type, entry.content) for entry in read(root).entries] == [("link", "/etc/passwd")]


@pytest.mark.parametrize(
    "make",
    [os.mkfifo, lambda path: path.mkdir()],
    ids=["a pipe, which is not waited for", "a folder"],
)
def test_a_file_that_became(root: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], object]) -> None:
    (root / "f").write_text("x")
    swapped(monkeypatch, "f", instead(make), root)
    error = refused(root)
    assert error.code == "IB212" and f"{root / 'f'}" in error.message and error.help


@pytest.mark.parametrize("size", [0, 10, fingerprints.LARGE, fingerprints.LARGE + 10])
def test_a_file_that_grows_and_grows(root: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    (root / "log").write_bytes(b"x" * size)
    grow = {"read": os.read, "readv": os.readv}

    def growing(which: str) -> Callable[..., object]:
        def call(file: int, what: object) -> object:
            with (root / "log").open("ab") as log:
                log.write(b"more")
            return grow[which](file, what)

        return call

    for which in grow:
        monkeypatch.setattr(fingerprints.os, which, growing(which))
    error = refused(root)
    assert error.code == "IB212" and "log" in error.message and "ignore it" in error.help


@pytest.mark.parametrize("size", [10, fingerprints.LARGE + 10])
def test_a_file_that_changes_once_is_read_again(root: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    (root / "f").write_bytes(b"x" * size)
    original, left = os.fstat, ["once"]

    def once(file: int) -> os.stat_result:
        status = original(file)
        if left and os.readlink(f"/proc/self/fd/{file}") == str(root / "f"):
            left.pop()
            (root / "f").write_bytes(b"y" * (size - 1))
        return status

    monkeypatch.setattr(fingerprints.os, "fstat", once)
    (entry,) = read(root).entries
    assert (entry.size, entry.content) == (size - 1, hashlib.sha256(b"y" * (size - 1)).hexdigest())


def test_a_folder_that_goes_away(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "sub").mkdir()
    original = os.scandir

    def vanishing(path: bytes) -> object:
        if path.endswith(b"/sub"):
            (root / "sub").rmdir()
        return original(path)

    monkeypatch.setattr("imagebuilder.context.walk.os.scandir", vanishing)
    error = refused(root)
    assert error.code == "IB201" and "no such file" in error.message


def test_a_folder_that_became_a_link_is_not_entered(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "sub").mkdir()
    (tmp_path / "private").mkdir()
    (tmp_path / "private/key").write_text("k")
    original = os.scandir

    def swapping(path: bytes) -> object:
        found = original(path)
        children = list(found)
        if path == os.fsencode(root):
            (root / "sub").rmdir()
            (root / "sub").symlink_to(tmp_path / "private")
        return Listed(children)

    monkeypatch.setattr("imagebuilder.context.walk.os.scandir", swapping)
    assert refused(root).code in ("IB201", "IB212")


class Listed(list):  # type: ignore[type-arg]
    """A listing that was taken before something happened."""

    def __enter__(self) -> Listed:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_nothing_is_left_open(root: Path) -> None:
    for number in range(20):
        (root / f"f{number}").write_bytes(b"x" * number)
    (root / "link").symlink_to("f1")
    (root / "large").write_bytes(b"x" * fingerprints.LARGE)
    opened = Path("/proc/self/fd") if Path("/proc/self/fd").exists() else Path("/dev/fd")
    before = len(list(opened.iterdir()))
    for _ in range(3):
        read(root)
    assert len(list(opened.iterdir())) == before


def test_names_with_anything_but_a_slash(root: Path) -> None:
    names = ["\n", " ", "-rf", "a\tb", "'\"", "\\", "*", "\x01", "😀", "d" * 255]
    for name in names:
        (root / name).write_text(name)
    assert {entry.path for entry in read(root).entries} == set(names)
