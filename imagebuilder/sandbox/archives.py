"""What a sandbox holds, as the engine sees it: looked at, and moved in archives. Nothing in the sandbox takes part."""

from __future__ import annotations

import io
import os
import posixpath
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import IO

from imagebuilder.diagnostics import CompileError, Diagnostic, EngineError, SandboxError
from imagebuilder.engine.containers import FileStat
from imagebuilder.files import open_regular
from imagebuilder.sandbox.box import Box
from imagebuilder.sandbox.params import FileInfo
from imagebuilder.sandbox.unpack import Refused, TooMuch, unpack

CHUNK = 1 << 20
MAX_SIZE = 16.0
"""GiB that a folder takes at most that is fetched, unless something else is said."""
_LINKS = 40
_PATH = "is it spelt right? A text is the path of a local file; contents are given as bytes"
# What the kernel mounts over these is not seen by the engine.
_KERNEL = ("proc", "sys", "dev")


class Archives:
    """The files of one sandbox, moved as bytes. Relative paths start at its working folder."""

    def __init__(self, box: Box, workdir: str) -> None:
        self._box = box
        self._workdir = workdir

    def absolute(self, path: str) -> str:
        """The path from the root, whether or not something is there; CompileError where it is no path."""
        if not isinstance(path, str) or not path or "\0" in path:
            raise CompileError(Diagnostic("IB755", f"not a path: {path!r}", help="such as /tmp/file.txt"))
        return posixpath.normpath(posixpath.join(self._workdir, path))

    def stat(self, path: str) -> FileStat:
        """What is at a path, or where a link leads to; SandboxError where nothing is."""
        found = self.look(self.followed(self.absolute(path)))
        if found is None:
            raise self.missing(path)
        return found

    def look(self, path: str) -> FileStat | None:
        """What is at an absolute path; a link is told of itself."""
        try:
            return self._box.containers.file(self._box.id, path)
        except EngineError:
            if self._box.info() is None:
                raise self._box.gone() from None
            help = "is there a file, or a circle of links, in the place of a folder on the way to it?"
            raise SandboxError(Diagnostic("IB758", f"the engine cannot look at {path!r}", help=help)) from None

    def followed(self, path: str) -> str:
        """The path that a link leads to at last."""
        for _ in range(_LINKS):
            found = self.look(path)
            if found is None or found.type != "link":
                return path
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), found.target))
        raise SandboxError(Diagnostic("IB758", f"a circle of links at {path!r}", help="remove one of them"))

    @contextmanager
    def member(self, path: str) -> Iterator[IO[bytes]]:
        """The bytes of a regular file."""
        self._box.used()
        real = self.followed(self.absolute(path))
        found = self.stat(path)
        if found.type != "file":
            help = "download_dir() takes a folder" if found.type == "dir" else "only regular files hold bytes"
            raise SandboxError(Diagnostic("IB758", f"not a file: {path!r}", help=help))
        with (
            _whole(path),
            self._box.containers.files(self._box.id, real) as stream,
            tarfile.open(fileobj=stream, mode="r|") as tar,
        ):
            entry = tar.next()
            member = None if entry is None else tar.extractfile(entry)
            if member is None:
                raise self.missing(path)
            yield member

    def writable(self, path: str) -> str:
        """An absolute path at which something can be put; SandboxError where the engine would lose it."""
        if path.split("/")[1] in _KERNEL:
            help = "the engine writes below what is mounted there; have a command write it, with input="
            raise SandboxError(Diagnostic("IB758", f"{path!r} is not among the sandbox's own files", help=help))
        return path

    def put(self, pieces: Iterator[bytes], path: str) -> None:
        """Unpack an archive whose names start at the root; ``path`` is what is told where that fails."""
        self._box.used()
        try:
            self._box.containers.put(self._box.id, "/", pieces)
        except EngineError as error:
            if self._box.info() is None:
                raise self._box.gone() from None
            message = error.diagnostics[0].message
            raise SandboxError(
                Diagnostic("IB758", f"{path!r} cannot be written: {message}", help="is there space, and a folder?")
            ) from None

    def unpacked(self, path: str, target: Path, max_size: float) -> None:
        """Write a folder into a local one.

        Raises:
            SandboxError: it holds what would be written elsewhere, a device, or more than ``max_size`` GiB.
        """
        real = self.followed(self.absolute(path))
        with _whole(path), self._box.containers.files(self._box.id, real) as stream:
            try:
                unpack(stream, target, max_size * (1 << 30))
            except TooMuch as error:
                help = f"it may take {max_size:g} GiB: give a larger max_size (--max-size), or fetch parts of it"
                raise SandboxError(Diagnostic("IB758", f"{path!r} holds {error}", help=help)) from None
            except Refused as error:
                help = "take it out of the folder, or fetch files one by one"
                raise SandboxError(Diagnostic("IB758", f"refused: {error}", help=help)) from None

    def listed(self, path: str) -> list[FileInfo]:
        """What a folder holds, by its archive, whose contents are passed over: for a sandbox without tools."""
        found = []
        real = self.followed(self.absolute(path))
        with (
            _whole(path),
            self._box.containers.files(self._box.id, real) as stream,
            tarfile.open(fileobj=stream, mode="r|") as tar,
        ):
            for entry in tar:
                name = entry.name.partition("/")[2].rstrip("/")
                if not name or "/" in name:
                    continue
                modified, mode = datetime.fromtimestamp(entry.mtime, UTC), f"{entry.mode:04o}"
                place = posixpath.join(path, name)
                found.append(
                    FileInfo(
                        name, place, entry.size, entry.isdir(), mode, modified, entry.linkname, entry.uname, entry.gname
                    )
                )
        return sorted(found, key=lambda each: each.name)

    def missing(self, path: str) -> SandboxError:
        """What is told of a path where nothing is."""
        return SandboxError(
            Diagnostic(
                "IB758",
                f"there is no {path!r} in the sandbox",
                help=f"relative paths start at {self._workdir}; `ls` there, or list_files(), shows what it has",
            )
        )


