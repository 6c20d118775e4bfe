"""A package index of a few distributions in a folder."""

from __future__ import annotations

import io
import tarfile
import zipfile
from hashlib import sha256
from pathlib import Path


class Index:
    """``url`` is what an installer takes for its index."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = folder.as_uri()

    def wheel(self, name: str, version: str, *requires: str, files: dict[str, str] | None = None) -> None:
        info = f"{name}-{version}.dist-info"
        needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for path, text in (files or {f"{name}.py": ""}).items():
                archive.writestr(path, text)
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")
        self._add(name, f"{name}-{version}-py3-none-any.whl", out.getvalue())

    def sdist(
        self,
        name: str,
        version: str,
        *requires: str,
        files: dict[str, str] | None = None,
        static: bool = False,
    ) -> None:
        """One whose metadata counts as it is, where that is ``static`` (PEP 643)."""
        needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
        about = f"Metadata-Version: {'2.2' if static else '2.1'}\nName: {name}\nVersion: {version}\n{needs}"
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as archive:
            for path, text in {"PKG-INFO": about, **(files or {})}.items():
                content = text.encode()
                entry = tarfile.TarInfo(f"{name}-{version}/{path}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        self._add(name, f"{name}-{version}.tar.gz", out.getvalue())

    def _add(self, name: str, file: str, content: bytes) -> None:
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content)
        names = sorted(path.name for path in folder.iterdir() if path.suffix != ".html")
        links = {each: sha256((folder / each).read_bytes()).hexdigest() for each in names}
        text = "".join(f'<a href="{each}#sha256={digest}">{each}</a>\n' for each, digest in links.items())
        (folder / "index.html").write_text(text)
