"""A tree holds what an image can hold, and its digest covers just that."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from imagebuilder.context import Tree, read_tree
from imagebuilder.diagnostics import Invalid
from imagebuilder.ir.ops import LocalSource


def folder_tree(root: Path, **options: object) -> Tree:
    return read_tree(str(root.parent), LocalSource(path=root.name, **options))


def file_tree(path: Path) -> Tree:
    return read_tree(str(path.parent), LocalSource(path=path.name, kind="file"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "sub/empty").mkdir(parents=True)
    (root / "sub/file").write_bytes(b"content")
    (root / "program").write_bytes(b"#!/bin/sh\n")
    (root / "program").chmod(0o755)
    (root / "link").symlink_to("sub/file")
    return root


def test_entries(root: Path) -> None:
    tree = folder_tree(root)
    content = hashlib.sha256(b"content").hexdigest()
    program = hashlib.sha256(b"#!/bin/sh\n").hexdigest()
    assert [(e.path, e.type, e.content, e.size) for e in tree.entries] == [
        ("link", "link", "sub/file", 0),
        ("program", "program", program, 10),
        ("sub", "dir", "", 0),
        ("sub/empty", "dir", "", 0),
        ("sub/file", "file", content, 7),
    ]
    assert (tree.root, tree.source, tree.size) == (root, root, 17)
    assert tree.digest.startswith("sha256:")


def test_a_file(root: Path) -> None:
    tree = file_tree(root / "program")
    assert [(e.path, e.type, e.size) for e in tree.entries] == [("program", "program", 10)]
    assert (tree.root, tree.source) == (root, root / "program")


def test_the_name_of_a_file_is_part_of_what_it_is(root: Path) -> None:
    """A copy into a folder that is there takes the name along."""
    (root / "same").write_bytes((root / "sub/file").read_bytes())
    assert file_tree(root / "same").digest != file_tree(root / "sub/file").digest


CHANGES: dict[str, Callable[[Path], object]] = {
    "one byte": lambda root: (root / "sub/file").write_bytes(b"Content"),
    "a byte more": lambda root: (root / "sub/file").write_bytes(b"content\n"),
    "the executable bit": lambda root: (root / "sub/file").chmod(0o744),
    "the executable bit of others": lambda root: (root / "sub/file").chmod(0o645),
    "no executable bit": lambda root: (root / "program").chmod(0o644),
    "a link's target": lambda root: ((root / "link").unlink(), (root / "link").symlink_to("sub")),
    "a link that became its file": lambda root: (
        (root / "link").unlink(),
        shutil.copy(root / "sub/file", root / "link"),
    ),
    "a file's name": lambda root: (root / "sub/file").rename(root / "sub/File"),
    "a file's folder": lambda root: (root / "sub/file").rename(root / "file"),
    "an empty folder less": lambda root: (root / "sub/empty").rmdir(),
    "an empty folder more": lambda root: (root / "more").mkdir(),
    "a folder that became a file": lambda root: ((root / "sub/empty").rmdir(), (root / "sub/empty").touch()),
    "an empty file": lambda root: (root / "sub/empty/file").touch(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_digest_changes_with(root: Path, change: Callable[[Path], object]) -> None:
    before = folder_tree(root).digest
    change(root)
    assert folder_tree(root).digest != before


KEEPS: dict[str, Callable[[Path], object]] = {
    "times": lambda root: os.utime(root / "sub/file", (1, 1)),
    "a folder's times": lambda root: os.utime(root / "sub", (1, 1)),
    "modes beyond the executable bit": lambda root: (root / "sub/file").chmod(0o600),
    "a folder's mode": lambda root: (root / "sub").chmod(0o700),
    "another executable bit": lambda root: (root / "program").chmod(0o700),
    "the owner": lambda root: os.chown(root / "sub/file", 1234, 1234) if os.geteuid() == 0 else None,
    "another inode": lambda root: (shutil.copy(root / "sub/file", root / "x"), (root / "x").rename(root / "sub/file")),
    "a socket": lambda root: bind(root / "socket"),
}


def bind(path: Path) -> None:
    """A socket, by a relative name: the whole one may be too long for a socket's address."""
    code = "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, path.name], cwd=path.parent, check=True)


@pytest.mark.parametrize("change", KEEPS.values(), ids=KEEPS)
def test_the_digest_is_kept_by(root: Path, change: Callable[[Path], object]) -> None:
    before = folder_tree(root).digest
    change(root)
    assert folder_tree(root).digest == before


