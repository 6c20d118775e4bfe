"""Images' files, as an engine exports them."""

from __future__ import annotations

import io
import tarfile


def archive(
    files: dict[str, bytes | str | None] | None = None, *, links: dict[str, str] | None = None, **info: object
) -> bytes:
    """A tar archive: files by their paths, folders as None, symbolic links as text; ``links`` are hard ones."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, content in (files or {}).items():
            item = tarfile.TarInfo(path)
            item.mode = 0o755 if content is None else 0o644
            for name, value in info.items():
                setattr(item, name, value)
            if content is None:
                item.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                item.type, item.linkname = tarfile.SYMTYPE, content
            else:
                item.size = len(content)
            tar.addfile(item, io.BytesIO(content) if isinstance(content, bytes) else None)
        for path, target in (links or {}).items():
            item = tarfile.TarInfo(path)
            item.type, item.linkname = tarfile.LNKTYPE, target
            tar.addfile(item)
    return out.getvalue()


def dpkg(**versions: str) -> bytes:
    return "\n".join(
        f"Package: {name}\nStatus: install ok installed\nVersion: {version}\n" for name, version in versions.items()
    ).encode()
