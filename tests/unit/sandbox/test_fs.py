"""Files of a sandbox whose tools, users and archives are not what they should be."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import IncompleteRead
from pathlib import Path
from typing import IO, cast

import pytest

from imagebuilder.diagnostics import CompileError, SandboxError
from imagebuilder.engine.containers import Command, FileStat, Running
from imagebuilder.engine.docker_containers import _query
from imagebuilder.engine.fake_containers import FakeContainers, FakeRunning
from imagebuilder.sandbox import FileSystem, Process
from imagebuilder.sandbox.box import Box
from imagebuilder.sandbox.fs import permissions


class Hostile(FakeContainers):
    """Every path is what ``type`` says; its tools print ``said``, and its archives are ``archive``."""

    type = "file"
    said = b""

    def __init__(self) -> None:
        super().__init__()
        self.archive: IO[bytes] = io.BytesIO()
        self.sent = b""

    def run(self, id: str, command: Command) -> Running:
        return FakeRunning("x", [(1, self.said)])

    def file(self, id: str, path: str) -> FileStat | None:
        return FileStat("x", 4, 0o644, self.type, datetime.now(UTC))  # type: ignore[arg-type]

    @contextmanager
    def files(self, id: str, path: str) -> Iterator[IO[bytes]]:
        yield self.archive

    def put(self, id: str, folder: str, archive: Iterable[bytes]) -> None:
        self.sent = b"".join(archive)


@pytest.fixture
def containers() -> Hostile:
    return Hostile()


@pytest.fixture
def fs(containers: Hostile, tmp_path: Path) -> FileSystem:
    box = Box("one", "1", lambda: containers, tmp_path)
    return FileSystem(box, Process(box), "/")


def archive(*names: str) -> io.BytesIO:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = 4
            tar.addfile(entry, io.BytesIO(b"four"))
    out.seek(0)
    return out


@pytest.mark.parametrize(
    "said",
    [
        b"644 regular file|4|1|a|b|c\nf\0",
        b"garbage\nf\0",
        b"99 regular file|4|1|a|b\nf\0",
        b"644 regular file|4|99999999999999999999|a|b\nf\0",
    ],
)
def test_a_list_that_cannot_be_read_is_made_of_the_archive(fs: FileSystem, containers: Hostile, said: bytes) -> None:
    """A user of a sandbox may be called a|b."""
    containers.type, containers.said, containers.archive = "dir", said, archive("d/f")
    assert [(each.name, each.size) for each in fs.list_files("/d")] == [("f", 4)]


@pytest.mark.parametrize("said", [b"a b", b"1\n", b"1 2 3", b"9999999999\n1\n", b"\xff\n\xff\n"])
def test_an_id_that_says_no_numbers(fs: FileSystem, containers: Hostile, said: bytes) -> None:
    containers.said = said
    fs.upload_file(b"x", "/f")
    with tarfile.open(fileobj=io.BytesIO(containers.sent)) as sent:
        assert [(each.name, each.uid) for each in sent] == [("f", 0)]


@pytest.mark.parametrize("mode", ["755", "u+x", 0o755, 0o644, 0o777, 0o640, 0o664, 0o555, 0o500, 0o1777, 0o2775, 0])
def test_permissions(mode: str | int) -> None:
    assert permissions(mode) == mode if isinstance(mode, str) else int(permissions(mode), 8) == mode


@pytest.mark.parametrize("mode", [755, 644, 777, 700, 600, 640, 750, 775, 664, 666, 555, 444, 711, 770, 1777, 2755])
def test_permissions_that_were_meant_as_octal(fs: FileSystem, containers: Hostile, mode: int) -> None:
    for do in (
        lambda: fs.create_folder("/d", mode),
        lambda: fs.set_file_permissions("/f", mode),
        lambda: fs.upload_file(b"x", "/f", mode=mode),
    ):
        with pytest.raises(CompileError) as caught:
            do()
        assert caught.value.diagnostics[0].help == f'"{mode}", or 0o{mode}'
    assert containers.sent == b""


@pytest.mark.parametrize("mode", [-1, 0o10000, True, 7.5])
def test_what_are_no_permissions(mode: object) -> None:
    with pytest.raises(CompileError, match="not permissions"):
        permissions(mode)  # type: ignore[arg-type] # that is the mistake


class Breaking(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        if self.tell() >= 512:
            raise IncompleteRead(b"")
        return super().read(256)


@pytest.mark.parametrize("kind", ["garbage", "cut", "broken", "link"])
def test_an_archive_that_breaks_off(fs: FileSystem, containers: Hostile, kind: str, tmp_path: Path) -> None:
    """What was there before stays, and nothing else is left."""
    whole = archive("f").getvalue()
    link = tarfile.TarInfo("f")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    found: dict[str, IO[bytes]] = {
        "garbage": io.BytesIO(b"\xff" * 2000),
        "cut": io.BytesIO(whole[:514]),
        "broken": cast("IO[bytes]", Breaking(whole)),
        "link": io.BytesIO(link.tobuf() + bytes(1024)),
    }
    containers.archive = found[kind]
    (tmp_path / "out").mkdir()
    target = tmp_path / "out/f"
    target.write_text("before")
    with pytest.raises(SandboxError) as caught:
        fs.download_file("/f", target)
    assert caught.value.diagnostics[0].code == "IB758" and caught.value.diagnostics[0].help
    assert [path.read_text() for path in (tmp_path / "out").iterdir()] == ["before"]


def test_a_folder_that_breaks_off(fs: FileSystem, containers: Hostile, tmp_path: Path) -> None:
    containers.type, containers.archive = "dir", cast("IO[bytes]", Breaking(archive("d/a", "d/b").getvalue()))
    (tmp_path / "empty").mkdir()
    with pytest.raises(SandboxError):
        fs.download_dir("/d", tmp_path / "new/folder")
    containers.archive = cast("IO[bytes]", Breaking(archive("d/a", "d/b/c").getvalue()))
    with pytest.raises(SandboxError):
        fs.download_dir("/d", tmp_path / "empty")
    assert list((tmp_path / "new").iterdir()) == list((tmp_path / "empty").iterdir()) == [], "nothing is left"
    containers.archive = io.BytesIO(b"\xff" * 2000)
    with pytest.raises(SandboxError):
        fs.list_files("/\udcff")


def test_a_file_goes_piece_by_piece_into_one_that_is_open(fs: FileSystem, containers: Hostile) -> None:
    containers.archive, out = archive("f"), io.BytesIO()
    assert fs.download_file("/f", out) == b"" and out.getvalue() == b"four"


def test_whoever_reads_no_more_is_told_as_such(fs: FileSystem, containers: Hostile) -> None:
    class Closed(io.BytesIO):
        def write(self, data: object) -> int:
            raise BrokenPipeError

    containers.archive = archive("f")
    with pytest.raises(BrokenPipeError):
        fs.download_file("/f", Closed())


@pytest.mark.parametrize("path", ["/proc/x", "/dev/shm/x", "/sys/x", "/tmp/../proc/x"])
def test_what_the_engine_would_lose_is_refused(fs: FileSystem, path: str, tmp_path: Path) -> None:
    """It writes below what the kernel mounts there, and says that all went well."""
    with pytest.raises(SandboxError):
        fs.upload_file(b"x", path)
    with pytest.raises(SandboxError):
        fs.upload_dir(tmp_path, path)


def test_a_path_may_hold_bytes_that_are_no_text() -> None:
    assert _query(path="/tmp/\udcff") == "path=%2Ftmp%2F%FF"
