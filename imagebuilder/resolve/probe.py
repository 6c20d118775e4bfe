"""Prints, as JSON, where this Python has an installer put things; run in a base, by whatever Python it has.

Python 3.9 has to understand this.
"""

from __future__ import annotations

import json
import os
import platform
import re
import site
import stat
import sys
import sysconfig
from pathlib import Path

_DEEPEST = 5
_VENV = "/opt/venv"
_NAMED = re.compile(r"python(3(\.\d+)?)?")
# What they hold where they have settings of uv. An old Python reads no TOML, and such a table has several forms.
_OF_UV = {"uv.toml": "", "pyproject.toml": r"\btool\b.*\buv\b"}
# Where installers look for what an administrator wants of all installs.
_CONFIGURED = [
    "/etc/pip.conf",
    "~/.config/pip/pip.conf",
    "~/.pip/pip.conf",
    "/etc/uv/uv.toml",
    "~/.config/uv/uv.toml",
    "~/.netrc",
]


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
            waiting += [entry.path for entry in os.scandir(path) if Path(entry.path).is_dir()]
    return sorted(found), sorted(links)


def takes_venv() -> bool:
    """Whether nothing is where uv makes a virtual environment, and it finds no other Python to make it of."""
    if not is_the_one():
        return False
    parent = Path(_VENV).parent
    if os.path.lexists(_VENV) or Path("~/.local/share/uv").expanduser().exists():
        return False
    if not os.path.lexists(parent):
        return True
    status = parent.lstat()
    return (status.st_mode, status.st_uid, status.st_gid) == (stat.S_IFDIR | 0o755, 0, 0)


def is_the_one() -> bool:
    """Whether uv, which knows other names for a Python, comes to this one."""
    for folder in map(Path, os.environ.get("PATH", "").split(":")):
        named = [path for path in folder.iterdir() if _NAMED.fullmatch(path.name)] if folder.is_dir() else []
        if named:
            return set(map(os.path.realpath, named)) == {os.path.realpath(sys.executable)}
    return False


def there(paths: list[str]) -> list[tuple[str, str]]:
    from importlib.metadata import distributions

    found = distributions(path=paths)
    return sorted({(str(each.metadata["Name"]), str(each.version)) for each in found if each.metadata["Name"]})


def in_venv() -> bool:
    # Only the module site, which is not run, would tell of one.
    bin = Path(sys.executable).parent
    return any((each / "pyvenv.cfg").exists() for each in (bin, bin.parent))


def settings() -> list[str]:
    """The variables that the base sets for installers, and their files that it has."""
    files = [str(Path(each).expanduser()) for each in (*_CONFIGURED, f"{sys.prefix}/pip.conf")]
    names = [name for name in os.environ if name.startswith(("PIP_", "UV_"))]
    return sorted(names + [each for each in files if Path(each).exists()])


def uv_settings() -> str:
    """The file that uv would take settings from where it runs, which may lie in a folder above; empty for none."""
    here = Path.cwd()
    for path in (folder / name for folder in (here, *here.parents) for name in _OF_UV):
        try:
            if re.search(_OF_UV[path.name], path.read_text(encoding="utf-8", errors="replace"), re.DOTALL):
                return str(path)
        except FileNotFoundError:
            continue
        except OSError:  # An install has the rights that this may lack.
            return str(path)
    return ""


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
                "in_venv": in_venv(),
                "folders": found,
                "links": links,
                "there": there([*site.getsitepackages(), paths["purelib"], paths["platlib"]]),
                "settings": settings(),
                "uv_settings": uv_settings(),
                "takes_venv": takes_venv(),
                "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
            }
        )
    )


if __name__ == "__main__":
    main()
