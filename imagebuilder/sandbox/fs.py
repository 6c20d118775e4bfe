"""Files in a sandbox: bytes of any kind and size by the engine's archives, the rest by the sandbox's own tools."""

from __future__ import annotations

import io
import os
import posixpath
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from imagebuilder.diagnostics import CompileError, Diagnostic, EngineError, SandboxError
from imagebuilder.engine.containers import FileStat
from imagebuilder.files import open_regular
from imagebuilder.sandbox.box import Box
from imagebuilder.sandbox.params import ExecuteResponse, FileInfo, Match
from imagebuilder.sandbox.process import Process
from imagebuilder.sandbox.unpack import Refused, unpack

_CHUNK = 1 << 20
_LINKS = 40
# For each path: mode, type, size, time, owner and group, then a line end, the path and a zero.
_LIST = """\
cd -- "$1" || exit 3
find . -mindepth 1 -maxdepth 1 -exec sh -c '
    for each; do stat -c "%a %F|%s|%Y|%U|%G" -- "$each" && printf "%s\\0" "$each" || exit 4; done' sh {} +"""


class FileSystem:
    """The files of one sandbox. Relative paths start at its working folder."""

    def __init__(self, box: Box, process: Process, workdir: str) -> None:
        self._box = box
        self._process = process
        self._workdir = workdir
        self._ids: tuple[int, int] | None = None

    # Bytes in and out ---------------------------------------------------------------------------------

    def upload_file(
        self, src: bytes | str | os.PathLike[str] | IO[bytes], dst: str, *, mode: int | None = None
    ) -> None:
        """Write a file, in place of one that is there; folders on the way are made. It belongs to the sandbox's user.

        Args:
            src: bytes, the path of a local file, or a file that is open for reading.
            dst: its path in the sandbox.
            mode: permissions; None keeps those of the file that is replaced, else 0644, or 0755 for a program.

        Raises:
            SandboxError: it cannot be written.
        """
        path = self._absolute(dst)
        if posixpath.basename(dst) in ("", ".", ".."):
            raise _not_a_file(dst)
        with _opened(src) as (file, size, program):
            before = self._look(path)
            if before is not None and before.type == "dir":
                raise _not_a_file(dst)
            if before is not None and before.type == "link":
                path = self._followed(path)
            kept = before.mode if before is not None and before.type == "file" else None
            wanted = mode if mode is not None else kept if kept is not None else 0o755 if program else 0o644
            # The engine answers nothing else about a container while it unpacks an archive there.
            owner = self._owner()
            self._put(_archive(path, file, size, wanted, owner), dst)

    def upload_dir(self, src: str | os.PathLike[str], dst: str) -> None:
        """Write a local folder and all below it as the folder ``dst``; links stay links.

        Raises:
            CompileError: there is no such local folder.
            SandboxError: it cannot be written.
        """
        root = Path(src)
        if not root.is_dir():
            raise CompileError(
                Diagnostic("IB758", f"there is no local folder {str(root)!r}", help="is it spelt right?")
            )
        uid, gid = self._owner()

        def ours(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
            entry.uid, entry.gid, entry.uname, entry.gname = uid, gid, "", ""
            return entry if entry.isfile() or entry.isdir() or entry.issym() or entry.islnk() else None

        with _archived(lambda out: out.add(root, self._absolute(dst).lstrip("/") or ".", filter=ours)) as pieces:
            self._put(pieces, dst)

    def download_file(self, path: str, dst: str | os.PathLike[str] | None = None) -> bytes:
        """The bytes of a file; with ``dst`` they are written there, piece by piece, and nothing is returned.

        Raises:
            SandboxError: there is no such file, or it is none.
        """
        with self._member(path) as member:
            if dst is None:
                return member.read()
            target = Path(dst)
            # Whole or not at all: whatever was there before stays until everything has come.
            handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
            try:
                with os.fdopen(handle, "wb") as out:
                    shutil.copyfileobj(member, out, _CHUNK)
                Path(name).chmod(0o666 & ~_umask())
                Path(name).replace(target)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        return b""

    def download_dir(self, path: str, dst: str | os.PathLike[str]) -> None:
        """Write a folder of the sandbox as the new or empty local folder ``dst``.

        What would be written outside of ``dst``, and devices, are refused: a sandbox is not trusted.

        Raises:
            CompileError: ``dst`` is there and not empty.
            SandboxError: there is no such folder.
        """
        info = self._stat(path)
        if info.type != "dir":
            raise SandboxError(Diagnostic("IB758", f"not a folder: {path!r}", help="download_file() takes a file"))
        target = Path(dst)
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise CompileError(Diagnostic("IB758", f"{str(target)!r} is there already", help="name a new folder"))
        target.mkdir(parents=True, exist_ok=True)
        with self._box.containers.files(self._box.id, self._followed(self._absolute(path))) as stream:
            try:
                unpack(stream, target)
            except Refused as error:
                help = "take it out of the folder, or fetch files one by one"
                raise SandboxError(Diagnostic("IB758", f"refused: {error}", help=help)) from None

    # What is there ------------------------------------------------------------------------------------

    def list_files(self, path: str = ".") -> list[FileInfo]:
        """What a folder holds, sorted by name.

        Raises:
            SandboxError: there is no such folder.
        """
        info = self._stat(path)
        if info.type != "dir":
            raise SandboxError(Diagnostic("IB758", f"not a folder: {path!r}", help="get_file_info() tells of a file"))
        output = bytearray()
        done = self._process.exec(
            ["sh", "-c", _LIST, "sh", self._absolute(path)],
            on_output=lambda n, data: output.extend(data) if n == 1 else None,
        )
        if done.exit_code:
            return self._list_without_tools(path)
        found = []
        for entry in bytes(output).split(b"\0")[:-1]:
            head, _, raw = entry.partition(b"\n")
            name = os.fsdecode(raw).removeprefix("./")
            mode_and_type, size, modified, owner, group = head.decode(errors="replace").split("|")
            mode, _, type = mode_and_type.partition(" ")
            found.append(
                FileInfo(
                    name,
                    posixpath.join(path, name),
                    int(size),
                    type == "directory",
                    f"{int(mode, 8):04o}",
                    datetime.fromtimestamp(int(modified), UTC),
                    "",
                    owner,
                    group,
                )
            )
        return sorted(found, key=lambda each: each.name)

    def is_folder(self, path: str) -> bool:
        """Whether a path is a folder, or a link to one.

        Raises:
            SandboxError: nothing is there.
        """
        return self._stat(path).type == "dir"

    def get_file_info(self, path: str) -> FileInfo:
        """What is at a path; a link is told of itself.

        Raises:
            SandboxError: nothing is there.
        """
        found = self._look(self._absolute(path))
        if found is None:
            raise self._missing(path)
        self._box.used()
        return _info(found, path)

    def find_files(self, path: str, pattern: str) -> list[Match]:
        """The lines of files below a path that hold ``pattern``, a basic regular expression as of ``grep``."""
        done = self._tool(["grep", "-rnI", "-e", pattern, "--", self._absolute(path)], path, fine=(0, 1))
        found = []
        for line in done.stdout.splitlines():
            file, _, rest = line.partition(":")
            number, _, content = rest.partition(":")
            if number.isdigit():
                found.append(Match(file, int(number), content))
        return found

    def search_files(self, path: str, pattern: str) -> list[str]:
        """The paths below a path whose names match ``pattern``, such as ``*.py``."""
        words = [
            "find",
            self._absolute(path),
            "-mindepth",
            "1",
            "-name",
            pattern,
            "-exec",
            "printf",
            "%s\\0",
            "{}",
            "+",
        ]
        return sorted(self._tool(words, path).stdout.split("\0")[:-1])

    # Changes ------------------------------------------------------------------------------------------

    def create_folder(self, path: str, mode: str | int = "755") -> None:
        """Make a folder and those on the way to it. One that is there stays as it is.

        Args:
            mode: in octal, such as ``"755"``.
        """
        found = self._look(self._absolute(path))
        if found is not None and found.type == "dir":
            return
        octal = mode if isinstance(mode, str) else f"{mode:o}"
        self._tool(["mkdir", "-p", "-m", octal, "--", self._absolute(path)], path)

    def delete_file(self, path: str, recursive: bool = False) -> None:
        """Remove a file, an empty folder, or with ``recursive`` a folder and all below it."""
        found = self._look(self._absolute(path))
        if found is None:
            raise self._missing(path)
        word = ["rm", "-rf"] if recursive else ["rmdir"] if found.type == "dir" else ["rm", "-f"]
        self._tool([*word, "--", self._absolute(path)], path)

    def move_files(self, source: str, destination: str) -> None:
        """Rename a file or a folder, or move it into a folder that is there."""
        self._tool(["mv", "-f", "--", self._absolute(source), self._absolute(destination)], source)

    def replace_in_files(self, files: list[str], pattern: str, new_value: str) -> int:
        """Put ``new_value`` in the place of the text ``pattern`` in each file; how many were changed."""
        changed = 0
        for file in files:
            before = self.download_file(file)
            after = before.replace(pattern.encode(), new_value.encode())
            if after != before:
                self.upload_file(after, file)
                changed += 1
        return changed

    def set_file_permissions(
        self, path: str, mode: str | int | None = None, owner: str | None = None, group: str | None = None
    ) -> None:
        """
        Args:
            mode: in octal, such as ``"640"``.
            owner, group: names or numbers.
        """
        if mode is not None:
            octal = mode if isinstance(mode, str) else f"{mode:o}"
            self._tool(["chmod", "--", octal, self._absolute(path)], path)
        if owner is not None or group is not None:
            who = f"{owner or ''}{f':{group}' if group else ''}"
            self._tool(["chown", "--", who, self._absolute(path)], path)

    # ---------------------------------------------------------------------------------------------------

    def _absolute(self, path: str) -> str:
        if not isinstance(path, str) or not path or "\0" in path:
            raise CompileError(Diagnostic("IB755", f"not a path: {path!r}", help="such as /tmp/file.txt"))
        return posixpath.normpath(posixpath.join(self._workdir, path))

    def _stat(self, path: str) -> FileStat:
        found = self._look(self._followed(self._absolute(path)))
        if found is None:
            raise self._missing(path)
        return found

    def _look(self, path: str) -> FileStat | None:
        """What is at an absolute path."""
        try:
            return self._box.containers.file(self._box.id, path)
        except EngineError:
            if self._box.info() is None:
                raise self._box.gone() from None
            help = "is there a circle of links on the way to it?"
            raise SandboxError(Diagnostic("IB758", f"the engine cannot look at {path!r}", help=help)) from None

    def _followed(self, path: str) -> str:
        """The path that a link leads to at last."""
        for _ in range(_LINKS):
            found = self._look(path)
            if found is None or found.type != "link":
                return path
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), found.target))
        raise SandboxError(Diagnostic("IB758", f"a circle of links at {path!r}", help="remove one of them"))

    @contextmanager
    def _member(self, path: str) -> Iterator[IO[bytes]]:
        self._box.used()
        real = self._followed(self._absolute(path))
        found = self._stat(path)
        if found.type != "file":
            help = "download_dir() takes a folder" if found.type == "dir" else "only regular files hold bytes"
            raise SandboxError(Diagnostic("IB758", f"not a file: {path!r}", help=help))
        with (
            self._box.containers.files(self._box.id, real) as stream,
            tarfile.open(fileobj=stream, mode="r|") as archive,
        ):
            entry = archive.next()
            member = None if entry is None else archive.extractfile(entry)
            if member is None:
                raise self._missing(path)
            yield member

    def _put(self, archive: Iterator[bytes], path: str) -> None:
        self._box.used()
        try:
            self._box.containers.put(self._box.id, "/", archive)
        except EngineError as error:
            if self._box.info() is None:
                raise self._box.gone() from None
            message = error.diagnostics[0].message
            raise SandboxError(
                Diagnostic("IB758", f"{path!r} cannot be written: {message}", help="is there space, and a folder?")
            ) from None

    def _owner(self) -> tuple[int, int]:
        """The numbers of the sandbox's user; root's where it has no `id`."""
        if self._ids is None:
            done = self._process.exec(["sh", "-c", "id -u && id -g"])
            numbers = done.stdout.split()
            self._ids = (int(numbers[0]), int(numbers[1])) if not done.exit_code and len(numbers) == 2 else (0, 0)
        return self._ids

    def _tool(self, words: list[str], path: str, fine: tuple[int, ...] = (0,)) -> ExecuteResponse:
        done = self._process.exec(words)
        if done.exit_code not in fine:
            said = done.result.strip().splitlines()[-1:] or [f"exit code {done.exit_code}"]
            help = (
                f"the image has no {words[0]!r}"
                if done.exit_code in (126, 127)
                else "does it exist, and may it be changed?"
            )
            raise SandboxError(Diagnostic("IB758", f"{words[0]} of {path!r}: {said[0]}", help=help))
        return done

    def _list_without_tools(self, path: str) -> list[FileInfo]:
        """By the archive of the folder, whose contents are passed over."""
        found = []
        real = self._followed(self._absolute(path))
        with self._box.containers.files(self._box.id, real) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
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

    def _missing(self, path: str) -> SandboxError:
        return SandboxError(
            Diagnostic(
                "IB758",
                f"there is no {path!r} in the sandbox",
                help=f"relative paths start at {self._workdir}; list_files() shows what is there",
            )
        )


