"""What an image holds: its files and its packages, of an export that is read once and unpacked nowhere."""

from __future__ import annotations

import http.client
import json
import re
import tarfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import IO, Literal, cast

from imagebuilder.diagnostics import Diagnostic, EngineError

MOST_FILES = 1_000_000
"""Of an image; those of two are held in memory, some hundred bytes for each."""

_CHUNK = 1 << 20
_END = 1024
# Of what a package is called and which version it is.
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """A path of an image. ``size`` is that of a file, ``owner`` a user's and a group's number.

    ``target`` is where a symbolic link leads, or which device it is; ``digest`` is a file's SHA-256.
    """

    type: Literal["file", "dir", "link", "other"]
    size: int = 0
    mode: int = 0o644
    owner: tuple[int, int] = (0, 0)
    target: str = ""
    digest: bytes = b""


@dataclass(frozen=True, slots=True)
class Contents:
    """``entries`` by their absolute paths; ``packages`` by kind (apt, apk, pip, npm) and name, with their versions.

    ``size`` is the bytes of all files; those of several names count once. ``distribution`` is what the system calls
    itself, such as ``debian``, empty where it does not.
    """

    entries: Mapping[str, Entry]
    packages: Mapping[str, Mapping[str, str]]
    size: int
    distribution: str = ""


def read(archive: IO[bytes], most: int = MOST_FILES) -> Contents:
    """The contents of a tar archive of a whole file system.

    Raises:
        EngineError: it has more than ``most`` entries, or breaks off.
    """
    entries: dict[str, Entry] = {}
    packages: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    size, distribution = 0, ""
    whole = _Ended(archive)
    try:
        with tarfile.open(fileobj=cast("IO[bytes]", whole), mode="r|", bufsize=_CHUNK) as tar:
            while (item := tar.next()) is not None:
                # It would keep them all.
                tar.members.clear()  # type: ignore[attr-defined] # there in every Python
                path = "/" + item.name.removeprefix("./").strip("/")
                # The engine puts the latter into each container.
                if path in ("/", "/.", "/.dockerenv"):
                    continue
                if len(entries) >= most:
                    help = "sandboxes of the two images can be compared by folders"
                    raise EngineError(Diagnostic("IB541", f"the image has more than {most:,} files", help=help))
                source = _source(path) if item.isreg() else None
                entry, head = _entry(tar, item, entries, source.most if source else 0)
                entries[path] = entry
                size += 0 if item.islnk() or entry.type != "file" else entry.size
                if source is _OS_RELEASE:
                    found = _ID.search(head.decode(errors="replace"))
                    distribution = found[1] if found else distribution
                elif source:
                    for name, version in source.packages(head.decode(errors="replace").replace("\r\n", "\n")):
                        packages[source.kind][_cut(name)].add(_cut(version))
        whole.check()
    except (tarfile.TarError, OSError, http.client.HTTPException) as error:
        message = f"the engine broke off while it sent the image's files: {error}"
        raise EngineError(
            Diagnostic("IB541", message, help="try it again; `imagebuilder doctor` looks at it")
        ) from None
    told = {
        kind: {name: ", ".join(sorted(found)) for name, found in sorted(names.items())}
        for kind, names in sorted(packages.items())
    }
    return Contents(entries, told, size, distribution)


class _Ended:
    """An archive that is read to its end, which is two empty blocks; tarfile does not miss them."""

    def __init__(self, archive: IO[bytes]) -> None:
        self._archive = archive
        self._last = b""

    def read(self, size: int) -> bytes:
        data = self._archive.read(size)
        self._last = (self._last + data[-_END:])[-_END:]
        return data

    def check(self) -> None:
        """
        Raises:
            ReadError: it broke off.
        """
        while self.read(_CHUNK):
            pass
        if self._last != bytes(_END):
            raise tarfile.ReadError("its end is missing")


