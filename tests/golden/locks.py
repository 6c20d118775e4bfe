"""A lock for a case: what it might answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from imagebuilder import Image
from imagebuilder.compiler import compile
from imagebuilder.resolve.lock import LockFile, image_refs
from imagebuilder.resolve.system.apt import DebianPackage, LockedApt

PLATFORM = "linux/amd64"
DIGEST = "sha256:" + "0123456789abcdef" * 4


def locked(image: Image) -> LockFile:
    """One that has a digest for each image, and of each Debian package version 1.0-1, with a library for all."""
    stage = compile(image, platform=PLATFORM).stage
    bases = {(ref, PLATFORM): DIGEST for ref in image_refs(stage)}
    lock = LockFile(Path("case.lock"), bases)
    # An answer is part of the next request.
    while opens := [each.answer for each in lock.open(stage, PLATFORM) if isinstance(each.answer, LockedApt)]:
        first = opens[0]
        packages = tuple(DebianPackage(name, "1.0-1", "amd64") for name in first.asked)
        library = DebianPackage("libcase1", "1:2.0~rc1+b1", "all")
        lock = replace(lock, apts=(*lock.apts, replace(first, packages=packages, dependencies=(library,), left="")))
    return lock
