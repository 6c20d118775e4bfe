"""What uv is given for a Python: it says that it is one, and runs nothing.

uv reads the metadata of a source distribution where that is static, and would run its build backend where it is not.
With this the attempt fails, whatever the backend is, and uv says of which release.
"""

from __future__ import annotations

import json
import os
import tempfile
from hashlib import sha256
from pathlib import Path

# The markers and tags of an answer are those of `--python-version` and `--python-platform`, not these.
_SAID = {
    "result": "success",
    "markers": {
        "implementation_name": "cpython",
        "implementation_version": "3.13.0",
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": "3.13.0",
        "python_version": "3.13",
        "sys_platform": "linux",
    },
    **dict.fromkeys(("sys_base_prefix", "sys_base_exec_prefix", "sys_prefix", "stdlib"), "/nowhere"),
    **{name: [] for name in ("sys_path", "site_packages", "extension_suffixes")},
    "scheme": dict.fromkeys(("platlib", "purelib", "include", "scripts", "data"), "/nowhere"),
    "virtualenv": dict.fromkeys(("platlib", "purelib", "include", "scripts", "data"), ""),
    "os": {"name": "manylinux", "major": 2, "minor": 36},
    "arch": "x86_64",
    "cpu_info": {"detected": {"kind": "flags", "flags": ""}},
    "manylinux_compatible": True,
    "standalone": False,
    "gil_disabled": False,
    "debug_enabled": False,
    "pointer_size": "64",
}
_SCRIPT = """\
#!/bin/sh
case "$*" in *get_interpreter_info*) ;; *) echo "nothing is built here" >&2; exit 1 ;; esac
cat <<'EOF_S'
{said}
EOF_S
"""


def no_python(folder: Path) -> Path:
    """That program, in a folder whose name stays: uv remembers what a Python said."""
    name = f"no-python-{sha256(json.dumps([_SCRIPT, _SAID, str(folder)]).encode()).hexdigest()[:12]}"
    path = folder.absolute() / name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        said = _SAID | {"sys_executable": str(path), "sys_base_executable": str(path)}
        handle, new = tempfile.mkstemp(dir=folder, prefix=".new-")
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(_SCRIPT.format(said=json.dumps(said)))
        Path(new).chmod(0o755)
        Path(new).replace(path)
    return path