def _entry(tar: tarfile.TarFile, item: tarfile.TarInfo, before: Mapping[str, Entry], most: int) -> tuple[Entry, bytes]:
    """The entry, and the first bytes of a file."""
    mode, owner = item.mode & 0o7777, (item.uid, item.gid)
    if item.isdir():
        return Entry("dir", 0, mode, owner), b""
    if item.issym():
        # A link's own permissions mean nothing.
        return Entry("link", 0, 0o777, owner, item.linkname), b""
    if item.islnk():
        first = before.get("/" + item.linkname.removeprefix("./").strip("/"))
        return replace(first, mode=mode, owner=owner) if first else Entry("file", 0, mode, owner), b""
    if not item.isreg():
        kind = "pipe" if item.isfifo() else f"{'block' if item.isblk() else 'character'} device"
        return Entry("other", 0, mode, owner, f"{kind} {item.devmajor}:{item.devminor}"), b""
    file = tar.extractfile(item)
    assert file is not None
    digest, head = sha256(), bytearray()
    while piece := file.read(_CHUNK):
        digest.update(piece)
        head += piece[: most - len(head)]
    return Entry("file", item.size, mode, owner, "", digest.digest()), bytes(head)


# Packages ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Source:
    """A file that names packages; no more than ``most`` bytes of it are looked at."""

    kind: str
    most: int
    packages: Callable[[str], Iterator[tuple[str, str]]]


def _source(path: str) -> _Source | None:
    if path in ("/etc/os-release", "/usr/lib/os-release"):
        return _OS_RELEASE
    # Most paths are none of them.
    if not path.endswith(("/METADATA", "/PKG-INFO", "/package.json", "/installed")) and "/dpkg/status" not in path:
        return None
    found = _PATHS.fullmatch(path)
    return _SOURCES[found.lastgroup or ""] if found and "/_vendor/" not in path else None


def _dpkg(text: str) -> Iterator[tuple[str, str]]:
    for paragraph in text.split("\n\n"):
        found = _fields(paragraph)
        # A package that was removed leaves its configuration; distroless images say no status.
        if found.get("Status", "installed").split()[-1:] == ["installed"]:
            yield from _named(found.get("Package"), found.get("Version"))


def _apk(text: str) -> Iterator[tuple[str, str]]:
    for paragraph in text.split("\n\n"):
        found = _fields(paragraph)
        yield from _named(found.get("P"), found.get("V"))


def _pip(text: str) -> Iterator[tuple[str, str]]:
    found = _fields(text.partition("\n\n")[0])
    for name, version in _named(found.get("Name"), found.get("Version")):
        yield re.sub(r"[-_.]+", "-", name).lower(), version


def _npm(text: str) -> Iterator[tuple[str, str]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(found, dict):
        yield from _named(found.get("name"), found.get("version"))


def _named(name: object, version: object) -> Iterator[tuple[str, str]]:
    if isinstance(name, str) and isinstance(version, str) and name and version:
        yield name, version


def _cut(text: str) -> str:
    """JSON can say what is no character."""
    return text[:_LONGEST].encode(errors="replace").decode()


def _fields(paragraph: str) -> dict[str, str]:
    """Those of a Debian control file, and of what is written like one; the first of each name."""
    found: dict[str, str] = {}
    for line in paragraph.split("\n"):
        name, colon, value = line.partition(":")
        if colon and not name[:1].isspace():
            found.setdefault(name, value.strip())
    return found


_PATHS = re.compile(
    r"(?P<dpkg>/var/lib/dpkg/status(\.d/[^/]+(?<!\.md5sums))?)"
    r"|(?P<apk>/(usr/)?lib/apk/db/installed)"
    r"|(?P<pip>.*\.(dist-info/METADATA|egg-info/PKG-INFO))"
    r"|(?P<npm>.*/node_modules/(@[^/]+/)?[^/]+/package\.json)",
    re.DOTALL,
)
_ID = re.compile(r"^ID=[\"']?([a-z0-9._-]{1,60})", re.MULTILINE)
_OS_RELEASE = _Source("", 64 << 10, lambda text: iter(()))
_SOURCES = {
    "dpkg": _Source("apt", 32 << 20, _dpkg),
    "apk": _Source("apk", 32 << 20, _apk),
    # Its head comes first; a description follows.
    "pip": _Source("pip", 64 << 10, _pip),
    "npm": _Source("npm", 1 << 20, _npm),
}
