"""What has not changed is not read again; what has, is, however it hides; and a broken memory is as good as none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from imagebuilder.context import Tree, fingerprints, read_tree, stats, tree, walk
from imagebuilder.ir.ops import LocalSource

PLAIN = LocalSource(path="root")


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where to remember, for trees of any size."""
    monkeypatch.setattr(tree, "_WORTH_FILES", 0)
    return tmp_path / "home/stats"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that was left alone for as long as it takes to be trusted, as far as the walk can tell."""
    root = tmp_path / "root"
    (root / "sub/deep").mkdir(parents=True)
    (root / "empty").mkdir()
    for name in ("a", "b", "sub/c", "sub/deep/d", "sub/x.md"):
        (root / name).write_text(name)
    (root / "program").write_text("#!/bin/sh\n")
    (root / "program").chmod(0o755)
    (root / "sub/link").symlink_to("c")
    return root


@pytest.fixture(autouse=True)
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes files old at once; the tests of the slack ask for it back."""
    monkeypatch.setattr(walk, "SLACK", -(10**12))


@contextmanager
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the files that are read meanwhile."""
    names: list[str] = []
    original = os.open

    def counted(path: bytes, flags: int, *arguments: int, **options: int) -> int:
        if flags & os.O_NOFOLLOW and options:
            names.append(os.fsdecode(path))
        return original(path, flags, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr("imagebuilder.context.fingerprints.os.open", counted)
        yield names


def read(root: Path, seen: Path | None, source: LocalSource = PLAIN) -> Tree:
    return read_tree(str(root.parent), source, seen)


def test_nothing_is_read_again(root: Path, seen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read(root, seen)
    with opened(monkeypatch) as files:
        second = read(root, seen)
    assert files == []
    assert (second.digest, second.entries, second.size) == (first.digest, first.entries, first.size)


def test_what_is_unchanged_is_not_even_written(root: Path, seen: Path) -> None:
    read(root, seen)
    (file,) = seen.iterdir()
    before = file.stat().st_ino
    read(root, seen)
    assert file.stat().st_ino == before


def rewritten(root: Path) -> None:
    before = (root / "a").stat()
    (root / "a").write_text("z")
    os.utime(root / "a", ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(root: Path) -> None:
    before = (root / "a").stat()
    (root / "new").write_text("z")
    os.utime(root / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
    (root / "new").rename(root / "a")


EDITS: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "another size": (lambda root: (root / "a").write_text("longer"), ["a"]),
    "the same size, its mtime put back": (rewritten, ["a"]),
    "another file of the same size and mtime in its place": (replaced, ["a"]),
    "the executable bit": (lambda root: (root / "b").chmod(0o755), ["b"]),
    "a file more": (lambda root: (root / "sub/new").write_text("n"), ["new"]),
    "a file less": (lambda root: (root / "sub/c").unlink(), []),
    "another name": (lambda root: (root / "sub/c").rename(root / "sub/C"), ["C"]),
    "two that changed places": (
        lambda root: (
            (root / "a").rename(root / "t"),
            (root / "b").rename(root / "a"),
            (root / "t").rename(root / "b"),
        ),
        ["a", "b"],
    ),
    "another target": (lambda root: ((root / "sub/link").unlink(), (root / "sub/link").symlink_to("d")), ["link"]),
    "a folder more": (lambda root: (root / "empty/more").mkdir(), []),
    "a folder that is a file now": (lambda root: ((root / "empty").rmdir(), (root / "empty").touch()), ["empty"]),
    "a file that is a folder now": (lambda root: ((root / "a").unlink(), (root / "a").mkdir()), []),
    "a folder that moved": (lambda root: (root / "sub/deep").rename(root / "deep"), ["d"]),
    "a folder less": (lambda root: shutil.rmtree(root / "sub/deep"), []),
}


@pytest.mark.parametrize(("edit", "names"), EDITS.values(), ids=EDITS)
def test_an_edit_shows_and_costs_no_more_than_itself(
    root: Path, seen: Path, monkeypatch: pytest.MonkeyPatch, edit: Callable[[Path], object], names: list[str]
) -> None:
    before = read(root, seen).digest
    edit(root)
    with opened(monkeypatch) as files:
        warm = read(root, seen)
    cold = read(root, None)
    assert warm.digest == cold.digest != before
    assert warm.entries == cold.entries
    assert sorted(set(files)) == names
    with opened(monkeypatch) as files:
        assert read(root, seen).digest == cold.digest
    assert files == []


def test_a_file_that_was_just_written_is_read_again(root: Path, seen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within its file system's granularity it may have been changed after it was read, without a trace."""
    monkeypatch.setattr(walk, "SLACK", stats.SLACK)
    for file in ("a", "sub/c"):
        os.utime(root / file, (1, 1))  # The ctime tells all the same.
    for _ in range(2):
        read(root, seen)
        with opened(monkeypatch) as files:
            read(root, seen)
        assert {"a", "b", "c", "d"} <= set(files)


def test_a_file_from_the_future_is_read_each_time(root: Path, seen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "SLACK", -(10**9) * 3600)
    os.utime(root / "a", (time.time() + 86400,) * 2)
    read(root, seen)
    with opened(monkeypatch) as files:
        read(root, seen)
    assert files == ["a"]


