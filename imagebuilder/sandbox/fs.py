"""The files of a sandbox: bytes of any kind and size go by archives, the rest is done by the sandbox's own tools."""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import tarfile
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from imagebuilder.diagnostics import CompileError, Diagnostic, SandboxError
from imagebuilder.engine.containers import FileStat
from imagebuilder.sandbox.archives import CHUNK, MAX_SIZE, Archives, archive, archived, opened
from imagebuilder.sandbox.box import Box
from imagebuilder.sandbox.params import ExecuteResponse, FileInfo, FileUpload, Match, is_text
from imagebuilder.sandbox.process import Process

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
        self._archives = Archives(box, workdir)
        self._ids: tuple[int, int] | None = None

    # Bytes in and out ---------------------------------------------------------------------------------

    def upload_file(
        self, src: bytes | str | os.PathLike[str] | IO[bytes], dst: str, *, mode: int | None = None
    ) -> None:
        """Write a file, in place of one that is there; folders on the way are made. It belongs to the sandbox's user.

        Args:
            src: bytes, the path of a local file, or a file that is open for reading.
            dst: its path in the sandbox.
            mode: permissions, such as ``0o600``; None keeps those of the file that is replaced, else 0644, or 0755 for
                a program.

        Raises:
            SandboxError: it cannot be written.
        """
        if mode is not None:
            permissions(mode)
        path = self._archives.absolute(dst)
        if posixpath.basename(dst) in ("", ".", ".."):
            raise _not_a_file(dst)
        with opened(src) as (file, size, program):
            before = self._archives.look(path)
            if before is not None and before.type == "dir":
                raise _not_a_file(dst)
            if before is not None and before.type == "link":
                path = self._archives.followed(path)
            path = self._archives.writable(path)
            kept = before.mode if before is not None and before.type == "file" else None
            wanted = mode if mode is not None else kept if kept is not None else 0o755 if program else 0o644
            # The engine answers nothing else about a container while it unpacks an archive there.
            owner = self._owner()
            self._archives.put(archive(path, file, size, wanted, owner), dst)

    def upload_files(self, files: Sequence[FileUpload]) -> None:
        """Write several files; each as :meth:`upload_file` does. Those before one that cannot be written are there."""
        for each in files:
            self.upload_file(each.source, each.destination)

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

        name = self._archives.writable(self._archives.absolute(dst)).lstrip("/") or "."
        with archived(lambda out: out.add(root, name, filter=ours)) as pieces:
            self._archives.put(pieces, dst)

    def download_file(self, path: str, dst: str | os.PathLike[str] | IO[bytes] | None = None) -> bytes:
        """The bytes of a file; with ``dst`` they are written there, piece by piece, and nothing is returned.

        Args:
            dst: a local path, or a file that is open for writing.

        Raises:
            SandboxError: there is no such file, or it is none.
        """
        with self._archives.member(path) as member:
            if dst is None:
                return member.read()
            if not isinstance(dst, str | os.PathLike):
                shutil.copyfileobj(member, dst, CHUNK)
                return b""
            target = _local(dst)
            # Whole or not at all: whatever was there before stays until everything has come.
            handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
            try:
                with os.fdopen(handle, "wb") as out:
                    shutil.copyfileobj(member, out, CHUNK)
                Path(name).chmod(0o666 & ~_umask())
                Path(name).replace(target)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        return b""

    def download_dir(self, path: str, dst: str | os.PathLike[str], *, max_size: float = MAX_SIZE) -> None:
        """Write a folder of the sandbox as the new or empty local folder ``dst``, whole or not at all.

        A sandbox is not trusted: what would be written outside of ``dst``, devices, and more than a million files are
        refused.

        Args:
            max_size: GiB that it may take here, where a file with holes or a second name takes all of its size.

        Raises:
            CompileError: ``dst`` is there and not empty.
            SandboxError: there is no such folder, or it is refused.
        """
        info = self._archives.stat(path)
        if info.type != "dir":
            raise SandboxError(Diagnostic("IB758", f"not a folder: {path!r}", help="download_file() takes a file"))
        target = Path(dst)
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise CompileError(Diagnostic("IB758", f"{str(target)!r} is there already", help="name a new folder"))
        new = not target.exists()
        target.mkdir(parents=True, exist_ok=True)
        try:
            self._archives.unpacked(path, target, max_size)
        except BaseException:
            for each in target.iterdir():
                shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()
            if new:
                target.rmdir()
            raise

    # What is there ------------------------------------------------------------------------------------

    def list_files(self, path: str = ".") -> list[FileInfo]:
        """What a folder holds, sorted by name.

        Raises:
            SandboxError: there is no such folder.
        """
        info = self._archives.stat(path)
        if info.type != "dir":
            raise SandboxError(Diagnostic("IB758", f"not a folder: {path!r}", help="get_file_info() tells of a file"))
        if not is_text(path):
            return self._archives.listed(path)
        output = bytearray()
        done = self._process.exec(
            ["sh", "-c", _LIST, "sh", self._archives.absolute(path)],
            on_output=lambda n, data: output.extend(data) if n == 1 else None,
        )
        if done.exit_code:
            return self._archives.listed(path)
        found = []
        for entry in bytes(output).split(b"\0")[:-1]:
            head, _, raw = entry.partition(b"\n")
            name = os.fsdecode(raw).removeprefix("./")
            try:
                mode_and_type, size, modified, owner, group = head.decode(errors="replace").split("|")
                mode, _, type = mode_and_type.partition(" ")
                octal, time = f"{int(mode, 8):04o}", datetime.fromtimestamp(int(modified), UTC)
                place = posixpath.join(path, name)
                found.append(FileInfo(name, place, int(size), type == "directory", octal, time, "", owner, group))
            except (ValueError, OverflowError, OSError):
                # Users there have the names, and tools do, what the sandbox likes.
                return self._archives.listed(path)
        return sorted(found, key=lambda each: each.name)

    def is_folder(self, path: str) -> bool:
        """Whether a path is a folder, or a link to one.

        Raises:
            SandboxError: nothing is there.
        """
        return self._archives.stat(path).type == "dir"

    def get_file_info(self, path: str) -> FileInfo:
        """What is at a path; a link is told of itself.

        Raises:
            SandboxError: nothing is there.
        """
        found = self._archives.look(self._archives.absolute(path))
        if found is None:
            raise self._archives.missing(path)
        self._box.used()
        return _info(found, path)

    def find_files(self, path: str, pattern: str) -> list[Match]:
        """The lines of files below a path that hold ``pattern``, a basic regular expression as of ``grep``."""
        done = self._tool(["grep", "-rnI", "-e", pattern, "--", self._archives.absolute(path)], path, fine=(0, 1))
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
            self._archives.absolute(path),
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
            mode: in octal, such as ``"755"`` or ``0o755``.

        Raises:
            CompileError: a number that was meant as octal, such as 755.
        """
        octal = permissions(mode)
        found = self._archives.look(self._archives.absolute(path))
        if found is not None and found.type == "dir":
            return
        self._tool(["mkdir", "-p", "-m", octal, "--", self._archives.absolute(path)], path)

    def delete_file(self, path: str, recursive: bool = False) -> None:
        """Remove a file, an empty folder, or with ``recursive`` a folder and all below it."""
        found = self._archives.look(self._archives.absolute(path))
        if found is None:
            raise self._archives.missing(path)
        word = ["rm", "-rf"] if recursive else ["rmdir"] if found.type == "dir" else ["rm", "-f"]
        self._tool([*word, "--", self._archives.absolute(path)], path)

    def move_files(self, source: str, destination: str) -> None:
        """Rename a file or a folder, or move it into a folder that is there."""
        self._tool(["mv", "-f", "--", self._archives.absolute(source), self._archives.absolute(destination)], source)

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
            mode: in octal, such as ``"640"`` or ``0o640``.
            owner, group: names or numbers.
        """
        if mode is not None:
            self._tool(["chmod", "--", permissions(mode), self._archives.absolute(path)], path)
        if owner is not None or group is not None:
            who = f"{owner or ''}{f':{group}' if group else ''}"
            self._tool(["chown", "--", who, self._archives.absolute(path)], path)

    # ---------------------------------------------------------------------------------------------------

    def _owner(self) -> tuple[int, int]:
        """The numbers of the sandbox's user; root's where it has no `id`."""
        if self._ids is None:
            done = self._process.exec(["sh", "-c", "id -u && id -g"])
            said = re.fullmatch(r"([0-9]{1,9})\n([0-9]{1,9})\n", done.stdout)
            self._ids = (int(said[1]), int(said[2])) if not done.exit_code and said else (0, 0)
        return self._ids

    def _tool(self, words: list[str], path: str, fine: tuple[int, ...] = (0,)) -> ExecuteResponse:
        done = self._process.exec(words)
        if done.exit_code not in fine:
            said = done.result.strip().splitlines()[:1] or [f"exit code {done.exit_code}"]
            help = (
                f"the image has no {words[0]!r}"
                if done.exit_code in (126, 127)
                else "does it exist, and may it be changed?"
            )
            raise SandboxError(Diagnostic("IB758", f"{words[0]} of {path!r}: {said[0]}", help=help))
        return done