def test_the_digest_does_not_tell_where_the_folder_lies(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "else/where"
    shutil.copytree(root, copy, symlinks=True)
    assert folder_tree(copy).digest == folder_tree(root).digest


def test_names_and_contents_cannot_run_into_one_another(tmp_path: Path) -> None:
    """Without lengths, ``a`` with the digest of x could read like ``ax``: entries are framed."""
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, links in ((one, {"a": "bc"}), (other, {"ab": "c"})):
        folder.mkdir()
        for name, target in links.items():
            (folder / name).symlink_to(target)
    assert folder_tree(one).digest != folder_tree(other).digest


def test_the_order_is_that_of_bytes(tmp_path: Path) -> None:
    """The same everywhere: neither a locale's order nor the file system's."""
    names = ["a", "B", "a.b", "a-b", "é", "z", "漢", "\U0001f600"]
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "a/x").touch()
    for name in names[1:]:
        (root / name).touch()
    found = [entry.path for entry in folder_tree(root).entries]
    assert found == ["B", "a", "a-b", "a.b", "a/x", "z", "é", "漢", "\U0001f600"]


# Symbolic links --------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["sub/file", "/etc/passwd", "../..", "nowhere", "loop", ".", "a\nb 'c'"])
def test_a_link_inside_a_folder_is_kept_as_it_is(root: Path, target: str) -> None:
    """It is never followed: neither out of the folder nor round in circles."""
    (root / "loop").symlink_to(target)
    entry = next(e for e in folder_tree(root).entries if e.path == "loop")
    assert (entry.type, entry.content) == ("link", target)


def test_a_link_to_a_folder_is_not_entered(root: Path) -> None:
    (root / "again").symlink_to("sub")
    assert [e.path for e in folder_tree(root).entries if e.path.startswith("again")] == ["again"]


def test_a_link_named_as_a_file_is_followed(root: Path) -> None:
    (root / "second").symlink_to("link")
    tree = file_tree(root / "second")
    assert [(e.path, e.type, e.size) for e in tree.entries] == [("second", "file", 7)]
    (root / "sub/second").write_bytes((root / "sub/file").read_bytes())
    assert tree.digest == file_tree(root / "sub/second").digest


def test_a_link_named_as_a_folder_is_followed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(root)
    assert folder_tree(tmp_path / "alias").digest == folder_tree(root).digest


def test_a_named_link_brings_its_target(root: Path) -> None:
    """BuildKit follows the links that a COPY names, so both have to be there."""
    tree = folder_tree(root, include=[("link",)])
    assert [e.path for e in tree.entries] == ["link", "sub", "sub/file"]


def test_a_link_on_the_way_to_a_named_file_brings_its_target(root: Path) -> None:
    (root / "alias").symlink_to("sub")
    tree = folder_tree(root, include=[("alias/file",)])
    assert {e.path for e in tree.entries} >= {"sub", "sub/file"}


@pytest.mark.parametrize("target", ["/etc/hostname", "../outside", "sub/../../outside"])
def test_a_named_link_out_of_the_folder_is_refused(root: Path, target: str) -> None:
    (root.parent / "outside").touch()
    (root / "out").symlink_to(target)
    with pytest.raises(Invalid) as caught:
        folder_tree(root, include=[("out",)])
    assert caught.value.code == "IB208" and str(root / "out") in caught.value.message


@pytest.mark.parametrize("named", ["a", "a/below"])
def test_a_named_circle_of_links_is_refused(root: Path, named: str) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    with pytest.raises(Invalid) as caught:
        folder_tree(root, include=[(named,)])
    assert caught.value.code == "IB201" and "links" in caught.value.message


@pytest.mark.parametrize("kind", ["file", "dir"])
def test_a_circle_of_links_as_the_source_is_refused(root: Path, kind: str) -> None:
    (root / "a").symlink_to("a")
    with pytest.raises(Invalid) as caught:
        read_tree(str(root), LocalSource(path="a", kind=kind))
    assert caught.value.code == "IB201"


@pytest.mark.parametrize("kind", ["file", "dir"])
def test_a_dangling_link_as_the_source_is_refused(root: Path, kind: str) -> None:
    (root / "a").symlink_to("nowhere")
    with pytest.raises(Invalid, match="no such file or directory"):
        read_tree(str(root), LocalSource(path="a", kind=kind))


# What no image can hold -----------------------------------------------------------------------------


def test_a_socket_is_left_out(root: Path) -> None:
    bind(root / "socket")
    assert "socket" not in {e.path for e in folder_tree(root).entries}


def test_a_socket_as_the_source_is_refused(root: Path) -> None:
    bind(root / "socket")
    with pytest.raises(Invalid) as caught:
        file_tree(root / "socket")
    assert caught.value.code == "IB207"


def test_a_pipe_is_refused_without_reading_it(root: Path) -> None:
    """Reading a pipe that nobody writes to would wait forever."""
    os.mkfifo(root / "pipe")
    for read in (lambda: folder_tree(root), lambda: file_tree(root / "pipe")):
        with pytest.raises(Invalid) as caught:
            read()
        assert caught.value.code == "IB207" and "pipe" in caught.value.message
    assert "pipe" not in {e.path for e in folder_tree(root, ignore=["pipe"]).entries}


