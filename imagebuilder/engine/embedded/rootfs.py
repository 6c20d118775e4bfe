"""The root file system that the embedded engine runs in, made from Debian's packages.

Debian unstable carries a Docker Engine and a buildx that are current; installing
them onto the machine itself would upgrade its libc, so they get a root of their own.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from imagebuilder import command
from imagebuilder.engine.embedded import apt
from imagebuilder.engine.embedded.layout import Layout, OnLine, failure, read_json

SUITE = "unstable"
PACKAGES = (
    "docker.io", "docker-buildx", "docker-cli", "containerd", "runc", "tini",
    "ca-certificates", "iptables", "iproute2", "git", "xz-utils", "pigz", "kmod",
)  # fmt: skip
MARKER = "etc/imagebuilder.json"
"""In the root file system: what it was made of. A different recipe is made anew."""

_RECIPE = {"version": 1, "suite": SUITE, "packages": list(PACKAGES)}
_UNREAD = ("doc", "man", "info", "locale", "lintian", "linda")


def is_ready(layout: Layout) -> bool:
    """Whether a complete root file system of this recipe is in place."""
    return read_json(layout.rootfs / MARKER) == _RECIPE


def ensure(layout: Layout, on_line: OnLine) -> None:
    """Make the root file system where it is missing; the caller holds the engine's lock.

    It is built beside its place and renamed into it, so that a build cut off at
    any moment leaves only what the next call removes.

    Raises:
        EngineError: no space, no apt, or mmdebstrap failed.
    """
    part, old, work = (layout.rootfs.with_suffix(ending) for ending in (".part", ".old", ".work"))
    for leftover in (part, old, work):
        remove_tree(leftover)
    if is_ready(layout):
        return
    apt.require_space(layout.engine)
    apt.ensure_mmdebstrap(on_line)
    mirrors = apt.find_mirrors()
    on_line(f"making the engine's root file system from Debian {SUITE} (once; about a minute, 600 MB)")
    arguments = [
        "--mode=root",
        "--variant=minbase",
        '--aptopt=Acquire::Check-Valid-Until "false"',
        '--aptopt=APT::Sandbox::User "root"',
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _UNREAD),
        f"--include={','.join(PACKAGES)}",
        SUITE,
        str(part),
        f"deb {mirrors.main} {SUITE} main",
    ]
    try:
        work.mkdir(mode=0o700)
        apt.mmdebstrap(arguments, env={"TMPDIR": str(work)}, on_line=on_line, cwd=layout.engine)
        (part / MARKER).write_text(json.dumps(_RECIPE), encoding="utf-8")
        if layout.rootfs.exists():
            layout.rootfs.rename(old)
        part.rename(layout.rootfs)
    finally:
        for leftover in (part, old, work):
            remove_tree(leftover)


def remove_tree(path: Path) -> None:
    """Remove a folder and all below it, first undoing every mount there.

    Raises:
        EngineError: IB520 where a mount cannot be undone; nothing is removed then,
            for what is mounted may be the machine's own /dev.
    """
    if not path.exists():
        return
    for point in reversed(mounts_below(path)):
        command.run(["umount", "-l", point])
    if left := mounts_below(path):
        raise failure("IB520", f"{left[0]} is still mounted", "unmount it, then start again")
    done = command.run(["rm", "-rf", "--one-file-system", str(path)])
    if done.returncode:
        raise failure("IB520", done.stderr.decode(errors="replace").strip())


def mounts_below(path: Path) -> list[str]:
    """The mount points at or below a path, outermost first."""
    points = []
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        escaped = line.split(b" ")[4]
        point = os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda code: bytes([int(code[1], 8)]), escaped))
        if point == str(path) or point.startswith(f"{path}/"):
            points.append(point)
    return sorted(points)