def permissions(mode: str | int) -> str:
    """As ``chmod`` takes them; CompileError where it is a number that nobody means, such as 755 in place of 0o755."""
    if isinstance(mode, str):
        return mode
    if not isinstance(mode, int) or isinstance(mode, bool) or not 0 <= mode <= 0o7777:
        raise CompileError(Diagnostic("IB755", f"not permissions: {mode!r}", help='such as "755", or 0o755'))
    digits = str(mode)
    if set(digits) <= set("01234567") and _usual(int(digits, 8)) and not _usual(mode):
        message = f"the permissions {mode} are {oct(mode)}, since the number is decimal"
        raise CompileError(Diagnostic("IB755", message, help=f'"{digits}", or 0o{digits}'))
    return f"{mode:o}"


def _usual(mode: int) -> bool:
    """Whether the owner may read, and nobody may more than those who stand closer."""
    owner, group, others = mode >> 6 & 7, mode >> 3 & 7, mode & 7
    return bool(owner & 4) and not group & ~owner and not others & ~group


def _info(found: FileStat, path: str) -> FileInfo:
    return FileInfo(
        found.name, path, found.size, found.type == "dir", f"{found.mode:04o}", found.modified, found.target
    )


def _not_a_file(path: str) -> CompileError:
    return CompileError(Diagnostic("IB755", f"not the path of a file: {path!r}", help="name the file, not its folder"))


def _local(dst: str | os.PathLike[str]) -> Path:
    """The path of a local file that can be written, as far as can be seen."""
    target = Path(dst)
    if target.is_dir():
        raise CompileError(Diagnostic("IB758", f"{str(target)!r} is a folder", help="name the file to write"))
    if not target.parent.is_dir():
        help = "make it first, or is it misspelt?"
        raise CompileError(Diagnostic("IB758", f"there is no local folder {str(target.parent)!r}", help=help))
    return target


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