def test_a_name_that_is_not_utf8_is_refused(root: Path) -> None:
    (Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9"))).touch()
    with pytest.raises(Invalid) as caught:
        folder_tree(root)
    assert caught.value.code == "IB206" and "caf\\udce9" in caught.value.message
    caught.value.message.encode()  # It can be printed.
    assert len(folder_tree(root, ignore=["caf?"]).entries) == 5


def test_a_folder_whose_name_is_not_utf8_is_refused(root: Path) -> None:
    (Path(os.fsdecode(os.fsencode(root) + b"/\xff"))).mkdir()
    with pytest.raises(Invalid) as caught:
        folder_tree(root)
    assert caught.value.code == "IB206"


def test_a_link_target_that_is_not_utf8_is_refused(root: Path) -> None:
    """The builder's own protocol carries UTF-8 alone."""
    os.symlink(b"\xff\xfe", os.fsencode(root) + b"/bytes")
    with pytest.raises(Invalid) as caught:
        folder_tree(root)
    assert caught.value.code == "IB206"


def test_the_digest_does_not_depend_on_the_locale(root: Path) -> None:
    """Names are UTF-8, whatever a process takes file names for."""
    (root / "ünï").write_text("x")
    code = (
        "import sys; from imagebuilder.context import read_tree; from imagebuilder.ir.ops import LocalSource; "
        "print(read_tree(sys.argv[1], LocalSource(path='.')).digest)"
    )
    found = {folder_tree(root).digest}
    for environment in ({"PYTHONUTF8": "1"}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}):
        argv = [sys.executable, "-c", code, os.fsencode(root)]
        done = subprocess.run(argv, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
        found.add(done.stdout.strip())
    assert len(found) == 1


def test_folders_nested_deeper_than_the_stack(tmp_path: Path) -> None:
    depth = sys.getrecursionlimit() + 50
    here = Path.cwd()
    try:
        os.chdir(tmp_path)
        for _ in range(depth):
            Path("d").mkdir()
            os.chdir("d")
    finally:
        os.chdir(here)
    assert len(folder_tree(tmp_path).entries) == depth
    # Later clean-up by recursion would fail.
    subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


@pytest.mark.parametrize("name", [".dockerignore", "pipe"])
def test_a_pipe_is_not_waited_for(root: Path, name: str) -> None:
    os.mkfifo(root / name)
    with pytest.raises(Invalid) as caught:
        folder_tree(root, dockerignore=".dockerignore")
    assert caught.value.code in ("IB201", "IB207")


def test_a_path_beyond_what_the_system_takes(tmp_path: Path) -> None:
    for kind in ("file", "dir"):
        with pytest.raises(Invalid) as caught:
            read_tree(str(tmp_path), LocalSource(path="x" * 5000, kind=kind))
        assert caught.value.code == "IB201"


# What cannot be read --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["file", "dir"])
def test_a_missing_source(tmp_path: Path, kind: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_tree(str(tmp_path), LocalSource(path="gone", kind=kind))
    assert caught.value.code == "IB201"
    assert str(tmp_path / "gone") in caught.value.message and "relative paths" in caught.value.help


def test_a_folder_for_a_file_and_the_reverse(root: Path) -> None:
    with pytest.raises(Invalid) as caught:
        file_tree(root / "sub")
    assert caught.value.code == "IB205" and "add_local_dir" in caught.value.help
    with pytest.raises(Invalid) as caught:
        folder_tree(root / "program")
    assert caught.value.code == "IB205" and "add_local_file" in caught.value.help


def test_an_unreadable_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root reads everything, so the refusal is the test's own."""
    opened = os.open

    def refusing(path: bytes, *arguments: int, **options: int) -> int:
        if path == b"file":
            raise PermissionError(13, "Permission denied", path)
        return opened(path, *arguments, **options)

    monkeypatch.setattr("imagebuilder.context.fingerprints.os.open", refusing)
    with pytest.raises(Invalid) as caught:
        folder_tree(root)
    assert caught.value.code == "IB201" and "sub/file': permission denied" in caught.value.message


def test_a_file_that_goes_away_during_the_walk(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open

    def vanishing(path: bytes, *arguments: int, **options: int) -> int:
        if path == b"file":
            (root / "sub/file").unlink(missing_ok=True)
        return opened(path, *arguments, **options)

    monkeypatch.setattr("imagebuilder.context.fingerprints.os.open", vanishing)
    with pytest.raises(Invalid) as caught:
        folder_tree(root)
    assert caught.value.code == "IB201" and "no such file" in caught.value.message


def test_an_unreadable_ignore_file(root: Path) -> None:
    (root / ".dockerignore").mkdir()
    with pytest.raises(Invalid) as caught:
        folder_tree(root, dockerignore=".dockerignore")
    assert caught.value.code == "IB201"
    (root / ".dockerignore").rmdir()
    (root / ".dockerignore").write_bytes(b"caf\xe9\n")
    with pytest.raises(Invalid) as caught:
        folder_tree(root, dockerignore=".dockerignore")
    assert caught.value.code == "IB201"


def test_a_long_chain_of_folders(tmp_path: Path) -> None:
    root = tmp_path / "root"
    deep = root.joinpath(*["d"] * 200)
    deep.mkdir(parents=True)
    (deep / "file").touch()
    assert len(folder_tree(root).entries) == 201
