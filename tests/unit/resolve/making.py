"""Wheels that tests make, the Python that they are laid out for, and what comes of it."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from imagebuilder.ir.packages import Distribution, DistributionFile, Python
from imagebuilder.layering import archive

SITE = "/usr/local/lib/python3.12/site-packages"
BIN = "/usr/local/bin"
ABOUT = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: {pure}\nTag: py3-none-any\n"

Member = tuple[str, bytes | str, int]


def python(**changes: object) -> Python:
    """That of the official images, with a folder and a link as they may be there."""
    said: dict[str, object] = {
        "version": "3.12.4",
        "executable": "/usr/local/bin/python3.12",
        "purelib": SITE,
        "platlib": SITE,
        "scripts": BIN,
        "data": "/usr/local",
        "include": "/usr/local/include/python3.12",
        "glibc": "2.36",
        "folders": (("/usr", 0o755, 0, 0), ("/usr/local", 0o755, 0, 0), ("/usr/local/bin", 0o2775, 0, 50)),
    }
    return Python.model_validate(said | changes)


def row(name: str, content: bytes | str) -> str:
    """What RECORD says of a file."""
    data = content.encode() if isinstance(content, str) else content
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    quoted = '"' + name.replace('"', '""') + '"' if set(name) & set(',"\n') else name
    return f"{quoted},sha256={digest},{len(data)}"


def written(path: Path, members: Iterable[Member], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    """A ZIP archive of just these: name, content and mode."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content, mode in members:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = compression
            archive.writestr(entry, content)
    return path


def wheel(
    folder: Path,
    files: Mapping[str, bytes | str] | None = None,
    *,
    name: str = "demo",
    version: str = "1.0",
    entry_points: str | None = None,
    pure: bool = True,
    about: str | None = None,
    record: bytes | str | None = None,
    executable: Iterable[str] = (),
    more: Iterable[Member] = (),
    compression: int = zipfile.ZIP_DEFLATED,
) -> Path:
    """A wheel of these files; ``record`` is in the place of what RECORD has to say, ``more`` comes after all."""
    info = f"{name}-{version}.dist-info"
    members: list[Member] = [
        (each, text, 0o755 if each in executable else 0o644) for each, text in (files or {}).items()
    ]
    members.append((f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", 0o644))
    members.append((f"{info}/WHEEL", (about or ABOUT).format(pure=str(pure).lower()), 0o644))
    if entry_points is not None:
        members.append((f"{info}/entry_points.txt", entry_points, 0o644))
    if record is None:
        record = "\n".join([*(row(each, text) for each, text, _ in members), f"{info}/RECORD,,", ""])
    members.append((f"{info}/RECORD", record, 0o644))
    return written(folder / f"{name}-{version}-py3-none-any.whl", [*members, *more], compression)


def distribution(name: str, version: str = "1.0", size: int = 0, data: bytes = b"") -> Distribution:
    """One that an index could have; its file has the hash of ``data``, or of its name."""
    digest = hashlib.sha256(data or f"{name} {version}".encode()).hexdigest()
    url = f"https://files.example.org/{name}-{version}-py3-none-any.whl"
    return Distribution(name=name, version=version, files=(DistributionFile(url=url, sha256=digest, size=size),))


def laid_out(*wheels: Path, by: Python | None = None) -> bytes:
    out = io.BytesIO()
    archive.write(wheels, by or python(), out)
    return out.getvalue()


def entries(data: bytes) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    """The archive's entries by their absolute path, with the content of files."""
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        found = [(each, opened.extractfile(each) if each.isfile() else None) for each in opened]
        return {f"/{each.name}": (each, content.read() if content else b"") for each, content in found}


def files(*wheels: Path, by: Python | None = None) -> dict[str, str]:
    found = entries(laid_out(*wheels, by=by)).items()
    return {path: content.decode() for path, (entry, content) in found if entry.isfile()}


def recorded(text: str) -> dict[str, tuple[str, str]]:
    rows = list(csv.reader(io.StringIO(text)))
    assert len({each[0] for each in rows}) == len(rows), "a file is named twice"
    return {name: (digest, size) for name, digest, size in rows}
