"""What an installer makes of wheels, as one archive that is the same wherever it is written.

It follows uv (its release is :data:`imagebuilder.resolve.uv.VERSION`), so that a layer holds what ``uv pip install``
puts on disk: the places of the wheel's folders (PEP 427), scripts for its entry points, INSTALLER, REQUESTED and RECORD
beside its metadata. Times are fixed, entries sorted, owners root; folders are as the base has them.
"""

from __future__ import annotations

import base64
import configparser
import csv
import errno
import hashlib
import io
import posixpath
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from email.parser import HeaderParser
from lzma import LZMAError
from pathlib import Path
from typing import IO

from imagebuilder.ir.packages import Python
from imagebuilder.resolve.uv import normalized

TIME = 315_532_800
"""Of every file, in seconds since 1970: 1980 began, before which a ZIP archive can hold no time."""

_CHUNK = 1 << 20
# Of a text that is read whole: what a wheel says of itself, or a script of its own. Few bytes may unpack to any number.
_MOST_TEXT = 64 << 20
_MOST_LINKS = 40
_SHEBANG = b"#!python"
# As uv reads one; an entry point without a call is no script.
_ENTRY_POINT = re.compile(r"(?P<module>[\w.-]+)\s*:\s*(?P<call>[\w.-]+)\s*(\[[^\]]*\]\s*)?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# What Python's readers raise for bytes that are not what they have to be; an encrypted file is a RuntimeError.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    LZMAError,
    EOFError,
    LookupError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
    configparser.Error,
    csv.Error,
)
_SCRIPT = """\
#!{executable}
# -*- coding: utf-8 -*-
import sys
from {module} import {name}
if __name__ == "__main__":
    if sys.argv[0].endswith("-script.pyw"):
        sys.argv[0] = sys.argv[0][:-11]
    elif sys.argv[0].endswith(".exe"):
        sys.argv[0] = sys.argv[0][:-4]
    sys.exit({call}())
"""


class Unfit(Exception):
    """A wheel that is none, or that would write where no installer does."""


@dataclass(slots=True)
class _File:
    """``member`` is the wheel's own file of these bytes; else they are ``content``. ``row`` is what RECORD says."""

    mode: int
    member: zipfile.ZipInfo | None = None
    content: bytes = b""
    row: tuple[str, str] = ("", "")


@dataclass(slots=True)
class _Wheel:
    archive: zipfile.ZipFile
    files: dict[str, _File] = field(default_factory=dict)


def write(wheels: Iterable[Path], python: Python, out: IO[bytes]) -> dict[str, str]:
    """Write the archive of several wheels; its files, by what RECORD says of each.

    Raises:
        Unfit: one of them cannot be installed.
        OSError: one cannot be read, or the archive not be written.
    """
    opened: list[_Wheel] = []
    try:
        for path in sorted(wheels, key=lambda path: path.name):
            opened.append(_opened(path, python))
        files = {name: (wheel, file) for wheel in opened for name, file in wheel.files.items()}
        _write(files, python, out)
        return {name: ",".join(file.row) for name, (_, file) in files.items()}
    except _DAMAGED as error:
        raise Unfit(f"not a wheel: {error}") from None
    except OSError as error:
        # What tarfile and bz2 say of bytes that end too early has no number; a place before the first byte is EINVAL.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise Unfit(f"not a wheel: {error}") from None
    finally:
        for wheel in opened:
            wheel.archive.close()


def _write(files: Mapping[str, tuple[_Wheel, _File]], python: Python, out: IO[bytes]) -> None:
    known = {path: (mode, uid, gid) for path, mode, uid, gid in python.folders}
    folders = {parent for name in files for parent in _parents(name)}
    if both := min(folders & files.keys(), default=""):
        raise Unfit(f"{both} would be a file and a folder")
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(folders | files.keys()):
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.mtime = TIME
            if name in folders:
                entry.type = tarfile.DIRTYPE
                entry.mode, entry.uid, entry.gid = known.get(name, (0o755, 0, 0))
                archive.addfile(entry)
                continue
            wheel, file = files[name]
            entry.mode = file.mode
            if file.member is None:
                entry.size = len(file.content)
                archive.addfile(entry, io.BytesIO(file.content))
            else:
                entry.size = file.member.file_size
                with wheel.archive.open(file.member) as content:
                    archive.addfile(entry, content)


def _opened(path: Path, python: Python) -> _Wheel:
    wheel = _Wheel(zipfile.ZipFile(path))
    try:
        _Layout(wheel, python).lay_out()
    except BaseException:
        wheel.archive.close()
        raise
    return wheel


