"""Moves what uv has just installed to /out, under the same paths; run in a build, by the base's own Python.

Folders on the way get the mode and owner that they have: a linked layer puts
its own in the place of the base's. Python 3.9 has to understand this.
"""

from __future__ import annotations

import csv
import os
import sysconfig
from pathlib import Path

OUT = "/out"


def folder(path: Path, made: set[Path]) -> None:
    if path in made:
        return
    folder(path.parent, made)
    made.add(path)
    found = path.lstat()
    copy = Path(f"{OUT}{path}")
    copy.mkdir()
    copy.chmod(found.st_mode & 0o7777)
    os.chown(copy, found.st_uid, found.st_gid)


def installed(info: Path) -> list[str]:
    """The files of a distribution, from the folder of its metadata; none where it was not uv that installed it."""
    try:
        if (info / "INSTALLER").read_text().strip() != "uv":
            return []
        with (info / "RECORD").open(newline="") as file:
            return [row[0] for row in csv.reader(file) if row]
    except FileNotFoundError:
        return []


def main() -> None:
    Path(OUT).mkdir()
    made = {Path("/")}
    for site in sorted({Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")}):
        for info in sorted(site.glob("*.dist-info")):
            for name in installed(info):
                path = Path(os.path.normpath(site / name))
                if os.path.lexists(path):
                    folder(path.parent, made)
                    path.rename(f"{OUT}{path}")


if __name__ == "__main__":
    main()
