"""Prints, as JSON, where this Python has an installer put things; run in a base, by whatever Python it has.

Python 3.9 has to understand this.
"""

from __future__ import annotations

import json
import os
import platform
import stat
import sys
import sysconfig

_DEEPEST = 5


def folders(*tops: str) -> tuple[list[tuple[str, int, int, int]], list[tuple[str, str]]]:
    """Those on the way to and below some folders, with mode, user and group, and the links among them."""
    found, links, seen = [], [], set()
    waiting = []
    for top in tops:
        parts = top.split("/")
        waiting += ["/".join(parts[: count + 1]) for count in range(1, len(parts))]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        try:
            status = os.lstat(path)
        except FileNotFoundError:  # Headers may have no folder yet.
            continue
        if stat.S_ISLNK(status.st_mode):
            links.append((path, os.path.realpath(path)))
            continue
        found.append((path, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid))
        inside = [top for top in tops if path == top or path.startswith(top + "/")]
        deepest = max((top.count("/") + _DEEPEST for top in inside), default=0)
        if path.count("/") < deepest and not path.endswith("-packages"):
            waiting += [entry.path for entry in os.scandir(path) if entry.is_dir()]
    return sorted(found), sorted(links)


def there() -> list[tuple[str, str]]:
    from importlib.metadata import distributions

    return sorted((str(each.metadata["Name"]), str(each.version)) for each in distributions() if each.metadata["Name"])


def main() -> None:
    paths = sysconfig.get_paths()
    data, include = paths["data"], paths["include"]
    found, links = folders(data, include)
    print(
        json.dumps(
            {
                "version": platform.python_version(),
                "implementation": sys.implementation.name,
                "executable": sys.executable,
                "purelib": paths["purelib"],
                "platlib": paths["platlib"],
                "scripts": paths["scripts"],
                "data": data,
                "include": include,
                "glibc": platform.libc_ver()[1] if platform.libc_ver()[0] == "glibc" else "",
                "uid": os.getuid(),
                "in_venv": sys.prefix != sys.base_prefix,
                "folders": found,
                "links": links,
                "there": there(),
            }
        )
    )


if __name__ == "__main__":
    main()
