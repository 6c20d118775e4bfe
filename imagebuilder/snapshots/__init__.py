"""Snapshots for programs: of an image, a Dockerfile or a description, looked after until they are deleted.

``snapshots`` is what can be done with them, ``making`` how one comes to be and takes another's place; ``diff`` reads
two images that the engine has, and ``difference`` is what they differ in.
"""

from __future__ import annotations

from imagebuilder.snapshots.making import CreateSnapshotParams
from imagebuilder.snapshots.snapshots import OnLogs, Snapshots

__all__ = ["CreateSnapshotParams", "OnLogs", "Snapshots"]