class _Layout:
    """Where the files of one wheel go."""

    def __init__(self, wheel: _Wheel, python: Python) -> None:
        self._wheel = wheel
        self._archive = wheel.archive
        self._python = python
        self._links = dict(python.links)
        self._folders = {path for path, *_ in python.folders}
        self._members = self._archive.infolist()
        self._has = {member.filename: member for member in self._members}
        if twice := next((each for each in self._members if not _same(each, self._has[each.filename])), None):
            raise Unfit(f"it has two files of one name: {twice.filename!r}")
        tops = {top for top, below, _ in (name.partition("/") for name in self._has) if below}
        found = [top for top in tops if top.endswith(".dist-info")]
        if len(found) != 1 or f"{found[0]}/WHEEL" not in self._has:
            raise Unfit("it has no metadata, or more than one")
        self._info = found[0]
        about = HeaderParser().parsestr(self._text("WHEEL"))
        if (version := about.get("Wheel-Version", "").strip()).partition(".")[0] != "1":
            raise Unfit(f"a wheel of a version that is not known: {version!r}")
        pure = about.get("Root-Is-Purelib", "").strip().lower() == "true"
        self._site = self._real(python.purelib if pure else python.platlib)

    def lay_out(self) -> None:
        # It is written over, and so keeps its mode.
        mode = _mode(self._archive.getinfo(f"{self._info}/RECORD"))
        said = {row[0]: (row[1], row[2]) for row in csv.reader(io.StringIO(self._text("RECORD"))) if len(row) > 2}
        for member in self._members:
            if member.filename.endswith("/") or member.filename == f"{self._info}/RECORD":
                continue
            self._member(member, said.get(member.filename))
        self._entry_points()
        record = self._at(self._site, f"{self._info}/RECORD")
        self._made(self._at(self._site, f"{self._info}/INSTALLER"), b"uv")
        self._made(self._at(self._site, f"{self._info}/REQUESTED"), b"")
        self._made(record, self._record(record), mode)

    def _text(self, name: str) -> str:
        return self._whole(self._has[f"{self._info}/{name}"]).decode()

    def _whole(self, member: zipfile.ZipInfo) -> bytes:
        # What is unpacked is never more than this says.
        if member.file_size > _MOST_TEXT:
            raise Unfit(f"{member.filename!r} has {member.file_size:,} bytes; {_MOST_TEXT:,} are the most")
        return self._archive.read(member)

    def _member(self, member: zipfile.ZipInfo, row: tuple[str, str] | None) -> None:
        mode = _mode(member)
        data = self._info.removesuffix(".dist-info") + ".data/"
        name = member.filename
        if not name.startswith(data):
            self._kept(self._at(self._site, name), member, mode, row)
            return
        kind, _, rest = name.removeprefix(data).partition("/")
        if kind != "scripts":
            self._kept(self._at(self._folder(kind), rest), member, mode, row)
            return
        target = self._script(rest)
        with self._archive.open(member) as content:
            ours = content.read(len(_SHEBANG)) == _SHEBANG
        if ours:
            _, _, others = self._whole(member).partition(b"\n")
            self._made(target, f"#!{self._python.executable}\n".encode() + others, 0o755)
        else:
            self._kept(target, member, 0o755, row)

    def _folder(self, kind: str) -> str:
        python = self._python
        match kind:
            case "purelib":
                return python.purelib
            case "platlib":
                return python.platlib
            case "data":
                return python.data
            case "headers":
                return f"{python.include}/{normalized(self._info.partition('-')[0])}"
        raise Unfit(f"files of a kind that is not known: {kind!r}")

    def _entry_points(self) -> None:
        if f"{self._info}/entry_points.txt" not in self._has:
            return
        parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False, default_section="")
        parser.optionxform = str  # type: ignore[assignment,method-assign] # names are as they are
        parser.read_string(self._text("entry_points.txt"))
        for section in ("console_scripts", "gui_scripts"):
            for name, said in parser.items(section) if parser.has_section(section) else ():
                if (found := _ENTRY_POINT.fullmatch(said)) is None:
                    raise Unfit(f"an entry point that calls nothing: {name} = {said}")
                text = _SCRIPT.format(
                    executable=self._python.executable,
                    module=found["module"],
                    name=found["call"].partition(".")[0],
                    call=found["call"],
                )
                self._made(self._script(name), text.encode(), 0o755)

    def _kept(self, target: str, member: zipfile.ZipInfo, mode: int, row: tuple[str, str] | None) -> None:
        if row is None or not row[0]:
            with self._archive.open(member) as content:
                row = _digest(iter(lambda: content.read(_CHUNK), b"")), str(member.file_size)
        self._wheel.files[target] = _File(mode, member, row=row)

    def _made(self, target: str, content: bytes, mode: int = 0o644) -> None:
        self._wheel.files[target] = _File(mode, None, content, (_digest([content]), str(len(content))))

    def _record(self, path: str) -> bytes:
        rows = {target: file.row for target, file in self._wheel.files.items()} | {path: ("", "")}
        rows = {posixpath.relpath(target, self._site): row for target, row in rows.items()}
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([name, *row] for name, row in sorted(rows.items()))
        return out.getvalue().encode()

    def _script(self, name: str) -> str:
        if "/" in name:
            raise Unfit(f"a script in a folder: {name!r}")
        return self._at(self._python.scripts, name)

    def _at(self, folder: str, name: str) -> str:
        path = posixpath.normpath(posixpath.join(folder, name))
        if not path.startswith(f"{folder}/"):
            raise Unfit(f"it would write outside of {folder}: {name!r}")
        if _CONTROL.search(name):
            raise Unfit(f"a file's name with control characters: {name!r}")
        path = self._real(path)
        if path in self._folders or path in self._links:
            raise Unfit(f"it would put a file in the place of the folder {path}")
        return path

    def _real(self, path: str) -> str:
        """Where it is without links: a linked layer would put a folder in the place of one that stands on the way."""
        for _ in range(_MOST_LINKS):
            link = next((parent for parent in _parents(path) if parent in self._links), None)
            if link is None:
                return path
            path = posixpath.normpath(posixpath.join(self._links[link], posixpath.relpath(path, link)))
        raise Unfit(f"the base's links lead nowhere: {path}")


def _same(one: zipfile.ZipInfo, other: zipfile.ZipInfo) -> bool:
    return (one.CRC, one.file_size) == (other.CRC, other.file_size)


def _mode(member: zipfile.ZipInfo) -> int:
    return 0o755 if (member.external_attr >> 16) & 0o111 else 0o644


def _parents(path: str) -> Iterator[str]:
    while (path := posixpath.dirname(path)).strip("/"):
        yield path


def _digest(pieces: Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
    return "sha256=" + base64.urlsafe_b64encode(found.digest()).rstrip(b"=").decode()