@pytest.mark.parametrize("moment", [-(2**62), 2**62 // 10**9 * 10**9, -1])
def test_any_time_is_a_time(root: Path, seen: Path, moment: int) -> None:
    os.utime(root / "a", ns=(0, moment))
    assert read(root, seen).digest == read(root, seen).digest == read(root, None).digest


def test_other_rules_read_nothing_anew(root: Path, seen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line more in an ignore file chooses anew, from files that are known."""
    source = LocalSource(path="root", dockerignore=".dockerignore")
    (root / ".dockerignore").write_text("**/*.md\n")
    assert "sub/x.md" not in {entry.path for entry in read(root, seen, source).entries}
    (root / ".dockerignore").write_text("sub/deep\n")
    with opened(monkeypatch) as files:
        warm = read(root, seen, source)
    assert sorted(files) == [".dockerignore", "x.md"]
    assert warm.entries == read(root, None, source).entries


def test_what_is_ignored_may_change(root: Path, seen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = LocalSource(path="root", ignore=["sub"])
    read(root, seen, source)
    (root / "sub/c").write_text("other")
    with opened(monkeypatch) as files:
        warm = read(root, seen, source)
    assert files == [] and warm.digest == read(root, None, source).digest


def test_what_is_ignored_as_a_file_may_become_a_folder_with_something_in_it(root: Path, seen: Path) -> None:
    source = LocalSource(path="root", ignore=["*", "!a/keep"])
    assert read(root, seen, source).entries == ()
    (root / "a").unlink()
    (root / "a").mkdir()
    (root / "a/keep").write_text("k")
    assert [entry.path for entry in read(root, seen, source).entries] == ["a", "a/keep"]


def test_selections_of_one_folder_do_not_mix(root: Path, seen: Path) -> None:
    sources = [LocalSource(path="root", include=[(name,)]) for name in ("a", "sub", "sub/l*", "sub/deep/d")]
    for _ in range(2):
        for source in sources:
            assert read(root, seen, source).entries == read(root, None, source).entries


# Damage -----------------------------------------------------------------------------------------------

DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut short": lambda data: data[:-7],
    "half": lambda data: data[: len(data) // 2],
    "a bit": lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
    "more": lambda data: data + b"x",
    "zeros": lambda data: bytes(len(data)),
    "another version": lambda data: data.replace(b"stats 1", b"stats 9", 1),
    "text": lambda data: b"hello",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_memory_is_made_anew(root: Path, seen: Path, damage: Callable[[bytes], bytes]) -> None:
    digest = read(root, seen).digest
    (file,) = seen.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert read(root, seen).digest == digest
    assert file.read_bytes() == whole


def test_a_home_that_cannot_be_written(root: Path, tmp_path: Path, seen: Path) -> None:
    (tmp_path / "home").write_text("a file")
    assert read(root, seen).digest == read(root, None).digest


def test_a_full_disk(root: Path, seen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stats.os, "fdopen", full)
    assert read(root, seen).digest == read(root, None).digest
    assert list(seen.iterdir()) == []


def test_the_memory_is_its_owners_alone(root: Path, seen: Path) -> None:
    read(root, seen)
    (file,) = seen.iterdir()
    assert (seen.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_home_inside_of_the_folder_does_not_change_it(root: Path, seen: Path, tmp_path: Path) -> None:
    """It is not used, since every look would move the key."""
    (tmp_path / "alias").symlink_to(root)
    for home in (root, root / "sub", tmp_path / "alias/home"):
        before = read(root, None).digest
        assert [read(root, home / "stats").digest for _ in range(2)] == [before, before]


def test_a_small_tree_leaves_nothing_behind(root: Path, tmp_path: Path) -> None:
    read(root, tmp_path / "home/stats")
    assert not (tmp_path / "home").exists()


def test_the_least_recently_used_goes(root: Path, seen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [LocalSource(path="root", ignore=[f"none{number}"]) for number in range(4)]
    for number, source in enumerate(sources[:3]):
        read(root, seen, source)
        newest = max(seen.iterdir(), key=lambda file: file.stat().st_mtime_ns)
        os.utime(newest, (number + 1, number + 1))
    size = newest.stat().st_size
    read(root, seen, sources[0])  # It is used, so it stays.
    monkeypatch.setattr(stats, "MAX_BYTES", 3 * size + size // 2)
    read(root, seen, sources[3])
    assert [bool(stats.load(seen, name)[1]) for name in map(name_of(root), sources)] == [True, False, True, True]


def name_of(root: Path) -> Callable[[LocalSource], str]:
    return lambda source: stats.file_name(os.fsencode(root), source.include, source.literal, "", source.ignore)


def test_processes_share_it(root: Path, seen: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from imagebuilder.context import read_tree, tree; "
        "from imagebuilder.ir.ops import LocalSource; tree._WORTH_FILES = 0\n"
        "for _ in range(20): print(read_tree(sys.argv[1], LocalSource(path='root'), Path(sys.argv[2])).digest)"
    )
    argv = [sys.executable, "-c", code, str(root.parent), str(seen)]
    running = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    found = {line for each in running for line in each.communicate()[0].split()}
    assert found == {read(root, None).digest}
    assert len(list(seen.iterdir())) == 1


# A file that does not hold still -----------------------------------------------------------------------


def test_a_write_between_the_look_and_the_end_shows_at_the_next(
    root: Path, seen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look is the earlier one, so what is remembered is never newer than what was read."""
    original = os.read

    def writing(file: int, length: int) -> bytes:
        data = original(file, length)
        if data == b"a":
            (root / "a").write_text("z")
        return data

    with monkeypatch.context() as patch:
        patch.setattr(fingerprints.os, "read", writing)
        read(root, seen)
    assert read(root, seen).digest == read(root, None).digest