def _archive(path: str, file: IO[bytes], size: int, mode: int, owner: tuple[int, int]) -> Iterator[bytes]:
    """A tar archive with one file, made while it is sent."""
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.size, entry.mode, entry.mtime = size, mode, int(time.time())
    entry.uid, entry.gid = owner
    yield entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    left = size
    while left:
        piece = file.read(min(left, _CHUNK))
        if not piece:
            raise SandboxError(Diagnostic("IB758", "a local file that became shorter", help="upload it again"))
        left -= len(piece)
        yield piece
    yield b"\0" * (-size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)


def _info(found: FileStat, path: str) -> FileInfo:
    return FileInfo(
        found.name, path, found.size, found.type == "dir", f"{found.mode:04o}", found.modified, found.target
    )


def _not_a_file(path: str) -> CompileError:
    return CompileError(Diagnostic("IB755", f"not the path of a file: {path!r}", help="name the file, not its folder"))


@contextmanager
def _opened(src: bytes | str | os.PathLike[str] | IO[bytes]) -> Iterator[tuple[IO[bytes], int, bool]]:
    """The file, its size, and whether it is a program."""
    if isinstance(src, bytes | bytearray | memoryview):
        yield io.BytesIO(src), len(bytes(src)), False
    elif isinstance(src, str | os.PathLike):
        try:
            file = open_regular(Path(src))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise CompileError(
                Diagnostic("IB758", f"cannot read {os.fspath(src)!r}: {reason}", help="bytes are given as bytes")
            ) from None
        with file:
            status = os.fstat(file.fileno())
            yield file, status.st_size, bool(status.st_mode & 0o100)
    else:
        # Its size has to be known before its bytes are sent.
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(src, copy, _CHUNK)
            size = copy.tell()
            copy.seek(0)
            yield copy, size, False


@contextmanager
def _archived(write: object) -> Iterator[Iterator[bytes]]:
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as out:
            assert callable(write)
            write(out)
        file.seek(0)
        yield iter(lambda: file.read(_CHUNK), b"")


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