@contextmanager
def _whole(path: str) -> Iterator[None]:
    """SandboxError where what comes of the sandbox breaks off, or is not what was looked at."""
    try:
        yield
    except (tarfile.TarError, HTTPException, ConnectionResetError) as error:
        help = "does the sandbox still run, and does nothing change there meanwhile? try it again"
        raise SandboxError(Diagnostic("IB758", f"{path!r} did not come whole: {error}", help=help)) from None


def archive(path: str, file: IO[bytes], size: int, mode: int, owner: tuple[int, int]) -> Iterator[bytes]:
    """A tar archive with one file, made while it is sent."""
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.size, entry.mode, entry.mtime = size, mode, int(time.time())
    entry.uid, entry.gid = owner
    yield entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    left = size
    while left:
        piece = file.read(min(left, CHUNK))
        if not piece:
            raise SandboxError(Diagnostic("IB758", "a local file that became shorter", help="upload it again"))
        left -= len(piece)
        yield piece
    yield b"\0" * (-size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)


@contextmanager
def opened(src: bytes | str | os.PathLike[str] | IO[bytes]) -> Iterator[tuple[IO[bytes], int, bool]]:
    """The file, its size, and whether it is a program."""
    if isinstance(src, bytes | bytearray | memoryview):
        yield io.BytesIO(src), len(bytes(src)), False
    elif isinstance(src, str | os.PathLike):
        try:
            file = open_regular(Path(src))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise CompileError(Diagnostic("IB758", f"cannot read {os.fspath(src)!r}: {reason}", help=_PATH)) from None
        with file:
            status = os.fstat(file.fileno())
            yield file, status.st_size, bool(status.st_mode & 0o100)
    else:
        # Its size has to be known before its bytes are sent.
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(src, copy, CHUNK)
            size = copy.tell()
            copy.seek(0)
            yield copy, size, False


@contextmanager
def archived(write: Callable[[tarfile.TarFile], None]) -> Iterator[Iterator[bytes]]:
    """The pieces of the archive that ``write`` fills."""
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as out:
            write(out)
        file.seek(0)
        yield iter(lambda: file.read(CHUNK), b"")
